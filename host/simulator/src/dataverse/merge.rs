//! Merging two accounts or two contacts into one. (dataverse 6, row 29; the rest is how people see it on the site)

use uuid::Uuid;

use super::associate;
use super::refusal::{self, Refusal};
use super::schema::Name;
use super::session::Session;
use super::store::{Cell, Db};
use super::write;

/// Tables whose rows can be merged here.
const MERGEABLE: [&str; 2] = ["account", "contact"];

/// The loser is deactivated and says who won; whatever referred to it refers to the winner.
pub(super) fn merge(
    db: &mut Db,
    session: &Session,
    table: &Name,
    winner: Uuid,
    loser: Uuid,
) -> Result<(), Refusal> {
    let invalid = |message: &str| Refusal::new(400, "0x80040203", message);
    if !MERGEABLE.contains(&&**table) {
        return Err(invalid(&format!("Rows of '{table}' cannot be merged.")));
    }
    if winner == loser {
        return Err(invalid("A row cannot be merged with itself."));
    }
    for id in [winner, loser] {
        let row = db
            .row(table, id)
            .ok_or_else(|| refusal::no_row(table, id))?;
        if row.int("statecode") != Some(0) {
            return Err(refusal::closed(table, id));
        }
    }
    let to = Cell::Ref {
        table: table.clone(),
        id: winner,
    };
    for (child, column, holder) in associate::holders(db, table, loser) {
        // Who lost to the loser keeps saying so: the way to the winner is a chain.
        if &*column == "masterid" {
            continue;
        }
        // The winner does not become its own parent.
        let own = child == *table && holder == winner;
        let cell = (!own).then(|| to.clone());
        write::apply(db, session, &child, holder, vec![(column, cell)])?;
    }
    for (relationship, here_is_first) in associate::relationships(db, table) {
        for other in db.linked(relationship, loser, here_is_first) {
            let pair = |id| associate::pair(id, other, here_is_first);
            db.link(relationship, pair(loser), false);
            db.link(relationship, pair(winner), true);
        }
    }
    let changes = vec![
        ("merged".into(), Some(Cell::Bool(true))),
        ("masterid".into(), Some(to)),
        ("statecode".into(), Some(Cell::Int(1))),
        ("statuscode".into(), Some(Cell::Int(2))),
    ];
    write::apply(db, session, table, loser, changes)?;
    if let Some(row) = db.row(table, winner).cloned() {
        let target = vec![("subordinateid".into(), Some(Cell::Guid(loser)))];
        write::raise(db, "Merge", table, (None, Some(&row)), target);
    }
    Ok(())
}

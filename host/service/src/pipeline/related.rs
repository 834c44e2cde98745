//! Rows that hang from a deal's row ring for it (S31): a solution that is added completes a deal, and changes no column of its row.

use cosell_store::{AcceptedEvent, Next, RecordKey};
use cosell_sync::row::Cell;
use cosell_sync::side::Side;

use super::run::Run;
use crate::records::children;
use crate::trouble::Trouble;

/// If the lane is about such a row, rings for the row above it: one hop, one bell. None when the lane is a deal's own.
pub(super) async fn ring(run: &Run<'_>) -> Result<Option<Next>, Trouble> {
    let Some(member) = run
        .members
        .first()
        .filter(|member| member.side == Side::Crm.as_str() && !run.is_linked())
    else {
        return Ok(None);
    };
    let needs = run.set.needs();
    let Some((join, up, kind)) = children(needs).find(|(join, ..)| join.table == member.kind)
    else {
        return Ok(None);
    };
    let columns = [up.to_owned()].into();
    let row = match run
        .connection
        .dataverse
        .retrieve(&join.table, &member.id, &columns, &[])
        .await
    {
        Ok(row) => row,
        Err(error) if error.class == cosell_remote::Class::NotFound => {
            return Ok(Some(Next::Settled));
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(Cell::Reference(above)) = row
        .seen
        .row
        .cells
        .get(up)
        .filter(|cell| matches!(cell, Cell::Reference(_)))
    {
        let record = RecordKey {
            side: Side::Crm.as_str().to_owned(),
            kind: kind.table().to_owned(),
            id: above.id.to_ascii_lowercase(),
        };
        let event = AcceptedEvent {
            connection: run.lease.connection.clone(),
            record,
            cause: format!("{} below it", join.table),
            dedupe: None,
            lane: None,
        };
        run.desk.store.accept(vec![event], None).await?;
        run.desk.rope.notify_one();
    }
    Ok(Some(Next::Settled))
}

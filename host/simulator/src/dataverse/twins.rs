//! Duplicate detection: only for those who ask for it, by the rules that a new organisation has. (dataverse 2.9)

use serde_json::{Map, Value};
use uuid::Uuid;

use super::refusal::Refusal;
use super::schema::Name;
use super::session::Session;
use super::store::Db;
use crate::wire::Request;

/// Table and column: two active rows that have the same value there are duplicates. There is no rule for opportunities.
const RULES: [(&str, &str); 5] = [
    ("account", "name"),
    ("account", "emailaddress1"),
    ("account", "websiteurl"),
    ("contact", "emailaddress1"),
    ("lead", "emailaddress1"),
];

/// Refuses a body that would make a duplicate, if the header asks for that.
pub(super) fn detect(
    db: &Db,
    session: &Session,
    request: &Request,
    table: &Name,
    body: &Map<String, Value>,
    own: Option<Uuid>,
) -> Result<(), Refusal> {
    let suppressed = request.header("mscrm.suppressduplicatedetection");
    if !suppressed.is_some_and(|value| value.trim().eq_ignore_ascii_case("false")) {
        return Ok(());
    }
    for (_, column) in RULES.iter().filter(|(held, _)| *held == &**table) {
        let Some(wanted) = body.get(*column).and_then(Value::as_str) else {
            continue;
        };
        let rows = db
            .rows(table)
            .into_iter()
            .flat_map(|rows| rows.live.values());
        let mut active = rows.filter(|row| row.int("statecode") == Some(0) && Some(row.id) != own);
        let alike = |held: &str| held.trim().to_lowercase() == wanted.trim().to_lowercase();
        if active.any(|row| row.str(column).is_some_and(alike)) {
            return Err(Refusal::new(
                if session.assumptions.duplicate_is_500() {
                    500
                } else {
                    412
                },
                "0x80040333",
                "A record was not created or updated because a duplicate of the current record already exists.",
            ));
        }
    }
    Ok(())
}

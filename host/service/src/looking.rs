//! Rows that deals look at and that are no deal's own (an account, a contact): when one changes, the deals that point to it ring (S31). Who points to
//! it is asked of the CRM, so nothing has to be kept in step for it.

use cosell_store::{Accepted, AcceptedEvent, RecordKey};
use cosell_sync::row::{Cell, Condition, Needs, Query, Reference, Test};
use cosell_sync::side::Side;
use tracing::warn;

use crate::desk::{Connection, Desk};
use crate::records::{LookedAt, looked_at};
use crate::trouble::Trouble;

/// Rows that are asked about in one query: so many ids fit into an address.
const ROWS_AT_ONCE: usize = 40;
/// Deals that one query finds. A customer with more open deals than this has its others looked at when they change themselves.
const DEALS_MAX: u16 = 500;

/// A row that deals look at.
pub(crate) struct Looked {
    /// GUID.
    pub(crate) id: String,
    /// The version that rings once only; without one it rings as often as it is said.
    pub(crate) version: Option<String>,
}

/// Rings for the deals that look at one of these rows; records that the host has never heard of are not deals, and are left alone. Returns how many.
///
/// # Errors
/// The CRM or the store does not answer.
pub(crate) async fn ring(
    desk: &Desk,
    connection: &Connection,
    needs: &Needs,
    table: &str,
    rows: &[Looked],
) -> Result<usize, Trouble> {
    let mut rung = 0;
    for LookedAt { by, of, .. } in looked_at(needs).filter(|looked| looked.table == table) {
        for some in rows.chunks(ROWS_AT_ONCE) {
            let refer = |row: &Looked| {
                Cell::Reference(Reference {
                    table: table.to_owned(),
                    id: row.id.clone(),
                    name: None,
                })
            };
            let query = Query {
                label: "deals that look at a row".to_owned(),
                table: of.table().to_owned(),
                columns: vec![by.to_owned()],
                conditions: vec![Condition {
                    column: by.to_owned(),
                    test: Test::OneOf(some.iter().map(refer).collect()),
                }],
                limit: DEALS_MAX,
            };
            let found = connection.dataverse.query(&query).await?;
            if found.cut {
                warn!(connection = %connection.id, table, deals = DEALS_MAX, "more deals than this look at rows that have changed; the others are looked at when they change themselves");
            }
            let mut events = Vec::new();
            for row in found.rows {
                let record = RecordKey {
                    side: Side::Crm.as_str().to_owned(),
                    kind: of.table().to_owned(),
                    id: row.id.to_ascii_lowercase(),
                };
                if desk.store.lane_of(&connection.id, &record).await?.is_some() {
                    let at = match row.cells.get(by) {
                        Some(Cell::Reference(at)) => some
                            .iter()
                            .find(|looked| looked.id.eq_ignore_ascii_case(&at.id)),
                        _ => None,
                    };
                    let version = at.and_then(|at| Some((&at.id, at.version.as_ref()?)));
                    let dedupe = version.map(|(id, version)| {
                        format!("looked/{table}/{id}/{version}/{}", record.id)
                    });
                    events.push(AcceptedEvent {
                        connection: connection.id.clone(),
                        record,
                        cause: format!("{table} that it looks at"),
                        dedupe,
                        lane: None,
                    });
                }
            }
            if !events.is_empty() {
                let outcomes = desk.store.accept(events, None).await?;
                let rings = |outcome: &&Accepted| matches!(outcome, Accepted::Rung(_));
                rung += outcomes.iter().filter(rings).count();
                desk.rope.notify_one();
            }
        }
    }
    Ok(rung)
}

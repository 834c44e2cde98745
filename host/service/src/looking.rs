//! Rows that deals look at and that are no deal's own (an account, a contact): when one changes, the deals that point to it ring (S31). Who points to
//! it is asked of the CRM, so nothing has to be kept in step for it.

use cosell_store::{AcceptedEvent, RecordKey};
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

/// Rings for the deals that look at one of these rows; records that the host has never heard of are not deals, and are left alone. Returns how many.
///
/// # Errors
/// The CRM or the store does not answer.
pub(crate) async fn ring(
    desk: &Desk,
    connection: &Connection,
    needs: &Needs,
    table: &str,
    ids: &[String],
) -> Result<usize, Trouble> {
    let mut rung = 0;
    for LookedAt { by, of, .. } in looked_at(needs).filter(|looked| looked.table == table) {
        for some in ids.chunks(ROWS_AT_ONCE) {
            let refer = |id: &String| {
                Cell::Reference(Reference {
                    table: table.to_owned(),
                    id: id.clone(),
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
                    events.push(AcceptedEvent {
                        connection: connection.id.clone(),
                        record,
                        cause: format!("{table} that it looks at"),
                        dedupe: None,
                        lane: None,
                    });
                }
            }
            rung += events.len();
            if !events.is_empty() {
                desk.store.accept(events, None).await?;
                desk.rope.notify_one();
            }
        }
    }
    Ok(rung)
}

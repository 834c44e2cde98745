//! Rows that hang from a deal's row, and rows that it looks at, ring for it (S31): a solution that is added completes a deal, and so does the country
//! of its account, and neither changes a column of its row.

use cosell_store::{AcceptedEvent, Next, RecordKey};
use cosell_sync::budget::Work;
use cosell_sync::row::Cell;
use cosell_sync::side::Side;

use super::run::Run;
use crate::looking::{self, Looked};
use crate::pace;
use crate::records::{Below, below, looked_at};
use crate::trouble::Trouble;

/// If the lane is about such rows only, it rings for the row above and hands itself over to that row's lane: from then on the row rings for
/// its deal itself, also when it is deleted or let go of. None when the lane is a deal's own.
pub(super) async fn ring(run: &Run<'_>) -> Result<Option<Next>, Trouble> {
    // A row that only a version on trial reads is no lane of a deal on which it is tried, and rings for one all the same.
    let needs = run.desk.plugins.followed().needs;
    let needs = &*needs;
    if let Some(member) = run.members.first()
        && looked_at(needs).any(|looked| looked.table == member.kind)
    {
        let rows = run.members.iter().map(|member| Looked {
            id: member.id.clone(),
            version: None,
        });
        let rows: Vec<Looked> = rows.collect();
        looking::ring(run.desk, run.connection, needs, &member.kind, &rows).await?;
        return Ok(Some(Next::Settled));
    }
    let is_below = |member: &RecordKey| below(needs).any(|below| below.table == member.kind);
    let Some(member) = run
        .members
        .last()
        .filter(|_| run.members.iter().all(is_below))
    else {
        return Ok(None);
    };
    let Some(Below {
        table, up, above, ..
    }) = below(needs).find(|below| below.table == member.kind)
    else {
        return Ok(None);
    };
    let columns = [up.to_owned()].into();
    let row = match run
        .connection
        .dataverse
        .retrieve(table, &member.id, &columns, &[])
        .await
    {
        Ok(row) => row,
        Err(error) if error.class == cosell_remote::Class::NotFound => {
            return Ok(Some(Next::Settled));
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(Cell::Reference(row)) = row
        .seen
        .row
        .cells
        .get(up)
        .filter(|cell| matches!(cell, Cell::Reference(_)))
    {
        let record = RecordKey {
            side: Side::Crm.as_str().to_owned(),
            kind: above.table().to_owned(),
            id: row.id.to_ascii_lowercase(),
        };
        let event = AcceptedEvent {
            connection: run.lease.connection.clone(),
            record: record.clone(),
            // What a full compare has met is bulk for the deal above it, too.
            cause: match pace::work_of(run.bells) {
                Work::Bulk => cosell_store::FULL_COMPARE.to_owned(),
                Work::Fresh => format!("{table} below it"),
            },
            dedupe: None,
            lane: None,
        };
        run.desk.store.accept(vec![event], None).await?;
        run.desk.rope.notify_one();
        if let Some(deal) = run
            .desk
            .store
            .lane_of(&run.lease.connection, &record)
            .await?
        {
            return Ok(Some(Next::Retired { into: deal }));
        }
    }
    Ok(Some(Next::Settled))
}

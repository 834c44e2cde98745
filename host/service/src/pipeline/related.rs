//! Rows that hang from a deal's row, and rows that it looks at, ring for it (S31): a solution that is added completes a deal, and so does the country
//! of its account, and neither changes a column of its row.

use std::collections::BTreeSet;

use cosell_store::{AcceptedEvent, Next, RecordKey};
use cosell_sync::budget::Work;
use cosell_sync::row::{Cell, Needs};
use cosell_sync::side::Side;

use super::look::Sight;
use super::run::Run;
use crate::looking::{self, Looked};
use crate::pace;
use crate::records::{Below, below, children, looked_at};
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
    let deals = above(run, needs, member).await?;
    ring_deals(run, member, &deals).await?;
    for deal in &deals {
        let store = &run.desk.store;
        if let Some(lane) = store.lane_of(&run.lease.connection, deal).await? {
            return Ok(Some(Next::Retired { into: lane }));
        }
    }
    Ok(Some(Next::Settled))
}

/// A row that hung from this deal, and has rung, may hang from another one now: its record stays with this lane, so the other deal hears of it here. What
/// is seen with the deal hangs from it still.
pub(super) async fn follow_moved(run: &mut Run<'_>, sight: &Sight) -> Result<(), Trouble> {
    if run.is_preview() || std::mem::replace(&mut run.has_followed, true) {
        return Ok(());
    }
    let needs = run.desk.plugins.followed().needs;
    let seen = sight.row.iter().flat_map(|row| &row.seen.related);
    let seen: BTreeSet<&str> = seen
        .flat_map(|related| &related.rows)
        .map(|row| row.id.as_str())
        .collect();
    let rung = run.bells.iter().filter(|bell| bell.rung > bell.answered);
    let rung = rung.map(|bell| &bell.record).filter(|record| {
        children(&needs).any(|below| below.table == record.kind) && !seen.contains(&*record.id)
    });
    let own = sight.row.as_ref().map(|row| row.seen.row.id.as_str());
    for record in rung {
        let mut deals = above(run, &needs, record).await?;
        deals.retain(|deal| Some(deal.id.as_str()) != own);
        ring_deals(run, record, &deals).await?;
    }
    Ok(())
}

/// The deals from whose rows this row hangs now; none when it is gone.
async fn above(
    run: &Run<'_>,
    needs: &Needs,
    record: &RecordKey,
) -> Result<Vec<RecordKey>, Trouble> {
    // Of leads and of opportunities, where both read the same table.
    let ups: Vec<Below<'_>> = below(needs)
        .filter(|below| below.table == record.kind)
        .collect();
    let columns = ups.iter().map(|below| below.up.to_owned()).collect();
    let dataverse = &run.connection.dataverse;
    let read = dataverse.retrieve(&record.kind, &record.id, &columns, &[]);
    let row = match read.await {
        Ok(row) => row.seen.row,
        Err(error) if error.class == cosell_remote::Class::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let deals = ups
        .iter()
        .filter_map(|below| match row.cells.get(below.up) {
            Some(Cell::Reference(deal)) => {
                Some(Run::record(Side::Crm, below.above.table(), &deal.id))
            }
            _ => None,
        });
    Ok(deals.collect())
}

async fn ring_deals(run: &Run<'_>, record: &RecordKey, deals: &[RecordKey]) -> Result<(), Trouble> {
    if deals.is_empty() {
        return Ok(());
    }
    let events = deals.iter().map(|deal| AcceptedEvent {
        connection: run.lease.connection.clone(),
        record: deal.clone(),
        // What a full compare has met is bulk for the deal above it, too.
        cause: match pace::work_of(run.bells) {
            Work::Bulk => cosell_store::FULL_COMPARE.to_owned(),
            Work::Fresh => format!("{} below it", record.kind),
        },
        dedupe: None,
        lane: None,
    });
    run.desk.store.accept(events.collect(), None).await?;
    run.desk.rope.notify_one();
    Ok(())
}

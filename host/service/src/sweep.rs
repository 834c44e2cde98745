//! Timers that ring bells: for events that never came, and for deadlines. The sweep reads versions and rings; it acts on nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cosell_remote::dataverse::{ChangePage, Changes, Next};
use cosell_remote::partner_center::Unread;
use cosell_remote::{Class, Permit};
use cosell_store::{AcceptedEvent, CursorAdvance, FULL_COMPARE, LaneFilter, RecordKey, StoreError};
use cosell_sync::deal::Timestamp;
use cosell_sync::row::{Needs, RecordKind};
use cosell_sync::side::Side;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Interval;
use tracing::{info, warn};

use crate::binding;
use crate::counting;
use crate::desk::{Connection, Desk};
use crate::link::fingerprint;
use crate::looking::{self, Looked};
use crate::pace;
use crate::personal::mask;
use crate::records::{REFERRAL, children, kinds, looked_at};
use crate::throttle;
use crate::trouble::Trouble;
use crate::verbs::Pages;

/// Referrals changed up to so long before the cursor are read again: the list may lag behind the clock that stamps it.
const OVERLAP_S: i64 = 300;
/// Why a record rings that has changed since the last sweep.
const SWEEP: &str = "sweep";
/// Events of one transaction; a page of Partner Center has a hundred.
const EVENTS_MAX: usize = 500;

/// How often each side is swept.
#[derive(Debug, Clone, Copy)]
pub struct Every {
    /// Partner Center: by `updatedDateTime`.
    pub partner_center: Duration,
    /// The CRM: by delta token, which dies of age after seven days.
    pub crm: Duration,
}

/// Sweeps both sides of a connection until `stop` turns true. The first sweep is at once: what happened while we were away is the
/// same as what was lost.
pub async fn sweep(
    desk: Arc<Desk>,
    connection: String,
    every: Every,
    mut stop: watch::Receiver<bool>,
) {
    let Some(connection) = desk.connections.get(&connection) else {
        return;
    };
    let mut partner_center = tokio::time::interval(every.partner_center);
    let mut crm = tokio::time::interval(every.crm);
    for timer in [&mut partner_center, &mut crm] {
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    while !*stop.borrow() {
        let side = tokio::select! {
            _ = stop.changed() => continue,
            _ = partner_center.tick() => Side::PartnerCenter,
            _ = crm.tick() => Side::Crm,
        };
        let sweeping = match side {
            Side::PartnerCenter => sweep_partner_center(&desk, connection),
            Side::Crm => sweep_crm(&desk, connection),
        };
        // It only reads and rings: a compare of everything that is cut short begins again where its cursor stands.
        let swept = tokio::select! {
            _ = stop.changed() => return,
            swept = sweeping => swept,
        };
        match swept {
            Ok(0) => {}
            Ok(rung) => {
                info!(connection = %connection.id, side = side.as_str(), rung, "the sweep rang bells");
                desk.rope.notify_one();
            }
            Err(Trouble::NotYet { reason, .. }) => {
                info!(connection = %connection.id, side = side.as_str(), reason = %mask(&reason), "the sweep waits until the credential may be used again");
            }
            Err(error) => {
                warn!(connection = %connection.id, side = side.as_str(), error = %mask(&error.to_string()), "the sweep failed; it comes again");
            }
        }
        match side {
            Side::PartnerCenter => rest_with(&desk, connection, &mut partner_center).await,
            Side::Crm => rest_with(&desk, connection, &mut crm).await,
        }
    }
}

/// While a credential rests so does the sweep; it comes the moment that the credential may be used again, and not a whole period later.
async fn rest_with(desk: &Desk, connection: &Connection, timer: &mut Interval) {
    if let Err(Trouble::NotYet { until, .. }) = throttle::must_be_open(desk, &connection.id).await {
        let ms = until.saturating_sub(desk.now()).max(1);
        timer.reset_after(Duration::from_millis(ms.unsigned_abs()));
    }
}

/// Rings for every referral that changed since the cursor, overlap included. Returns how many.
///
/// # Errors
/// Nothing is lost: the cursor advances in the transaction that stores the bells (I10). [`Trouble::NotYet`] while a credential rests (I11).
#[inline(never)]
pub fn sweep_partner_center<'a>(
    desk: &'a Desk,
    connection: &'a Connection,
) -> BoxFuture<'a, Result<usize, Trouble>> {
    let sweep = sweep_referrals(desk, connection);
    Box::pin(with_rest(desk, connection, sweep))
}

async fn sweep_referrals(desk: &Desk, connection: &Connection) -> Result<usize, Trouble> {
    const STREAM: &str = "partner-center";
    let cursor = desk.store.cursor(&connection.id, STREAM).await?;
    let since = cursor
        .as_deref()
        .and_then(|text| text.parse::<Timestamp>().ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let from = since
        .checked_sub(jiff::SignedDuration::from_secs(OVERLAP_S))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let mut pages = connection
        .partner_center
        .updated_since(from.max(Timestamp::UNIX_EPOCH));
    // Nothing is known of what has changed: every referral is looked at, one after the other, and fresh edits come first.
    let is_full = from <= Timestamp::UNIX_EPOCH;
    let (mut latest, mut rung) = (since, 0);
    loop {
        throttle::must_be_open(desk, &connection.id).await?;
        let _turn = turn(connection, is_full).await;
        let Some(page) = pages.next().await? else {
            return Ok(rung);
        };
        latest = page
            .referrals
            .iter()
            .filter_map(|referral| referral.updated_at)
            .fold(latest, Timestamp::max);
        let read = page.referrals.iter();
        let read = read.map(|referral| (referral.id.as_str(), referral.etag.clone()));
        let heads: Vec<_> = read.chain(unread(connection, &page.unread)).collect();
        let events = heads.iter().map(|(id, version)| {
            let cause = cause(is_full);
            event(
                connection,
                Side::PartnerCenter,
                REFERRAL,
                id,
                version,
                cause,
            )
        });
        let events = events.collect();
        let advance = CursorAdvance {
            connection: connection.id.clone(),
            stream: STREAM.into(),
            value: latest.to_string(),
        };
        rung += accept(desk, events, Some(advance)).await?;
    }
}

/// What is no referral is told, and its deal is rung where it says whose it is: it says the same there, once for each version.
fn unread<'a>(
    connection: &Connection,
    list: &'a [Unread],
) -> impl Iterator<Item = (&'a str, String)> + use<'a> {
    for one in list {
        let id = one.id.as_deref().unwrap_or("unknown");
        warn!(connection = %connection.id, referral = id, error = %mask(&one.problem.to_string()), "Partner Center lists something that is no referral; the others go on");
    }
    let known = list
        .iter()
        .filter_map(|one| Some((one.id.as_deref()?, &one.raw)));
    known.map(|(id, raw)| (id, fingerprint(raw)))
}

/// Rings for every row that changed since the delta link, of deals and of what hangs from them; all rows the first time, and after the link has
/// died of age. Before that it asks whether the CRM is still the one that the connection is bound to (S22).
///
/// # Errors
/// As [`sweep_partner_center`].
#[inline(never)]
pub fn sweep_crm<'a>(
    desk: &'a Desk,
    connection: &'a Connection,
) -> BoxFuture<'a, Result<usize, Trouble>> {
    let sweep = sweep_tables(desk, connection);
    Box::pin(with_rest(desk, connection, sweep))
}

async fn sweep_tables(desk: &Desk, connection: &Connection) -> Result<usize, Trouble> {
    throttle::must_be_open(desk, &connection.id).await?;
    binding::check(&*desk.store, connection).await?;
    let mut rung = 0;
    // Another host sweeps meanwhile, or nobody does until a set is there: what has changed is found then.
    if desk.plugins.behind().is_some() {
        return Ok(0);
    }
    let needs = desk.plugins.followed().needs;
    for kind in kinds(&needs) {
        rung += sweep_table(desk, connection, kind.table()).await?;
    }
    let below: BTreeSet<&str> = children(&needs).map(|below| below.table).collect();
    for table in below {
        match sweep_table(desk, connection, table).await {
            Ok(more) => rung += more,
            Err(trouble) => cannot_be_swept(connection, table, trouble)?,
        }
    }
    let looked: BTreeSet<&str> = looked_at(&needs).map(|looked| looked.table).collect();
    for table in looked {
        match sweep_looked_at(desk, connection, &needs, table).await {
            Ok(more) => rung += more,
            Err(trouble) => cannot_be_swept(connection, table, trouble)?,
        }
    }
    Ok(rung)
}

/// An organisation may not track changes of a table, or not let us see them; the others are swept all the same.
fn cannot_be_swept(connection: &Connection, table: &str, trouble: Trouble) -> Result<(), Trouble> {
    match trouble {
        Trouble::Remote(error)
            if matches!(
                error.class,
                Class::Refused | Class::Forbidden | Class::NotFound
            ) =>
        {
            warn!(connection = %connection.id, table, error = %mask(&error.to_string()), "this table cannot be swept: what its webhooks miss stays missed");
            Ok(())
        }
        trouble => Err(trouble),
    }
}

/// Rows that deals look at: what has changed since the delta link rings those deals. The first time there is nothing to ring about, because every deal
/// has looked at them itself.
async fn sweep_looked_at(
    desk: &Desk,
    connection: &Connection,
    needs: &Needs,
    table: &str,
) -> Result<usize, Trouble> {
    throttle::must_be_open(desk, &connection.id).await?;
    let stream = format!("crm/{table}");
    let kept = desk.store.cursor(&connection.id, &stream).await?;
    let mut changes = Changed::new(table);
    let mut page = changes.page(desk, connection, kept.as_deref()).await?;
    let mut rung = 0;
    loop {
        if kept.is_some() && !changes.began_anew {
            let rows = page.changed.iter().map(|row| Looked {
                id: row.id.clone(),
                version: Some(row.etag.clone()),
            });
            let rows: Vec<Looked> = rows.collect();
            rung += looking::ring(desk, connection, needs, table, &rows).await?;
        }
        match page.next {
            Next::Kept(link) => {
                let advance = CursorAdvance {
                    connection: connection.id.clone(),
                    stream,
                    value: link,
                };
                accept(desk, Vec::new(), Some(advance)).await?;
                return Ok(rung);
            }
            Next::More(link) => {
                throttle::must_be_open(desk, &connection.id).await?;
                let _turn = turn(connection, kept.is_none() || changes.began_anew).await;
                page = changes.page(desk, connection, Some(&link)).await?;
            }
        }
    }
}

/// Whoever hears that a credential has to rest writes it down, for deals too.
async fn with_rest(
    desk: &Desk,
    connection: &Connection,
    sweep: impl Future<Output = Result<usize, Trouble>>,
) -> Result<usize, Trouble> {
    let swept = sweep.await;
    if let Err(Trouble::Remote(error)) = &swept {
        throttle::rest(desk, &connection.id, error).await?;
    }
    swept
}

async fn sweep_table(desk: &Desk, connection: &Connection, table: &str) -> Result<usize, Trouble> {
    let mut rung = 0;
    throttle::must_be_open(desk, &connection.id).await?;
    let stream = format!("crm/{table}");
    let link = desk.store.cursor(&connection.id, &stream).await?;
    let mut changes = Changed::new(table);
    let mut page = changes.page(desk, connection, link.as_deref()).await?;
    loop {
        let mut events: Vec<AcceptedEvent> = page
            .changed
            .iter()
            .map(|row| {
                let cause = cause(link.is_none() || changes.began_anew);
                event(connection, Side::Crm, table, &row.id, &row.etag, cause)
            })
            .collect();
        events.extend(
            page.deleted
                .iter()
                .map(|id| event(connection, Side::Crm, table, id, "deleted", SWEEP)),
        );
        match page.next {
            // Only the last page brings a link that may be kept.
            Next::Kept(kept) => {
                let advance = CursorAdvance {
                    connection: connection.id.clone(),
                    stream,
                    value: kept,
                };
                return Ok(rung + accept(desk, events, Some(advance)).await?);
            }
            Next::More(more) => {
                rung += accept(desk, events, None).await?;
                throttle::must_be_open(desk, &connection.id).await?;
                let _turn = turn(connection, link.is_none() || changes.began_anew).await;
                page = changes.page(desk, connection, Some(&more)).await?;
            }
        }
    }
}

/// The changes of one table, page by page.
struct Changed<'a> {
    table: &'a str,
    /// The link that was kept led nowhere: everything is compared.
    began_anew: bool,
}

impl<'a> Changed<'a> {
    const fn new(table: &'a str) -> Self {
        Self {
            table,
            began_anew: false,
        }
    }

    /// The page that a link leads to; the very first page when the link leads nowhere. Only once in a sweep: a CRM that refuses every link must not be
    /// read for ever.
    async fn page(
        &mut self,
        desk: &Desk,
        connection: &Connection,
        link: Option<&str>,
    ) -> Result<ChangePage, Trouble> {
        let table = self.table;
        let refused = match connection.dataverse.changes(table, link).await? {
            Changes::Page(page) => return Ok(page),
            Changes::Expired(refused) => refused,
        };
        if self.began_anew {
            return Err(refused.into());
        }
        warn!(connection = %connection.id, table, error = %mask(&refused.to_string()), "the CRM takes the change token no more, as if it had died of age; comparing everything");
        self.began_anew = true;
        // The list tells what is there, and not what was deleted meanwhile.
        counting::soon(desk, &connection.id).await?;
        let is_a_deal = [RecordKind::Opportunity, RecordKind::Lead].map(RecordKind::table);
        if !is_a_deal.contains(&table) {
            // Nor which deals a row hung from that is gone, or which row had another value when they looked at it.
            look_at_all(desk, connection).await?;
        }
        match connection.dataverse.changes(table, None).await? {
            Changes::Page(page) => Ok(page),
            Changes::Expired(refused) => Err(refused.into()),
        }
    }
}

/// Every deal of the connection is looked at once more, unhurried.
async fn look_at_all(desk: &Desk, connection: &Connection) -> Result<(), Trouble> {
    let filter = LaneFilter {
        states: ["settled", "waiting", "held", "parked"]
            .map(str::to_owned)
            .to_vec(),
        ..LaneFilter::default()
    };
    let mut pages = Pages::of(&*desk.store, &connection.id, filter);
    while let Some(page) = pages.next().await? {
        for deal in page.iter().filter(|lane| lane.link.is_some()) {
            let store = &desk.store;
            store.wake(&connection.id, deal.lane, FULL_COMPARE).await?;
        }
    }
    desk.rope.notify_one();
    Ok(())
}

/// Rings, as many at once as one transaction bears; returns how many of them ring. The cursor passes only with the last of its events (I10).
pub(crate) async fn accept(
    desk: &Desk,
    mut events: Vec<AcceptedEvent>,
    mut advance: Option<CursorAdvance>,
) -> Result<usize, StoreError> {
    let mut rung = 0;
    loop {
        let rest = events.split_off(events.len().min(EVENTS_MAX));
        let cursor = if rest.is_empty() {
            advance.take()
        } else {
            None
        };
        // Nothing is lost by coming later: the cursor stays where it is.
        desk.room.may_take()?;
        failpoint!("sweep.before");
        let outcomes = desk.store.accept(events, cursor).await;
        desk.room.heard(outcomes.as_ref().err());
        let outcomes = outcomes?;
        failpoint!("sweep.after");
        rung += outcomes
            .iter()
            .filter(|outcome| matches!(outcome, cosell_store::Accepted::Rung(_)))
            .count();
        if rest.is_empty() {
            return Ok(rung);
        }
        events = rest;
    }
}

/// Why a record rings.
const fn cause(is_full: bool) -> &'static str {
    if is_full { FULL_COMPARE } else { SWEEP }
}

/// A page of a full compare waits until there is room for it.
async fn turn(connection: &Connection, is_full: bool) -> Vec<Permit> {
    if is_full {
        pace::bulk_turn(connection).await
    } else {
        Vec::new()
    }
}

/// The same version of the same record rings once, however often it is swept.
fn event(
    connection: &Connection,
    side: Side,
    kind: &str,
    id: &str,
    version: &str,
    cause: &str,
) -> AcceptedEvent {
    AcceptedEvent {
        connection: connection.id.clone(),
        record: RecordKey {
            side: side.as_str().to_owned(),
            kind: kind.to_owned(),
            id: id.to_owned(),
        },
        cause: cause.to_owned(),
        dedupe: Some(format!("sweep/{kind}/{id}/{version}")),
        lane: None,
    }
}

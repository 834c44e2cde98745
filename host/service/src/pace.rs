//! Fresh edits first, and of them the one that has waited longest. A run begins when what the credentials may ask has room for it; bulk work (a full
//! compare, changed plugins) has a part of that only, and half of the hands. Who has to wait gets a moment of its own to come back, so that a thousand
//! waiting deals do not all come at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cosell_remote::{Meter, Permit};
use cosell_store::{Bell, LaneId, Lease, Millis, PERSON, UNHURRIED};
use cosell_sync::budget::Work;
use cosell_sync::queue::Queue;

use crate::desk::{Connection, Desk};

/// For people who ask why a deal waits.
const STANDS_BACK: &str =
    "one of many at once: it waits for its turn, so that fresh edits come first";
const NO_ROOM: &str = "what Microsoft allows us in a while is nearly used up; it goes on by itself";
/// What a run takes, until runs have shown it.
const TAKES_AT_FIRST: Duration = Duration::from_millis(200);
/// Whoever has waited longer than any queue is long asks again.
const TURN_MAX: Duration = Duration::from_secs(600);
/// Fresh edits that wait ask again after so long at the latest: there may be room sooner than was thought.
const FRESH_WAIT_MAX: Duration = Duration::from_secs(30);
/// Longest pause of bulk work that waits on the spot.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How many bulk runs are under way, and when the next one that waits may come back.
pub struct Pace(Mutex<Hands>);

struct Hands {
    bulk: usize,
    bulk_max: usize,
    /// Mean of the last bulk runs.
    takes: Duration,
    /// The turn that was given last.
    last_turn: Instant,
    /// Fresh edits that wait for room, by connection.
    fresh: HashMap<String, Queue<LaneId>>,
}

impl Pace {
    /// For so many deals at once, half of which may be bulk.
    #[must_use]
    pub fn new(deals_at_once: usize) -> Self {
        Self(Mutex::new(Hands {
            bulk: 0,
            bulk_max: (deals_at_once / 2).max(1),
            takes: TAKES_AT_FIRST,
            last_turn: Instant::now(),
            fresh: HashMap::new(),
        }))
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>) -> Option<BulkRun> {
        let mut hands = self.hands();
        if hands.bulk >= hands.bulk_max {
            return None;
        }
        hands.bulk += 1;
        Some(BulkRun {
            pace: Arc::clone(self),
            began: Instant::now(),
            is_unused: false,
        })
    }

    /// A moment of its own, not before `wait` is over.
    fn turn(&self, wait: Duration) -> Duration {
        let mut hands = self.hands();
        let now = Instant::now();
        // Twice as fast as runs have lately been: who comes too early takes another turn, which costs less than hands that rest.
        let between = hands.takes / u32::try_from(hands.bulk_max * 2).unwrap_or(u32::MAX);
        let turn = hands.last_turn.max(now + wait) + between.max(Duration::from_millis(1));
        let turn = turn.min(now + TURN_MAX.max(wait));
        hands.last_turn = turn;
        turn.saturating_duration_since(now)
    }
}

/// A bulk run under way.
struct BulkRun {
    pace: Arc<Pace>,
    began: Instant,
    is_unused: bool,
}

impl BulkRun {
    /// It does not begin after all: nothing is learned of how long runs take.
    fn give_back(mut self) {
        self.is_unused = true;
    }
}

impl Drop for BulkRun {
    fn drop(&mut self) {
        let mut hands = self.pace.hands();
        hands.bulk = hands.bulk.saturating_sub(1);
        if !self.is_unused {
            hands.takes = (hands.takes * 7 + self.began.elapsed()) / 8;
        }
    }
}

/// The right to begin. What it holds comes back when it is dropped.
pub(crate) struct Turn {
    _permits: Vec<Permit>,
    _bulk: Option<BulkRun>,
}

/// Not now.
pub(crate) struct Later {
    pub(crate) wait: Duration,
    pub(crate) why: &'static str,
}

/// What a run is about, by what rang: bulk, if nothing but bulk has rung since the last answer; and if all is answered (the lane has waited), by
/// what rang last.
pub(crate) fn work_of(bells: &[Bell]) -> Work {
    let is_bulk = |bell: &Bell| UNHURRIED.contains(&bell.cause.as_str());
    let mut waiting = bells
        .iter()
        .filter(|bell| bell.rung > bell.answered)
        .peekable();
    let bulk = if waiting.peek().is_some() {
        waiting.all(is_bulk)
    } else {
        let last = bells.iter().max_by_key(|bell| bell.since);
        last.is_some_and(is_bulk)
    };
    if bulk { Work::Bulk } else { Work::Fresh }
}

/// The turn of one run.
///
/// # Errors
/// When to come back.
pub(crate) fn turn(desk: &Desk, lease: &Lease, bells: &[Bell]) -> Result<Turn, Later> {
    let ordered = |bell: &Bell| bell.rung > bell.answered && bell.cause == PERSON;
    let Some(connection) = desk.connections.get(&lease.connection) else {
        return Ok(Turn::free());
    };
    // A person waits for this one.
    if bells.iter().any(ordered) {
        return Ok(Turn::free());
    }
    match work_of(bells) {
        Work::Fresh => fresh_turn(desk, connection, lease, bells),
        Work::Bulk => bulk_run(desk, connection),
    }
}

fn fresh_turn(
    desk: &Desk,
    connection: &Connection,
    lease: &Lease,
    bells: &[Bell],
) -> Result<Turn, Later> {
    let now = desk.now();
    let unanswered = bells.iter().filter(|bell| bell.rung > bell.answered);
    let since = unanswered.map(|bell| bell.since).min().unwrap_or(now);
    let (room, each) = room(connection);
    let mut hands = desk.pace.hands();
    let queue = hands.fresh.entry(lease.connection.clone()).or_default();
    let before = queue.before(&lease.lane, since, now);
    let no_room = if before < room {
        match permits(connection, Work::Fresh) {
            Ok(permits) => {
                queue.leave(&lease.lane);
                return Ok(Turn {
                    _permits: permits,
                    _bulk: None,
                });
            }
            Err(wait) => wait,
        }
    } else {
        Duration::ZERO
    };
    // As many as there is room for may come now; behind them each has a moment of its own.
    let behind = u32::try_from((before + 1).saturating_sub(room)).unwrap_or(u32::MAX);
    let more = Duration::from_millis(u64::from((desk.dice)() % 1_000));
    let wait = (no_room + each.saturating_mul(behind)).min(FRESH_WAIT_MAX) + more;
    let back = now.saturating_add(Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX));
    queue.wait(&lease.lane, since, back);
    Err(Later { wait, why: NO_ROOM })
}

fn bulk_run(desk: &Desk, connection: &Connection) -> Result<Turn, Later> {
    let later = |wait| Later {
        wait: desk.pace.turn(wait),
        why: STANDS_BACK,
    };
    let Some(bulk) = desk.pace.take() else {
        return Err(later(Duration::ZERO));
    };
    match permits(connection, Work::Bulk) {
        Ok(permits) => Ok(Turn {
            _permits: permits,
            _bulk: Some(bulk),
        }),
        Err(wait) => {
            bulk.give_back();
            Err(later(wait))
        }
    }
}

/// How many fresh runs have room at both sides, and how long it takes until there is room for one more.
fn room(connection: &Connection) -> (usize, Duration) {
    let rooms = meters(connection).map(Meter::room);
    let (room, each) = rooms.fold((u32::MAX, Duration::ZERO), |(room, each), (runs, one)| {
        (room.min(runs), each.max(one))
    });
    (usize::try_from(room).unwrap_or(usize::MAX), each)
}

impl Turn {
    const fn free() -> Self {
        Self {
            _permits: Vec::new(),
            _bulk: None,
        }
    }
}

/// Waits on the spot until there is room for a piece of bulk work: a page of a full compare, a deal that is judged.
pub(crate) async fn bulk_turn(connection: &Connection) -> Vec<Permit> {
    loop {
        match permits(connection, Work::Bulk) {
            Ok(permits) => return permits,
            Err(wait) => tokio::time::sleep(wait.min(LOOK_AGAIN)).await,
        }
    }
}

fn permits(connection: &Connection, work: Work) -> Result<Vec<Permit>, Duration> {
    let mut permits = Vec::new();
    for meter in meters(connection) {
        match meter.begin(work) {
            Ok(permit) => permits.push(permit),
            Err(wait) => {
                for permit in permits {
                    permit.give_back();
                }
                return Err(wait);
            }
        }
    }
    Ok(permits)
}

/// What counts for a connection.
pub(crate) fn meters(connection: &Connection) -> impl Iterator<Item = &Meter> {
    let meters = [
        connection.dataverse.meter(),
        connection.partner_center.meter(),
    ];
    meters.into_iter().flatten()
}

/// So many hosts work on this store: each keeps to its part. The parts are made from who is there, and not call by call through the store: that
/// would cost every call a question to the database, and a part that is wrong for some seconds costs at most a 429, which says so.
pub(crate) fn shared_by(desk: &Desk, hosts: usize) {
    let hosts = u32::try_from(hosts).unwrap_or(u32::MAX);
    for meter in desk.connections.values().flat_map(meters) {
        meter.shared_by(hosts);
    }
}

#[cfg(test)]
mod tests {
    use cosell_store::{FULL_COMPARE, RecordKey};

    use super::*;

    fn bell(cause: &str, rung: i64, answered: i64, since: i64) -> Bell {
        Bell {
            record: RecordKey {
                side: "crm".into(),
                kind: "opportunity".into(),
                id: format!("{cause}{since}"),
            },
            rung,
            answered,
            cause: cause.into(),
            since,
        }
    }

    #[test]
    fn bulk_is_what_nobody_has_just_changed() {
        let compared = bell(FULL_COMPARE, 1, 0, 5);
        assert_eq!(work_of(std::slice::from_ref(&compared)), Work::Bulk);
        assert_eq!(work_of(&[compared, bell("Update", 2, 1, 1)]), Work::Fresh);
        assert_eq!(work_of(&[]), Work::Fresh);
    }

    #[test]
    fn a_lane_that_has_waited_is_what_rang_last() {
        let edited = bell("Update", 3, 3, 1);
        let compared = bell(FULL_COMPARE, 1, 1, 5);
        assert_eq!(work_of(&[edited.clone(), compared]), Work::Bulk);
        let compared_before = bell(FULL_COMPARE, 1, 1, 0);
        assert_eq!(work_of(&[edited, compared_before]), Work::Fresh);
    }

    #[test]
    fn half_of_the_hands_are_for_bulk_and_the_others_wait_one_behind_the_other() {
        let pace = Arc::new(Pace::new(4));
        let (one, two) = (pace.take(), pace.take());
        assert!(one.is_some() && two.is_some() && pace.take().is_none());
        let first = pace.turn(Duration::ZERO);
        let mut last = first;
        for _ in 0..99 {
            last = pace.turn(Duration::ZERO);
        }
        assert!(last - first > Duration::from_secs(3), "{first:?} {last:?}");
        let takes = pace.hands().takes;
        for bulk in [one, two].into_iter().flatten() {
            bulk.give_back();
        }
        assert_eq!(pace.hands().takes, takes, "they took no time, and no run");
        assert!(pace.take().is_some());
    }
}

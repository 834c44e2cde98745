//! What is over and no longer asked for: rings that were answered, and how writes ended long ago. Without this the tables grow for ever.
//!
//! Closed cards, closed holds and the audit stay: they explain decisions, and the audit is a hash chain that must not lose its beginning.

use async_trait::async_trait;

use crate::{ConnectionId, Millis, StoreError};

/// How long an answered ring and an ended write are kept at least. Whoever sends events gives up after days, so a dedupe key that is older is never
/// presented again (an event that came all the same would cost a run that finds nothing to do); no brake counts writes over more than a day.
pub const HISTORY_KEPT_MS: Millis = 30 * 24 * 3_600_000;

/// So many of a lane's writes stay, however old they are: they are what people are shown of a deal. [`Store::check`](crate::Store::check) counts on it.
pub const ATTEMPTS_KEPT: i64 = 50;

/// Rows that one call looks at, and deletes at most: whoever accepts events waits behind it.
pub(crate) const HISTORY_PAGE: usize = 1_000;

/// Up to where the history was looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryPlace {
    /// In the rings.
    Events {
        /// Whose.
        connection: ConnectionId,
        /// Side of the record that rang.
        side: String,
        /// Its kind.
        kind: String,
        /// Its id.
        record: String,
        /// Number of the ring.
        ring: i64,
    },
    /// Among the writes, after all rings.
    Attempts {
        /// Whose.
        connection: ConnectionId,
        /// Which deal.
        lane: i64,
        /// Number of the write.
        number: i64,
    },
}

/// What one call has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// Rows that are gone.
    pub gone: u64,
    /// From where the next call goes on. None: all was looked through.
    pub next: Option<HistoryPlace>,
}

/// The part of [`Store`](crate::Store) that forgets. One call is one transaction.
#[async_trait]
pub trait History: Send + Sync + 'static {
    /// Looks through some rows of the history behind `after` (none: from the beginning) and drops what is over: rings that are answered and older than
    /// [`HISTORY_KEPT_MS`], but never the last of a record, and writes as old, but never the newest [`ATTEMPTS_KEPT`] of a lane. Only from the oldest
    /// on, so that what is left has no gaps and a loss is still seen ([`crate::Store::check`]).
    async fn prune_history(&self, after: Option<HistoryPlace>) -> Result<Pruned, StoreError>;
}

impl HistoryPlace {
    /// Before every ring.
    pub(crate) const FIRST: Self = Self::Events {
        connection: String::new(),
        side: String::new(),
        kind: String::new(),
        record: String::new(),
        ring: 0,
    };

    /// Behind every ring and before every write.
    pub(crate) const FIRST_ATTEMPT: Self = Self::Attempts {
        connection: String::new(),
        lane: 0,
        number: 0,
    };
}

/// Whose rings: connection, side, kind, record.
pub(crate) type Rung = (String, String, String, String);
/// Whose writes: connection, lane.
pub(crate) type Wrote = (String, i64);

/// A numbered row of a record or lane, and whether it may go.
pub(crate) struct Line<K> {
    pub(crate) of: K,
    pub(crate) number: i64,
    pub(crate) is_over: bool,
}

/// Up to which number the rows of each go, and behind what the next page begins (none: this was the last).
pub(crate) struct Page<K> {
    pub(crate) going: Vec<(K, i64)>,
    pub(crate) next: Option<(K, i64)>,
}

/// Judges a page of rows that lie in the order of their key. What comes after a row that stays, stays too.
pub(crate) fn judge<K: Clone + PartialEq>(lines: &[Line<K>], page: usize) -> Page<K> {
    let mut going: Vec<(K, i64)> = Vec::new();
    let mut stays: Option<&K> = None;
    for line in lines {
        if stays == Some(&line.of) {
            continue;
        }
        if !line.is_over {
            stays = Some(&line.of);
            continue;
        }
        match going.last_mut() {
            Some((of, up_to)) if *of == line.of => *up_to = line.number,
            _ => going.push((line.of.clone(), line.number)),
        }
    }
    let next = lines.last().filter(|_| lines.len() >= page).map(|last| {
        // Nothing more of it goes: the next page begins with another one.
        let number = if stays == Some(&last.of) {
            i64::MAX
        } else {
            last.number
        };
        (last.of.clone(), number)
    });
    Page { going, next }
}

impl Page<Rung> {
    pub(crate) fn pruned(self, gone: u64) -> Pruned {
        let next = self.next.map_or(
            HistoryPlace::FIRST_ATTEMPT,
            |((connection, side, kind, record), ring)| HistoryPlace::Events {
                connection,
                side,
                kind,
                record,
                ring,
            },
        );
        Pruned {
            gone,
            next: Some(next),
        }
    }
}

impl Page<Wrote> {
    pub(crate) fn pruned(self, gone: u64) -> Pruned {
        let next = self
            .next
            .map(|((connection, lane), number)| HistoryPlace::Attempts {
                connection,
                lane,
                number,
            });
        Pruned { gone, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Numbered = (char, i64);

    fn judged(lines: &[(char, i64, bool)], page: usize) -> (Vec<Numbered>, Option<Numbered>) {
        let lines: Vec<_> = lines
            .iter()
            .map(|&(of, number, is_over)| Line {
                of,
                number,
                is_over,
            })
            .collect();
        let Page { going, next } = judge(&lines, page);
        (going, next)
    }

    #[test]
    fn only_the_oldest_go_and_leave_no_gap() {
        let lines = [
            ('a', 1, true),
            ('a', 2, true),
            ('a', 3, false),
            ('a', 4, true),
            ('b', 1, false),
            ('c', 7, true),
        ];
        assert_eq!(judged(&lines, 10), (vec![('a', 2), ('c', 7)], None));
    }

    #[test]
    fn the_next_page_goes_on_where_something_may_still_go() {
        let going_on = [('a', 1, true), ('a', 2, true)];
        assert_eq!(judged(&going_on, 2), (vec![('a', 2)], Some(('a', 2))));
        let stays = [('a', 1, false), ('a', 2, true)];
        assert_eq!(judged(&stays, 2), (vec![], Some(('a', i64::MAX))));
        assert_eq!(judged(&[], 2), (vec![], None));
    }
}

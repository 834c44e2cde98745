//! Cards and holds, in the plainest way: two lists in which a number is a place.

use cosell_store::{CardChange, Change, HoldChange, LaneId, Millis};

use crate::stage::{asks, asks_no_more, holds_back, holds_no_more};

const CARD: &str = "conflict";
const HOLD: &str = "won";

/// What a change may do to the cards and holds of its lane.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    /// None closes.
    Card { subject: u8, what: Option<u8> },
    /// None closes.
    Hold {
        subject: u8,
        what: Option<u8>,
        grace_ms: Option<Millis>,
    },
}

impl Ask {
    pub(super) fn add_to(&self, change: &mut Change, now: Millis) {
        match self {
            Self::Card { subject, what } => change.cards.push(self.card(*subject, *what)),
            Self::Hold {
                subject,
                what,
                grace_ms,
            } => {
                let until = grace_ms.map(|ms| now + ms);
                change.holds.push(self.hold(*subject, *what, until));
            }
        }
    }

    fn card(&self, subject: u8, what: Option<u8>) -> CardChange {
        let subject = subject.to_string();
        match what {
            Some(what) => asks(CARD, &subject, &what.to_string()),
            None => asks_no_more(CARD, &subject, "closed"),
        }
    }

    fn hold(&self, subject: u8, what: Option<u8>, until: Option<Millis>) -> HoldChange {
        let subject = subject.to_string();
        match what {
            Some(what) => holds_back(HOLD, &subject, &what.to_string(), until),
            None => holds_no_more(HOLD, &subject, "closed"),
        }
    }
}

/// A card or a hold as people see it: its lane, subject and body or fingerprint, since when, until when, what was said, whether it is
/// closed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) lane: LaneId,
    pub(super) subject: String,
    pub(super) what: String,
    pub(super) opened: Millis,
    pub(super) until: Option<Millis>,
    pub(super) said: Option<String>,
    pub(super) closed: bool,
}

#[derive(Default)]
pub(super) struct Book {
    pub(super) cards: Vec<Asked>,
    pub(super) holds: Vec<Asked>,
}

impl Book {
    pub(super) fn take(&mut self, lane: LaneId, asks: &[Ask], now: Millis) {
        for ask in asks {
            match ask {
                Ask::Card { subject, what } => {
                    put(&mut self.cards, lane, *subject, *what, None, now);
                }
                Ask::Hold {
                    subject,
                    what,
                    grace_ms,
                } => {
                    let until = grace_ms.map(|ms| now + ms);
                    put(&mut self.holds, lane, *subject, *what, until, now);
                }
            }
        }
    }

    pub(super) fn close_all(&mut self, lane: LaneId) {
        for asked in self.cards.iter_mut().chain(&mut self.holds) {
            asked.closed |= asked.lane == lane;
        }
    }
}

fn put(
    book: &mut Vec<Asked>,
    lane: LaneId,
    subject: u8,
    what: Option<u8>,
    until: Option<Millis>,
    now: Millis,
) {
    let (subject, what) = (subject.to_string(), what.map(|what| what.to_string()));
    if let Some(open) = book
        .iter_mut()
        .find(|asked| !asked.closed && asked.lane == lane && asked.subject == subject)
    {
        if what.as_ref() == Some(&open.what) {
            open.until = match (open.until, until) {
                (Some(begun), Some(_)) => Some(begun),
                (_, until) => until,
            };
            return;
        }
        open.closed = true;
    }
    book.extend(what.map(|what| Asked {
        lane,
        subject,
        what,
        opened: now,
        until,
        said: None,
        closed: false,
    }));
}

/// Says something to an open number. None: there is none.
pub(super) fn say(book: &mut [Asked], number: i64, said: String) -> Option<LaneId> {
    let place = usize::try_from(number).ok()?.checked_sub(1)?;
    let asked = book.get_mut(place).filter(|asked| !asked.closed)?;
    asked.said = Some(said);
    Some(asked.lane)
}

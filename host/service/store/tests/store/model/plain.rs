//! The protocol in the plainest way: lists, and no SQL.

use std::collections::{BTreeMap, BTreeSet};

use cosell_store::{
    Accepted, After, Bell, LaneId, Lease, Millis, RECENT_WRITES_MS, RecordKey, WriteCount,
};

use super::asked::{self, Ask, Book};
use crate::stage::{LEASE_MS, referral};

#[derive(Default)]
pub(super) struct Model {
    pub(super) seen: BTreeSet<u8>,
    pub(super) events: i64,
    pub(super) records: BTreeMap<u8, Record>,
    pub(super) lanes: Vec<Lane>,
    pub(super) asked: Book,
    pub(super) writes: Vec<Write>,
    pub(super) notes: BTreeMap<u8, String>,
}

/// A write: to Partner Center or to the CRM.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sent {
    pub(super) to_partner_center: bool,
    pub(super) irreversible: bool,
}

pub(super) struct Write {
    pub(super) lane: usize,
    pub(super) sent: Sent,
    pub(super) done: bool,
    pub(super) at: Millis,
}

pub(super) struct Record {
    pub(super) lane: usize,
    pub(super) rung: i64,
    pub(super) answered: i64,
    pub(super) rang: Millis,
}

#[derive(Default)]
pub(super) struct Lane {
    pub(super) rest: Option<&'static str>,
    pub(super) retired_into: Option<usize>,
    pub(super) next: Option<Millis>,
    pub(super) lease: Option<Millis>,
    pub(super) fence: i64,
    pub(super) attempts: i64,
    pub(super) intent: Option<Sent>,
    pub(super) parked_on: Option<String>,
    pub(super) ran: Option<Millis>,
    pub(super) audited: usize,
}

/// What a model says of a request: nothing, or which refusal.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    Fenced,
    IntentOpen,
    NoIntent,
    NoLane,
    NoCard,
    NoHold,
}

#[derive(Debug, Clone)]
pub(super) enum Ending {
    Settled,
    Wait { in_ms: Millis, after: After },
    Parked { on: Option<u8> },
    Held,
    Retired { into: usize },
}

pub(super) fn key(record: u8) -> RecordKey {
    referral(&format!("r{record}"))
}

impl Model {
    pub(super) fn ring_from_outside(
        &mut self,
        record: u8,
        dedupe: Option<u8>,
        now: Millis,
    ) -> Accepted {
        if dedupe.is_some_and(|dedupe| !self.seen.insert(dedupe)) {
            return Accepted::Duplicate;
        }
        if !self.records.contains_key(&record) {
            self.lanes.push(Lane::default());
            self.records.insert(
                record,
                Record {
                    lane: self.lanes.len() - 1,
                    rung: 0,
                    answered: 0,
                    rang: now,
                },
            );
        }
        let lane = self.ring(record, now);
        self.lanes[lane].hurry(now);
        Accepted::Rung(LaneId(lane as i64 + 1))
    }

    pub(super) fn ring(&mut self, record: u8, now: Millis) -> usize {
        self.events += 1;
        let record = self.records.get_mut(&record).expect("a known record");
        record.rung += 1;
        record.rang = now;
        record.lane
    }

    pub(super) fn ring_all(&mut self, lane: usize, now: Millis) {
        let records: Vec<u8> = self
            .records
            .iter()
            .filter(|(_, record)| record.lane == lane)
            .map(|(id, _)| *id)
            .collect();
        for record in records {
            self.ring(record, now);
        }
        self.lanes[lane].hurry(now);
    }

    pub(super) fn claim(&mut self, now: Millis, max: usize) -> Vec<(LaneId, i64, Millis)> {
        let mut due: Vec<_> = self
            .lanes
            .iter()
            .enumerate()
            .filter_map(|(number, lane)| {
                lane.due()
                    .filter(|due| *due <= now)
                    .map(|due| (due, number))
            })
            .collect();
        due.sort_unstable();
        due.truncate(max);
        due.into_iter()
            .map(|(_, number)| {
                let lane = &mut self.lanes[number];
                lane.fence += 1;
                lane.lease = Some(now + LEASE_MS);
                (LaneId(number as i64 + 1), lane.fence, now + LEASE_MS)
            })
            .collect()
    }

    pub(super) fn held(&mut self, lease: &Lease, then: impl FnOnce(&mut Lane) -> Answer) -> Answer {
        let lane = &mut self.lanes[lease.lane.0 as usize - 1];
        if lane.lease.is_none() || lane.fence != lease.fence {
            Answer::Fenced
        } else {
            then(lane)
        }
    }

    pub(super) fn elder(&self, lane: usize) -> Option<usize> {
        let mut lane = lane;
        while let Some(into) = self.lanes.get(lane)?.retired_into {
            lane = into;
        }
        Some(lane)
    }

    pub(super) fn end(
        &mut self,
        lease: &Lease,
        noted: &[Bell],
        ending: &Ending,
        now: Millis,
    ) -> Answer {
        let number = lease.lane.0 as usize - 1;
        let intent = self.lanes[number].intent.is_some();
        match self.held(lease, |_| Answer::Done) {
            Answer::Done if intent && !matches!(ending, Ending::Wait { .. }) => {
                return Answer::IntentOpen;
            }
            Answer::Done => {}
            refused => return refused,
        }
        if let Ending::Retired { into } = ending {
            match self.elder(*into) {
                None => return Answer::NoLane,
                Some(_) if *into == number => return Answer::NoLane,
                Some(elder) if elder == number => {
                    let lane = &mut self.lanes[number];
                    (lane.rest, lane.next, lane.lease, lane.attempts) =
                        (Some("settled"), Some(now), None, 0);
                }
                Some(elder) => {
                    let lane = &mut self.lanes[number];
                    (lane.rest, lane.next, lane.lease, lane.attempts) =
                        (Some("retired"), None, None, 0);
                    lane.retired_into = Some(elder);
                    let moved: Vec<u8> = self
                        .records
                        .iter()
                        .filter(|(_, record)| record.lane == number)
                        .map(|(id, _)| *id)
                        .collect();
                    for id in moved {
                        self.records.get_mut(&id).expect("a known record").lane = elder;
                        self.ring(id, now);
                    }
                    self.lanes[elder].hurry(now);
                }
            }
            self.lanes[number].audited += 2;
            self.lanes[number].ran = Some(now);
            return Answer::Done;
        }
        let mut rang_meanwhile = false;
        for (id, record) in self
            .records
            .iter_mut()
            .filter(|(_, record)| record.lane == number)
        {
            let noted = noted.iter().find(|noted| noted.record == key(*id));
            let up_to = record.answered.max(noted.map_or(0, |noted| noted.rung));
            rang_meanwhile |= record.rung > up_to;
            if !matches!(
                ending,
                Ending::Wait {
                    after: After::PutOff | After::Failure,
                    ..
                }
            ) {
                record.answered = up_to;
            }
        }
        let lane = &mut self.lanes[number];
        lane.audited += 2;
        lane.ran = Some(now);
        lane.lease = None;
        (lane.rest, lane.next) = match ending {
            Ending::Wait { in_ms, .. } => (Some("waiting"), Some(now + in_ms)),
            Ending::Parked { .. } => (Some("parked"), None),
            Ending::Held => (Some("held"), None),
            Ending::Settled | Ending::Retired { .. } => (Some("settled"), None),
        };
        match ending {
            Ending::Wait {
                after: After::Failure,
                ..
            } => lane.attempts += 1,
            Ending::Wait {
                after: After::PutOff,
                ..
            } => {}
            _ => lane.attempts = 0,
        }
        match ending {
            Ending::Settled | Ending::Held => lane.parked_on = None,
            Ending::Parked { on } => lane.parked_on = on.map(|on| on.to_string()),
            _ => {}
        }
        if rang_meanwhile {
            lane.next = Some(now);
        }
        Answer::Done
    }

    /// What the same change asks that ends a write or a run; a lane that retires with it asks nothing more.
    pub(super) fn asks(&mut self, lane: LaneId, asks: &[Ask], now: Millis) {
        self.asked.take(lane, asks, now);
        if self.lanes[lane.0 as usize - 1].retired_into.is_some() {
            self.asked.close_all(lane);
        }
    }

    pub(super) fn answer_card(&mut self, card: i64, choice: String, now: Millis) -> Answer {
        match asked::say(&mut self.asked.cards, card, choice) {
            None => Answer::NoCard,
            Some(lane) => self.ordered(lane, now),
        }
    }

    pub(super) fn settle_hold(&mut self, hold: i64, released: bool, now: Millis) -> Answer {
        match asked::say(&mut self.asked.holds, hold, released.to_string()) {
            None => Answer::NoHold,
            Some(lane) => self.ordered(lane, now),
        }
    }

    fn ordered(&mut self, lane: LaneId, now: Millis) -> Answer {
        let lane = lane.0 as usize - 1;
        self.lanes[lane].audited += 1;
        self.ring_all(lane, now);
        Answer::Done
    }

    /// The last writes of a lane: to which side, and when.
    pub(super) fn recent(&self, lane: usize, now: Millis) -> Vec<(bool, Millis)> {
        self.writes
            .iter()
            .rev()
            .filter(|write| write.lane == lane && write.at >= now - RECENT_WRITES_MS)
            .map(|write| (write.sent.to_partner_center, write.at))
            .collect()
    }

    pub(super) fn written(&self, to_partner_center: bool, since: Millis) -> WriteCount {
        let counted: Vec<_> = self
            .writes
            .iter()
            .filter(|write| {
                write.done && write.at >= since && write.sent.to_partner_center == to_partner_center
            })
            .collect();
        let irreversible = counted.iter().filter(|write| write.sent.irreversible);
        let lanes: BTreeSet<_> = counted.iter().map(|write| write.lane).collect();
        WriteCount {
            writes: counted.len() as i64,
            irreversible: irreversible.count() as i64,
            lanes: lanes.len() as i64,
        }
    }

    /// Lanes that ran or rang since, youngest first.
    pub(super) fn stirred(&self, since: Millis) -> Vec<i64> {
        let rang = |number| {
            self.records
                .values()
                .any(|record| record.lane == number && record.rang >= since)
        };
        (0..self.lanes.len())
            .rev()
            .filter(|number| self.lanes[*number].ran >= Some(since) || rang(*number))
            .map(|number| number as i64 + 1)
            .collect()
    }

    pub(super) fn wake(&mut self, lane: usize, now: Millis) -> Answer {
        let Some(lane) = self.elder(lane) else {
            return Answer::NoLane;
        };
        self.ring_all(lane, now);
        Answer::Done
    }

    pub(super) fn summary(
        &self,
        number: usize,
        now: Millis,
    ) -> (i64, String, Option<Millis>, i64, i64, Option<Millis>) {
        let lane = &self.lanes[number];
        let running = lane.lease.is_some_and(|until| until > now);
        let state = match lane.due() {
            _ if lane.retired_into.is_some() => "retired",
            _ if running => "running",
            Some(due) if due <= now => "due",
            Some(_) => "waiting",
            None => lane.rest.unwrap_or("settled"),
        };
        let unanswered = self
            .records
            .values()
            .filter(|record| record.lane == number)
            .map(|record| record.rung - record.answered)
            .sum();
        let next = lane.due().filter(|_| !running);
        (
            number as i64 + 1,
            state.into(),
            next,
            unanswered,
            lane.attempts,
            lane.ran,
        )
    }
}

impl Lane {
    pub(super) fn due(&self) -> Option<Millis> {
        self.lease.or(self.next)
    }

    pub(super) fn hurry(&mut self, now: Millis) {
        if self.lease.is_none() {
            self.next = Some(self.next.map_or(now, |next| next.min(now)));
        }
    }
}

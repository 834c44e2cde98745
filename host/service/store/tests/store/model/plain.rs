//! The protocol in the plainest way: lists, and no SQL.

use std::collections::{BTreeMap, BTreeSet};

use cosell_store::{Accepted, Bell, LaneId, Lease, Millis, RecordKey};

use crate::stage::{LEASE_MS, referral};

#[derive(Default)]
pub(super) struct Model {
    pub(super) seen: BTreeSet<u8>,
    pub(super) events: i64,
    pub(super) records: BTreeMap<u8, Record>,
    pub(super) lanes: Vec<Lane>,
}

pub(super) struct Record {
    pub(super) lane: usize,
    pub(super) rung: i64,
    pub(super) answered: i64,
}

#[derive(Default)]
pub(super) struct Lane {
    pub(super) rest: Option<&'static str>,
    pub(super) retired_into: Option<usize>,
    pub(super) next: Option<Millis>,
    pub(super) lease: Option<Millis>,
    pub(super) fence: i64,
    pub(super) attempts: i64,
    pub(super) intent: bool,
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
}

#[derive(Debug, Clone)]
pub(super) enum Ending {
    Settled,
    Wait { in_ms: Millis, failed: bool },
    Parked,
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
                },
            );
        }
        let lane = self.ring(record);
        self.lanes[lane].hurry(now);
        Accepted::Rung(LaneId(lane as i64 + 1))
    }

    pub(super) fn ring(&mut self, record: u8) -> usize {
        self.events += 1;
        let record = self.records.get_mut(&record).expect("a known record");
        record.rung += 1;
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
            self.ring(record);
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
        let intent = self.lanes[number].intent;
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
                        self.ring(id);
                    }
                    self.lanes[elder].hurry(now);
                }
            }
            self.lanes[number].audited += 2;
            return Answer::Done;
        }
        let mut rang_meanwhile = false;
        for (id, record) in self
            .records
            .iter_mut()
            .filter(|(_, record)| record.lane == number)
        {
            if let Some(noted) = noted.iter().find(|noted| noted.record == key(*id)) {
                record.answered = record.answered.max(noted.rung);
            }
            rang_meanwhile |= record.rung > record.answered;
        }
        let lane = &mut self.lanes[number];
        lane.audited += 2;
        lane.lease = None;
        (lane.rest, lane.next) = match ending {
            Ending::Wait { in_ms, .. } => (Some("waiting"), Some(now + in_ms)),
            Ending::Parked => (Some("parked"), None),
            Ending::Held => (Some("held"), None),
            Ending::Settled | Ending::Retired { .. } => (Some("settled"), None),
        };
        match ending {
            Ending::Wait { failed: true, .. } => lane.attempts += 1,
            Ending::Parked => {}
            _ => lane.attempts = 0,
        }
        if rang_meanwhile {
            lane.next = Some(now);
        }
        Answer::Done
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
    ) -> (i64, String, Option<Millis>, i64, i64) {
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

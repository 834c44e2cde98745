//! What a run remembers, and what its next transaction takes along.

use std::collections::BTreeMap;

use cosell_store::{
    AuditLine, Base, Card, CardChange, Change, Hold, HoldChange, LinkState, Next, RecordKey,
};
use cosell_sync::deal::{Unit, UnitValue};
use cosell_sync::merge::{self, Plan, View};
use cosell_sync::side::{Side, Sides};

use super::Run;
use crate::link::{self, fingerprint};
use crate::pipeline::read::Reading;
use crate::raw;

impl Run<'_> {
    /// The side that was looked at shows this now.
    pub(in crate::pipeline) fn looked(&mut self, side: Side, raw: &str) {
        self.seen[side] = raw.to_owned();
    }

    /// The name of the raw record of the last look.
    pub(in crate::pipeline) fn raw_of(&mut self, side: Side) -> String {
        let raw = self.seen[side].clone();
        self.keep_raw(&raw)
    }

    /// Keeps the raw record behind bases, and says under which name.
    pub(in crate::pipeline) fn keep_raw(&mut self, raw: &str) -> String {
        let name = fingerprint(raw);
        self.memory.raws.insert(name.clone(), raw.to_owned());
        name
    }

    /// Moves a base: in memory now, in the store with the next transaction.
    pub(in crate::pipeline) fn remember(
        &mut self,
        unit: &Unit,
        side: Side,
        value: &UnitValue,
        raw: &str,
    ) {
        self.memory.bases.push(link::base(
            unit,
            side,
            value,
            Some(raw).filter(|raw| !raw.is_empty()),
        ));
        self.bases.entry(unit.clone()).or_default()[side] = Some(value.clone());
    }

    /// The record belongs to this lane from the next transaction on.
    pub(in crate::pipeline) fn belongs(&mut self, record: RecordKey) {
        if !self.members.contains(&record) {
            self.members.push(record.clone());
            self.memory.members.push(record);
        }
    }

    /// Asks a person, or no longer does. The rounds that follow know it, although the store has not given it a number yet.
    pub(in crate::pipeline) fn card(&mut self, change: CardChange) {
        let (CardChange::Open { kind, subject, .. } | CardChange::Close { kind, subject, .. }) =
            &change;
        self.cards
            .retain(|card| card.kind != *kind || card.subject != *subject);
        if let CardChange::Open {
            kind,
            subject,
            body,
        } = &change
        {
            self.cards.push(Card {
                connection: self.lease.connection.clone(),
                lane: self.lease.lane,
                card: 0,
                kind: kind.clone(),
                subject: subject.clone(),
                body: body.clone(),
                opened: self.now(),
                answer: None,
                closed: None,
            });
        }
        self.memory.cards.push(change);
    }

    /// Closes the card, if it is open.
    pub(in crate::pipeline) fn close_card(&mut self, kind: &str, subject: &str, why: &str) {
        let is_open = |card: &&Card| card.kind == kind && card.subject == subject;
        if self.cards.iter().any(|card| is_open(&card)) {
            self.card(CardChange::Close {
                kind: kind.to_owned(),
                subject: subject.to_owned(),
                why: why.to_owned(),
            });
        }
    }

    /// Closes whatever a person could still answer or release: nothing would come of it.
    pub(in crate::pipeline) fn ask_no_more(&mut self, why: &str) {
        let key = |kind: &String, subject: &String| (kind.clone(), subject.clone());
        let cards = self.cards.iter().map(|card| key(&card.kind, &card.subject));
        for (kind, subject) in cards.collect::<Vec<_>>() {
            self.close_card(&kind, &subject, why);
        }
        let holds = self.holds.iter().map(|hold| key(&hold.kind, &hold.subject));
        for (kind, subject) in holds.collect::<Vec<_>>() {
            let why = why.to_owned();
            self.hold(HoldChange::Close { kind, subject, why });
        }
    }

    /// Holds a write, or no longer does. See [`Run::card`]; a hold of the same write keeps its age and its verdict.
    pub(in crate::pipeline) fn hold(&mut self, change: HoldChange) {
        match &change {
            HoldChange::Open {
                kind,
                subject,
                body,
                fingerprint,
                until,
            } => {
                let is_same = |hold: &Hold| hold.kind == *kind && hold.subject == *subject;
                if !self
                    .holds
                    .iter()
                    .any(|hold| is_same(hold) && hold.fingerprint == *fingerprint)
                {
                    self.holds.retain(|hold| !is_same(hold));
                    self.holds.push(Hold {
                        connection: self.lease.connection.clone(),
                        lane: self.lease.lane,
                        hold: 0,
                        kind: kind.clone(),
                        subject: subject.clone(),
                        body: body.clone(),
                        fingerprint: fingerprint.clone(),
                        opened: self.now(),
                        until: *until,
                        verdict: None,
                        closed: None,
                    });
                }
            }
            HoldChange::Close { kind, subject, .. } => self
                .holds
                .retain(|hold| hold.kind != *kind || hold.subject != *subject),
        }
        self.memory.holds.push(change);
    }

    /// Remembers which side was seen to change first, for the policy `newest` (S10).
    pub(in crate::pipeline) fn notice(&mut self, plan: &Plan) {
        let open = merge::noticed(&self.notes.noticed(), plan);
        self.notes.noticed = open
            .into_iter()
            .map(|(unit, side)| (unit.as_text(), side.as_str().to_owned()))
            .collect();
    }

    /// Remembers which units wait for their first time in step.
    pub(in crate::pipeline) fn note_unmet(&mut self, views: &Sides<View>) {
        let both = views.partner_center.units.keys();
        let both = both.filter(|unit| views.crm.units.contains_key(*unit));
        let is_met = |unit: &&Unit| {
            let known = self.bases.get(*unit);
            known.is_some_and(|known| known.partner_center.is_some() && known.crm.is_some())
        };
        self.notes.unmet = both
            .filter(|unit| !is_met(unit))
            .map(Unit::as_text)
            .collect();
    }

    /// Remembers by which name people know a deal that has never been in step; from then on the bases say it.
    pub(in crate::pipeline) fn note_name(&mut self, reading: &Reading) {
        let name = [&reading.crm.units, &reading.partner_center]
            .into_iter()
            .find_map(|units| match units.get(&Unit::Name) {
                Some(UnitValue::Text(name)) => name.clone(),
                _ => None,
            });
        self.notes.name = name.filter(|_| !self.is_linked());
    }

    pub(super) fn change(&mut self, with_link: bool) -> Change {
        let mut memory = std::mem::take(&mut self.memory);
        if std::mem::take(&mut self.forget_bases) {
            let unknown = |base: &Base| Base {
                value: None,
                raw: None,
                ..base.clone()
            };
            let kept = std::mem::take(&mut memory.bases);
            memory.bases = self.link.bases.iter().map(unknown).chain(kept).collect();
        }
        let link = LinkState {
            notes: self.notes.to_text(),
            bases: Vec::new(),
            raws: BTreeMap::new(),
            ..self.link.clone()
        };
        Change {
            link: with_link.then_some(link),
            bases: memory.bases,
            raws: raw::seal_all(self.desk, &self.lease, memory.raws),
            members: memory.members,
            attempt: None,
            cards: memory.cards,
            holds: memory.holds,
            audit: memory.audit,
        }
    }

    /// What the end of the run takes along. A lane that knows no record on either side keeps no link.
    pub fn into_change(mut self, next: &Next) -> Change {
        let known = self.link.referral.is_some() || self.link.crm_row.is_some();
        self.change(known && !matches!(next, Next::Retired { .. }))
    }
}

/// What the next transaction takes along.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) bases: Vec<Base>,
    pub(super) raws: BTreeMap<String, String>,
    pub(super) members: Vec<RecordKey>,
    pub(super) cards: Vec<CardChange>,
    pub(super) holds: Vec<HoldChange>,
    pub(super) audit: Vec<AuditLine>,
}

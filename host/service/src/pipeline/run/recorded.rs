//! What a run notes for a recording, and what it is when it is played from one.

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_store::{After, Base, LaneState, LinkState, Millis, Next};

use super::Run;
use crate::raw;
use crate::recording::{self, Heard, Played, Recording};

/// How a run ended, in one word.
pub(crate) const fn ending(next: &Next) -> &'static str {
    match next {
        Next::Settled => "settled",
        Next::Wait {
            after: After::Failure,
            ..
        } => "failed",
        Next::Wait { .. } => "waits",
        Next::Parked { .. } => "parked",
        Next::Held { .. } => "held",
        Next::Orphaned { .. } => "orphaned",
        Next::Paused { .. } => "paused",
        Next::Retired { .. } => "retired",
    }
}

impl Run<'_> {
    /// The same from a recording: nothing is asked of the two sides.
    pub(crate) fn playing(mut self, played: Arc<Played>) -> Self {
        self.sees.play(played);
        self
    }

    /// Now; of a recording that is played as it was then, the moment of then.
    pub(in crate::pipeline) fn now(&self) -> Millis {
        let then = self.sees.played().and_then(|played| played.at);
        then.unwrap_or_else(|| self.desk.now())
    }

    /// The language of those who read reasons; of a recording, of those of then.
    pub(super) fn language(&self) -> &str {
        let played = self.sees.played();
        played.map_or(&self.desk.language, |played| &played.language)
    }

    /// A look begins: what is noted from here on is about the deal as it is remembered now.
    pub(in crate::pipeline) fn begin_look(&self) {
        if self.sees.notes() {
            self.sees.begin(recording::remembered(&self.state_now()));
        }
    }

    /// From here on nothing is noted.
    pub(crate) fn look_is_over(&self) {
        self.sees.close();
    }

    /// What was seen and answered since the last look began. None: nobody notes it, or there was no look.
    pub(crate) fn recording(&self, ended: &Next) -> Option<Recording> {
        let noted = self.sees.noted().filter(|noted| !noted.state.is_null())?;
        let plugins = self.set.plugins().iter();
        let plugins = plugins.map(|one| one.speaker().to_string());
        Some(Recording {
            version: recording::VERSION,
            pseudonymised: false,
            at: self.now(),
            connection: self.lease.connection.clone(),
            lane: self.lease.lane.0,
            language: self.language().to_owned(),
            set: self.set.hash().to_owned(),
            plugins: plugins.collect(),
            state: noted.state,
            reads: noted.reads,
            answers: noted.answers,
            ended: ending(ended).to_owned(),
        })
    }

    /// What plugins answered since the last look began.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        let noted = self.sees.noted();
        noted.map(|noted| noted.answers).unwrap_or_default()
    }

    /// The deal as it is remembered now: as the store has it, with what the next transaction takes along.
    fn state_now(&self) -> LaneState {
        let mut link = LinkState {
            notes: self.notes.to_text(),
            ..self.link.clone()
        };
        let of = |base: &Base| (base.unit.clone(), base.side.clone());
        let before = link.bases.drain(..).filter(|_| !self.forget_bases);
        let mut bases: BTreeMap<_, Base> = before.map(|one| (of(&one), one)).collect();
        let moved = self.memory.bases.iter();
        bases.extend(moved.map(|one| (of(one), one.clone())));
        link.bases = bases.into_values().collect();
        // A recording is sealed as a whole. One that lacks a raw record is played like a store that has lost it.
        let open = |(name, body): (String, String)| {
            let plain = raw::opened(self.desk, &self.lease, &name, &body).ok()?;
            Some((name, plain.into_owned()))
        };
        link.raws = link.raws.into_iter().filter_map(open).collect();
        link.raws.extend(self.memory.raws.clone());
        LaneState {
            members: self.members.clone(),
            bells: self.bells.to_vec(),
            link: Some(link),
            failure: self.failure.clone(),
            parked_on: self.parked_on.clone(),
            born: self.born,
            cards: self.cards.clone(),
            holds: self.holds.clone(),
            ..LaneState::default()
        }
    }
}

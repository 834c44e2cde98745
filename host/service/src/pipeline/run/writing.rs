//! Around a write: its intent before it, and after it what it has settled (I5, S6).

use cosell_store::{Attempt, Change, Intent, StoreError};
use cosell_sync::deal::{Unit, UnitValue, Units};
use cosell_sync::merge::{Carry, Plan};
use cosell_sync::side::Side;
use cosell_sync::{element, hold};

use super::Run;
use crate::link;
use crate::pipeline::script::{What, Write};
use crate::pipeline::unknown;
use crate::trouble::Trouble;

impl Run<'_> {
    /// Commits the intent of a write, before the write (I5).
    pub(in crate::pipeline) async fn intend(&mut self, intent: Intent) -> Result<(), Trouble> {
        self.renew().await?;
        failpoint!("intent.before");
        self.desk.store.intend(&self.lease, intent.clone()).await?;
        failpoint!("intent.after");
        self.intent = Some(intent);
        Ok(())
    }

    /// Closes the open intent, and remembers what its write showed, in one transaction (S6).
    pub(in crate::pipeline) async fn close(
        &mut self,
        outcome: &str,
        detail: &str,
    ) -> Result<(), Trouble> {
        let attempt = self.intent.take().map(|intent| {
            if outcome == "done" {
                unknown::overtaken(&mut self.notes, &intent);
            }
            metrics::counter!(
                "cosell_writes_total",
                "connection" => self.lease.connection.to_string(), "kind" => intent.kind, "outcome" => outcome.to_owned()
            )
            .increment(1);
            Attempt {
            operation: intent.operation,
            outcome: outcome.to_owned(),
            detail: detail.to_owned(),
        }});
        if let (Some(mark), "done" | "adopted") = (self.mark.take(), outcome) {
            self.link.mark = Some(mark);
        }
        let change = Change {
            attempt,
            ..self.change(true)
        };
        failpoint!("close.before");
        // The write has ended, whoever has its record by now.
        let alone = Change {
            attempt: change.attempt.clone(),
            audit: change.audit.clone(),
            ..Change::default()
        };
        let store = &self.desk.store;
        let closed = store.complete_write(&self.lease, change).await;
        if let Err(StoreError::Linked { .. }) = &closed {
            // Two lanes made the same record at the same moment (S13). An intent that stayed open would keep this one from handing itself over,
            // which is what its next look finds to be done.
            store.complete_write(&self.lease, alone).await?;
        }
        closed?;
        failpoint!("close.after");
        Ok(())
    }

    /// Moves the bases of what a write has settled: of the receiver to what it shows now, of the source to what it showed (S6).
    pub(in crate::pipeline) fn settle(&mut self, settled: &[Carry], shown: &Units, raw: &str) {
        for carry in settled {
            let now = shown.get(&carry.unit).unwrap_or(&carry.value);
            self.arrived(carry, now, raw);
            self.notes.unedited.remove(&carry.unit.as_text());
        }
    }

    /// One of them. The rest of a step is still to be carried.
    fn arrived(&mut self, carry: &Carry, now: &UnitValue, raw: &str) {
        let (to, from) = (carry.to, carry.to.other());
        let source = self.raw_of(from);
        if let Some(before) = &carry.before {
            let edits = (before, &carry.source);
            return self.carried(&carry.unit, edits, (to, now, raw), &source);
        }
        self.remember(&carry.unit, to, now, raw);
        if !carry.is_step() {
            self.remember(&carry.unit, from, &carry.source, &source);
        }
    }

    /// Edits of a list, from one value of their side to another, have arrived on the other side, which shows that now. What that side itself has
    /// done to its list is still to be carried (S11).
    pub(in crate::pipeline) fn carried(
        &mut self,
        unit: &Unit,
        edits: (&UnitValue, &UnitValue),
        (to, now, raw): (Side, &UnitValue, &str),
        source: &str,
    ) {
        let (before, after) = edits;
        for (side, shown, raw) in [(to, now, raw), (to.other(), after, source)] {
            let base = self.bases.get(unit).and_then(|bases| bases[side].as_ref());
            let known = base.and_then(|base| element::carried(base, before, after, shown));
            if let Some(known) = known {
                // A record that shows more than that is not what the base was read from (S8).
                let raw = if known == *shown { raw } else { "" };
                self.remember(unit, side, &known, raw);
            }
        }
    }

    /// Notes that a write of the script is made, for the brakes (S27).
    pub(in crate::pipeline) fn note_write(&mut self, write: &Write) {
        if !write.is_on_the_deal() {
            return;
        }
        let now = self.now();
        let carried: Vec<String> = write
            .settles
            .iter()
            .map(|carry| hold::fingerprint(&carry.unit, &carry.value))
            .chain(
                // A birth is nobody's swing.
                matches!(
                    write.what,
                    What::CreateReferral { .. } | What::CreateRow { .. } | What::Qualify { .. }
                )
                .then(|| format!("birth {now}")),
            )
            .collect();
        self.notes
            .swing
            .note(write.side(), carried.iter().map(String::as_str), now);
    }

    /// Child rows that the host has made, and so may delete (S11).
    pub(in crate::pipeline) fn note_made(&mut self, id: &str) {
        self.notes.made.insert(id.to_owned());
    }

    /// See [`Run::note_made`].
    pub(in crate::pipeline) fn made(&self, id: &str) -> bool {
        self.notes.made.contains(id)
    }

    /// A list is about to be written in several calls.
    pub(in crate::pipeline) fn begin_half(&mut self, carry: &Carry) {
        if !matches!(carry.value, UnitValue::Solutions(_) | UnitValue::People(_)) {
            return;
        }
        // Ours is what comes from the other side; what the CRM's people have done to the list is theirs.
        let base = self.bases.get(&carry.unit);
        let base = base.and_then(|bases| bases[carry.to].as_ref());
        let ours = match (base, &carry.before) {
            (Some(base), Some(before)) => {
                element::carried(base, before, &carry.source, &carry.value)
            }
            _ => None,
        };
        let target = link::encode(ours.as_ref().unwrap_or(&carry.value));
        self.notes.halves.insert(carry.unit.as_text(), target);
    }

    /// Lists whose write was cut off: what the CRM shows of what was to be is our own half, so it counts as known there; what a colleague has
    /// added or taken off meanwhile does not (S11).
    pub(in crate::pipeline) fn take_up_half_written(&mut self, shown: &Units) {
        for (unit, target) in &self.notes.halves {
            let Some(unit) = Unit::parse(unit) else {
                continue;
            };
            let (Some(target), Some(shown)) = (link::decode(&unit, target), shown.get(&unit))
            else {
                continue;
            };
            let bases = self.bases.entry(unit).or_default();
            let known = element::half_written(bases.crm.as_ref(), &target, shown);
            // Cut off at birth: nothing was in step yet, so all of it is still to be carried.
            if bases.partner_center.is_none() {
                bases.partner_center = element::none_of(&target);
            }
            bases.crm = known;
        }
    }

    /// These lists are written whole.
    pub(in crate::pipeline) fn forget_halves(&mut self, settled: &[Carry]) {
        for carry in settled {
            self.notes.halves.remove(&carry.unit.as_text());
        }
    }

    /// What is not carried to the CRM any more is written whole.
    pub(in crate::pipeline) fn forget_written(&mut self, plan: &Plan) {
        let carried: Vec<String> = plan
            .carries
            .iter()
            .filter(|carry| carry.to == Side::Crm)
            .map(|carry| carry.unit.as_text())
            .collect();
        self.notes.halves.retain(|unit, _| carried.contains(unit));
    }
}

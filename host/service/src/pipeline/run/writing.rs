//! Around a write: its intent before it, and after it what it has settled (I5, S6).

use cosell_store::{Attempt, Change, Intent, StoreError};
use cosell_sync::deal::{Unit, UnitValue, Units};
use cosell_sync::merge::Plan;
use cosell_sync::side::Side;
use cosell_sync::{element, hold};

use super::Run;
use crate::link;
use crate::pipeline::script::{Settles, What, Write};
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
    pub(in crate::pipeline) fn settle(&mut self, settled: &[Settles], shown: &Units, raw: &str) {
        for Settles {
            carry,
            moves_source,
        } in settled
        {
            let now = shown.get(&carry.unit).unwrap_or(&carry.value).clone();
            self.remember(&carry.unit, carry.to, &now, raw);
            if *moves_source {
                let source = self.raw_of(carry.to.other());
                self.remember(&carry.unit, carry.to.other(), &carry.source, &source);
            }
            self.notes.unedited.remove(&carry.unit.as_text());
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
            .map(|settled| hold::fingerprint(&settled.carry.unit, &settled.carry.value))
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
    pub(in crate::pipeline) fn begin_half(&mut self, unit: &Unit, target: &UnitValue) {
        if matches!(target, UnitValue::Solutions(_) | UnitValue::People(_)) {
            self.notes
                .halves
                .insert(unit.as_text(), link::encode(target));
        }
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
    pub(in crate::pipeline) fn forget_halves(&mut self, settled: &[Settles]) {
        for settled in settled {
            self.notes.halves.remove(&settled.carry.unit.as_text());
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

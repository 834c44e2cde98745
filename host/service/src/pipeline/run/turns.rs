//! What changes a pair as a whole: another row, a record made anew, two that are taken apart, sync that was off.

use cosell_store::Next;
use cosell_sync::deal::{UnitValue, Units};
use cosell_sync::merge::Plan;
use cosell_sync::row::RecordKind;
use cosell_sync::side::Side;

use super::Run;
use crate::pipeline::{cards, look};

impl Run<'_> {
    /// The deal goes on in another row of the CRM (S17). What the new row does not show is unknown and not emptied.
    pub(in crate::pipeline) fn moves_to(&mut self, kind: RecordKind, row: &str) {
        self.link.crm_table = Some(kind.table().to_owned());
        self.link.crm_row = Some(row.to_owned());
        self.link.mark = None;
        self.notes.moved = true;
        self.belongs(Self::record(Side::Crm, kind.table(), row));
    }

    /// The record of this side is made anew: the lane lets go of the one that is gone, or has ended (S18, S19).
    pub(in crate::pipeline) fn start_anew(&mut self, side: Side) {
        let left = match side {
            Side::PartnerCenter => {
                self.notes.left.extend(self.link.microsoft_referral.take());
                self.link.engagement = None;
                self.notes.microsoft = None;
                self.link.referral.take()
            }
            Side::Crm => {
                self.link.mark = None;
                self.link.crm_row.take()
            }
        };
        self.link.generation += 1;
        let left = left.unwrap_or_default();
        let message = format!("lets go of {left} in {side}: a person decided that it is made anew");
        self.tell(
            "anew",
            message,
            &serde_json::json!({ "left": left, "side": side.as_str(), "rule": "S18" }),
        );
        self.notes.left.insert(left);
        self.notes.incomplete_since = None;
        // What both agreed on belongs to the pair that is no more.
        self.bases.clear();
        self.forget_bases = true;
    }

    /// A person has taken the two records apart: neither is written any more.
    pub(in crate::pipeline) fn taken_apart(&mut self) -> Next {
        let by = self
            .cards
            .iter()
            .find_map(|card| card.answer.as_ref())
            .map_or_else(|| "a person".to_owned(), |answer| answer.by.clone());
        let reason = format!("{by} has taken the two records apart; neither is written any more");
        self.tell(
            "apart",
            reason.clone(),
            &serde_json::json!({ "rule": "S18" }),
        );
        self.notes.apart = Some(reason.clone());
        cards::settle(self, &[cards::GONE, cards::REOPENED], "answered");
        self.ask_no_more("the records are taken apart");
        Next::Paused { reason }
    }

    /// S17: the row is another one than the bases were read from. What it does not show is unknown there, and not emptied; what it shows
    /// otherwise is what somebody entered.
    pub(in crate::pipeline) fn after_move(&mut self, shown: &Units) {
        if !self.notes.moved {
            return;
        }
        for (unit, sides) in &mut self.bases {
            if shown.get(unit).is_none_or(UnitValue::is_empty) {
                sides.crm = None;
            }
        }
    }

    /// S21: sync was off and is on again. What differs now was not edited under our eyes, so what cannot be taken back of it is confirmed.
    pub(in crate::pipeline) fn after_pause(&mut self, plan: &Plan) {
        if std::mem::take(&mut self.notes.paused) {
            let differing = plan.carries.iter().map(|carry| carry.unit.as_text());
            self.notes.unedited.extend(differing);
        }
        // What no longer differs needs no confirmation later.
        self.notes.unedited.retain(|unit| {
            plan.carries
                .iter()
                .any(|carry| carry.unit.as_text() == *unit)
        });
    }

    /// Remembers since when the deal is incomplete, and by which row it is known.
    pub(in crate::pipeline) fn wait_for_completion(&mut self) {
        let now = self.now();
        self.notes.incomplete_since.get_or_insert(now);
        let kind = look::kind(self).table();
        // Rows that hang from it may have rung first.
        let row = self
            .members
            .iter()
            .find(|member| member.side == Side::Crm.as_str() && member.kind == kind);
        if let (None, Some(row)) = (&self.link.crm_row, row) {
            self.link.crm_table = Some(row.kind.clone());
            self.link.crm_row = Some(row.id.clone());
        }
    }
}

//! What a run has to say: lines of the audit, and what is told once.

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_remote::dataverse::Cut;
use cosell_store::AuditLine;
use cosell_sync::merge::{Carry, Plan, Why};
use cosell_sync::row::Refusal;
use cosell_sync::side::Side;

use super::Run;
use crate::link::fingerprint;
use crate::trouble::{reason_json, sentences};

impl Run<'_> {
    /// What this run has to tell, line by line; nothing of a preview is written down.
    pub(in crate::pipeline) fn told(&self) -> Vec<String> {
        self.memory
            .audit
            .iter()
            .map(|line| line.message.clone())
            .collect()
    }

    /// A line for the lane's audit; written with the next write, or with the end of the run.
    pub(in crate::pipeline) fn tell(
        &mut self,
        kind: &str,
        message: String,
        detail: &serde_json::Value,
    ) {
        self.memory.audit.push(AuditLine {
            kind: kind.to_owned(),
            message,
            detail: detail.to_string(),
        });
    }

    /// How much was told since the last transaction.
    pub(in crate::pipeline) fn told_so_far(&self) -> usize {
        self.memory.audit.len()
    }

    /// Takes back what was told since then.
    pub(in crate::pipeline) fn untell(&mut self, told: usize) {
        self.memory.audit.truncate(told);
    }

    /// A line that is written once, however often it is told.
    pub(in crate::pipeline) fn tell_once(
        &mut self,
        kind: &str,
        message: &str,
        detail: &serde_json::Value,
    ) {
        if self
            .notes
            .told
            .insert(fingerprint(&format!("{kind}|{message}")))
        {
            self.tell(kind, message.to_owned(), detail);
        }
    }

    /// Differences that stay are told once.
    pub(in crate::pipeline) fn tell_explained(&mut self, plan: &Plan) {
        for one in &plan.explained {
            let (stays, wanted) = (one.stays.in_words(), one.wanted.in_words());
            let message = format!(
                "{} stays {stays} in {} although the other side says {wanted}: {}",
                one.unit,
                one.on,
                one.barrier.explanation()
            );
            let detail = serde_json::json!({ "unit": one.unit.as_text(), "on": one.on.as_str(), "barrier": one.barrier.code() });
            self.tell_once("explained", &message, &detail);
        }
    }

    /// Texts that did not fit; the other side holds them whole (S7). Said once of a column, however often its texts are too long. Of the host's
    /// own columns nothing is lost: from a full audit column the oldest lines fall off.
    pub(in crate::pipeline) fn tell_cut(&mut self, cut: &[Cut]) {
        let set = Arc::clone(&self.set);
        let is_own = |column: &str| {
            let mut brought = set.needs().brings.iter().filter(|own| own.role.is_some());
            brought.any(|own| format!("{}.{}", own.table, own.column) == column)
        };
        for one in cut.iter().filter(|one| !is_own(&one.column)) {
            let message = format!(
                "{} holds {} characters; what is longer is cut there",
                one.column, one.kept
            );
            self.tell_once(
                "explained",
                &message,
                &serde_json::json!({ "column": one.column, "length": one.length, "kept": one.kept }),
            );
        }
    }

    /// Tells what was written, unit by unit, with what stood there before; the loser of a conflict stands here (S10). The detail answers "why
    /// is this value here": the rule, the bell, and whose word it is.
    pub(in crate::pipeline) fn tell_carries(
        &mut self,
        settled: &[Carry],
        speakers: &BTreeMap<String, String>,
    ) {
        let bells: Vec<String> = self
            .bells
            .iter()
            .filter(|bell| bell.rung > bell.answered)
            .map(|bell| format!("{} {} ({})", bell.record.kind, bell.record.id, bell.cause))
            .collect();
        for carry in settled {
            let (unit, to) = (&carry.unit, carry.to);
            let (was, value) = (carry.was.in_words(), carry.value.in_words());
            let (why, rule) = reason_of(carry.why);
            let kind = if carry.why == Why::Conflict {
                "conflict"
            } else {
                "write"
            };
            // What goes out was read by a plugin, what comes in was written by plugins.
            let by = match to {
                Side::PartnerCenter => serde_json::json!(self.speakers.get(unit)),
                Side::Crm => serde_json::json!(speakers),
            };
            let detail = serde_json::json!({
                "unit": unit.as_text(), "to": to.as_str(), "before": carry.was.to_parts(), "after": carry.value.to_parts(),
                "rule": rule, "bells": bells, "by": by, "set": self.set.hash(),
            });
            self.tell(
                kind,
                format!("{unit} in {to}: {was} → {value} ({why})"),
                &detail,
            );
        }
    }

    /// Units about which the row says something that no plugin can read; the others go on.
    pub(in crate::pipeline) fn tell_unread(&mut self, refusals: &[Refusal]) {
        for refusal in refusals {
            let why = sentences(std::slice::from_ref(&refusal.reason));
            let message = format!("{} is not read from the CRM: {why}", refusal.unit);
            self.tell_once("explained", &message, &refusal_json(refusal));
        }
    }

    /// Units that cannot be written; the others go on.
    pub(in crate::pipeline) fn tell_refusals(&mut self, place: &str, refusals: &[Refusal]) {
        for refusal in refusals {
            let message = format!(
                "{} is not written to {place}: {}",
                refusal.unit,
                sentences(std::slice::from_ref(&refusal.reason))
            );
            self.tell_once("explained", &message, &refusal_json(refusal));
        }
    }
}

/// For programs: the reason, and of which unit.
fn refusal_json(refusal: &Refusal) -> serde_json::Value {
    let mut detail = reason_json(&refusal.reason);
    detail["unit"] = refusal.unit.as_text().into();
    detail
}

/// Why a value was carried: for people, and the rule.
pub(in crate::pipeline) const fn reason_of(why: Why) -> (&'static str, &'static str) {
    match why {
        Why::Edited => ("only the other side had changed it", "S5"),
        Why::Filled => ("it was empty there when the two were linked", "S9"),
        Why::Linked => ("the link policy decided", "S9"),
        Why::Merged => (
            "both sides had edited the list, each other elements of it",
            "S11",
        ),
        Why::Conflict => ("both sides had changed it, and the policy decided", "S10"),
        Why::Answered => ("a person has answered the card", "S10"),
    }
}

//! Questions for people, and what they answered. A card is the same as long as its body is: an answer counts for exactly what was asked.

use std::collections::BTreeMap;

use cosell_remote::dataverse::{MODIFIED_BY_COLUMN, MODIFIED_ON_COLUMN};
use cosell_store::{CardChange, Next};
use cosell_sync::course::Decision;
use cosell_sync::deal::Unit;
use cosell_sync::merge::{Answer, Plan, Question};
use cosell_sync::row::Cell;
use cosell_sync::side::Side;
use serde_json::{Value, json};

use super::look::Sight;
use super::run::Run;

/// Both sides say something else.
const CONFLICT: &str = "conflict";
/// A record is gone (S18).
pub(super) const GONE: &str = "gone";
/// A closed row was reopened (S19).
pub(super) const REOPENED: &str = "reopened";

/// What people have answered to questions about units, as far as the values are still those that they were asked about.
pub(super) fn answers(
    run: &Run<'_>,
    questions: &[Question],
    sight: &Sight,
) -> BTreeMap<Unit, Answer> {
    questions
        .iter()
        .filter_map(|question| {
            let body = conflict_body(question, sight);
            let card = run.cards.iter().find(|card| {
                card.kind == CONFLICT
                    && card.subject == question.unit.as_text()
                    && is_same(&card.body, &body)
            })?;
            let answer = Answer::parse(&card.answer.as_ref()?.choice)?;
            Some((question.unit.clone(), answer))
        })
        .collect()
}

/// Asks what the plan asks, and takes back what it no longer asks.
pub(super) fn ask(run: &mut Run<'_>, plan: &Plan, sight: &Sight) {
    let stale: Vec<String> = run
        .cards
        .iter()
        .filter(|card| {
            // An answer stays until it is carried out: a write that a colleague was faster than is planned once more.
            let asked = plan.questions.iter().map(|question| &question.unit);
            let carried = plan.carries.iter().map(|carry| &carry.unit);
            card.kind == CONFLICT
                && !asked
                    .chain(carried)
                    .any(|unit| unit.as_text() == card.subject)
        })
        .map(|card| card.subject.clone())
        .collect();
    for subject in stale {
        let answer = run
            .cards
            .iter()
            .find(|card| card.kind == CONFLICT && card.subject == subject)
            .and_then(|card| card.answer.clone());
        if let Some(answer) = answer {
            let detail =
                json!({ "unit": subject, "choice": answer.choice, "by": answer.by, "rule": "S10" });
            run.tell(
                "answered",
                format!("{}: {subject} → {}", answer.by, answer.choice),
                &detail,
            );
        }
        run.close_card(
            CONFLICT,
            &subject,
            "answered, or both sides are alike again",
        );
    }
    for question in &plan.questions {
        let body = conflict_body(question, sight);
        // Who saved what last may move on while the question stays the same: the card, its number and its answer stay.
        let is_open = run.cards.iter().any(|card| {
            card.kind == CONFLICT
                && card.subject == question.unit.as_text()
                && is_same(&card.body, &body)
        });
        if !is_open {
            run.card(CardChange::Open {
                kind: CONFLICT.to_owned(),
                subject: question.unit.as_text(),
                body: body.to_string(),
            });
        }
        let reason = sentence(question);
        let detail = json!({ "unit": question.unit.as_text(), "rule": if question.at_link { "S9" } else { "S10" } });
        run.tell_once("question", &reason, &detail);
    }
}

fn conflict_body(question: &Question, sight: &Sight) -> Value {
    let own = sight.own.as_ref();
    let row = sight.row.as_ref().map(|row| &row.seen.row.cells);
    let by = row.and_then(|cells| match cells.get(MODIFIED_BY_COLUMN) {
        Some(Cell::Reference(user)) => user.name.clone().or_else(|| Some(user.id.clone())),
        _ => None,
    });
    let on = row.and_then(|cells| match cells.get(MODIFIED_ON_COLUMN) {
        Some(Cell::Timestamp(moment)) => Some(moment.to_string()),
        _ => None,
    });
    json!({
        "question": sentence(question),
        "unit": question.unit.as_text(),
        "values": {
            "partner-center": question.values.partner_center.to_parts(),
            "crm": question.values.crm.to_parts(),
        },
        "choices": [
            { "choice": "partner-center", "means": format!("{} everywhere", question.values.partner_center.in_words()) },
            { "choice": "crm", "means": format!("{} everywhere", question.values.crm.in_words()) },
            { "choice": "keep", "means": "leave both as they are" },
        ],
        "last_saved": {
            "partner-center": { "at": own.and_then(|own| own.updated_at).map(|at| at.to_string()) },
            "crm": { "by": by, "at": on },
        },
    })
}

/// The question is the same when the unit and both values are.
fn is_same(stored: &str, body: &Value) -> bool {
    serde_json::from_str::<Value>(stored)
        .is_ok_and(|stored| stored["unit"] == body["unit"] && stored["values"] == body["values"])
}

fn sentence(question: &Question) -> String {
    let (ours, theirs) = (
        question.values.partner_center.in_words(),
        question.values.crm.in_words(),
    );
    let how = if question.at_link {
        "both held a value before they were linked"
    } else {
        "both sides changed it"
    };
    format!(
        "{}: Partner Center says {ours}, the CRM says {theirs} ({how})",
        question.unit
    )
}

/// Where a lane stands whose plan asks.
pub(super) fn held(plan: &Plan) -> Vec<String> {
    plan.questions.iter().map(sentence).collect()
}

/// What a person has decided about a record that is gone, or a row that was reopened.
pub(super) fn decided(run: &Run<'_>) -> Option<Decision> {
    run.cards
        .iter()
        .filter(|card| card.kind == GONE || card.kind == REOPENED)
        .find_map(|card| Decision::parse(&card.answer.as_ref()?.choice))
}

/// S18: a record is gone. No writes; a person decides.
pub(super) fn gone(run: &mut Run<'_>, side: Side) -> Next {
    let (what, id) = match side {
        Side::PartnerCenter => ("referral", run.link.referral.clone()),
        Side::Crm => ("row", run.link.crm_row.clone()),
    };
    let id = id.unwrap_or_default();
    let reason = format!(
        "{what} {id} cannot be found in {side} any more: it was deleted, or we may no longer see it. Nothing is written until a person decides"
    );
    run.tell_once(
        "orphan",
        &reason,
        &json!({ "side": side.as_str(), "rule": "S18" }),
    );
    let body = json!({
        "question": reason,
        "choices": [
            { "choice": Decision::Recreate.as_str(), "means": format!("create the {what} anew from the other side") },
            { "choice": Decision::Unlink.as_str(), "means": "leave the other side's record alone for good" },
        ],
    });
    run.card(CardChange::Open {
        kind: GONE.to_owned(),
        subject: format!("{what} {id}"),
        body: body.to_string(),
    });
    Next::Orphaned { reason }
}

/// S19: Partner Center's end is terminal. A person decides what the reopened row is.
pub(super) fn reopened(run: &mut Run<'_>) -> Next {
    let row = run.link.crm_row.clone().unwrap_or_default();
    let reason = format!(
        "row {row} was reopened in the CRM, but the deal has ended in Partner Center and cannot be opened there again"
    );
    run.tell_once(
        "question",
        &reason,
        &json!({ "unit": "state", "rule": "S19" }),
    );
    let body = json!({
        "question": reason,
        "choices": [
            { "choice": Decision::LeaveApart.as_str(), "means": "the row goes on without Partner Center" },
            { "choice": Decision::StartAnew.as_str(), "means": "create a new referral for the row" },
        ],
    });
    run.card(CardChange::Open {
        kind: REOPENED.to_owned(),
        subject: format!("row {row}"),
        body: body.to_string(),
    });
    Next::Held { reason }
}

/// Takes back questions that no longer arise: the record is seen again, the row is closed again, the deal is linked.
pub(super) fn settle(run: &mut Run<'_>, kinds: &[&str], why: &str) {
    let open: Vec<(String, String)> = run
        .cards
        .iter()
        .filter(|card| kinds.contains(&card.kind.as_str()))
        .map(|card| (card.kind.clone(), card.subject.clone()))
        .collect();
    for (kind, subject) in open {
        run.close_card(&kind, &subject, why);
    }
}

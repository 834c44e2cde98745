//! What is promised, one line each.

use std::collections::BTreeSet;

use super::super::op::{HoldFor, Kind};
use super::super::people::{Edit, Where};
use super::rests::{RESTS, brief, demand, is_one_of_many};
use super::{Case, Evidence};

/// A sentence, and whether the evidence holds it.
type Check = fn(&Evidence) -> Result<(), String>;

/// In the order in which they are looked at: what explains most comes first.
pub const PROMISES: &[(&str, Check)] = &[
    ("no record is there twice", no_duplicates),
    ("no bell is unanswered, and no write is open", nothing_left),
    ("the audit's chains hold", chains),
    ("nobody writes to a closed deal", frozen),
    ("every lane is in step or explained", in_step_or_explained),
    ("a link has two sides", two_sided),
    ("nothing irreversible without a permit", permits),
    ("what waits for a person goes when a person says so", held),
    ("nothing is blanked that nobody blanked", not_blanked),
    ("no unit is lost silently", not_lost),
    ("nothing stands anywhere that nobody said", not_invented),
    ("at most two writes per human edit", few_writes),
    ("nobody is asked about an edit of one side", asked_rightly),
];

/// Units whose values stand in a question as people typed them.
const IN_WORDS: [&str; 2] = ["name", "notes"];
/// Writes of a birth beside the records that it creates and the two of the act itself.
const WRITES_PER_BIRTH: usize = 1;
/// Writes by which a lead becomes an opportunity (S17): its customer, the act itself, and the switch of the new row.
const WRITES_PER_QUALIFICATION: usize = 3;
/// Writes of a request for help, beside those of the act: the CRM's own flag, and that Microsoft has been asked.
const WRITES_PER_HELP: usize = 2;
/// Writes of a failure that is shown: the cross, and its healing.
const WRITES_PER_FAILURE: usize = 2;

fn no_duplicates(evidence: &Evidence) -> Result<(), String> {
    // A seller who qualifies a lead by hand lets the CRM make another account, and may.
    let by_hand = evidence.cases.iter().any(|case| {
        let qualified =
            |edit: &Edit| edit.side == Where::Crm && edit.unit == "state" && edit.value == "open";
        case.known.lead.is_some() && edits_of(evidence, case).any(qualified)
    });
    let found: Vec<&str> = evidence
        .audit
        .duplicates
        .iter()
        .map(String::as_str)
        .filter(|sentence| !(by_hand && sentence.starts_with("account ")))
        .collect();
    demand(found.is_empty(), || found.join("; "))
}

fn nothing_left(evidence: &Evidence) -> Result<(), String> {
    let census = &evidence.census;
    demand(census.bells_unanswered == 0 && census.intents == 0, || {
        format!(
            "{} bells are unanswered, {} writes are open",
            census.bells_unanswered, census.intents
        )
    })
}

fn chains(evidence: &Evidence) -> Result<(), String> {
    demand(evidence.chains_hold, || "a chain is broken".into())
}

fn frozen(evidence: &Evidence) -> Result<(), String> {
    // An invitation knows no condition (S15): one that crosses a close on its way is refused, and nothing has happened.
    let tried: Vec<&str> = evidence
        .audit
        .closed_deal_writes
        .iter()
        .map(String::as_str)
        .filter(|tried| !tried.contains("cannot be invited to a closed deal"))
        .collect();
    demand(tried.is_empty(), || tried.join("; "))
}

fn in_step_or_explained(evidence: &Evidence) -> Result<(), String> {
    for case in &evidence.cases {
        let about = |how: String| format!("deal {} is {}: {how}", case.deal, case.state());
        match RESTS.iter().find(|(state, _)| *state == case.state()) {
            Some((_, fits)) => fits(case).map_err(about)?,
            None if case.lane.is_none()
                && !case.is_on
                && (case.known.referral.is_none() || case.known.hidden) => {}
            None => return Err(about(format!("no state to rest in ({})", case.reason()))),
        }
    }
    Ok(())
}

fn two_sided(evidence: &Evidence) -> Result<(), String> {
    let broken: Vec<&String> = evidence
        .audit
        .one_sided_links
        .iter()
        .filter(|sentence| {
            // A deal that is at rest for another reason is judged there; a closed row takes no receipt (S16).
            !evidence.cases.iter().any(|case| {
                let is_open = |state: &str| matches!(state, "open" | "unanswered");
                let closed = [&case.crm, &case.partner_center]
                    .into_iter()
                    .flatten()
                    .any(|view| !is_open(&view["state"]));
                (case.state() != "settled" || closed || case.known.hidden)
                    && [&case.known.row, &case.known.referral]
                        .into_iter()
                        .flatten()
                        .any(|id| sentence.contains(id.as_str()))
            })
        })
        .collect();
    demand(broken.is_empty(), || format!("{broken:?}"))
}

/// Every irreversible write, and the deed on the other side that permits it.
fn permits(evidence: &Evidence) -> Result<(), String> {
    for case in &evidence.cases {
        let did = |side: Where, unit: &str, value: &dyn Fn(&str) -> bool, before: usize| {
            edits_of(evidence, case).any(|edit| {
                edit.side == side
                    && edit.unit == unit
                    && value(&edit.value)
                    && edit.after_write < before
            })
        };
        let asked = |before| did(Where::Crm, "help", &|help| !help.is_empty(), before);
        // A referral may be accepted on the way; it is closed once, and last.
        let closing = evidence.writes.iter().rposition(|write| {
            case.known.referral.as_ref() == Some(&write.record)
                && write.changed.iter().any(|one| one == "/status")
        });
        let state = case.partner_center.as_ref().map(|view| &*view["state"]);
        let by_hand = edits_of(evidence, case).any(|edit| {
            let closed = matches!(edit.value.as_str(), "won" | "lost" | "over");
            edit.side == Where::PartnerCenter && edit.unit == "state" && closed
        });
        let is_over = matches!(state, Some("won" | "lost" | "over")) && !by_hand;
        for (position, write) in evidence.writes.iter().enumerate() {
            let before = position + 1;
            let is_row = case.known.row.as_ref() == Some(&write.record);
            let is_referral = case.known.referral.as_ref() == Some(&write.record);
            let changed = |path: &str| write.changed.iter().any(|one| one == path);
            let missing = if is_over && closing == Some(position) {
                let closed = |state: &str| matches!(state, "won" | "lost" | "over");
                (!did(Where::Crm, "state", &closed, before)).then_some("closed in Partner Center")
            } else if is_referral && changed("/consent/consentToShareReferralWithMicrosoftSellers")
            {
                let seen = did(Where::Crm, "visibility", &|on| on == "true", before);
                (!seen && !asked(before)).then_some("shown to Microsoft's sellers")
            } else if is_row && matches!(write.operation.as_str(), "win" | "lose") {
                let closed = |state: &str| matches!(state, "won" | "lost" | "over");
                (!did(Where::PartnerCenter, "state", &closed, before))
                    .then_some("closed in the CRM")
            } else {
                None
            };
            if let Some(what) = missing {
                return Err(format!(
                    "deal {} was {what}, and nobody had asked for it",
                    case.deal
                ));
            }
        }
        let shared = case.partner_center.as_ref().is_some_and(|view| {
            view.keys().any(|unit| {
                let portal = edits_of(evidence, case)
                    .any(|edit| edit.side == Where::PartnerCenter && edit.unit == *unit);
                unit.starts_with("contacts ") && !portal
            })
        });
        demand(!shared || evidence.consent, || {
            format!(
                "contacts of deal {} were shared, and nobody had consented",
                case.deal
            )
        })?;
        let helped = case
            .partner_center
            .as_ref()
            .is_some_and(|view| !view["help"].is_empty());
        demand(!helped || case.known.inbound || asked(usize::MAX), || {
            format!(
                "Microsoft was invited to deal {}, and nobody had asked for help",
                case.deal
            )
        })?;
    }
    Ok(())
}

/// S24: of a kind that waits for a person, no write was accepted before a person had released it in this lane.
fn held(evidence: &Evidence) -> Result<(), String> {
    for case in &evidence.cases {
        let lane = case.lane.as_ref().map_or(0, |lane| lane.lane.0);
        for (position, write) in evidence.writes.iter().enumerate() {
            if case.known.referral.as_ref() != Some(&write.record) || write.operation != "update" {
                continue;
            }
            let changed = |path: &str| write.changed.iter().any(|one| one == path);
            let state = case.partner_center.as_ref().map(|view| &*view["state"]);
            let kind = if changed("/consent/consentToShareReferralWithMicrosoftSellers") {
                (Kind::Visibility, "visibility")
            } else if changed("/status") && state == Some("won") {
                (Kind::Won, "won")
            } else if changed("/status") && state == Some("lost") {
                (Kind::Lost, "lost")
            } else {
                continue;
            };
            let rule = evidence
                .rules
                .iter()
                .rfind(|(since, of, _)| *of == kind.0 && *since <= position);
            let waits = rule.is_some_and(|(.., until)| *until == HoldFor::APerson);
            let released = evidence
                .releases
                .iter()
                .any(|(since, of, what)| *since <= position && *of == lane && what == kind.1);
            // Help that was released takes the visibility along that it needs.
            let with_help = kind.0 == Kind::Visibility
                && evidence
                    .releases
                    .iter()
                    .any(|(_, of, what)| *of == lane && what == "help");
            demand(!waits || released || with_help, || {
                format!(
                    "deal {} was written to Partner Center ({}), and nobody had released that",
                    case.deal, kind.1
                )
            })?;
        }
    }
    Ok(())
}

/// A question is about two answers: where people have changed a unit on one side only, there is none. What a changed mapping or a moved lead
/// reads otherwise may be asked about.
fn asked_rightly(evidence: &Evidence) -> Result<(), String> {
    for case in &evidence.cases {
        let is_mapped_anew = case
            .audit
            .iter()
            .any(|entry| entry.line.kind == "mapping-delta")
            || case.value_moves
            || case.known.lead.is_some();
        if is_mapped_anew {
            continue;
        }
        for entry in case
            .audit
            .iter()
            .filter(|entry| entry.line.kind == "question")
        {
            let detail: serde_json::Value =
                serde_json::from_str(&entry.line.detail).unwrap_or_default();
            let Some(unit) = detail["unit"].as_str() else {
                continue;
            };
            // What has ended on the other side is asked about by whoever reopens it (S19): one edit, and a question all the same.
            if entry.line.message.contains("was reopened in the CRM") {
                continue;
            }
            let of_unit = |edit: &&Edit| edit.unit.split(' ').next() == Some(unit);
            let sides: BTreeSet<Where> = edits_of(evidence, case)
                .filter(of_unit)
                .map(|edit| edit.side)
                .collect();
            demand(sides.len() != 1, || {
                format!("deal {}: {}", case.deal, entry.line.message)
            })?;
            // What stands on a side and was never said there was carried: that is no answer of its own.
            if detail["rule"] == "S10" && IN_WORDS.contains(&unit) {
                for (side, name) in [
                    (Where::PartnerCenter, "Partner Center says \""),
                    (Where::Crm, "the CRM says \""),
                ] {
                    let words = &entry.line.message;
                    let shown = words
                        .split_once(name)
                        .and_then(|(_, rest)| rest.split_once('"'))
                        .map_or("", |(shown, _)| shown.trim_end_matches('…'));
                    let said = edits_of(evidence, case)
                        .filter(of_unit)
                        .any(|edit| edit.side == side && edit.value.starts_with(shown));
                    demand(said, || {
                        format!("deal {}: {words}, but nobody said so there", case.deal)
                    })?;
                }
            }
        }
    }
    Ok(())
}

fn not_blanked(evidence: &Evidence) -> Result<(), String> {
    // What was never shared is what its sellers made it, and a set that reads other columns finds them empty.
    let is_shared = |case: &&Case| case.is_on || case.known.referral.is_some();
    for case in evidence.cases.iter().filter(is_shared) {
        for (side, view) in [
            (Where::Crm, &case.crm),
            (Where::PartnerCenter, &case.partner_center),
        ] {
            let Some(view) = view else { continue };
            let filled: BTreeSet<&String> = edits_of(evidence, case)
                .filter(|edit| edit.side == side && edit.is_read && !edit.value.is_empty())
                .map(|edit| &edit.unit)
                .collect();
            for unit in filled {
                let empty = view.get(unit).is_none_or(String::is_empty);
                let emptied = edits_of(evidence, case)
                    .any(|edit| edit.unit == *unit && edit.value.is_empty());
                let accounted = edits_of(evidence, case)
                    .filter(|edit| edit.unit == *unit)
                    .all(|edit| case.is_accounted(unit, &edit.value));
                demand(!empty || emptied || accounted, || {
                    format!(
                        "{unit} of deal {} is empty on the side {side:?}, and nobody has emptied it",
                        case.deal
                    )
                })?;
            }
        }
    }
    Ok(())
}

/// The last edit of each unit on each side: it stands on both sides, or a later one has taken its place, or the host says what became of it.
fn not_lost(evidence: &Evidence) -> Result<(), String> {
    for case in &evidence.cases {
        let Some((crm, partner_center)) = case.both() else {
            continue;
        };
        if case.state() != "settled" && case.state() != "held" {
            continue;
        }
        // S19: nothing of a reopened row crosses before a person has decided what it is, and the card says so.
        if case.state() == "held" && case.reason().contains("was reopened") {
            continue;
        }
        let units: BTreeSet<&String> = edits_of(evidence, case).map(|edit| &edit.unit).collect();
        for unit in units.into_iter().filter(|unit| case.keeps(unit)) {
            let last = |side: Where, counts: fn(&Edit) -> bool| {
                edits_of(evidence, case)
                    .filter(|edit| edit.side == side && edit.unit == *unit && counts(edit))
                    .last()
            };
            let of = |side| last(side, |edit| edit.is_read);
            let any = |side| last(side, |_| true);
            for (edit, other) in [
                (of(Where::Crm), any(Where::PartnerCenter)),
                (of(Where::PartnerCenter), any(Where::Crm)),
            ] {
                let Some(edit) = edit else { continue };
                // A lead does not say why it is over.
                let is_lead = unit == "state" && case.known.row.is_none();
                let stands = |view: &super::View| {
                    let shown = view.get(unit).map_or("", String::as_str);
                    shown == edit.value || is_lead && shown == "over" && edit.value == "lost"
                };
                // Whoever takes an edit back before anybody has seen it has said nothing.
                let taken_back = edits_of(evidence, case).any(|before| {
                    before.number < edit.number
                        && before.side == edit.side
                        && before.unit == edit.unit
                        && [&before.was, &before.value].contains(&&edit.value)
                });
                let overtaken = other.is_some_and(|other| other.number > edit.number || taken_back);
                // Who asks Microsoft for help makes the deal visible, whatever the switch said before.
                let helped = crm.get("help").is_some_and(|help| !help.is_empty());
                if unit == "visibility" && edit.value == "false" && helped {
                    continue;
                }
                // What a lead did not say is absent from its opportunity, and not emptied (S17); and the CRM copies an amount into its own
                // column only.
                let moved = case.known.lead.is_some() && case.known.row.is_some();
                if moved && (edit.value.is_empty() || unit == "value" && case.value_moves) {
                    continue;
                }
                let own = match edit.side {
                    Where::Crm => crm,
                    Where::PartnerCenter => partner_center,
                };
                let accounted = case.is_accounted(unit, &edit.value)
                    || stands(own) && case.is_explained(unit)
                    || edit.side == Where::PartnerCenter
                        && is_one_of_many(unit, crm, partner_center, case.contact_emptied);
                if stands(crm) && stands(partner_center) || overtaken || accounted {
                    continue;
                }
                return Err(format!(
                    "\"{}\" was the last that was said of {unit} of deal {} on the side {:?}, and it does not stand on both sides",
                    brief(&edit.value),
                    case.deal,
                    edit.side
                ));
            }
        }
    }
    Ok(())
}

/// Every value on either side is one that a person gave on one of them, or the beginning of one.
fn not_invented(evidence: &Evidence) -> Result<(), String> {
    for case in &evidence.cases {
        for (side, view) in [
            (Where::Crm, &case.crm),
            (Where::PartnerCenter, &case.partner_center),
        ] {
            for (unit, value) in view.iter().flatten() {
                let by_itself = match unit.as_str() {
                    "visibility" => value == "false" || case.known.referral.is_some(),
                    "state" => matches!(value.as_str(), "open" | "unanswered" | "over" | "lost"),
                    _ => false,
                };
                let said = edits_of(evidence, case).any(|edit| {
                    edit.unit == *unit
                        && (edit.value == *value || edit.value.starts_with(value.as_str()))
                });
                demand(by_itself || value.is_empty() || said, || {
                    format!(
                        "{unit} of deal {} is \"{}\" on the side {side:?}, and nobody has ever said so",
                        case.deal,
                        brief(value)
                    )
                })?;
            }
        }
    }
    Ok(())
}

fn few_writes(evidence: &Evidence) -> Result<(), String> {
    let helps = |edit: &&Edit| edit.unit == "help" && !edit.value.is_empty();
    let failures = evidence
        .cases
        .iter()
        .flat_map(|case| &case.audit)
        .filter(|entry| entry.line.kind == "park")
        .count();
    let creates = evidence
        .writes
        .iter()
        .filter(|write| write.operation == "create")
        .count();
    let qualified = evidence
        .writes
        .iter()
        .filter(|write| write.operation == "qualify")
        .count();
    let most = 2 * evidence.acts
        + WRITES_PER_QUALIFICATION * qualified
        + WRITES_PER_BIRTH * evidence.cases.len()
        + WRITES_PER_HELP * evidence.edits.iter().filter(helps).count()
        + WRITES_PER_FAILURE * failures;
    let wrote = evidence.writes.len() - creates;
    demand(wrote <= most, || {
        format!(
            "{wrote} writes beside {creates} creations, for {} acts on {} deals and {failures} failures",
            evidence.acts,
            evidence.cases.len()
        )
    })
}

fn edits_of<'a>(evidence: &'a Evidence, case: &'a Case) -> impl Iterator<Item = &'a Edit> {
    evidence
        .edits
        .iter()
        .filter(move |edit| edit.deal == case.deal)
}

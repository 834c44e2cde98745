//! Brakes before act: what cannot be taken back waits for its permit (S24), a mass change is held (S25), a deal that swings is parked (S27).

use std::collections::BTreeSet;

use cosell_store::{HoldChange, Millis, Next};
use cosell_sync::brake::{Written, is_mass};
use cosell_sync::deal::Unit;
use cosell_sync::hold::{Gatekeeper, Held, Irreversible, Permit, Rules, Waiting, fingerprint};
use cosell_sync::merge::{Carry, Plan};
use cosell_sync::side::Side;
use serde_json::json;

use super::run::Run;
use super::script::{Script, Write};
use crate::link;
use crate::trouble::{Trouble, reason};

/// The kind of hold that a mass change opens.
pub const MASS: &str = "mass";
/// The note of a connection that says since when a person lets a side's mass change pass.
pub fn mass_note(side: Side) -> String {
    format!("mass-change-passes/{}", side.as_str())
}

/// What a run knows of its lane's permits.
pub(super) struct Lane {
    rules: Rules,
    holds: Vec<Held>,
    unedited: BTreeSet<String>,
}

impl Lane {
    pub(super) fn of(run: &Run<'_>) -> Self {
        let holds = run.holds.iter().filter_map(|hold| {
            Some(Held {
                kind: Irreversible::parse(&hold.kind)?,
                write: hold.fingerprint.clone(),
                until: hold.until,
                released: hold.verdict.as_ref().map(|verdict| verdict.released),
            })
        });
        Self {
            rules: run.connection.holds.clone(),
            holds: holds.collect(),
            unedited: run.notes.unedited.clone(),
        }
    }

    pub(super) fn gatekeeper(&self, run: &Run<'_>, unit: &Unit) -> Gatekeeper<'_> {
        Gatekeeper {
            rules: &self.rules,
            holds: &self.holds,
            confirm: self.unedited.contains(&unit.as_text()),
            now: run.now(),
        }
    }
}

/// Takes out of the plan what may not go yet, and says so in the store: holds are opened, and those that are no longer wanted closed.
/// `brought` is what the plan would bring about without carrying it.
pub(super) fn sift(run: &mut Run<'_>, plan: Plan, brought: Option<Carry>) -> (Plan, Vec<Waiting>) {
    let lane = Lane::of(run);
    let mut waiting = Vec::new();
    let mut go = Plan {
        carries: Vec::with_capacity(plan.carries.len()),
        ..plan
    };
    for carry in plan.carries {
        let keeper = lane.gatekeeper(run, &carry.unit);
        let one = Plan {
            carries: vec![carry],
            ..Plan::default()
        };
        let (passed, held) = keeper.sift(one);
        go.carries.extend(passed.carries);
        waiting.extend(held);
    }
    if let Some(carry) = brought {
        let keeper = lane.gatekeeper(run, &carry.unit);
        let one = Plan {
            carries: vec![carry],
            ..Plan::default()
        };
        waiting.extend(keeper.sift(one).1);
    }
    // A permit stays until its write is made: one that a colleague was faster than is planned once more.
    let going = go
        .carries
        .iter()
        .filter_map(|carry| Irreversible::of(&carry.unit, carry.to, &carry.value));
    let wanted: BTreeSet<&str> = waiting
        .iter()
        .map(|one| one.kind)
        .chain(going)
        .map(Irreversible::as_str)
        .collect();
    let stale: Vec<_> = run
        .holds
        .iter()
        .filter(|hold| hold.kind != MASS && !wanted.contains(hold.kind.as_str()))
        .map(|hold| HoldChange::Close {
            kind: hold.kind.clone(),
            subject: hold.subject.clone(),
            why: if hold
                .verdict
                .as_ref()
                .is_some_and(|verdict| verdict.released)
            {
                "released, and written".to_owned()
            } else {
                "its grace period is over, or it is no longer wanted".to_owned()
            },
        })
        .collect();
    for change in stale {
        run.hold(change);
    }
    for one in &waiting {
        hold(run, one);
    }
    if let Some(before) = waiting.iter().find(|one| keeps_help_waiting(one))
        && go.carries.iter().any(is_invitation)
    {
        go.carries.retain(|carry| !is_invitation(carry));
        let message = format!(
            "the invitation of Microsoft waits: it {}, and that is held or cancelled",
            before.kind.consequence()
        );
        run.tell_once(
            "hold",
            &message,
            &json!({ "unit": Unit::Help.as_text(), "rule": "S24" }),
        );
    }
    (go, waiting)
}

/// An invitation hands the contacts over and makes the deal visible, so it goes after them. Without contacts that a person does not want to
/// go, Partner Center may already know enough of them.
fn keeps_help_waiting(one: &Waiting) -> bool {
    match one.kind {
        Irreversible::Visibility => true,
        Irreversible::Contacts => matches!(one.permit, Permit::Wait(_)),
        _ => false,
    }
}

fn is_invitation(carry: &Carry) -> bool {
    carry.to == Side::PartnerCenter && carry.unit == Unit::Help
}

fn hold(run: &mut Run<'_>, waiting: &Waiting) {
    let carry = &waiting.carry;
    let (was, value) = (carry.was.in_words(), carry.value.in_words());
    let consequence = waiting.kind.consequence();
    match waiting.permit {
        Permit::Wait(until) => {
            let body = json!({
                "unit": carry.unit.as_text(), "to": carry.to.as_str(), "before": was, "after": value, "consequence": consequence,
            });
            run.hold(HoldChange::Open {
                kind: waiting.kind.as_str().to_owned(),
                subject: carry.unit.as_text(),
                body: body.to_string(),
                fingerprint: fingerprint(&carry.unit, &carry.value),
                until,
            });
            let how = match until {
                Some(_) => "it goes when its grace period is over, unless a person cancels it",
                None => "it goes when a person releases it",
            };
            run.tell_once(
                "hold",
                &format!(
                    "{}: {was} → {value} is held, because it {consequence}; {how}",
                    carry.unit
                ),
                &json!({ "unit": carry.unit.as_text(), "rule": "S24" }),
            );
        }
        Permit::Cancelled => run.tell_once(
            "explained",
            &format!(
                "{} stays {was} in {}: a person has cancelled {value}",
                carry.unit, carry.to
            ),
            &json!({ "unit": carry.unit.as_text(), "rule": "S24" }),
        ),
        Permit::Go => {}
    }
}

/// What a lane waits for: the earliest end of a grace period, and whether a person is needed.
pub(super) fn wait_for(waiting: &[Waiting]) -> (Option<Millis>, Vec<String>) {
    let sentence = |one: &Waiting| {
        format!(
            "{} → {} is held, because it {}",
            one.carry.unit,
            one.carry.value.in_words(),
            one.kind.consequence()
        )
    };
    let until = waiting
        .iter()
        .filter_map(|one| match one.permit {
            Permit::Wait(until) => until,
            _ => None,
        })
        .min();
    let open = waiting
        .iter()
        .filter(|one| matches!(one.permit, Permit::Wait(_)));
    (until, open.map(sentence).collect())
}

/// S25 and S27, before anything of the script is done. None: go.
///
/// # Errors
/// [`Trouble::Refused`] for a deal that swings.
pub(super) async fn brake(run: &mut Run<'_>, script: &Script) -> Result<Option<Next>, Trouble> {
    let now = run.now();
    for side in Side::BOTH {
        let ours = || {
            script
                .writes
                .iter()
                .filter(move |write| write.side() == side && write.is_on_the_deal())
        };
        if ours().next().is_none() {
            continue;
        }
        let carries_news = ours().any(|write| {
            let fresh = |text: &str| {
                !run.notes
                    .swing
                    .carried
                    .contains_key(&link::fingerprint(&format!("{}|{text}", side.as_str())))
            };
            write
                .settles
                .iter()
                .any(|carry| fresh(&fingerprint(&carry.unit, &carry.value)))
        });
        if !carries_news && run.notes.swing.is_swinging(side, now) && !run.is_ordered() {
            return Err(Trouble::Refused(vec![reason(
                "swings",
                &format!(
                    "the deal was written to {side} more than {} times within ten minutes, although nobody edited it",
                    cosell_sync::brake::SWINGS_MAX
                ),
                "something in the CRM (a workflow, a business rule) or in a plugin turns our values back; mend it, then retry the deal",
            )]));
        }
        if let Some(next) = mass(run, side, &Batch::of(ours())).await? {
            return Ok(Some(next));
        }
    }
    Ok(None)
}

/// A deal's part of what may be a mass change.
struct Batch {
    irreversible: bool,
    /// What names it: a person stops this one, and no other.
    fingerprint: String,
}

impl Batch {
    fn of<'a>(writes: impl Iterator<Item = &'a Write>) -> Self {
        let (mut irreversible, mut names) = (false, BTreeSet::new());
        for write in writes {
            irreversible |= !write.irreversible().is_empty();
            let carried = write.settles.iter();
            let carried = carried.map(|carry| fingerprint(&carry.unit, &carry.value));
            names.extend(carried);
            names.insert(write.kind().as_str().to_owned());
        }
        let names: Vec<String> = names.into_iter().collect();
        Self {
            irreversible,
            fingerprint: link::fingerprint(&names.join("\n")),
        }
    }

    fn hold(&self, run: &mut Run<'_>, side: Side) {
        let consequence = "is one of very many writes in a short time";
        run.hold(HoldChange::Open {
            kind: MASS.to_owned(),
            subject: side.as_str().to_owned(),
            body: json!({ "to": side.as_str(), "consequence": consequence }).to_string(),
            fingerprint: self.fingerprint.clone(),
            until: None,
        });
    }
}

async fn mass(run: &mut Run<'_>, side: Side, batch: &Batch) -> Result<Option<Next>, Trouble> {
    let limits = run.connection.mass;
    if limits.writes_max == 0 && limits.irreversible_max == 0 {
        return Ok(None);
    }
    let store = &run.desk.store;
    let id = &run.connection.id;
    // A person who let a batch pass has started the count anew.
    let passed = store.note(id, &mass_note(side)).await?;
    let passed = passed
        .and_then(|text| text.parse().ok())
        .unwrap_or(Millis::MIN);
    let held = run
        .holds
        .iter()
        .find(|hold| hold.kind == MASS && hold.subject == side.as_str());
    if let Some(held) = held {
        match &held.verdict {
            // It holds for the whole of what the deal has to say, however many rounds that takes.
            Some(verdict) if verdict.released => return Ok(None),
            Some(_) if held.fingerprint == batch.fingerprint => {
                return Ok(Some(Next::Held {
                    reason: format!(
                        "a person has stopped this deal's part of a mass change in {side}"
                    ),
                }));
            }
            // Another write than the one that was stopped.
            Some(_) => {}
            None if passed > held.opened => return Ok(None),
            // Nobody has looked yet. Time alone does not make it less of a mass change. What is decided about is what the deal has to say by then.
            None => {
                batch.hold(run, side);
                return Ok(Some(Next::Held {
                    reason: format!(
                        "this deal's part of a mass change in {side} waits until a person looks; see `cosell holds`"
                    ),
                }));
            }
        }
    }
    let since = passed.max(run.now() - limits.window_ms);
    let count = store.writes_since(id, side.as_str(), since).await?;
    let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    let written = Written {
        writes: number(count.writes),
        irreversible: number(count.irreversible),
    };
    if !is_mass(limits, written, batch.irreversible) {
        return Ok(None);
    }
    let message = format!(
        "{} writes ({} of them cannot be taken back) went to {side} within {} minutes: this looks like a mass change, so the rest is held",
        written.writes,
        written.irreversible,
        limits.window_ms / 60_000
    );
    run.tell_once(
        "hold",
        &message,
        &json!({ "side": side.as_str(), "rule": "S25" }),
    );
    batch.hold(run, side);
    Ok(Some(Next::Held {
        reason: format!("{message}; see `cosell holds`"),
    }))
}

/// Nothing is left to write: what a mass change held of this deal has gone, or is not wanted any more.
pub(super) fn at_rest(run: &mut Run<'_>) {
    let over: Vec<_> = run
        .holds
        .iter()
        .filter(|hold| hold.kind == MASS)
        .map(|hold| {
            let verdict = hold.verdict.as_ref();
            let is_released = verdict.is_some_and(|verdict| verdict.released);
            (hold.subject.clone(), is_released)
        })
        .collect();
    for (subject, is_released) in over {
        run.hold(HoldChange::Close {
            kind: MASS.to_owned(),
            subject,
            why: if is_released {
                "released, and written".to_owned()
            } else {
                "it is no longer wanted".to_owned()
            },
        });
    }
}

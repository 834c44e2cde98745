//! The straight line: look → read → plan → write out → act → remember. Both directions are this one page.

mod act;
mod ask;
mod born;
mod cards;
mod children;
mod crm;
mod customer;
mod dress;
mod heard;
mod intents;
mod look;
mod mapping;
mod partner_center;
mod permit;
mod preview;
mod read;
mod related;
mod remember;
mod route;
mod run;
mod script;
mod sees;
mod unknown;

use cosell_remote::Class;
use cosell_store::{After, Millis, Next, StoreError};
use cosell_sync::course::{Course, course};
use cosell_sync::merge::{Look, Plan, plan};
use cosell_sync::side::Side;
use futures_util::future::BoxFuture;

use crate::trouble::{Trouble, sentences};
use look::{Looked, Sight, look};
use read::{Reading, read};
use script::Script;

pub use dress::tell_failure;
pub use permit::{MASS, mass_note};
pub use preview::{
    Preview, PreviewedField, PreviewedUnit, PreviewedWrite, Views, preview, refused, views,
};
pub use run::Run;
pub(crate) use run::ending;
pub use unknown::Sent;

/// How often a run looks again because something changed, or because a step is followed by another. A birth takes four.
const ROUNDS_MAX: u32 = 8;

/// How often an incomplete deal is looked at while its seller is still typing.
const INCOMPLETE_LOOK_MS: Millis = 15_000;

/// What one round comes to.
enum Round {
    /// These writes, then another round.
    Do(Box<Scene>),
    /// Nothing to write; something was decided that the next look is different for.
    Again,
    /// Nothing is left to do.
    Over(Next),
}

/// What was looked at, and what is to be done about it.
struct Scene {
    sight: Sight,
    script: Script,
}

/// One pass over a lane. What the run has learned on the way is in the run, also when it ends badly.
///
/// # Errors
/// [`Trouble`], from which the worker decides whether the lane waits, parks or rests.
pub async fn pass(run: &mut Run<'_>) -> Result<Next, Trouble> {
    if let Some(next) = related::ring(run).await? {
        return Ok(next);
    }
    intents::settle(run).await?;
    for _ in 0..ROUNDS_MAX {
        run.renew().await?;
        let scene = match compose(run).await? {
            Round::Over(next) => return Ok(next),
            Round::Again => continue,
            Round::Do(scene) => *scene,
        };
        failpoint!("plan.after");
        if let Some(next) = permit::brake(run, &scene.script).await? {
            return Ok(next);
        }
        match act::act(run, &scene.sight, scene.script).await {
            Ok(()) => {}
            // Changed underneath us: a colleague was faster. Look again, plan again; never a blind write (I6).
            Err(Trouble::Remote(error)) if error.class == Class::Conflict => {}
            // A person has cancelled it since we looked (S24).
            Err(Trouble::Store(StoreError::Cancelled { .. })) => run.hear_verdicts().await?,
            Err(trouble) => return Err(trouble),
        }
    }
    Err(Trouble::Restless { rounds: ROUNDS_MAX })
}

/// Everything before act: look, read, plan, write out. Writes nothing anywhere.
#[inline(never)]
fn compose<'r>(run: &'r mut Run<'_>) -> BoxFuture<'r, Result<Round, Trouble>> {
    Box::pin(composed(run))
}

async fn composed(run: &mut Run<'_>) -> Result<Round, Trouble> {
    if let Some(reason) = run.notes.apart.clone() {
        run.ask_no_more("the records are taken apart");
        return Ok(Round::Over(Next::Paused { reason }));
    }
    let sight = match look(run).await? {
        Looked::Sight(sight) => *sight,
        Looked::BelongsTo(elder) => return Ok(Round::Over(Next::Retired { into: elder })),
    };
    related::follow_moved(run, &sight).await?;
    if let Some(parked) = run.still_parked(&sight).await? {
        return Ok(Round::Over(parked));
    }
    if let Some(write) = dress::switch_on(run, &sight) {
        let script = Script {
            writes: vec![write],
            ..Script::default()
        };
        return Ok(Round::Do(Box::new(Scene { sight, script })));
    }
    let reading = read(run, &sight).await?;
    run.note_name(&reading);
    let script = match course(&reading.situation(run, &sight)) {
        Course::Merge => return merge(run, sight, &reading).await,
        Course::Create {
            on: Side::PartnerCenter,
            ..
        } => {
            run.tell_unread(&reading.crm.refusals);
            born::referral(run, &sight, &reading)?
        }
        Course::Create {
            on: Side::Crm,
            kind,
        } => {
            if let Some(next) = route::elsewhere(run, &sight, &reading).await? {
                return Ok(Round::Over(next));
            }
            born::row(run, &sight, &reading, kind).await?
        }
        Course::Qualify => born::qualify(run, &sight, &reading).await?,
        Course::Anew(side) => {
            run.start_anew(side);
            if run.is_preview() {
                return Ok(Round::Again);
            }
            // Written down before anything is made: whoever hears of the new record meanwhile must not find the old pair.
            return Ok(Round::Over(Next::Wait {
                until: run.now(),
                after: After::Look,
                reason: "the record is made anew".into(),
            }));
        }
        rest => return Ok(Round::Over(resting(run, &reading, rest)?)),
    };
    Ok(Round::Do(Box::new(Scene { sight, script })))
}

/// Both records are there.
async fn merge(run: &mut Run<'_>, sight: Sight, reading: &Reading) -> Result<Round, Trouble> {
    if let Some(microsoft) = &sight.microsoft {
        partner_center::adopt_microsofts(run, microsoft);
    }
    run.take_up_half_written(&reading.crm.units);
    run.after_move(&reading.crm.units);
    unknown::take_up(run, &sight, reading);
    mapping::catch_up(run, &sight, reading).await?;
    let mut plan = decide(run, &sight, reading);
    if !plan.carries.is_empty() && mapping::apply_waiting(run) {
        plan = decide(run, &sight, reading);
    }
    run.note_unmet(&reading.views());
    run.after_pause(&plan);
    cards::ask(run, &plan, &sight);
    cards::settle(
        run,
        &[customer::CARD, cards::GONE, cards::REOPENED, route::CARD],
        "both records are there",
    );
    // Before the sieve: what is held still differs.
    run.notice(&plan);
    let brought = partner_center::brings_about(reading, &plan);
    let (plan, waiting) = permit::sift(run, plan, brought);
    run.forget_written(&plan);
    run.tell_explained(&plan);
    run.tell_unread(&reading.crm.refusals);
    if !run.is_linked() || !plan.remember.is_empty() {
        remember::link(run, &sight, reading, &plan.remember);
    }
    let mut script = Script {
        writes: partner_center::write_out(run, &sight, reading, &plan),
        ..Script::default()
    };
    script
        .writes
        .extend(crm::write_out(run, &sight, reading, &plan).await?);
    if script.writes.is_empty() {
        script
            .writes
            .extend(dress::in_step(run, &sight, reading).await?);
    }
    if !script.writes.is_empty() {
        return Ok(Round::Do(Box::new(Scene { sight, script })));
    }
    run.notes.moved = false;
    permit::at_rest(run);
    let (until, mut open) = permit::wait_for(&waiting);
    open.extend(cards::held(&plan));
    let reason = open.join("; ");
    Ok(Round::Over(match until {
        Some(until) => Next::Wait {
            until,
            after: After::Look,
            reason,
        },
        None if open.is_empty() => Next::Settled,
        None => Next::Held {
            reason: format!("{reason}. Other units go on; see `cosell cards` and `cosell holds`"),
        },
    }))
}

/// The plan, with what people have answered to what it asks.
fn decide(run: &Run<'_>, sight: &Sight, reading: &Reading) -> Plan {
    let views = reading.views();
    let noticed = run.notes.noticed();
    let none = std::collections::BTreeMap::new();
    let look = Look {
        views: &views,
        bases: &run.bases,
        policies: &run.connection.policies,
        noticed: &noticed,
        answers: &none,
    };
    let asking = plan(look);
    let answers = cards::answers(run, &asking.questions, sight);
    if answers.is_empty() {
        return asking;
    }
    plan(Look {
        answers: &answers,
        ..look
    })
}

/// Courses that write nothing.
fn resting(run: &mut Run<'_>, reading: &Reading, course: Course) -> Result<Next, Trouble> {
    Ok(match course {
        Course::Skip(reason) => {
            run.notes.paused = run.is_linked();
            permit::at_rest(run);
            Next::Paused {
                reason: sentences(&[reason]),
            }
        }
        Course::Quiet { until } => Next::Wait {
            until,
            after: After::Look,
            reason: "waits for a quiet moment before the deal is created".into(),
        },
        Course::Incomplete { until, missing } => {
            // Counted from here, not from the lane's birth: a row may be there for years before its seller switches sync on.
            run.wait_for_completion();
            // Not everything that completes a deal rings (a new contact does not): look again now and then.
            let until = until.min(run.now() + INCOMPLETE_LOOK_MS);
            let missing = reading.because(missing);
            Next::Wait {
                until,
                after: After::Look,
                reason: format!("not complete yet: {}", sentences(&missing)),
            }
        }
        Course::Refuse(missing) => return Err(Trouble::Refused(reading.because(missing))),
        Course::Orphan(side) => cards::gone(run, side),
        Course::Reopened => cards::reopened(run),
        Course::Apart => run.taken_apart(),
        Course::Nothing
        | Course::Merge
        | Course::Create { .. }
        | Course::Qualify
        | Course::Anew(_) => Next::Settled,
    })
}

//! The straight line: look → read → plan → write out → act → remember. Both directions are this one page.

mod ask;
mod born;
mod crm;
mod customer;
mod dress;
mod intents;
mod look;
mod partner_center;
mod read;
mod related;
mod remember;
mod run;

use cosell_remote::Class;
use cosell_store::{Millis, Next};
use cosell_sync::course::{Course, course};
use cosell_sync::merge::{Look, plan};
use cosell_sync::side::Side;

use crate::trouble::{Trouble, sentences};
use look::{Looked, look};
use read::read;

pub use dress::tell_failure;
pub use run::Run;

/// How often a run looks again because something changed, or because a step is followed by another. A birth takes four.
const ROUNDS_MAX: u32 = 8;

/// How often an incomplete deal is looked at while its seller is still typing.
const INCOMPLETE_LOOK_MS: Millis = 15_000;

/// What a step of the line leads to.
enum Step {
    /// Something was written: look again, there may be more to do.
    Again,
    /// Nothing is left to do.
    Settled(Next),
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
        let sight = match look(run).await? {
            Looked::Sight(sight) => *sight,
            Looked::BelongsTo(elder) => return Ok(Next::Retired { into: elder }),
        };
        let reading = read(run, &sight).await?;
        let step = match course(&reading.situation(run, &sight)) {
            Course::Merge => merge(run, &sight, &reading).await,
            Course::Create {
                on: Side::PartnerCenter,
                ..
            } => born::referral(run, &sight, &reading).await,
            Course::Create {
                on: Side::Crm,
                kind,
            } => born::row(run, &sight, &reading, kind).await,
            rest => Ok(Step::Settled(resting(run, rest)?)),
        };
        match step {
            Ok(Step::Settled(next)) => return Ok(next),
            Ok(Step::Again) => {}
            // Changed underneath us: a colleague was faster. Look again, plan again; never a blind write (I6).
            Err(Trouble::Remote(error)) if error.class == Class::Conflict => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Err(Trouble::Restless { rounds: ROUNDS_MAX })
}

/// Both records are there.
async fn merge(
    run: &mut Run<'_>,
    sight: &look::Sight,
    reading: &read::Reading,
) -> Result<Step, Trouble> {
    run.take_up_half_written(&reading.crm.units);
    let views = reading.views(sight);
    let noticed = run.notes.noticed();
    let policies = &run.connection.policies;
    let plan = plan(Look {
        views: &views,
        bases: &run.bases,
        policies,
        noticed: &noticed,
    });
    run.forget_written(&plan);
    run.tell_explained(&plan);
    run.notice(&plan);
    if !run.is_linked() || !plan.remember.is_empty() {
        remember::link(run, sight, reading, &plan.remember);
    }
    let wrote_out = partner_center::carry(run, sight, reading, &plan).await?;
    let wrote_in = crm::carry(run, sight, reading, &plan).await?;
    if wrote_out || wrote_in {
        return Ok(Step::Again);
    }
    if dress::in_step(run, sight, reading).await? {
        return Ok(Step::Again);
    }
    Ok(Step::Settled(run.after_questions(&plan)))
}

/// Courses that write nothing.
fn resting(run: &mut Run<'_>, course: Course) -> Result<Next, Trouble> {
    Ok(match course {
        Course::Skip(reason) => Next::Paused {
            reason: sentences(&[reason]),
        },
        Course::Quiet { until } => Next::Wait {
            until,
            failed: false,
            reason: "waits for a quiet moment before the deal is created".into(),
        },
        Course::Incomplete { until, missing } => {
            // Counted from here, not from the lane's birth: a row may be there for years before its seller switches sync on.
            run.wait_for_completion();
            // Not everything that completes a deal rings (a new contact does not): look again now and then.
            let until = until.min(run.desk.now() + INCOMPLETE_LOOK_MS);
            Next::Wait {
                until,
                failed: false,
                reason: format!("not complete yet: {}", sentences(&missing)),
            }
        }
        Course::Refuse(missing) => return Err(Trouble::Refused(missing)),
        Course::Orphan(side) => run.orphaned(side),
        Course::Nothing | Course::Merge | Course::Create { .. } => Next::Settled,
    })
}

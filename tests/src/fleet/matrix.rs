//! The crash matrix: a host is ended before and after each step of the protocol, in each kind of work, and the next one has to finish what it left.

use anyhow::{Context as _, ensure};
use cosell_host::FAILPOINTS;
use cosell_simulator::{Fault, FaultKind, Service, WebhookFault, WebhookFaultKind};

use super::Fleet;
use super::people::People;

/// What is under way when the host ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A seller's deal becomes a referral.
    CreateReferral,
    /// A referral becomes a row.
    CreateRow,
    /// A seller's edit goes to Partner Center.
    UpdateReferral,
    /// A portal user's edit goes to the CRM.
    UpdateRow,
    /// The creation of a referral was done and not answered; so the next run begins with an open intent.
    UnknownReferral,
    /// The same of a row.
    UnknownRow,
    /// The webhook is lost, and the sweep of the next start finds the edit.
    Sweep,
}

/// All of them.
pub const WORKS: [Work; 7] = [
    Work::CreateReferral,
    Work::CreateRow,
    Work::UpdateReferral,
    Work::UpdateRow,
    Work::UnknownReferral,
    Work::UnknownRow,
    Work::Sweep,
];

/// How a host ends.
pub const DEEDS: [&str; 2] = ["abort", "kill"];

/// One cell of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What is under way.
    pub work: Work,
    /// Where the host ends.
    pub point: &'static str,
    /// How.
    pub deed: &'static str,
}

/// Every cell: all works that reach a point, each in both ways.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for work in WORKS {
        for point in FAILPOINTS.into_iter().filter(|point| reaches(work, point)) {
            for deed in DEEDS {
                cases.push(Case { work, point, deed });
            }
        }
    }
    cases
}

/// A fixed share that hits every point and every work; the rest is played by command.
///
/// # Panics
/// When a failpoint is new and no work comes by it.
#[must_use]
pub fn share() -> Vec<Case> {
    let mut share: Vec<Case> = Vec::new();
    for (number, point) in FAILPOINTS.into_iter().enumerate() {
        // Turn by turn, so that every work is met.
        let works = (0..WORKS.len()).map(|turn| WORKS[(number + turn) % WORKS.len()]);
        let work = works.into_iter().find(|work| reaches(*work, point));
        // A point that is left out would look as if it had been played.
        let work = work.unwrap_or_else(|| panic!("no work of the matrix comes by {point}"));
        share.push(Case {
            work,
            point,
            deed: DEEDS[number % DEEDS.len()],
        });
    }
    share
}

/// Whether the work comes by this point.
fn reaches(work: Work, point: &str) -> bool {
    match point {
        // Only an unknown outcome leaves an intent to settle, and only a lost webhook is found by the sweep.
        "settle.before" => matches!(work, Work::UnknownReferral | Work::UnknownRow),
        "sweep.before" | "sweep.after" => work == Work::Sweep,
        "accept.before" | "accept.after" => work != Work::Sweep,
        _ => true,
    }
}

/// Plays one case on a fleet of one host that is at rest, which it is again afterwards.
///
/// # Errors
/// When the point is not reached, or with what is lost, doubled or unexplained.
pub async fn play(fleet: &mut Fleet, people: &mut People, case: Case) -> anyhow::Result<()> {
    hit(fleet, people, case)
        .await
        .with_context(|| format!("{case:?}"))
}

async fn hit(fleet: &mut Fleet, people: &mut People, case: Case) -> anyhow::Result<()> {
    let control = fleet.control().clone();
    let edits = matches!(
        case.work,
        Work::UpdateReferral | Work::UpdateRow | Work::Sweep
    );
    if edits && people.deals.is_empty() {
        people.seller_begins()?;
        fleet.in_step(people).await?;
    }
    let deal = people.deals.len().saturating_sub(1);
    if case.work == Work::Sweep {
        fleet.hosts[0].kill()?;
        for service in [Service::PartnerCenter, Service::Dataverse] {
            control.webhook_fault(WebhookFault {
                service,
                count: None,
                kind: WebhookFaultKind::Drop,
            });
        }
    }
    let unanswered = |service, method: &str| Fault {
        service,
        method: Some(method.to_owned()),
        path_prefix: String::new(),
        skip: 0,
        count: Some(1),
        kind: FaultKind::DropAfter,
    };
    match case.work {
        Work::UnknownReferral => control.fault(unanswered(Service::Referrals, "POST")),
        Work::UnknownRow => control.fault(unanswered(Service::Dataverse, "PATCH")),
        _ => {}
    }
    fleet.hosts[0].order(&format!("{} {}", case.point, case.deed))?;
    match case.work {
        Work::CreateReferral | Work::UnknownReferral => drop(people.seller_begins()?),
        Work::CreateRow | Work::UnknownRow => drop(people.portal_begins()?),
        Work::UpdateReferral => ensure!(people.seller_edits(deal)?, "there is no row to edit"),
        Work::UpdateRow => ensure!(people.portal_edits(deal)?, "there is no referral to edit"),
        Work::Sweep => {
            ensure!(people.portal_edits(deal)?, "there is no referral to edit");
            fleet.hosts[0].spawn()?;
        }
    }
    let ended = fleet.hosts[0].until_ended().await?;
    ensure!(!ended.success(), "the host ended well");
    ensure!(fleet.hosts[0].has_obeyed(), "the host ended elsewhere");
    control.clear_faults();
    fleet.hosts[0].start().await?;
    fleet.judged(people).await?;
    Ok(())
}

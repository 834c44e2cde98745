//! The judge: what both sides hold and what the store says, deal by deal. The ledger of the simulator counts, not our own word, and whatever
//! cannot be agreed on is said: a judge that gives up silently has found nothing.

mod compare;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use cosell_host::config::Config;
use cosell_host::status::{Status, status};
use cosell_simulator::Control;
use serde::Serialize;

use super::stage::Stage;
use compare::{Sides, compare};

/// Echoes of the last writes have rung and been answered within this time.
const QUIET_MAX: Duration = Duration::from_secs(20);
/// Between two looks whether it is quiet.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Counts of what the two sides hold.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct LedgerFigures {
    pub(super) referrals: usize,
    pub(super) opportunities: usize,
    pub(super) leads: usize,
    pub(super) accounts: usize,
    pub(super) writes: usize,
    pub(super) duplicates: usize,
}

/// What the judge found.
pub(super) struct Verdict {
    pub(super) ledger: LedgerFigures,
    pub(super) disagreements: Vec<String>,
}

pub(super) async fn judge(stage: &Stage) -> anyhow::Result<Verdict> {
    let config = Config::load(&stage.config)?;
    let control = stage.control();
    let (store, deliveries) = quiet(control, &config).await?;
    let mut disagreements = unfinished(&store, deliveries);
    let counts = control.counts();
    let ledger = LedgerFigures {
        referrals: counts.referrals,
        opportunities: counts.opportunities,
        leads: counts.leads,
        accounts: counts.accounts,
        writes: counts.writes,
        duplicates: counts.duplicates,
    };
    let audit = serde_json::to_value(control.audit())?;
    for (what, found) in audit.as_object().into_iter().flatten() {
        if found.as_array().is_some_and(|list| !list.is_empty()) {
            disagreements.push(format!("the simulator's audit: {what}: {found}"));
        }
    }
    disagreements.extend(compare(&Sides::of(control), &store.deals));
    Ok(Verdict {
        ledger,
        disagreements,
    })
}

/// Waits until no bell is unanswered, and returns what the store says then, with the webhooks that are still on their way.
async fn quiet(control: &Control, config: &Config) -> anyhow::Result<(Status, usize)> {
    let began = Instant::now();
    loop {
        let now = status(config).await.context("the store cannot be read")?;
        let deliveries = control.deliveries_waiting();
        if unfinished(&now, deliveries).is_empty() || began.elapsed() > QUIET_MAX {
            return Ok((now, deliveries));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What is still under way, or broken, whatever the deals look like.
fn unfinished(store: &Status, deliveries: usize) -> Vec<String> {
    let mut found = Vec::new();
    if store.bells_unanswered > 0 {
        found.push(format!(
            "{} bells have not been answered",
            store.bells_unanswered
        ));
    }
    if store.open_writes > 0 {
        found.push(format!(
            "nobody knows what became of {} writes",
            store.open_writes
        ));
    }
    if deliveries > 0 {
        found.push(format!("{deliveries} webhooks are still on their way"));
    }
    let moving = store
        .deals
        .iter()
        .filter(|deal| ["due", "running"].contains(&deal.state.as_str()))
        .count();
    if moving > 0 {
        found.push(format!("{moving} deals are still being worked on"));
    }
    if !store.audit_whole {
        found.push("the chain of the store's audit is broken".to_owned());
    }
    found
}

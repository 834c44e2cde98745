//! The judge: what both sides hold and what the store says, deal by deal. The ledger of the simulator counts, not our own word.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use cosell_host::config::Config;
use cosell_host::status::{Deal, status};
use serde::Serialize;
use serde_json::Value;

use super::stage::Stage;

/// Echoes of the last writes have rung and been answered within this time.
const QUIET_MAX: Duration = Duration::from_secs(20);

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
    let deals = quiet(stage, &config).await?;
    let control = stage.control();
    let counts = control.counts();
    let ledger = LedgerFigures {
        referrals: counts.referrals,
        opportunities: counts.opportunities,
        leads: counts.leads,
        accounts: counts.accounts,
        writes: counts.writes,
        duplicates: counts.duplicates,
    };
    let mut disagreements = Vec::new();
    let audit = serde_json::to_value(control.audit())?;
    for (what, found) in audit.as_object().into_iter().flatten() {
        if found.as_array().is_some_and(|list| !list.is_empty()) {
            disagreements.push(format!("the simulator's audit: {what}: {found}"));
        }
    }
    compare(stage, &deals, &mut disagreements);
    Ok(Verdict {
        ledger,
        disagreements,
    })
}

/// Waits until no bell is unanswered, and returns the deals of the store.
async fn quiet(stage: &Stage, config: &Config) -> anyhow::Result<Vec<Deal>> {
    let began = std::time::Instant::now();
    loop {
        let now = status(config).await.context("the store cannot be read")?;
        let busy = now.bells_unanswered > 0
            || stage.control().deliveries_waiting() > 0
            || now.open_writes > 0;
        if !busy || began.elapsed() > QUIET_MAX {
            return Ok(now.deals);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every pair that the sides hold must be a settled pair of the store, with the same value and date on both sides, and the other way round.
fn compare(stage: &Stage, deals: &[Deal], disagreements: &mut Vec<String>) {
    let control = stage.control();
    let rows: BTreeMap<String, Value> = control
        .rows("opportunity")
        .into_iter()
        .map(|row| {
            (
                row["opportunityid"].as_str().unwrap_or_default().to_owned(),
                row,
            )
        })
        .collect();
    let own: Vec<Value> = control
        .referrals()
        .into_iter()
        .filter(|referral| referral["organizationId"] != "msft")
        .collect();
    for referral in &own {
        let id = referral["id"].as_str().unwrap_or_default();
        let Some(deal) = deals
            .iter()
            .find(|deal| deal.referral.as_deref() == Some(id))
        else {
            disagreements.push(format!("referral {id} is unknown to the store"));
            continue;
        };
        if deal.state != "settled" {
            let reason = deal.reason.as_deref().unwrap_or("no reason");
            disagreements.push(format!(
                "referral {id} is {} and not settled: {reason}",
                deal.state
            ));
            continue;
        }
        let row = deal.crm_row.as_ref().and_then(|row| rows.get(row));
        let Some(row) = row else {
            disagreements.push(format!(
                "the store links referral {id} with a row that the CRM does not have"
            ));
            continue;
        };
        for (what, ours, theirs) in [
            (
                "our id",
                text(&referral["externalReferenceId"]),
                text(&row["opportunityid"]),
            ),
            (
                "referral id",
                id.to_owned(),
                text(&row["msft_microsoftpartnercenterreferralidentifier"]),
            ),
            (
                "value",
                number(&referral["details"]["dealValue"]),
                number(&row["estimatedvalue"]),
            ),
            (
                "close date",
                day(&referral["details"]["closingDateTime"]),
                day(&row["estimatedclosedate"]),
            ),
        ] {
            if ours != theirs {
                disagreements.push(format!(
                    "{what} of referral {id}: Partner Center has {ours}, the CRM has {theirs}"
                ));
            }
        }
    }
    let linked = deals
        .iter()
        .filter(|deal| deal.referral.is_some() && deal.crm_row.is_some())
        .count();
    if linked != own.len() {
        disagreements.push(format!(
            "the store links {linked} deals, Partner Center holds {} of ours",
            own.len()
        ));
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `125000`, `125000.00` and `"125000"` are one amount.
fn number(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn day(value: &Value) -> String {
    value
        .as_str()
        .and_then(|text| text.get(..10))
        .unwrap_or_default()
        .to_owned()
}

//! `cosell status`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cosell_host::config::Config;
use cosell_host::status::{Deal, Status, status as read};

/// States in which a deal needs a person.
const NEEDS_A_PERSON: [&str; 3] = ["parked", "orphaned", "held"];

pub(crate) async fn status(path: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    ensure!(
        config.store.exists(),
        "there is no store at {} yet: start the host once with `cosell run`",
        config.store.display()
    );
    let status = read(&config)
        .await
        .with_context(|| format!("the store {} cannot be read", config.store.display()))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print(&status);
    }
    let stuck = status
        .deals
        .iter()
        .any(|deal| ["parked", "orphaned"].contains(&deal.state.as_str()));
    Ok(if stuck || !status.audit_whole {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(status: &Status) {
    let count = |state: &str| status.lanes.get(state).copied().unwrap_or(0);
    println!(
        "{} deals linked, {} events taken",
        status.linked, status.events
    );
    println!("lanes (one for each deal, and one for each row below a deal that has rung):");
    for state in [
        "settled", "due", "running", "waiting", "held", "parked", "orphaned", "paused",
    ] {
        if count(state) > 0 {
            println!("  {:>6}  {state:<9} {}", count(state), meaning(state));
        }
    }
    match status.oldest_unanswered_ms {
        Some(ms) => println!(
            "{} bells wait for an answer, the oldest for {:.1} s",
            status.bells_unanswered,
            seconds(ms)
        ),
        None => println!("every bell is answered"),
    }
    if !status.audit_whole {
        println!(
            "THE AUDIT DOES NOT VERIFY: the store was changed by something that is not cosell"
        );
    }
    let open: Vec<&Deal> = status
        .deals
        .iter()
        .filter(|deal| NEEDS_A_PERSON.contains(&deal.state.as_str()) || deal.state == "waiting")
        .collect();
    for deal in open {
        println!();
        println!("{} · lane {} · {}", name(deal), deal.lane, deal.state);
        println!(
            "  {}",
            deal.reason
                .as_deref()
                .unwrap_or("no reason was written down")
        );
    }
}

fn name(deal: &Deal) -> String {
    match (&deal.referral, &deal.crm_table, &deal.crm_row) {
        (Some(referral), Some(table), Some(row)) => format!("referral {referral} ↔ {table} {row}"),
        (Some(referral), ..) => format!("referral {referral}"),
        (None, Some(table), Some(row)) => format!("{table} {row}"),
        _ => format!("a deal of {}", deal.connection),
    }
}

fn meaning(state: &str) -> &'static str {
    match state {
        "settled" => "in step or explained",
        "due" => "about to be looked at",
        "running" => "being looked at",
        "waiting" => "until a certain time",
        "held" => "a question is open; other fields go on",
        "parked" => "need a person",
        "orphaned" => "a record is gone; need a person",
        _ => "sync is off for them",
    }
}

#[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

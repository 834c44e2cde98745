//! `cosell status`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cosell_host::status::{Deal, Status, status as read};

use crate::screen::{On, count, id, short};

/// States that are told deal by deal.
const TOLD: [&str; 4] = ["parked", "orphaned", "held", "waiting"];
/// Deals told on one screen; `cosell deals` has all of them.
const TOLD_MAX: usize = 20;

pub(crate) async fn status(on: &On) -> anyhow::Result<ExitCode> {
    let config = on.config()?;
    ensure!(
        config.store.file().is_none_or(std::path::Path::exists),
        "there is no store at {} yet: start the host once with `cosell run`",
        config.store
    );
    let status = read(&config)
        .await
        .with_context(|| format!("the store {} cannot be read", config.store))?;
    on.say(&status, print)?;
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
    let lanes = |state: &str| status.lanes.get(state).copied().unwrap_or(0);
    println!(
        "{} deals linked, {} events taken",
        status.linked, status.events
    );
    println!("lanes (one for each deal, and one for each row below a deal that has rung):");
    for state in [
        "settled", "due", "running", "waiting", "held", "parked", "orphaned", "paused",
    ] {
        if lanes(state) > 0 {
            println!("  {:>6}  {state:<9} {}", lanes(state), meaning(state));
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
        .filter(|deal| TOLD.contains(&deal.state.as_str()))
        .collect();
    for deal in open.iter().take(TOLD_MAX) {
        println!();
        println!("{} · lane {} · {}", name(deal), deal.lane, deal.state);
        println!(
            "  {}",
            short(
                deal.reason
                    .as_deref()
                    .unwrap_or("no reason was written down"),
                300
            )
        );
    }
    if let Some(more) = open.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        println!("\nand {}", count(more, "more deal"));
    }
    print_next(status, lanes("parked") + lanes("orphaned"));
}

/// What to type next.
fn print_next(status: &Status, stuck: i64) {
    let number = |number: i64| usize::try_from(number).unwrap_or(0);
    let mut next = vec![("cosell deals", "each deal, and where it stands".to_owned())];
    if status.cards > 0 {
        let open = format!("{} for a person", count(number(status.cards), "question"));
        next.push(("cosell cards", open));
    }
    if status.holds > 0 {
        let held = format!(
            "{} for time or a person",
            count(number(status.holds), "write")
        );
        next.push(("cosell holds", held));
    }
    if stuck > 0 {
        next.push((
            "cosell deals --state parked,orphaned",
            "what needs a person".to_owned(),
        ));
        next.push((
            "cosell retry --parked",
            "once the causes are mended".to_owned(),
        ));
    }
    println!("\nnext");
    for (command, why) in next {
        println!("  {command:<38}{why}");
    }
}

fn name(deal: &Deal) -> String {
    match (&deal.referral, &deal.crm_table, &deal.crm_row) {
        (Some(referral), Some(table), Some(row)) => {
            format!(
                "referral {} ↔ {table} {}",
                id(Some(referral)),
                id(Some(row))
            )
        }
        (Some(referral), ..) => format!("referral {}", id(Some(referral))),
        (None, Some(table), Some(row)) => format!("{table} {}", id(Some(row))),
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

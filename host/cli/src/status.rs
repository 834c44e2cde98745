//! `cosell status`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cosell_host::expiry::Expiry;
use cosell_host::status::{Deal, Status, status as read};
use cosell_host::verbs::{NO_PLUGIN, PluginNews};

use crate::plugin_set::while_unvouched;
use crate::screen::{On, count, id, short};

/// States that are told deal by deal.
const TOLD: [&str; 4] = ["parked", "orphaned", "held", "waiting"];
/// Deals told on one screen; `cosell deals` has all of them.
const TOLD_MAX: usize = 20;

pub(crate) async fn status(on: &On) -> anyhow::Result<ExitCode> {
    let config = on.config()?;
    ensure!(
        config.store.file().is_none_or(Path::exists),
        "there is no store at {} yet: start the host once with `cosell run`",
        config.store
    );
    let status = read(&config)
        .await
        .with_context(|| format!("the store {} cannot be read", config.store))?;
    on.say(&status, |status| print(status, &config.plugins.folder))?;
    let stuck = status
        .deals
        .iter()
        .any(|deal| ["parked", "orphaned"].contains(&deal.state.as_str()));
    Ok(
        if stuck || !status.audit_whole || status.plugins.serving == 0 {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        },
    )
}

fn print(status: &Status, folder: &Path) {
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
    if status.plugins.serving == 0 {
        println!("! {NO_PLUGIN} ({})", folder.display());
    }
    for resting in &status.resting {
        println!(
            "credential {} of {} rests until {}; deals wait for it and go on by themselves",
            resting.credential, resting.connection, resting.until
        );
        println!("  {}", short(&resting.reason, 300));
    }
    for ending in &status.credentials {
        let expiry = &ending.expiry;
        println!(
            "credential {} of {} {}",
            expiry.credential,
            expiry.connection,
            Expiry::in_words(ending.days_left)
        );
        if ending.soon {
            println!("  {}", expiry.remedy());
        }
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
    print_next(status, lanes("parked") + lanes("orphaned"), folder);
}

/// What to type next.
fn print_next(status: &Status, stuck: i64, folder: &Path) {
    let number = |number: i64| usize::try_from(number).unwrap_or(0);
    let mut next = vec![(
        "cosell deals".to_owned(),
        "each deal, and where it stands".to_owned(),
    )];
    if status.cards > 0 {
        let open = format!("{} for a person", count(number(status.cards), "question"));
        next.push(("cosell cards".to_owned(), open));
    }
    if status.holds > 0 {
        let held = format!(
            "{} for time or a person",
            count(number(status.holds), "write")
        );
        next.push(("cosell holds".to_owned(), held));
    }
    if stuck > 0 {
        next.push((
            "cosell deals --state parked,orphaned".to_owned(),
            "what needs a person".to_owned(),
        ));
        next.push((
            "cosell retry --parked".to_owned(),
            "once the causes are mended".to_owned(),
        ));
    }
    next.extend(about_plugins(&status.plugins, folder));
    let width = next.iter().map(|(command, _)| command.chars().count());
    let width = width.max().unwrap_or(0).max(36) + 2;
    println!("\nnext");
    for (command, why) in next {
        println!("  {command:<width$}{why}");
    }
}

/// What is not settled about plugins: for each the command that says more, or ends it.
fn about_plugins(news: &PluginNews, folder: &Path) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for one in &news.unvouched {
        lines.push((
            "cosell plugin list".to_owned(),
            format!("! {} ({}): {}", one.plugin, one.file, while_unvouched(one)),
        ));
    }
    for one in &news.candidates {
        let (plugin, version, file) = (&one.plugin, &one.version, &one.file);
        lines.push(if !one.wants.is_empty() {
            (
                format!("cosell plugin promote {file} --by WHO"),
                format!("{plugin} {version} wants more than what serves, and waits for a person"),
            )
        } else if one.mode == "try-on" {
            (
                "cosell plugin list".to_owned(),
                format!("{plugin} {version} ({file}) is tried on some deals"),
            )
        } else {
            (
                "cosell plugin list --deals".to_owned(),
                format!("{plugin} {version} ({file}) is judged in the shadow of what serves"),
            )
        });
    }
    for one in &news.refused {
        lines.push((
            format!("cosell plugin check {}", folder.join(&one.file).display()),
            short(&one.why, 160),
        ));
    }
    for one in &news.slow {
        lines.push((
            "cosell plugin list".to_owned(),
            format!(
                "{} ({}) comes near the limit of a call",
                one.plugin, one.file
            ),
        ));
    }
    lines
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

#[cfg(test)]
mod tests {
    use cosell_host::verbs::{Moment, PluginLine, RefusedView, SlowView, UnvouchedView};

    use super::*;

    fn line(file: &str, mode: &str, wants: &[&str]) -> PluginLine {
        PluginLine {
            plugin: "acme".to_owned(),
            version: "1.0.0".to_owned(),
            file: file.to_owned(),
            sha256: String::new(),
            mode: mode.to_owned(),
            generation: 1,
            since: Moment(0),
            by: String::new(),
            hooks: Vec::new(),
            signer: None,
            wants: wants.iter().map(|want| (*want).to_owned()).collect(),
        }
    }

    #[test]
    fn what_is_not_settled_about_plugins_is_one_line_each_with_its_command() {
        let news = PluginNews {
            serving: 1,
            candidates: vec![
                line("a.wasm", "shadow", &[]),
                line("b.wasm", "try-on", &[]),
                line("c.wasm", "shadow", &["writes opportunity.name"]),
            ],
            refused: vec![RefusedView {
                file: "d.js".to_owned(),
                at: Moment(0),
                by: String::new(),
                why: "d.js is refused: it has mistakes\nin line 3".to_owned(),
            }],
            slow: vec![SlowView {
                plugin: "slow".to_owned(),
                file: "e.wasm".to_owned(),
                at: Moment(0),
                by: String::new(),
                why: String::new(),
            }],
            unvouched: vec![UnvouchedView {
                plugin: "acme".to_owned(),
                file: "f.wasm".to_owned(),
                is_shadow: false,
                why: "it is not signed".to_owned(),
            }],
        };
        let lines = about_plugins(&news, Path::new("plugins"));
        let commands: Vec<&str> = lines.iter().map(|(command, _)| command.as_str()).collect();
        assert_eq!(
            commands,
            [
                "cosell plugin list",
                "cosell plugin list --deals",
                "cosell plugin list",
                "cosell plugin promote c.wasm --by WHO",
                "cosell plugin check plugins/d.js",
                "cosell plugin list",
            ]
        );
        assert!(lines[0].1.contains("takes up no deal"), "{lines:?}");
        assert!(lines[3].1.contains("waits for a person"), "{lines:?}");
        assert!(
            lines.iter().all(|(_, why)| !why.contains('\n')),
            "{lines:?}"
        );
        assert_eq!(
            about_plugins(&PluginNews::default(), Path::new("plugins")),
            []
        );
    }
}

//! A CRM that refuses: required columns, status reasons that are gone, errors that nobody expected.

use cosell_simulator::{Fault, FaultKind, Service, SimulatorConfig};
use cosell_tests::{World, id};
use serde_json::json;

use super::{answered, in_step};
use crate::log::Log;
use crate::people::{draft, edit, patch, referral, share, solution};
use crate::sheet::{Sheet, Sight, carried, check, only_if, plain};

const OUT_SOLD: i32 = 5;
const CANCELED: i32 = 4;

pub(in crate::stages) async fn play(sheet: &mut Sheet, log: &Log) -> anyhow::Result<()> {
    let simulator = SimulatorConfig {
        seed: 22,
        ..SimulatorConfig::demo()
    };
    let world = World::with(simulator, &[]).await?;
    unexpected(sheet, &world, log).await?;
    required(sheet, &world, log).await?;
    retired(sheet, &world, log).await?;
    world.end().await
}

/// The CRM answers 500 to a write that it never did.
async fn unexpected(sheet: &mut Sheet, world: &World, log: &Log) -> anyhow::Result<()> {
    let account = world.account("Contoso Kft.", "HU")?;
    let row = draft(world, &account, "Unexpected", &json!({}))?;
    solution(world, &row, "SOL-12345-ABC")?;
    share(world, &row)?;
    let deal = world.referral_of(&row).await?;
    let deal = deal["id"].as_str().unwrap_or_default();
    world.row_of(deal).await?;
    world.quiet().await?;
    world.control().fault(Fault {
        service: Service::Dataverse,
        method: Some("PATCH".to_owned()),
        path_prefix: String::new(),
        skip: 0,
        count: Some(1),
        kind: FaultKind::Answer {
            status: 500,
            code: Some("0x80040216".to_owned()),
            retry_after_s: None,
        },
    });
    let before = world.control().ledger(0).len();
    world
        .control()
        .partner_user_patches(deal, &patch(&[("/details/notes", json!("in spite of it"))]))?;
    sheet
        .expect_one(world, "symptom.unexpected", |s| {
            carried(&s.opportunity(&row)["description"], "in spite of it")?;
            let writes = s.control.ledger(0).split_off(before);
            let once = writes.iter().filter(|entry| entry.record == row).count();
            only_if(once == 1, "", || format!("{writes:?}"))?;
            let line = log.line(&[&row, "0x80040216", "waits"])?;
            let reason = line.split_once("reason=").map_or("", |(_, reason)| reason);
            Ok(format!("log: {}; then written, once", plain(reason)))
        })
        .await
}

/// The organisation requires a column that no plugin fills.
async fn required(sheet: &mut Sheet, world: &World, log: &Log) -> anyhow::Result<()> {
    const COLUMN: &str = "new_costcentre";
    world
        .control()
        .require_column("opportunity", COLUMN, true)?;
    let body = referral("Cost centre", "Fabrikam GmbH", &json!({}));
    let deal = id(&world.control().partner_user_creates(&body)?.record);
    // There is no row yet in which it could be told.
    sheet
        .expect_one(world, "symptom.required-column", |s| {
            only_if(s.opportunity_of(&deal).is_null(), "", || {
                "it was made".to_owned()
            })?;
            let field = format!("opportunity.{COLUMN}");
            let line = log.line(&[
                &deal,
                "parked",
                &field,
                "0x80072002",
                "let a plugin fill it",
            ])?;
            let why = line.split_once("reasons=").map_or("", |(_, why)| why);
            let told = s.lanes().iter().any(|lane| {
                lane.history
                    .iter()
                    .any(|(kind, line)| kind == "park" && line.contains(&field))
            });
            only_if(told, format!("log and history: {}", plain(why)), || {
                "the history does not say it".to_owned()
            })
        })
        .await?;
    world
        .control()
        .require_column("opportunity", COLUMN, false)?;
    world.retry_all().await?;
    sheet
        .expect_one(world, "symptom.required-column", |s| {
            let row = s.opportunity_of(&deal)["opportunityid"].clone();
            in_step(s, row.as_str().unwrap_or_default())
        })
        .await
}

/// The status reason that the mapping writes is no longer there.
async fn retired(sheet: &mut Sheet, world: &World, log: &Log) -> anyhow::Result<()> {
    world.control().retire_status("opportunity", OUT_SOLD)?;
    let body = referral("Lost for a reason", "Tailspin AG", &json!({}));
    let deal = id(&world.control().partner_user_creates(&body)?.record);
    let row = world.row_of(&deal).await?;
    let row = row["opportunityid"].as_str().unwrap_or_default().to_owned();
    world.quiet().await?;
    world
        .control()
        .partner_user_closes(&deal, "Lost", Some("No budget"))?;
    sheet
        .expect_one(world, "symptom.enum", |s| {
            let words = [
                "Lost for a reason",
                "opportunity.statuscode",
                "0x80048408",
                "40-status.toml",
            ];
            answered(s, log, &row, &words)
        })
        .await?;
    // The remedy that it names; plugins and their settings are picked up while the host runs.
    std::fs::write(
        world.folder.join("40-status.toml"),
        format!(
            "[settings]\nlost-status = {CANCELED}\nloss-reasons = {{ \"4\" = \"Canceled\" }}\n"
        ),
    )?;
    sheet
        .expect(
            world,
            &[check("symptom.enum", |s: &Sight<'_>| {
                let now = s.opportunity(&row);
                carried(&now["statecode"], 2)?;
                carried(&now["statuscode"], CANCELED)?;
                Ok("then closed by the new setting".to_owned())
            })],
        )
        .await?;
    edit(world, &row, &json!({})).or(Ok(()))
}

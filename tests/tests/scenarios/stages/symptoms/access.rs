//! Credentials, roles and sign-ins.

use std::os::unix::fs::OpenOptionsExt as _;

use cosell_simulator::{CrmAccount, Role, SimulatorConfig};
use cosell_tests::World;
use serde_json::json;

use super::a_minute_later;
use crate::log::Log;
use crate::people::{draft, edit, patch, share, solution};
use crate::sheet::{Sheet, Sight, carried, check, only_if, plain};

/// Who signed in for the host.
const USER: &str = "cosell@contoso.example";

pub(in crate::stages) async fn play(sheet: &mut Sheet, log: &Log) -> anyhow::Result<()> {
    let simulator = SimulatorConfig {
        seed: 23,
        ..SimulatorConfig::demo()
    };
    let mut world = World::with(simulator, &[]).await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let mut deals = Vec::new();
    for name in ["First", "Second"] {
        let row = draft(&world, &account, name, &json!({}))?;
        solution(&world, &row, "SOL-12345-ABC")?;
        share(&world, &row)?;
        let deal = world.referral_of(&row).await?;
        let deal = deal["id"].as_str().unwrap_or_default().to_owned();
        world.row_of(&deal).await?;
        deals.push((row, deal));
    }
    world.quiet().await?;
    crm(sheet, &world, log, &deals).await?;
    partner_center(sheet, &world, log, &deals).await?;
    password(sheet, &mut world, log, &deals).await?;
    sign_in(sheet, &mut world, log, &deals).await?;
    world.end().await
}

type Deals = [(String, String)];

fn from_portal(world: &World, deals: &Deals, notes: &str) -> anyhow::Result<()> {
    for (_, deal) in deals {
        world
            .control()
            .partner_user_patches(deal, &patch(&[("/details/notes", json!(notes))]))?;
    }
    Ok(())
}

fn arrived(sight: &Sight<'_>, deals: &Deals, notes: &str) -> crate::sheet::Seen {
    for (row, _) in deals {
        carried(&sight.opportunity(row)["description"], notes)?;
    }
    Ok("then all deals go on by themselves".to_owned())
}

/// The credential rests, its reason says what to do, and no deal is blamed: none has a cross, and none is taken for deleted.
fn rests(sight: &Sight<'_>, log: &Log, deals: &Deals, words: &[&str]) -> crate::sheet::Seen {
    let all: Vec<&str> = ["the credential rests"]
        .into_iter()
        .chain(words.iter().copied())
        .collect();
    let line = log.line(&all)?;
    for (row, _) in deals {
        let lane = sight.lane(row)?;
        only_if(lane.state == "waiting", "", || {
            format!("a deal is {}: {}", lane.state, lane.reason)
        })?;
        let name = sight.opportunity(row)["name"].clone();
        let marked = name.as_str().is_some_and(|name| name.starts_with('✔'));
        only_if(marked, "", || format!("a deal is marked: {name}"))?;
    }
    let reason = line.split_once("reason=").map_or("", |(_, reason)| reason);
    Ok(format!("log: {}", plain(&without_place(reason))))
}

/// Addresses of the simulator differ from run to run.
fn without_place(reason: &str) -> String {
    let words = reason.split(' ').map(|word| {
        if word.contains("127.0.0.1") || word.contains("localhost") {
            "…"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

async fn crm(sheet: &mut Sheet, world: &World, log: &Log, deals: &Deals) -> anyhow::Result<()> {
    log.begin_anew();
    world.control().set_crm_account(CrmAccount::WithoutRole);
    from_portal(world, deals, "without a role")?;
    sheet
        .expect(
            world,
            &[check("symptom.access.crm", |s| {
                rests(
                    s,
                    log,
                    deals,
                    &[
                        "dataverse",
                        "0x80042f09",
                        "no security role",
                        "Power Platform admin center",
                    ],
                )
            })],
        )
        .await?;
    world.control().set_crm_account(CrmAccount::Enabled);
    a_minute_later(world).await?;
    sheet
        .expect_one(world, "symptom.access.crm", |s| {
            arrived(s, deals, "without a role")
        })
        .await
}

async fn partner_center(
    sheet: &mut Sheet,
    world: &World,
    log: &Log,
    deals: &Deals,
) -> anyhow::Result<()> {
    log.begin_anew();
    world.control().set_role(USER, Role::None);
    for (row, _) in deals {
        edit(world, row, &json!({ "estimatedvalue": 77_000 }))?;
    }
    sheet
        .expect_one(world, "symptom.access.partner-center", |s| {
            rests(s, log, deals, &["partner-center", "403", "Referrals admin"])
        })
        .await?;
    world.control().set_role(USER, Role::ReferralsAdmin);
    a_minute_later(world).await?;
    sheet
        .expect_one(world, "symptom.access.partner-center", |s| {
            for (_, deal) in deals {
                carried(&s.referral(deal)["details"]["dealValue"], 77_000)?;
            }
            Ok("then all deals go on by themselves".to_owned())
        })
        .await
}

/// The password expires while both sides are edited.
async fn password(
    sheet: &mut Sheet,
    world: &mut World,
    log: &Log,
    deals: &Deals,
) -> anyhow::Result<()> {
    log.begin_anew();
    world.control().expire_password(USER)?;
    world.control().revoke_access_tokens();
    from_portal(world, deals, "while signed out")?;
    for (row, _) in deals {
        edit(world, row, &json!({ "estimatedvalue": 88_000 }))?;
    }
    sheet
        .expect_one(world, "symptom.password", |s| {
            rests(
                s,
                log,
                deals,
                &["partner-center", "AADSTS50173", "sign in again"],
            )
        })
        .await?;
    signs_in(world).await?;
    sheet
        .expect_one(world, "symptom.password", |s| {
            for (_, deal) in deals {
                carried(&s.referral(deal)["details"]["dealValue"], 88_000)?;
            }
            arrived(s, deals, "while signed out")
        })
        .await
}

/// The referrals admin signs in again; the new token takes the old one's place, and the minute is over.
async fn signs_in(world: &mut World) -> anyhow::Result<()> {
    let token = world.control().consent_again(USER)?;
    world.stop_host().await;
    let file = world.config.with_file_name("refresh-token");
    std::fs::remove_file(&file)?;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file)?;
    std::io::Write::write_all(&mut file, token.as_bytes())?;
    world.start_host().await?;
    a_minute_later(world).await
}

/// A host that starts with a sign-in that is no longer good.
async fn sign_in(
    sheet: &mut Sheet,
    world: &mut World,
    log: &Log,
    deals: &Deals,
) -> anyhow::Result<()> {
    world.stop_host().await;
    log.begin_anew();
    world.control().revoke_refresh_tokens();
    from_portal(world, deals, "while nobody was signed in")?;
    world.start_host().await?;
    let row = "symptom.sign-in";
    sheet
        .expect(
            world,
            &[check(row, |s: &Sight<'_>| {
                for (row, _) in deals {
                    let name = s.opportunity(row)["name"].clone();
                    let marked = name.as_str().is_some_and(|name| name.starts_with('✔'));
                    only_if(marked, "", || format!("a deal is marked: {name}"))?;
                }
                let line =
                    log.line(&["the credential rests", "partner-center", "sign in again"])?;
                let reason = line.split_once("reason=").map_or("", |(_, reason)| reason);
                Ok(format!("log: {}", plain(&without_place(reason))))
            })],
        )
        .await?;
    signs_in(world).await?;
    sheet
        .expect_one(world, row, |s| {
            arrived(s, deals, "while nobody was signed in")
        })
        .await
}

//! Deals that are not as they have to be.

use cosell_simulator::SimulatorConfig;
use cosell_tests::{World, id};
use serde_json::json;

use super::{answered, in_step, told_in_row};
use crate::log::Log;
use crate::people::{HELP, draft, edit, referral, share, solution};
use crate::sheet::{Sheet, both, check, only_if, plain};

pub(in crate::stages) async fn play(sheet: &mut Sheet, log: &Log) -> anyhow::Result<()> {
    let simulator = SimulatorConfig {
        seed: 21,
        ..SimulatorConfig::demo()
    };
    // Nobody is given time to complete a deal, so that what is missing is told at once.
    let world = World::with(simulator, &[("incomplete_minutes", "0")]).await?;
    missing(sheet, &world, log).await?;
    hasty(sheet, &world).await?;
    silent(sheet, &world, log).await?;
    world.end().await
}

async fn missing(sheet: &mut Sheet, world: &World, log: &Log) -> anyhow::Result<()> {
    let nowhere = world.account("Nowhere Ltd.", "")?;
    let neverland = world.account("Neverland Ltd.", "Neverland")?;
    let account = world.account("Contoso Kft.", "HU")?;
    let good = draft(world, &account, "Well entered", &json!({}))?;
    let country = draft(world, &nowhere, "No country", &json!({}))?;
    let unknown = draft(world, &neverland, "Unknown country", &json!({}))?;
    let unsold = draft(world, &account, "No solution", &json!({}))?;
    let bare = draft(
        world,
        &nowhere,
        "Nothing at all",
        &json!({ HELP: 299_600_005 }),
    )?;
    for row in [&good, &country, &unknown] {
        solution(world, row, "SOL-12345-ABC")?;
    }
    for row in [&good, &country, &unknown, &unsold, &bare] {
        share(world, row)?;
    }
    let says =
        |s: &crate::sheet::Sight<'_>, row: &str, words: &[&str]| answered(s, log, row, words);
    sheet
        .expect(
            world,
            &[
                check("symptom.country", |s| {
                    let words = [
                        "No country",
                        "address.country",
                        "country-missing",
                        "fill in the country",
                    ];
                    says(s, &country, &words)
                }),
                check("symptom.country", |s| {
                    let words = [
                        "Neverland",
                        "account.address1_country",
                        "country-unknown",
                        "two-letter code",
                    ];
                    says(s, &unknown, &words)
                }),
                check("symptom.solution", |s| {
                    let words = [
                        "No solution",
                        "solutions",
                        "solution-missing",
                        "add at least one",
                    ];
                    says(s, &unsold, &words)
                }),
                check("symptom.all-at-once", |s| {
                    let words = ["country-missing", "solution-missing", "contact-missing"];
                    says(s, &bare, &words)
                }),
                check("symptom.logs", |s| {
                    let line = log.line(&[&country, "country-missing"])?;
                    let sentence = told_in_row(&s.opportunity(&country));
                    let sentence = sentence
                        .split_once("not in step: ")
                        .map_or("", |(_, why)| why)
                        .split(". Once")
                        .next()
                        .unwrap_or_default()
                        .to_owned();
                    let so = !sentence.is_empty() && line.contains(&sentence);
                    let from = line.find("parked").unwrap_or_default();
                    only_if(so, format!("log: {}", plain(&line[from..])), || {
                        line.clone()
                    })
                }),
                check("symptom.success", |s| {
                    in_step(s, &good)?;
                    let shown = s.opportunity(&good);
                    Ok(format!(
                        "{}: {}",
                        shown["name"].as_str().unwrap_or_default(),
                        told_in_row(&shown)
                    ))
                }),
            ],
        )
        .await?;
    for account in [&nowhere, &neverland] {
        world.control().seller_updates(
            "account",
            account,
            &json!({ "address1_country": "Hungary" }),
        )?;
    }
    edit(
        world,
        &country,
        &json!({ "description": "country entered" }),
    )?;
    solution(world, &unsold, "SOL-12345-ABC")?;
    edit(world, &bare, &json!({ crate::people::GATE: false }))?;
    // A person orders what nobody saved again: `cosell retry`.
    world.retry_all().await?;
    sheet
        .expect(
            world,
            &[
                check("symptom.country", |s| in_step(s, &country)),
                check("symptom.country", |s| in_step(s, &unknown)),
                check("symptom.solution", |s| in_step(s, &unsold)),
                check("symptom.success", |s| {
                    in_step(s, &country)?;
                    Ok("the cross goes when it is mended".to_owned())
                }),
            ],
        )
        .await
}

/// A seller saves five times while typing.
async fn hasty(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let account = world.account("Hasty Kft.", "HU")?;
    let row = draft(world, &account, "Typed in haste", &json!({}))?;
    solution(world, &row, "SOL-12345-ABC")?;
    share(world, &row)?;
    for value in [1_000, 1_200, 1_500, 1_800, 2_000] {
        edit(world, &row, &json!({ "estimatedvalue": value }))?;
    }
    sheet
        .expect_one(world, "symptom.duplicates", |s| {
            let referrals = s.control.referrals();
            let own = referrals
                .iter()
                .filter(|one| one["name"] == "Typed in haste");
            let shown = s.referral_of(&row);
            crate::sheet::carried(&shown["details"]["dealValue"], 2_000)?;
            only_if(
                own.count() == 1 && s.control.counts().duplicates == 0,
                "one referral, with the last value",
                || format!("{:?}", s.control.audit().duplicates),
            )
        })
        .await
}

/// Deals that are left alone say why.
async fn silent(sheet: &mut Sheet, world: &World, log: &Log) -> anyhow::Result<()> {
    let account = world.account("Quiet Kft.", "HU")?;
    let off = draft(world, &account, "Switched off", &json!({}))?;
    edit(world, &off, &json!({ "description": "still off" }))?;
    let body = referral("Closed too early", "Hasty AG", &json!({}));
    // Closed before the host has heard of it: its webhook comes late.
    world
        .control()
        .webhook_fault(cosell_simulator::WebhookFault {
            service: cosell_simulator::Service::PartnerCenter,
            kind: cosell_simulator::WebhookFaultKind::Drop,
            count: Some(1),
        });
    let closed = id(&world.control().partner_user_creates(&body)?.record);
    world
        .control()
        .partner_user_closes(&closed, "Lost", Some("by mistake"))?;
    let left_alone = |record: &str, words: &[&str]| {
        let all: Vec<&str> = [record, "left alone"]
            .into_iter()
            .chain(words.iter().copied())
            .collect();
        let line = log.line(&all)?;
        let reason = line.split_once("reason=").map_or("", |(_, reason)| reason);
        Ok(format!("log: {}", plain(reason)))
    };
    sheet
        .expect(
            world,
            &[
                check("symptom.silent.off", |_| {
                    left_alone(
                        &off,
                        &["switched on", GATE_FIELD, "sync-is-off", "switch it on"],
                    )
                }),
                check("symptom.silent.closed", |s| {
                    both(
                        left_alone(&closed, &["closed", "closed-before-link"]),
                        only_if(
                            s.opportunity_of(&closed).is_null(),
                            "no row is made",
                            || "a row was made".to_owned(),
                        ),
                    )
                }),
            ],
        )
        .await
}

const GATE_FIELD: &str = "opportunity.msft_microsoftpartnercenterreferralsync";

//! Webhooks that never come.

use cosell_simulator::{Arrival, Service, SimulatorConfig, WebhookFault, WebhookFaultKind};
use cosell_tests::{Setup, World, id};
use serde_json::json;

use crate::log::Log;
use crate::people::referral;
use crate::sheet::{Sheet, check, only_if, plain};

const ELSEWHERE: &str = "https://flows.example/trigger";

pub(in crate::stages) async fn play(sheet: &mut Sheet, log: &Log) -> anyhow::Result<()> {
    let mut world = World::set_up(Setup {
        simulator: SimulatorConfig {
            seed: 24,
            ..SimulatorConfig::demo()
        },
        // The shortest that a configuration allows.
        sections: "[sweep]\npartner_center_s = 10\ncrm_s = 10\n",
        ..Setup::default()
    })
    .await?;
    turned_on(sheet, &mut world, log).await?;
    lost(sheet, &world).await?;
    taken(sheet, &world, log).await?;
    world.end().await
}

/// Another address had the registration before the host started.
async fn turned_on(sheet: &mut Sheet, world: &mut World, log: &Log) -> anyhow::Result<()> {
    world.stop_host().await;
    world.control().take_registration(ELSEWHERE)?;
    world.start_host().await?;
    let config = cosell_host::config::Config::load(&world.config)?;
    let events = config
        .connections
        .first()
        .map(|connection| connection.partner_center.webhook.events.join(", "))
        .unwrap_or_default();
    sheet
        .expect(
            world,
            &[check("symptom.turn-on", |s| {
                let line = log.line(&[ELSEWHERE, "a tenant has only one"])?;
                let registrations = s.control.ledger(0);
                let of_kind = registrations
                    .iter()
                    .filter(|entry| entry.service == Service::PartnerCenter);
                only_if(of_kind.count() >= 2, "", || {
                    "it is not registered again".to_owned()
                })?;
                let told = line.split(" new.url").next().unwrap_or_default();
                let told = told.trim().trim_start_matches("WARN ");
                Ok(format!("registered for {events}; log: {}", plain(told)))
            })],
        )
        .await
}

/// No event ever comes, for leads.
async fn lost(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    world.control().webhook_fault(WebhookFault {
        service: Service::PartnerCenter,
        kind: WebhookFaultKind::Drop,
        count: None,
    });
    let body = referral("Never told", "Fabrikam GmbH", &json!({}));
    let lead = id(&world
        .control()
        .referral_arrives_as(Arrival::MarketplaceLead, &body)?
        .record);
    sheet
        .expect_one(world, "symptom.leads", |s| {
            let there = !s.lead_of(&lead).is_null();
            only_if(there, "the sweep finds it", || "no lead yet".to_owned())
        })
        .await?;
    world.control().clear_faults();
    Ok(())
}

/// Another product takes the registration while the host runs.
async fn taken(sheet: &mut Sheet, world: &World, log: &Log) -> anyhow::Result<()> {
    const OTHER: &str = "https://other.example/hook";
    world.control().take_registration(OTHER)?;
    let body = referral("Told to another", "Tailspin AG", &json!({}));
    let deal = id(&world.control().partner_user_creates(&body)?.record);
    sheet
        .expect_one(world, "symptom.registration", |s| {
            only_if(!s.opportunity_of(&deal).is_null(), "", || {
                "no row yet".to_owned()
            })?;
            let line = log.line(&[OTHER, "a tenant has only one"])?;
            let told = line.split(" new.url").next().unwrap_or_default();
            let told = told.trim().trim_start_matches("WARN ");
            Ok(format!("the sweep finds the deal; log: {}", plain(told)))
        })
        .await?;
    let before = world.control().deliveries().len();
    world.control().partner_user_patches(
        &deal,
        &crate::people::patch(&[("/details/notes", json!("told to us again"))]),
    )?;
    sheet
        .expect_one(world, "symptom.registration", |s| {
            crate::sheet::carried(&s.opportunity_of(&deal)["description"], "told to us again")?;
            only_if(
                s.control.deliveries().len() > before,
                "and events come to us again",
                || "no event came".to_owned(),
            )
        })
        .await
}

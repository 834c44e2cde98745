//! What the other side allows is kept to before it has to refuse, and nobody who edits waits behind what is done in bulk.

use anyhow::{Context as _, ensure};
use cosell_remote::Tally;
use cosell_simulator::{
    SeedOrder, Service, ServiceProtection, SimulatorConfig, WebhookFault, WebhookFaultKind,
};
use cosell_tests::fleet::patiently;
use cosell_tests::{Setup, World};
use serde_json::json;

use crate::Told;

/// Customers of the deals that are worked on in one go, no two alike.
const CUSTOMERS: [&str; 16] = [
    "Alpine",
    "Berger",
    "Coho",
    "Dunav",
    "Eiger",
    "Fabrikam",
    "Gamma",
    "Hollo",
    "Isar",
    "Jade",
    "Krone",
    "Litware",
    "Margie",
    "Northwind",
    "Ostrava",
    "Proseware",
];
/// A CRM that allows a sixtieth of what Microsoft's does, counted over seconds.
const REQUESTS: u32 = 100;
const WINDOW_S: u32 = 3;

fn small_crm() -> SimulatorConfig {
    SimulatorConfig {
        service_protection: Some(ServiceProtection {
            window_s: WINDOW_S,
            requests_max: REQUESTS,
            ..ServiceProtection::default()
        }),
        ..SimulatorConfig::demo()
    }
}

fn tally(world: &World) -> anyhow::Result<Tally> {
    let desk = world.desk()?;
    let connection = desk.connections.values().next().context("a connection")?;
    let meter = connection.dataverse.meter().context("a meter")?;
    Ok(meter.tally())
}

async fn begin(connection: &str) -> anyhow::Result<World> {
    let world = World::set_up(Setup {
        simulator: small_crm(),
        connection,
        policy: &[("mass_change.writes", "0")],
        ..Setup::default()
    })
    .await?;
    for customer in CUSTOMERS {
        world.referral("Rollout", customer, "DE")?;
    }
    Ok(world)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_knows_the_limits_is_never_told_to_slow_down() -> Told {
    let world = begin(&format!(
        "[connection.dataverse.budget]\nwindow_s = {WINDOW_S}\nrequests = {REQUESTS}\n"
    ))
    .await?;
    let all = world
        .until("all rows", |control| {
            (control.rows("opportunity").len() == CUSTOMERS.len()).then_some(())
        })
        .await;
    all.with_context(|| format!("{:?}", tally(&world)))?;
    let tally = tally(&world)?;
    ensure!(
        tally.calls > 2 * u64::from(REQUESTS),
        "too few to need a limit: {tally:?}"
    );
    ensure!(tally.refused == 0, "{tally:?}");
    ensure!(tally.at_once == 4, "the hint is followed: {tally:?}");
    // Whoever waits for room goes on by itself.
    world
        .status_where(|status| {
            let mut deals = status.deals.iter();
            status.bells_unanswered == 0
                && deals.all(|deal| matches!(deal.state.as_str(), "settled" | "retired"))
        })
        .await?;
    world.end().await
}

/// The same world, and a host that believes that it may ask for more: thrice as much as it may: what the story above would look like without a budget.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_know_them_is() -> Told {
    let world = begin(&format!(
        "[connection.dataverse.budget]\nwindow_s = 1\nrequests = {REQUESTS}\n"
    ))
    .await?;
    patiently("somebody to be refused", async || {
        Ok(tally(&world)?.refused > 0)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_edit_overtakes_a_bulk_of_five_hundred_deals() -> Told {
    const BULK: usize = 500;
    let mut world = World::with(SimulatorConfig::demo(), &[("mass_change.writes", "0")]).await?;
    let account = world.account("Contoso Kft.", "HU")?;
    world.quiet().await?;
    world.stop_host().await;
    // Nobody hears of them but the first compare.
    world.control().webhook_fault(WebhookFault {
        service: Service::PartnerCenter,
        kind: WebhookFaultKind::Drop,
        count: None,
    });
    world.control().seed(&SeedOrder {
        referrals: BULK,
        ..SeedOrder::default()
    })?;
    world.control().clear_faults();
    world.start_host().await?;
    let made = |control: &cosell_simulator::Control| control.rows("opportunity").len();
    world
        .until("the bulk to be under way", |control| {
            (made(control) >= 20).then_some(())
        })
        .await?;
    let row = world.opportunity(&account, &json!({}))?;
    let before = made(world.control());
    world.referral_of(&row).await?;
    let meanwhile = made(world.control()) - before;
    ensure!(
        before + meanwhile < BULK / 2,
        "{before} deals of the bulk came before the edit, and {meanwhile} more before it was in step"
    );
    // The rest of the bulk is not this story's.
    world.cut_host();
    Ok(())
}

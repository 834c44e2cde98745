//! A version that is tried on some deals reads what no other version does, and hears of it (S31).

use anyhow::ensure;
use cosell_host::sweep::sweep_crm;
use cosell_simulator::{Control, Fault, FaultKind, Service};
use cosell_simulator::{RowConfig, SimulatorConfig, WebhookFault, WebhookFaultKind};
use cosell_tests::{World, id, text};
use serde_json::json;

use crate::{OPPORTUNITY, Told, list_where, operator, serves};

const TEAM: &str = "new_dealseller";
/// Only with these is the table read.
const WITH_TEAM: &str = "[settings]\nteam-table = \"new_dealseller\"\nteam-opportunity-column = \"new_opportunityid\"\nteam-user-column = \"new_userid\"\n";

fn organisation() -> SimulatorConfig {
    let mut config = SimulatorConfig::demo();
    config.tables.push(cosell_tests::deal_sellers());
    for name in ["Rita", "Tom"] {
        config.rows.push(RowConfig {
            table: "systemuser".to_owned(),
            values: json!({
                "firstname": name, "lastname": "Seller", "fullname": format!("{name} Seller"),
                "internalemailaddress": format!("{}@partner.example", name.to_lowercase()),
            }),
        });
    }
    config
}

fn user(world: &World, name: &str) -> String {
    let users = world.control().rows("systemuser");
    let user = users.iter().find(|user| user["firstname"] == name);
    user.map(|user| text(user, "systemuserid"))
        .unwrap_or_default()
}

/// Whether the deal has a seller with this address in Partner Center.
fn has_seller(referral: &str, mail: &'static str) -> impl Fn(&Control) -> Option<()> {
    let referral = referral.to_owned();
    move |control| {
        let team = &control.referral(&referral)?["team"];
        let mut sellers = team.as_array()?.iter();
        sellers.any(|one| one["email"] == mail).then_some(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s31_what_a_new_set_reads_is_subscribed_to_before_deals_are_woken_for_it() -> Told {
    let policy = [("mapping_changes", "\"all\""), ("on_link", "\"crm\"")];
    let world = World::with(organisation(), &policy).await?;
    let (row, referral) = world.linked(&json!({ "name": "Waits" })).await?;
    let seller = json!({
        "new_name": "seller",
        "new_OpportunityId@odata.bind": format!("/opportunities({row})"),
        "new_UserId@odata.bind": format!("/systemusers({})", user(&world, "Rita")),
    });
    world.control().seller_creates(TEAM, &seller)?;
    world.quiet().await?;
    let before = world.control().ledger(0).len();
    operator(&world, OPPORTUNITY, WITH_TEAM)?;
    world
        .until("Rita", has_seller(&referral, "rita@partner.example"))
        .await?;
    let since = world.control().ledger(0).split_off(before);
    let at = |kind: &str| since.iter().position(|entry| entry.kind == kind);
    let (step, write) = (at("sdkmessageprocessingstep"), at("referral"));
    ensure!(
        step.is_some() && step < write,
        "the CRM tells of the table before a deal is read with it: {since:#?}"
    );
    world.quiet().await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s31_what_changes_before_a_new_set_is_subscribed_is_found_by_one_more_look() -> Told {
    let world = World::with(organisation(), &[]).await?;
    let (row, referral) = world.linked(&json!({ "name": "Between" })).await?;
    world.quiet().await?;
    // The set serves, and the CRM takes its time to hear what it reads.
    world.control().fault(Fault {
        service: Service::Dataverse,
        method: None,
        path_prefix: "/api/data/v9.2/sdkmessageprocessingsteps".into(),
        skip: 0,
        count: Some(1),
        kind: FaultKind::Delay { ms: 5_000 },
    });
    operator(&world, OPPORTUNITY, WITH_TEAM)?;
    serves(&world, 2).await?;
    // The deal is read with the new set, by a bell of its own, before it has a seller.
    let edit = json!({ "estimatedvalue": 77_000 });
    world.control().seller_updates("opportunity", &row, &edit)?;
    world
        .until("the edit", |control| {
            let value = &control.referral(&referral)?["details"]["dealValue"];
            (value.as_f64() == Some(77_000.0)).then_some(())
        })
        .await?;
    let seller = json!({
        "new_name": "seller",
        "new_OpportunityId@odata.bind": format!("/opportunities({row})"),
        "new_UserId@odata.bind": format!("/systemusers({})", user(&world, "Rita")),
    });
    world.control().seller_creates(TEAM, &seller)?;
    world
        .until("Rita", has_seller(&referral, "rita@partner.example"))
        .await?;
    world.quiet().await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s31_a_table_that_only_a_version_on_trial_reads_rings_and_is_swept() -> Told {
    let world = World::with(organisation(), &[]).await?;
    let (row, referral) = world.linked(&json!({ "name": "Tried" })).await?;
    operator(
        &world,
        OPPORTUNITY,
        &format!("mode = \"try-on\"\ndeals = [\"{row}\"]\n{WITH_TEAM}"),
    )?;
    list_where(&world, "the trial", |list| !list.candidates.is_empty()).await?;
    serves(&world, 2).await?;
    world.quiet().await?;
    let desk = world.desk()?;
    let connection = &desk.connections["simulated"];
    sweep_crm(desk, connection).await?;
    world.quiet().await?;

    // Its webhook is lost: the sweep finds it.
    let lost = |count| {
        world.control().webhook_fault(WebhookFault {
            service: Service::Dataverse,
            kind: WebhookFaultKind::Drop,
            count: Some(count),
        });
    };
    lost(1);
    let seller = json!({
        "new_name": "seller",
        "new_OpportunityId@odata.bind": format!("/opportunities({row})"),
        "new_UserId@odata.bind": format!("/systemusers({})", user(&world, "Rita")),
    });
    let made = id(&world.control().seller_creates(TEAM, &seller)?.record);
    world.quiet().await?;
    ensure!(
        sweep_crm(desk, connection).await? == 1,
        "only the seller has changed since the sweep before"
    );
    desk.rope.notify_one();
    world
        .until("Rita", has_seller(&referral, "rita@partner.example"))
        .await?;
    world.quiet().await?;

    // And by its webhook.
    let other =
        json!({ "new_UserId@odata.bind": format!("/systemusers({})", user(&world, "Tom")) });
    world.control().seller_updates(TEAM, &made, &other)?;
    world
        .until("Tom", has_seller(&referral, "tom@partner.example"))
        .await?;
    world.quiet().await?;
    world.end().await
}

//! The CRM itself changes: another organisation behind the address, other plugins, other columns.

use cosell_simulator::SimulatorConfig;
use cosell_tests::{World, amount};
use serde_json::json;

use crate::Told;

/// Writes to deals and customers; a change of plugins also renews subscriptions.
fn written(world: &World) -> usize {
    let deals = ["opportunity", "referral", "account", "contact"];
    let ledger = world.control().ledger(0);
    ledger
        .iter()
        .filter(|entry| deals.contains(&entry.kind.as_str()))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn s22_a_copied_environment_is_read_only_until_a_person_binds_it() -> Told {
    let mut world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.stop_host().await;
    world.control().copy_environment();
    let before = world.control().ledger(0).len();
    world.start_host().await?;
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "description": "in the copy" }),
    )?;
    world
        .status_where(|status| {
            // What has rung is not answered by that: the wait is no look.
            status.deals.iter().any(|deal| {
                let reason = deal.reason.as_deref().unwrap_or_default();
                deal.state == "waiting"
                    && deal.unanswered > 0
                    && reason.contains("is another organisation")
            })
        })
        .await?;
    let writes: Vec<_> = world
        .control()
        .ledger(0)
        .split_off(before)
        .into_iter()
        .filter(|entry| ["opportunity", "referral"].contains(&entry.kind.as_str()))
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
    let desk = world.desk()?;
    let found = cosell_host::binding::rebind(&*desk.store, "simulated").await?;
    assert_eq!(found, Some(world.control().organization_id()));
    world.retry_all().await?;
    world
        .until("the edit after the rebinding", |control| {
            (control.referral(&referral)?["details"]["notes"] == "in the copy").then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s8_a_changed_mapping_is_shown_and_rewrites_nothing() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let before = written(&world);
    // The value is read from another column from now on, which holds something else.
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "budgetamount": 50_000 }))?;
    world.quiet().await?;
    let hash = world.desk()?.plugins.current().hash().to_owned();
    std::fs::write(
        world.folder.join("10-opportunity.toml"),
        "[settings]\nvalue-column = \"budgetamount\"\n",
    )?;
    world.until_settings(&hash).await?;
    world.retry_all().await?;
    let told = world
        .history_where(&row, |told| {
            told.iter()
                .any(|line| line.contains("value in the CRM is read as"))
        })
        .await?;
    assert!(
        told.iter()
            .any(|line| line.contains("nobody has edited it")),
        "{told:?}"
    );
    world.quiet().await?;
    let deal = |world: &World| world.control().referral(&referral).expect("it is there");
    assert_eq!(
        amount(&deal(&world)["details"]["dealValue"]),
        Some(125_000.0),
        "new deals only"
    );
    assert_eq!(written(&world), before, "nothing was written");
    // An edit under the new mapping is an edit.
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "budgetamount": 60_000 }))?;
    world
        .until("the edit of the new column", |control| {
            (amount(&control.referral(&referral)?["details"]["dealValue"]) == Some(60_000.0))
                .then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s8_a_changed_mapping_is_applied_to_all_deals_when_that_is_ordered() -> Told {
    let world = World::with(
        SimulatorConfig::demo(),
        &[("mapping_changes", "\"all\""), ("on_link", "\"crm\"")],
    )
    .await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "budgetamount": 50_000 }))?;
    world.quiet().await?;
    std::fs::write(
        world.folder.join("10-opportunity.toml"),
        "[settings]\nvalue-column = \"budgetamount\"\n",
    )?;
    world
        .until("the value of the new column", |control| {
            (amount(&control.referral(&referral)?["details"]["dealValue"]) == Some(50_000.0))
                .then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_a_withdrawn_plugin_blanks_nothing() -> Told {
    let world = World::start().await?;
    let (_, referral) = world.linked(&json!({})).await?;
    let before = written(&world);
    let count = world.desk()?.plugins.current().plugins().len();
    std::fs::remove_file(world.folder.join("30-country.wasm"))?;
    std::fs::remove_file(world.folder.join("25-contact.wasm"))?;
    world.until_plugins(count - 2).await?;
    world.retry_all().await?;
    world.quiet().await?;
    assert_eq!(written(&world), before, "nothing was blanked");
    let seen = world.control().referral(&referral).expect("it is there");
    assert_eq!(seen["customerProfile"]["address"]["country"], "HU");
    world.end().await
}

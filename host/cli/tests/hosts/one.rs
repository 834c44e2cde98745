//! One host, on either store.

use anyhow::ensure;
use cosell_tests::fleet::people::People;
use cosell_tests::fleet::{Fleet, Order, patiently};
use serde_json::json;

use crate::{Told, database, order};

/// A deal each way, an edit each way, a restart in between.
async fn a_day(order: Order<'_>) -> Told {
    let mut fleet = Fleet::start(order).await?;
    let mut people = People::new(fleet.control(), 1)?;
    people.seller_begins()?;
    people.portal_begins()?;
    fleet.in_step(&people).await?;
    assert!(people.seller_edits(0)? && people.portal_edits(1)?);
    fleet.in_step(&people).await?;
    fleet.stop().await?;
    assert!(people.seller_edits(1)? && people.portal_edits(0)?);
    fleet.hosts[0].start().await?;
    let verdict = fleet.judged(&people).await?;
    assert_eq!(verdict.deals, 2);
    fleet.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_a_file() -> Told {
    a_day(order()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_postgres() -> Told {
    let (_server, url) = database()?;
    a_day(Order {
        postgres: Some(url),
        ..order()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_says_which_switch_is_off_and_not_whose_deal_it_is() -> Told {
    let mut fleet = Fleet::start(order()).await?;
    let row = json!({ "name": "Kereszturi expansion" });
    fleet.control().seller_creates("opportunity", &row)?;
    patiently("the deal to be left alone", async || {
        Ok(fleet.any_log_says("left alone"))
    })
    .await?;
    let log = fleet.hosts[0].log();
    ensure!(
        log.contains("\"Sync With Partner Center\" is not switched on"),
        "{log}"
    );
    ensure!(!log.contains("Kereszturi"), "{log}");
    fleet.stop().await
}

/// As daemons have it.
#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_looks_into_the_plugin_folder_and_ends_nobody() -> Told {
    let mut fleet = Fleet::start(order()).await?;
    for times in 1..=2 {
        fleet.hosts[0].hang_up()?;
        patiently("the folder to be looked into", async || {
            let log = fleet.hosts[0].log();
            Ok(log
                .matches("looked into the plugin folder, as told")
                .count()
                == times)
        })
        .await?;
    }
    ensure!(fleet.hosts[0].is_ready().await, "it goes on");
    fleet.stop().await
}

/// Nobody acknowledges what cannot be remembered, nobody ends, and all goes on when the database is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_for_a_while_is_survived() -> Told {
    let (mut server, url) = database()?;
    let mut fleet = Fleet::start(Order {
        postgres: Some(url),
        ..order()
    })
    .await?;
    let mut people = People::new(fleet.control(), 1)?;
    people.seller_begins()?;
    fleet.in_step(&people).await?;
    server.crash()?;
    patiently("the host to say that it cannot work", async || {
        Ok(!fleet.hosts[0].is_ready().await)
    })
    .await?;
    assert!(people.seller_edits(0)? && people.portal_edits(0)?);
    people.portal_begins()?;
    fleet
        .until("a webhook that is not acknowledged", |control| {
            let refused =
                |one: &cosell_simulator::DeliveryRecord| one.attempts.contains(&Some(503));
            control.deliveries().iter().any(refused).then_some(())
        })
        .await?;
    assert_eq!(fleet.hosts[0].ended()?, None);
    server.start_again()?;
    fleet.judged(&people).await?;
    fleet.stop().await
}

/// A run that cannot end within the time to drain is cut off, and its lane given back: the next host does not wait for the lease.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_drained_is_given_back() -> Told {
    let (_server, url) = database()?;
    let mut fleet = Fleet::start(Order {
        postgres: Some(url),
        hosts: 2,
        ..order()
    })
    .await?;
    let mut people = People::new(fleet.control(), 1)?;
    fleet.hosts[1].stop().await?;
    // Longer than the time to drain, and than a call may take.
    fleet.control().set_latency_ms(4_500);
    people.seller_begins()?;
    patiently("a deal to be under way", async || {
        Ok(fleet.store.census().await?.lanes.contains_key("running"))
    })
    .await?;
    fleet.hosts[0].stop().await?;
    fleet.control().set_latency_ms(0);
    let left = fleet.store.census().await?;
    assert_eq!(left.lanes.get("running"), None, "{left:?}");
    fleet.hosts[1].start().await?;
    fleet.judged(&people).await?;
    Ok(())
}

//! What plugins look up on the way costs few requests: those of one question go together, and what rarely changes is not asked for again and again.

use std::time::Instant;

use anyhow::Context as _;
use cosell_simulator::{Requested, RowConfig, Service, SimulatorConfig};
use cosell_tests::{Setup, World, text};
use serde_json::json;

use crate::{HELP, Told};

/// How often the CRM was asked for something whose address holds all of this.
fn asked(world: &World, since: Instant, words: &[&str]) -> usize {
    let all = world.control().requests(since).into_iter();
    let is_it = |one: &Requested| {
        one.service == Service::Dataverse && words.iter().all(|word| one.target.contains(word))
    };
    all.filter(is_it).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seller_of_a_second_deal_is_not_asked_for_again() -> Told {
    let mut simulator = SimulatorConfig::demo();
    simulator.rows.push(RowConfig {
        table: "systemuser".to_owned(),
        values: json!({
            "firstname": "Sam", "lastname": "Seller", "fullname": "Sam Seller", "internalemailaddress": "sam.seller@partner.example",
        }),
    });
    let world = World::set_up(Setup {
        simulator,
        ..Setup::default()
    })
    .await?;
    let users = world.control().rows("systemuser");
    let sam = users.iter().find(|user| user["firstname"] == "Sam");
    let sam = text(sam.context("a seller")?, "systemuserid");
    let owned = json!({ HELP: 299_600_005, "ownerid@odata.bind": format!("/systemusers({sam})") });
    let account = world.account("Contoso Kft.", "HU")?;

    let began = Instant::now();
    let first = world.opportunity(&account, &owned)?;
    let first = world.referral_of(&first).await?;
    assert!(
        asked(&world, began, &["/systemusers?"]) > 0,
        "never asked for"
    );

    world.quiet().await?;
    let began = Instant::now();
    let second = world.opportunity(&account, &owned)?;
    let second = world.referral_of(&second).await?;
    assert_eq!(
        asked(&world, began, &["/systemusers?"]),
        0,
        "asked for again within a minute"
    );
    assert_eq!(first["team"][0]["email"], "sam.seller@partner.example");
    assert_eq!(second["team"][0]["email"], first["team"][0]["email"]);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_searches_for_an_account_are_one_request() -> Told {
    let world = World::start().await?;
    // Changes of accounts are followed, too; that is no search.
    let began = Instant::now();
    let referral = world.referral("Rollout", "Fabrikam GmbH", "DE")?;
    world.row_of(&referral).await?;
    assert_eq!(
        asked(&world, began, &["/accounts?", "filter="]),
        0,
        "a search went by itself"
    );
    assert!(
        asked(&world, began, &["/$batch"]) > 0,
        "no searches went together"
    );
    world.end().await
}

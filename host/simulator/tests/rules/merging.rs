//! Merged accounts and contacts, duplicate detection, and customers that are no more.

use cosell_simulator::{Assumptions, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{Receiver, World};
use super::webhooks::{endpoint, header_secret, step};

async fn account(world: &World, name: &str) -> String {
    world.create("accounts", json!({ "name": name })).await
}

#[tokio::test]
async fn a_merge_deactivates_the_loser_and_moves_what_referred_to_it() {
    let world = World::start().await;
    let (winner, loser) = (account(&world, "Kept").await, account(&world, "Gone").await);
    let at = |name: &str| format!("{name}@odata.bind");
    let to = format!("/accounts({loser})");
    let contact = world
        .create(
            "contacts",
            json!({"lastname": "B", at("parentcustomerid_account"): to}),
        )
        .await;
    let open = world
        .create(
            "opportunities",
            json!({"name": "open", at("parentaccountid"): to}),
        )
        .await;
    let closed = world
        .create(
            "opportunities",
            json!({"name": "closed", at("customerid_account"): to}),
        )
        .await;
    world.control().seller_wins(&closed, &json!({})).unwrap();
    let child = json!({at("parentaccountid"): to});
    world
        .control()
        .seller_updates("account", &winner, &child)
        .unwrap();
    let before = world.row("opportunity", &open)["versionnumber"].as_i64();
    world
        .control()
        .seller_merges("account", &winner, &loser)
        .unwrap();
    let gone = world.row("account", &loser);
    assert_eq!(
        (
            &gone["merged"],
            gone["_masterid_value"].as_str(),
            &gone["statecode"]
        ),
        (&json!(true), Some(winner.as_str()), &json!(1))
    );
    assert_eq!(
        world.row("contact", &contact)["_parentcustomerid_value"],
        winner.as_str()
    );
    let deal = world.row("opportunity", &open);
    assert_eq!(deal["_parentaccountid_value"], winner.as_str());
    assert_eq!(deal["_customerid_value"], winner.as_str());
    assert!(deal["versionnumber"].as_i64() > before, "it was changed");
    assert_eq!(
        world.row("opportunity", &closed)["_customerid_value"],
        winner.as_str(),
        "closed rows too"
    );
    assert!(
        world.row("account", &winner)["_parentaccountid_value"].is_null(),
        "nobody is its own parent"
    );
}

#[tokio::test]
async fn the_way_to_the_last_winner_is_a_chain() {
    let world = World::start().await;
    let [first, second, third] = [
        account(&world, "A").await,
        account(&world, "B").await,
        account(&world, "C").await,
    ];
    let control = world.control();
    control.seller_merges("account", &second, &first).unwrap();
    control.seller_merges("account", &third, &second).unwrap();
    let master = |id: &str| world.row("account", id)["_masterid_value"].clone();
    assert_eq!(
        (master(&first), master(&second)),
        (json!(second), json!(third))
    );
    for (table, winner, loser) in [
        ("account", &third, &third),
        ("account", &third, &first),
        ("account", &first, &third),
        ("opportunity", &third, &third),
    ] {
        assert!(control.seller_merges(table, winner, loser).is_err());
    }
}

#[tokio::test]
async fn a_merge_is_told_by_its_own_message_and_by_updates() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Merge", "account", None).await;
    step(
        &world,
        &endpoint,
        "Update",
        "opportunity",
        Some("customerid"),
    )
    .await;
    let (winner, loser) = (account(&world, "Kept").await, account(&world, "Gone").await);
    let body = json!({"name": "O", "customerid_account@odata.bind": format!("/accounts({loser})")});
    let deal = world.create("opportunities", body).await;
    world
        .control()
        .seller_merges("account", &winner, &loser)
        .unwrap();
    let mut told = [receiver.next().await, receiver.next().await];
    told.sort_by_key(|event| event.body["MessageName"].to_string());
    let input = told[0].body["InputParameters"].as_array().unwrap();
    assert_eq!(told[0].body["MessageName"], "Merge");
    assert_eq!(
        (&input[0]["value"]["Id"], &input[1]["value"]),
        (&json!(winner), &json!(loser))
    );
    assert_eq!(told[1].body["PrimaryEntityId"], deal.as_str());
}

#[tokio::test]
async fn an_opportunity_for_an_inactive_customer_is_refused() {
    let order = |id: &str| json!({"name": "O", "customerid_account@odata.bind": format!("/accounts({id})")});
    let world = World::start().await;
    let id = account(&world, "Asleep").await;
    let deal = world.create("opportunities", json!({"name": "P"})).await;
    world
        .control()
        .seller_updates("account", &id, &json!({"statecode": 1}))
        .unwrap();
    let refused = (400, "0x80040517");
    world
        .refuses("POST", "opportunities", order(&id), refused)
        .await;
    let path = format!("opportunities({deal})");
    world.refuses("PATCH", &path, order(&id), refused).await;
    let lenient = World::with(SimulatorConfig {
        tls: false,
        assumptions: Assumptions {
            inactive_customer_is_refused: false,
            ..Assumptions::default()
        },
        ..SimulatorConfig::default()
    })
    .await;
    let id = account(&lenient, "Asleep").await;
    let asleep = json!({"statecode": 1});
    lenient
        .control()
        .seller_updates("account", &id, &asleep)
        .unwrap();
    lenient.create("opportunities", order(&id)).await;
}

#[tokio::test]
async fn duplicates_are_detected_only_for_who_asks() {
    for (config, status) in [(false, 412), (true, 500)] {
        let world = World::with(SimulatorConfig {
            tls: false,
            assumptions: Assumptions {
                duplicate_is_500: config,
                ..Assumptions::default()
            },
            ..SimulatorConfig::default()
        })
        .await;
        account(&world, "Same").await;
        let again = Some(json!({"name": "same "}));
        let ask = |value: &'static str| ("mscrm.suppressduplicatedetection", value);
        let refused = world
            .crm("POST", "accounts", &[ask("false")], again.clone())
            .await;
        assert_eq!((refused.status, refused.code()), (status, "0x80040333"));
        for headers in [&[ask("true")][..], &[]] {
            let made = world.crm("POST", "accounts", headers, again.clone()).await;
            assert_eq!(made.status, 204);
        }
        // A row is no duplicate of itself, and opportunities have no rule.
        let deal = json!({"name": "O"});
        for _ in 0..2 {
            let made = world
                .crm("POST", "opportunities", &[ask("false")], Some(deal.clone()))
                .await;
            assert_eq!(made.status, 204);
        }
        let lead = json!({"lastname": "L", "emailaddress1": "l@x.example"});
        let id = world.create("leads", lead.clone()).await;
        let own = world
            .crm(
                "PATCH",
                &format!("leads({id})"),
                &[ask("false")],
                Some(lead),
            )
            .await;
        assert_eq!(own.status, 204);
    }
}

#[tokio::test]
async fn the_audit_tells_of_a_write_to_a_row_that_lost_a_merge() {
    let world = World::start().await;
    let (winner, loser) = (account(&world, "Kept").await, account(&world, "Gone").await);
    world
        .control()
        .seller_merges("account", &winner, &loser)
        .unwrap();
    for id in [&winner, &loser] {
        let etag = world.row("account", id)["@odata.etag"]
            .as_str()
            .unwrap()
            .to_owned();
        let body: Value = json!({"telephone1": "1"});
        let written = world
            .crm(
                "PATCH",
                &format!("accounts({id})"),
                &[("if-match", &etag)],
                Some(body),
            )
            .await;
        assert_eq!(written.status, 204);
    }
    let audit = world.control().audit();
    assert_eq!(audit.closed_deal_writes.len(), 1, "{audit:?}");
    assert!(audit.closed_deal_writes[0].contains(&loser));
}

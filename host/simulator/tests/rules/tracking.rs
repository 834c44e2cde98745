//! Change tracking: pages, deletions, links that are kept and run out.

use serde_json::{Value, json};

use super::harness::{Answer, World};

const TRACK: (&str, &str) = ("prefer", "odata.track-changes");

fn path(link: &Value) -> String {
    link.as_str()
        .unwrap()
        .split("/api/data/v9.2/")
        .nth(1)
        .unwrap()
        .to_owned()
}

async fn follow(world: &World, link: &Value) -> Answer {
    world.crm("GET", &path(link), &[], None).await
}

#[tokio::test]
async fn the_start_is_the_full_data_and_the_delta_link_is_on_the_last_page() {
    let world = World::start().await;
    for number in 0..3 {
        world
            .create("accounts", json!({"name": format!("A{number}")}))
            .await;
    }
    let start = world
        .crm(
            "GET",
            "accounts?$select=name",
            &[("prefer", "odata.track-changes,odata.maxpagesize=2")],
            None,
        )
        .await;
    assert!(
        start
            .header("preference-applied")
            .contains("odata.track-changes")
    );
    assert!(start.body.get("@odata.deltaLink").is_none());
    // A change between the pages must not fall between the chairs.
    let late = world.create("accounts", json!({"name": "late"})).await;
    let next = world
        .crm(
            "GET",
            &path(&start.body["@odata.nextLink"]),
            &[("prefer", "odata.maxpagesize=2")],
            None,
        )
        .await;
    let delta = follow(&world, &next.body["@odata.deltaLink"]).await;
    assert!(
        delta.body["value"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["accountid"] == late.as_str()),
        "{}",
        delta.text
    );
    assert!(
        delta.body["@odata.context"]
            .as_str()
            .unwrap()
            .ends_with("/$delta")
    );
}

#[tokio::test]
async fn a_delta_has_changes_by_version_first_and_then_deletions() {
    let world = World::start().await;
    let old = world.create("accounts", json!({"name": "old"})).await;
    let doomed = world.create("accounts", json!({"name": "doomed"})).await;
    let start = world
        .crm("GET", "accounts?$select=name", &[TRACK], None)
        .await
        .body;
    assert_eq!(start["value"].as_array().unwrap().len(), 2);
    let nothing = follow(&world, &start["@odata.deltaLink"]).await.body;
    assert_eq!(nothing["value"], json!([]));
    let fleeting = world.create("accounts", json!({"name": "fleeting"})).await;
    for id in [&doomed, &fleeting] {
        world
            .crm("DELETE", &format!("accounts({id})"), &[], None)
            .await;
    }
    let new = world.create("accounts", json!({"name": "new"})).await;
    world
        .crm(
            "PATCH",
            &format!("accounts({old})"),
            &[],
            Some(json!({"telephone1": "not selected"})),
        )
        .await;
    let delta = follow(&world, &nothing["@odata.deltaLink"]).await.body;
    let items = delta["value"].as_array().unwrap();
    let ids: Vec<&str> = items
        .iter()
        .map(|item| item["accountid"].as_str().or(item["id"].as_str()).unwrap())
        .collect();
    assert_eq!(
        ids,
        [new.as_str(), &old, &doomed, &fleeting],
        "a row made and deleted between is still reported as deleted"
    );
    assert_eq!(items[2]["reason"], "deleted");
    assert!(
        items[2]["@odata.context"]
            .as_str()
            .unwrap()
            .ends_with("#accounts/$deletedEntity")
    );
    let after = follow(&world, &delta["@odata.deltaLink"]).await.body;
    assert_eq!(after["value"], json!([]));
}

#[tokio::test]
async fn tracking_refuses_filters_and_untracked_tables() {
    let world = World::start().await;
    for option in [
        "$filter=name eq 'a'",
        "$orderby=name",
        "$expand=primarycontactid",
        "$top=1",
    ] {
        assert_eq!(
            world
                .crm("GET", &format!("accounts?{option}"), &[TRACK], None)
                .await
                .status,
            400,
            "{option}"
        );
    }
    assert_eq!(
        world.crm("GET", "sdkmessages", &[TRACK], None).await.code(),
        "0x80072491"
    );
    assert_eq!(
        world
            .crm("GET", "accounts?$deltatoken=garbage", &[], None)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_delta_link_expires_after_days_or_on_command() {
    let mut world = World::start().await;
    let start = world
        .crm("GET", "accounts?$select=name", &[TRACK], None)
        .await
        .body;
    world.control().expire_delta_links();
    let expired = follow(&world, &start["@odata.deltaLink"]).await;
    assert_eq!((expired.status, expired.code()), (400, "0x80044352"));
    let fresh = world
        .crm("GET", "accounts?$select=name", &[TRACK], None)
        .await
        .body;
    assert_eq!(follow(&world, &fresh["@odata.deltaLink"]).await.status, 200);
    world.control().advance_ms(8 * 24 * 3_600_000);
    world.sign_in().await;
    assert_eq!(
        follow(&world, &fresh["@odata.deltaLink"]).await.code(),
        "0x80044352"
    );
}

#[tokio::test]
async fn pages_of_a_start_and_of_a_delta_lose_nothing_to_changes_between_them() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(
            world
                .create("accounts", json!({"name": format!("A{number}")}))
                .await,
        );
    }
    let two = ("prefer", "odata.track-changes,odata.maxpagesize=2");
    let mut seen = std::collections::BTreeSet::new();
    let mut body = world
        .crm("GET", "accounts?$select=name", &[two], None)
        .await
        .body;
    let mut turned = false;
    loop {
        seen.extend(
            body["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["accountid"].as_str().unwrap().to_owned()),
        );
        if !turned {
            // A row of the first page goes; the second page must not skip one for it.
            world
                .control()
                .seller_deletes("account", seen.first().unwrap())
                .unwrap();
            turned = true;
        }
        if body.get("@odata.nextLink").is_none() {
            break;
        }
        body = world
            .crm("GET", &path(&body["@odata.nextLink"]), &[two], None)
            .await
            .body;
    }
    assert_eq!(seen.len(), 6);
    let link = body["@odata.deltaLink"].clone();
    let left: Vec<String> = world
        .control()
        .rows("account")
        .iter()
        .map(|row| row["accountid"].as_str().unwrap().to_owned())
        .collect();
    for id in &left {
        world
            .control()
            .seller_updates("account", id, &json!({"telephone1": "1"}))
            .unwrap();
    }
    let mut told = std::collections::BTreeSet::new();
    let mut body = world.crm("GET", &path(&link), &[two], None).await.body;
    // The first of the page changes again: it moves to the end, and no other may fall out.
    let again = body["value"][0]["accountid"].as_str().unwrap().to_owned();
    world
        .control()
        .seller_updates("account", &again, &json!({"telephone1": "2"}))
        .unwrap();
    loop {
        told.extend(body["value"].as_array().unwrap().iter().map(|row| {
            row["accountid"]
                .as_str()
                .or(row["id"].as_str())
                .unwrap()
                .to_owned()
        }));
        if body.get("@odata.nextLink").is_none() {
            break;
        }
        body = world
            .crm("GET", &path(&body["@odata.nextLink"]), &[two], None)
            .await
            .body;
    }
    assert_eq!(told.len(), 6, "five changes and one deletion");
}

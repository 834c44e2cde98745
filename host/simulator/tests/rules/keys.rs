//! Alternate keys that are made while the organisation is in use.

use serde_json::{Value, json};

use super::harness::{Answer, REPRESENTATION, World};

const KEYS: &str = "EntityDefinitions(LogicalName='account')/Keys";

async fn order(world: &World, name: &str, columns: &[&str]) -> Answer {
    let body = json!({"SchemaName": name, "KeyAttributes": columns, "DisplayName": {"LocalizedLabels": [{"Label": "Our key", "LanguageCode": 1033}]}});
    world.crm("POST", KEYS, &[], Some(body)).await
}

async fn status(world: &World) -> Value {
    let path = format!("{KEYS}?$select=SchemaName,KeyAttributes,EntityKeyIndexStatus");
    world.crm("GET", &path, &[], None).await.body["value"][0]["EntityKeyIndexStatus"].clone()
}

/// A key over account numbers, ready for use.
async fn active() -> World {
    let world = World::start().await;
    assert_eq!(
        order(&world, "new_Number", &["accountnumber"]).await.status,
        204
    );
    world.control().advance_ms(5_000);
    world
}

#[tokio::test]
async fn a_key_becomes_active_later_and_addresses_nothing_before() {
    let world = World::start().await;
    world
        .create("accounts", json!({"name": "A", "accountnumber": "1"}))
        .await;
    let made = order(&world, "new_Number", &["accountnumber"]).await;
    assert!(
        made.header("odata-entityid").contains("/Keys("),
        "{}",
        made.text
    );
    assert_eq!(status(&world).await, "Pending");
    let read = async || {
        world
            .crm("GET", "accounts(accountnumber='1')", &[], None)
            .await
    };
    let early = read().await;
    assert_eq!((early.status, early.code()), (400, "0x80060890"));
    world.control().advance_ms(1_500);
    assert_eq!(status(&world).await, "InProgress");
    world.control().advance_ms(2_000);
    assert_eq!(status(&world).await, "Active");
    assert_eq!(read().await.body["name"], "A");
}

#[tokio::test]
async fn a_key_over_duplicates_fails_until_it_is_reactivated() {
    let world = World::start().await;
    let twins = [
        world
            .create("accounts", json!({"name": "A", "accountnumber": "x"}))
            .await,
        world
            .create("accounts", json!({"name": "B", "accountnumber": "X"}))
            .await,
    ];
    order(&world, "new_Number", &["accountnumber"]).await;
    world.control().advance_ms(5_000);
    assert_eq!(status(&world).await, "Failed");
    // A key that failed holds nobody to it.
    world
        .create("accounts", json!({"name": "C", "accountnumber": "x"}))
        .await;
    let all = world.control().rows("account");
    for row in all
        .iter()
        .filter(|row| row["accountid"] != twins[0].as_str())
    {
        let path = format!("accounts({})", row["accountid"].as_str().unwrap());
        world.crm("DELETE", &path, &[], None).await;
    }
    let again = json!({"EntityLogicalName": "account", "EntityKeyLogicalName": "new_number"});
    assert_eq!(
        world
            .crm("POST", "ReactivateEntityKey", &[], Some(again))
            .await
            .status,
        204
    );
    world.control().advance_ms(5_000);
    assert_eq!(status(&world).await, "Active");
}

#[tokio::test]
async fn upsert_by_key_creates_with_the_keys_columns_and_then_updates() {
    let world = active().await;
    let path = "accounts(accountnumber='N-1')";
    let body = |name: &str| Some(json!({"name": name}));
    let made = world.crm("PATCH", path, &[REPRESENTATION], body("A")).await;
    assert_eq!(
        (made.status, &made.body["accountnumber"]),
        (201, &json!("N-1"))
    );
    let changed = world.crm("PATCH", path, &[REPRESENTATION], body("B")).await;
    assert_eq!((changed.status, &changed.body["name"]), (200, &json!("B")));
    // On an update the key's columns in the body are dropped; on a create they win over those of the address.
    let other = Some(json!({"name": "C", "accountnumber": "N-2"}));
    let kept = world
        .crm("PATCH", path, &[REPRESENTATION], other.clone())
        .await;
    assert_eq!(kept.body["accountnumber"], "N-1");
    let third = world
        .crm(
            "PATCH",
            "accounts(accountnumber='N-3')",
            &[REPRESENTATION],
            other,
        )
        .await;
    assert_eq!(
        (third.status, &third.body["accountnumber"]),
        (201, &json!("N-2"))
    );
}

#[tokio::test]
async fn missing_undefined_and_violated_keys_have_their_codes() {
    let world = active().await;
    let body = || Some(json!({"name": "A"}));
    let read = world
        .crm("GET", "accounts(accountnumber='none')", &[], None)
        .await;
    assert_eq!((read.status, read.code()), (404, "0x80060891"));
    assert_eq!(
        read.body["error"]["message"],
        "A record with the specified key values does not exist in account entity"
    );
    let any = [("if-match", "*")];
    let patch = world
        .crm("PATCH", "accounts(accountnumber='none')", &any, body())
        .await;
    assert_eq!((patch.status, patch.code()), (404, "0x80060891"));
    let undefined = world.crm("GET", "accounts(name='A')", &[], None).await;
    assert_eq!((undefined.status, undefined.code()), (400, "0x80060890"));
    let id = world
        .create("accounts", json!({"name": "A", "accountnumber": "N"}))
        .await;
    let twin = world
        .crm(
            "POST",
            "accounts",
            &[],
            Some(json!({"name": "B", "accountnumber": "n"})),
        )
        .await;
    assert_eq!((twin.status, twin.code()), (412, "0x80060892"));
    let message = twin.body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Entity Key Our key violated. A record with the same value for accountnumber already exists."), "{message}");
    assert!(message.contains(&format!("<Id>{id}</Id>")), "{message}");
}

#[tokio::test]
async fn a_key_allows_empty_values_and_does_not_hold_them_unique() {
    let world = active().await;
    for name in ["A", "B"] {
        world
            .create("accounts", json!({"name": name, "accountnumber": null}))
            .await;
    }
    assert_eq!(world.control().rows("account").len(), 2);
}

#[tokio::test]
async fn keys_have_at_most_sixteen_columns_and_tables_ten_keys() {
    let world = World::start().await;
    let many: Vec<String> = (0..17).map(|n| format!("c{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for columns in [&many[..], &[], &["no_such_column"], &["description"]] {
        let refused = order(&world, "new_Bad", columns).await;
        assert_eq!(refused.status, 400, "{columns:?}: {}", refused.text);
    }
    let columns = [
        "name",
        "accountnumber",
        "telephone1",
        "fax",
        "emailaddress1",
        "websiteurl",
        "address1_city",
        "address1_country",
        "address1_line1",
        "address1_line2",
        "address1_line3",
    ];
    for (at, column) in columns.iter().enumerate() {
        let made = order(&world, &format!("new_Key{at}"), &[column]).await;
        assert_eq!(
            made.status,
            if at < 10 { 204 } else { 400 },
            "{at}: {}",
            made.text
        );
    }
    assert_eq!(
        order(&world, "new_Key0", &["name"]).await.status,
        400,
        "it exists"
    );
}

#[tokio::test]
async fn keys_of_several_columns_and_of_lookups_address_rows() {
    let world = World::start().await;
    let parent = world.create("accounts", json!({"name": "P"})).await;
    order(&world, "new_Pair", &["parentaccountid", "name"]).await;
    world.control().advance_ms(5_000);
    let path = format!("accounts(_parentaccountid_value={parent},name='O''Neil')");
    let made = world
        .crm("PATCH", &path, &[REPRESENTATION], Some(json!({})))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.body["_parentaccountid_value"], parent.as_str());
    let bind = json!({"lastname": "L", "parentcustomerid_account@odata.bind": format!("/{path}")});
    let contact = world.create("contacts", bind).await;
    assert_eq!(
        world.row("contact", &contact)["_parentcustomerid_value"],
        made.body["accountid"]
    );
    assert_eq!(world.crm("DELETE", &path, &[], None).await.status, 204);
}

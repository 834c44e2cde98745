//! Many rows in one call.

use serde_json::{Value, json};

use super::harness::{Receiver, World};
use super::webhooks::{endpoint, header_secret, step};

fn target(mut values: Value) -> Value {
    values["@odata.type"] = json!("Microsoft.Dynamics.CRM.account");
    values
}

#[tokio::test]
async fn create_multiple_answers_the_ids_of_all_rows_or_makes_none() {
    let world = World::start().await;
    let path = "accounts/Microsoft.Dynamics.CRM.CreateMultiple";
    let targets = json!({"Targets": [target(json!({"name": "A"})), target(json!({"name": "B"}))]});
    let made = world.crm("POST", path, &[], Some(targets)).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let context = made.body["@odata.context"].as_str().unwrap();
    assert!(context.ends_with("CreateMultipleResponse"), "{context}");
    let ids = made.body["Ids"].as_array().unwrap();
    let names: Vec<_> = ids
        .iter()
        .map(|id| world.row("account", id.as_str().unwrap())["name"].clone())
        .collect();
    assert_eq!(names, ["A", "B"]);
    let broken = json!({"Targets": [target(json!({"name": "C"})), target(json!({"name": 5}))]});
    world
        .refuses("POST", path, broken, (400, "0x80048d19"))
        .await;
    let foreign = json!({"Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.contact"}]});
    world
        .refuses("POST", path, foreign, (400, "0x80048d19"))
        .await;
    world
        .refuses("POST", path, json!({"Targets": 1}), (400, "0x80048d19"))
        .await;
    assert_eq!(world.control().rows("account").len(), 2);
}

#[tokio::test]
async fn update_multiple_needs_the_key_of_each_row_and_is_all_or_nothing() {
    let world = World::start().await;
    let one = world.create("accounts", json!({"name": "A"})).await;
    let two = world.create("accounts", json!({"name": "B"})).await;
    let path = "accounts/Microsoft.Dynamics.CRM.UpdateMultiple";
    let both = |second: &str| json!({"Targets": [target(json!({"accountid": one, "fax": "1"})), target(json!({"accountid": second, "fax": "2"}))]});
    let nobody = "dead0000-0000-4000-8000-00000000dead";
    world
        .refuses("POST", path, both(nobody), (404, "0x80040217"))
        .await;
    assert!(world.row("account", &one)["fax"].is_null());
    let done = world.crm("POST", path, &[], Some(both(&two))).await;
    assert_eq!((done.status, done.text.as_str()), (204, ""));
    assert_eq!(world.row("account", &two)["fax"], "2");
    let keyless = json!({"Targets": [target(json!({"fax": "3"}))]});
    world
        .refuses("POST", path, keyless, (400, "0x80048d19"))
        .await;
}

#[tokio::test]
async fn upsert_multiple_updates_what_its_key_finds_and_creates_the_rest() {
    let world = World::start().await;
    let path = "new_countries/Microsoft.Dynamics.CRM.UpsertMultiple";
    let country = |code: &str, name: &str| {
        json!({"@odata.type": "Microsoft.Dynamics.CRM.new_country", "@odata.id": format!("new_countries(new_iso2='{code}')"),
            "new_name": name, "new_iso2": code})
    };
    let before = world.control().rows("new_country").len();
    let body = json!({"Targets": [country("AT", "Österreich"), country("QZ", "Quartzland")]});
    assert_eq!(world.crm("POST", path, &[], Some(body)).await.status, 204);
    let rows = world.control().rows("new_country");
    assert_eq!(rows.len(), before + 1);
    let named = |code: &str| {
        let mut held = rows.iter().filter(|row| row["new_iso2"] == code);
        let found = held.next().unwrap()["new_name"].clone();
        assert!(held.next().is_none());
        found
    };
    assert_eq!(
        (named("AT"), named("QZ")),
        (json!("Österreich"), json!("Quartzland"))
    );
    let nowhere = json!({"Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.new_country", "@odata.id": "accounts(1)"}]});
    world
        .refuses("POST", path, nowhere, (400, "0x80048d19"))
        .await;
}

#[tokio::test]
async fn one_create_multiple_event_per_call_and_the_create_steps_still_fire() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    for message in ["Create", "CreateMultiple"] {
        step(&world, &endpoint, message, "account", None).await;
    }
    let targets = json!({"Targets": [target(json!({"name": "A"})), target(json!({"name": "B"}))]});
    let path = "accounts/Microsoft.Dynamics.CRM.CreateMultiple";
    world.crm("POST", path, &[], Some(targets)).await;
    let mut messages = Vec::new();
    for _ in 0..3 {
        let received = receiver.next().await;
        let message = received.body["MessageName"].as_str().unwrap().to_owned();
        if message == "CreateMultiple" {
            let input = &received.body["InputParameters"][0];
            assert_eq!(input["key"], "Targets");
            assert_eq!(input["value"]["Entities"].as_array().unwrap().len(), 2);
        }
        messages.push(message);
    }
    messages.sort();
    assert_eq!(messages, ["Create", "Create", "CreateMultiple"]);
    assert!(receiver.nothing_more(&world).await);
}

#[tokio::test]
async fn bulk_delete_is_a_job_and_knows_queries_by_key_only() {
    let world = World::start().await;
    let one = world.create("accounts", json!({"name": "A"})).await;
    let query = |attribute: &str| {
        json!({"JobName": "j", "QuerySet": [{"EntityName": "account", "Criteria": {"Conditions": [
            {"AttributeName": attribute, "Operator": "In", "Values": [{"Value": one, "Type": "System.Guid"}]}]}}]})
    };
    let other = world
        .crm("POST", "BulkDelete", &[], Some(query("name")))
        .await;
    assert_eq!(other.status, 501, "{}", other.text);
    let done = world
        .crm("POST", "BulkDelete", &[], Some(query("accountid")))
        .await;
    assert_eq!(done.status, 200, "{}", done.text);
    let job = done.body["JobId"].as_str().unwrap();
    assert_eq!(world.row("asyncoperation", job)["statuscode"], 30);
    assert!(world.control().rows("account").is_empty());
}

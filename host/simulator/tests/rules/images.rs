//! What a webhook shows beside its target, and what is kept of its delivery.

use serde_json::{Value, json};

use super::harness::{Receiver, World};
use super::webhooks::{endpoint, header_secret, step};

async fn the_step(world: &World) -> String {
    let path = "sdkmessageprocessingsteps?$select=sdkmessageprocessingstepid";
    let steps = world.crm("GET", path, &[], None).await;
    let id = &steps.body["value"][0]["sdkmessageprocessingstepid"];
    id.as_str().unwrap().to_owned()
}

fn shown(images: &Value, alias: &str, column: &str) -> Value {
    let mut all = images.as_array().unwrap().iter();
    let Some(image) = all.find(|image| image["key"] == alias) else {
        return json!("no image");
    };
    assert!(
        image["value"].get("__type").is_none(),
        "inside images there is no type"
    );
    let mut columns = image["value"]["Attributes"].as_array().unwrap().iter();
    columns
        .find(|held| held["key"] == column)
        .map_or(Value::Null, |held| held["value"].clone())
}

#[tokio::test]
async fn images_show_the_row_before_and_after() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Update", "account", None).await;
    let bind = format!("/sdkmessageprocessingsteps({})", the_step(&world).await);
    let image = json!({"name": "both", "entityalias": "both", "imagetype": 2, "messagepropertyname": "Target", "attributes": "name,telephone1",
        "sdkmessageprocessingstepid@odata.bind": bind});
    world.create("sdkmessageprocessingstepimages", image).await;
    let id = world
        .create(
            "accounts",
            json!({"name": "A", "telephone1": "1", "fax": "9"}),
        )
        .await;
    let path = format!("accounts({id})");
    world
        .crm("PATCH", &path, &[], Some(json!({"telephone1": "2"})))
        .await;
    let event = receiver.next().await.body;
    let (before, after) = (&event["PreEntityImages"], &event["PostEntityImages"]);
    assert_eq!(
        (
            shown(before, "both", "telephone1"),
            shown(after, "both", "telephone1")
        ),
        (json!("1"), json!("2"))
    );
    assert_eq!(
        shown(after, "both", "name"),
        "A",
        "an image holds what did not change"
    );
    assert_eq!(
        shown(after, "both", "fax"),
        Value::Null,
        "an image holds only what was asked for"
    );
    assert_eq!(shown(after, "AsynchronousStepPrimaryName", "name"), "A");
}

#[tokio::test]
async fn a_delivery_that_succeeded_leaves_a_job_unless_the_step_deletes_it() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Create", "account", None).await;
    let jobs = || {
        let all = world.control().rows("asyncoperation");
        all.iter()
            .map(|row| row["statuscode"].clone())
            .collect::<Vec<_>>()
    };
    world.create("accounts", json!({"name": "A"})).await;
    receiver.next().await;
    assert!(receiver.nothing_more(&world).await);
    assert!(jobs().is_empty());
    let step = format!("sdkmessageprocessingsteps({})", the_step(&world).await);
    world
        .crm("PATCH", &step, &[], Some(json!({"asyncautodelete": false})))
        .await;
    world.create("accounts", json!({"name": "B"})).await;
    receiver.next().await;
    assert!(receiver.nothing_more(&world).await);
    assert_eq!(jobs(), [json!(30)]);
}

#[tokio::test]
async fn unchanged_columns_in_the_body_still_count_as_an_update() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Update", "account", Some("telephone1")).await;
    let id = world
        .create("accounts", json!({"name": "A", "telephone1": "1"}))
        .await;
    let path = format!("accounts({id})");
    let etag = world.row("account", &id)["@odata.etag"].clone();
    world
        .crm("PATCH", &path, &[], Some(json!({"fax": "2"})))
        .await;
    world
        .crm("PATCH", &path, &[], Some(json!({"telephone1": "1"})))
        .await;
    assert_eq!(receiver.next().await.body["PrimaryEntityId"], id.as_str());
    assert!(
        receiver.nothing_more(&world).await,
        "an update without the filter's columns is not told"
    );
    assert_ne!(world.row("account", &id)["@odata.etag"], etag);
}

#[tokio::test]
async fn a_new_owner_is_an_update_of_its_own() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Update", "account", None).await;
    let id = world.create("accounts", json!({"name": "A"})).await;
    let owner = format!("/systemusers({})", world.running.crm.seller_id);
    let both = json!({"name": "B", "ownerid@odata.bind": owner});
    world
        .crm("PATCH", &format!("accounts({id})"), &[], Some(both))
        .await;
    let names = |body: &Value| {
        let list = body["InputParameters"][0]["value"]["Attributes"]
            .as_array()
            .unwrap();
        list.iter()
            .map(|held| held["key"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (one, two) = (receiver.next().await, receiver.next().await);
    let (one, two) = (names(&one.body), names(&two.body));
    let has = |list: &[String], name: &str| list.iter().any(|held| held == name);
    assert_ne!(has(&one, "name"), has(&two, "name"));
    assert_ne!(has(&one, "ownerid"), has(&two, "ownerid"));
    assert!(!(has(&one, "name") && has(&one, "ownerid")));
    assert!(receiver.nothing_more(&world).await);
}

//! Dataverse's webhooks.

use cosell_simulator::SimulatorConfig;
use serde_json::{Value, json};

use super::harness::{Received, Receiver, World};

pub(crate) async fn endpoint(
    world: &World,
    receiver: &Receiver,
    authtype: i64,
    authvalue: &str,
) -> String {
    let body = json!({"name": "cosell", "url": receiver.url, "contract": 8, "authtype": authtype, "authvalue": authvalue});
    world.create("serviceendpoints", body).await
}

/// Registers a step; without a table it has no filter, as messages have that belong to none.
pub(crate) async fn step(
    world: &World,
    endpoint: &str,
    message: &str,
    table: &str,
    filter: Option<&str>,
) {
    let first = |body: Value, key: &str| body["value"][0][key].as_str().unwrap().to_owned();
    let messages = world
        .crm(
            "GET",
            &format!("sdkmessages?$select=sdkmessageid&$filter=name eq '{message}'"),
            &[],
            None,
        )
        .await;
    let message_id = first(messages.body, "sdkmessageid");
    let query = format!(
        "sdkmessagefilters?$select=sdkmessagefilterid&$filter=primaryobjecttypecode eq '{table}' and _sdkmessageid_value eq {message_id}"
    );
    let mut body = json!({"name": format!("cosell: {message} of {table}"), "mode": 1, "stage": 40, "rank": 1, "supporteddeployment": 0,
        "asyncautodelete": true,
        "eventhandler_serviceendpoint@odata.bind": format!("/serviceendpoints({endpoint})"),
        "sdkmessageid@odata.bind": format!("/sdkmessages({message_id})")});
    if !table.is_empty() {
        let found = world.crm("GET", &query, &[], None).await.body;
        let filter_id = first(found, "sdkmessagefilterid");
        body["sdkmessagefilterid@odata.bind"] = json!(format!("/sdkmessagefilters({filter_id})"));
    }
    if let Some(filter) = filter {
        body["filteringattributes"] = json!(filter);
    }
    world.create("sdkmessageprocessingsteps", body).await;
}

pub(crate) fn header_secret() -> &'static str {
    "<settings><setting name=\"x-hook-key\" value=\"s3&amp;cret\"/></settings>"
}

/// The attributes of the target.
pub(crate) fn attributes(received: &Received) -> Vec<(String, Value)> {
    let target = &received.body["InputParameters"][0];
    assert_eq!(target["key"], "Target");
    let list = target["value"]["Attributes"].as_array().unwrap();
    list.iter()
        .map(|pair| {
            (
                pair["key"].as_str().unwrap().to_owned(),
                pair["value"].clone(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_create_posts_a_remote_execution_context_with_the_secret_header() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Create", "opportunity", None).await;
    let body = json!({"name": "O", "estimatedvalue": 5, "estimatedclosedate": "2026-09-30", "opportunityratingcode": 1});
    let made = world
        .crm("POST", "opportunities?tag=cosell:42", &[], Some(body))
        .await
        .entity_id();
    let event = receiver.next().await;
    assert_eq!(event.headers["x-hook-key"], "s3&cret");
    assert_eq!(event.headers["x-ms-dynamics-entity-name"], "opportunity");
    assert_eq!(event.headers["x-ms-dynamics-request-name"], "Create");
    assert_eq!(
        event.headers["x-ms-correlation-request-id"],
        event.body["CorrelationId"]
    );
    assert_eq!(
        (
            event.body["MessageName"].as_str(),
            event.body["PrimaryEntityId"].as_str()
        ),
        (Some("Create"), Some(made.as_str()))
    );
    assert_eq!(
        event.body["InitiatingUserId"],
        world.running.crm.app_user_id.as_str()
    );
    assert_eq!(
        event.body["OrganizationId"],
        world.running.crm.organization_id.as_str()
    );
    assert_eq!(
        (
            event.body["Stage"].as_i64(),
            event.body["ParentContext"]["Stage"].as_i64()
        ),
        (Some(40), Some(30))
    );
    let tag = |context: &Value| {
        context["SharedVariables"]
            .as_array()
            .unwrap()
            .iter()
            .find(|pair| pair["key"] == "tag")
            .map(|pair| pair["value"].clone())
    };
    assert_eq!(tag(&event.body), Some(json!("cosell:42")));
    let held: std::collections::BTreeMap<_, _> = attributes(&event).into_iter().collect();
    assert_eq!(
        held["estimatedvalue"]["__type"],
        "Money:http://schemas.microsoft.com/xrm/2011/Contracts"
    );
    assert_eq!(held["opportunityratingcode"]["Value"], 1);
    assert_eq!(held["estimatedclosedate"], "/Date(1790726400000)/");
    let raw = String::from_utf8_lossy(&event.raw);
    assert!(
        raw.contains("\"\\/Date(") && raw.contains("http:\\/\\/schemas"),
        "slashes of dates and types are escaped"
    );
    assert_eq!(
        event.body["PostEntityImages"][0]["key"],
        "AsynchronousStepPrimaryName"
    );
}

#[tokio::test]
async fn a_webhook_key_travels_in_the_query() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 4, "k y").await;
    step(&world, &endpoint, "Create", "account", None).await;
    world.create("accounts", json!({"name": "A"})).await;
    assert_eq!(receiver.next().await.path, "/hook?code=k%20y");
    let read = world
        .crm("GET", &format!("serviceendpoints({endpoint})"), &[], None)
        .await
        .body;
    assert!(
        read.get("authvalue").is_none() && read["isauthvalueset"] == true,
        "a secret cannot be read back"
    );
}

#[tokio::test]
async fn filtering_attributes_and_the_split_of_state_from_the_rest() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(
        &world,
        &endpoint,
        "Update",
        "opportunity",
        Some("name,statecode,statuscode"),
    )
    .await;
    let id = world.create("opportunities", json!({"name": "O"})).await;
    let path = format!("opportunities({id})");
    world
        .crm(
            "PATCH",
            &path,
            &[],
            Some(json!({"description": "not watched"})),
        )
        .await;
    assert!(receiver.nothing_more(&world).await);
    world
        .crm("PATCH", &path, &[], Some(json!({"name": "O"})))
        .await;
    let unchanged = receiver.next().await;
    let names: Vec<String> = attributes(&unchanged)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "opportunityid",
            "name",
            "modifiedon",
            "modifiedby",
            "modifiedonbehalfby"
        ],
        "unchanged columns still count"
    );
    world
        .crm(
            "PATCH",
            &path,
            &[],
            Some(json!({"name": "P", "statecode": 0, "statuscode": 2})),
        )
        .await;
    let both = [receiver.next().await, receiver.next().await];
    assert_eq!(both[0].body["CorrelationId"], both[1].body["CorrelationId"]);
    let mut shapes: Vec<bool> = both
        .iter()
        .map(|event| {
            attributes(event)
                .iter()
                .any(|(name, _)| name == "statuscode")
        })
        .collect();
    shapes.sort_unstable();
    assert_eq!(
        shapes,
        [false, true],
        "one event for the columns, one for the state"
    );
    assert!(receiver.nothing_more(&world).await);
}

#[tokio::test]
async fn a_delete_names_its_row_by_reference_and_a_cleared_lookup_is_null() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Update", "account", None).await;
    step(&world, &endpoint, "Delete", "account", None).await;
    let id = world.create("accounts", json!({"name": "A"})).await;
    world
        .crm(
            "PATCH",
            &format!("accounts({id})"),
            &[],
            Some(json!({"primarycontactid@odata.bind": null})),
        )
        .await;
    assert!(
        attributes(&receiver.next().await).contains(&("primarycontactid".to_owned(), Value::Null))
    );
    world.control().seller_deletes("account", &id).unwrap();
    let event = receiver.next().await;
    let target = &event.body["InputParameters"][0]["value"];
    assert_eq!(
        target["__type"],
        "EntityReference:http://schemas.microsoft.com/xrm/2011/Contracts"
    );
    assert_eq!(target["Id"], id.as_str());
    assert_eq!(
        event.body["InitiatingUserId"],
        world.running.crm.seller_id.as_str()
    );
}

#[tokio::test]
async fn one_retry_and_only_on_gateway_errors() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Create", "account", None).await;
    for (answers, attempts, outcome) in [
        (vec![503], 2, "delivered"),
        (vec![503, 503], 2, "failed"),
        (vec![500], 1, "failed"),
        (vec![401], 1, "failed"),
    ] {
        receiver.answers(&answers);
        world.create("accounts", json!({"name": "A"})).await;
        for _ in 0..attempts {
            receiver.next().await;
        }
        assert!(receiver.nothing_more(&world).await);
        let record = world.control().deliveries().pop().unwrap();
        assert_eq!(
            (record.attempts.len(), record.outcome.as_str()),
            (attempts, outcome),
            "{answers:?}"
        );
    }
    let failed = world
        .crm(
            "GET",
            "asyncoperations?$select=message,statuscode&$filter=statuscode eq 31",
            &[],
            None,
        )
        .await
        .body;
    assert_eq!(failed["value"].as_array().unwrap().len(), 3);
    assert!(
        failed["value"][0]["message"]
            .as_str()
            .unwrap()
            .starts_with("0x80050201")
    );
}

#[tokio::test]
async fn winning_raises_win_and_a_close_row() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    for (message, table) in [
        ("Win", "opportunity"),
        ("Update", "opportunity"),
        ("Create", "opportunityclose"),
    ] {
        step(&world, &endpoint, message, table, None).await;
    }
    let id = world.create("opportunities", json!({"name": "O"})).await;
    world.control().seller_wins(&id, &json!({})).unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let event = receiver.next().await;
        seen.push(format!(
            "{} {}",
            event.body["MessageName"].as_str().unwrap(),
            event.body["PrimaryEntityName"].as_str().unwrap()
        ));
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            "Create opportunityclose",
            "Update opportunity",
            "Win opportunity"
        ]
    );
}

#[tokio::test]
async fn a_body_above_256_kb_loses_its_contents() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Create", "opportunity", None).await;
    let audit = "x".repeat(100_000);
    let id = world.create("opportunities", json!({"name": "O", "msft_microsoftpartnercenterreferralsyncaudit": audit, "description": "d".repeat(2000),
        "traversedpath": "é".repeat(1250), "msft_microsoftpartnercentersolutions": "é".repeat(4000)})).await;
    let small = receiver.next().await;
    assert!(
        !small
            .headers
            .contains_key("x-ms-dynamics-msg-size-exceeded")
            || small.body["InputParameters"].is_null()
    );
    let wide = "é".repeat(99_000);
    world
        .create(
            "opportunities",
            json!({"name": "P", "msft_microsoftpartnercenterreferralsyncaudit": wide}),
        )
        .await;
    let event = receiver.next().await;
    assert_eq!(event.headers["x-ms-dynamics-msg-size-exceeded"], "true");
    assert!(
        event.body["InputParameters"].is_null() && event.body["PrimaryEntityName"] == "opportunity"
    );
    assert_ne!(event.body["PrimaryEntityId"], id.as_str());
}

#[tokio::test]
async fn an_endpoint_with_steps_cannot_be_deleted() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Create", "account", None).await;
    let refused = world
        .crm(
            "DELETE",
            &format!("serviceendpoints({endpoint})"),
            &[],
            None,
        )
        .await;
    assert_eq!((refused.status, refused.code()), (405, "0x80040227"));
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_in_time_gets_no_second_try() {
    // Documented are 60 s; how long it is changes nothing about what follows.
    assert_eq!(SimulatorConfig::default().webhook_answer_ms, 60_000);
    let config = SimulatorConfig {
        tls: false,
        webhook_answer_ms: 200,
        ..SimulatorConfig::demo()
    };
    let world = World::with(config).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, mut connections) = tokio::sync::mpsc::channel(10);
    tokio::spawn(async move {
        // Takes every connection, and answers none.
        while let Ok((stream, _)) = listener.accept().await {
            sender.send(stream).await.unwrap();
        }
    });
    let body = json!({"name": "cosell", "url": url, "contract": 8, "authtype": 5, "authvalue": header_secret()});
    let endpoint = world.create("serviceendpoints", body).await;
    step(&world, &endpoint, "Create", "account", None).await;
    world.create("accounts", json!({"name": "A"})).await;
    while world.control().deliveries_waiting() > 0 {
        tokio::task::yield_now().await;
    }
    let record = world.control().deliveries().pop().unwrap();
    assert_eq!(
        (record.attempts, record.outcome.as_str()),
        (vec![None], "failed")
    );
    let mut knocks = 0;
    while connections.try_recv().is_ok() {
        knocks += 1;
    }
    assert!(knocks <= 1, "nobody knocked again");
}

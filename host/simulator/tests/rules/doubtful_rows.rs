//! Doubtful facts about rows: each test asks the same of a world that takes the usual reading and of one that takes the other.

use serde_json::{Value, json};

use super::doubtful::{decided, readings};
use super::harness::World;

/// A closed opportunity.
async fn closed(world: &World) -> String {
    let id = world.create("opportunities", json!({"name": "O"})).await;
    let close = json!({"Status": 4, "OpportunityClose": {"opportunityid@odata.bind": format!("/opportunities({id})")}});
    let done = world.crm("POST", "LoseOpportunity", &[], Some(close)).await;
    assert_eq!(done.status, 204, "{}", done.text);
    id
}

async fn told(world: &World, method: &str, path: &str, body: Value) -> (u16, String) {
    let answer = world.crm(method, path, &[], Some(body)).await;
    (answer.status, answer.code().to_owned())
}

fn words(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_closed_row_is_frozen_or_can_be_written() {
    let (usual, other) = readings("closed_rows_are_writable", async |world| {
        let id = closed(world).await;
        let late = json!({"description": "late"});
        told(world, "PATCH", &format!("opportunities({id})"), late).await
    })
    .await;
    assert_eq!((usual, other), (words(400, "0x80040230"), words(204, "")));
}

#[tokio::test]
async fn a_closed_row_refuses_as_inactive_or_as_read_only() {
    let (usual, other) = readings("closed_rows_are_forbidden", async |world| {
        let id = closed(world).await;
        let late = json!({"description": "late"});
        told(world, "PATCH", &format!("opportunities({id})"), late).await
    })
    .await;
    assert_eq!(
        (usual, other),
        (words(400, "0x80040230"), words(403, "0x8004022e"))
    );
}

#[tokio::test]
async fn what_was_lost_is_reopened_first_or_won_at_once() {
    let (usual, other) = readings("lost_can_be_won", async |world| {
        let id = closed(world).await;
        let won = world.control().seller_wins(&id, &json!({}));
        let again = world.control().seller_wins(&id, &json!({}));
        (
            won.is_ok(),
            again.is_ok(),
            world.row("opportunity", &id)["statecode"].clone(),
        )
    })
    .await;
    assert_eq!(usual, (false, false, json!(2)));
    assert_eq!(
        other,
        (true, false, json!(1)),
        "and a won one is not won again"
    );
}

#[tokio::test]
async fn the_state_of_an_open_deal_is_set_by_an_action_or_by_a_patch() {
    let (usual, other) = readings("state_can_be_set", async |world| {
        let id = world.create("opportunities", json!({"name": "O"})).await;
        let won = json!({"statecode": 1, "statuscode": 3});
        told(world, "PATCH", &format!("opportunities({id})"), won).await
    })
    .await;
    assert_eq!((usual, other), (words(400, "0x80100005"), words(204, "")));
}

#[tokio::test]
async fn the_customer_of_a_deal_is_its_parent_account_or_nobody() {
    let (usual, other) = readings("customer_is_derived", async |world| {
        let account = world.create("accounts", json!({"name": "A"})).await;
        let deal =
            json!({"name": "O", "parentaccountid@odata.bind": format!("/accounts({account})")});
        let id = world.create("opportunities", deal).await;
        world.row("opportunity", &id)["_customerid_value"] == account.as_str()
    })
    .await;
    assert_eq!((usual, other), (true, false));
}

#[tokio::test]
async fn a_computed_revenue_replaces_what_is_sent_or_is_replaced() {
    let (usual, other) = readings("calculated_revenue_replaces", async |world| {
        let deal = json!({"name": "O", "isrevenuesystemcalculated": true, "estimatedvalue": 7});
        let id = world.create("opportunities", deal).await;
        world.row("opportunity", &id)["estimatedvalue"].as_f64()
    })
    .await;
    assert_eq!((usual, other), (Some(0.0), Some(7.0)));
}

#[tokio::test]
async fn a_read_only_column_is_passed_over_or_refused() {
    let (usual, other) = readings("read_only_columns_are_refused", async |world| {
        let account = json!({"name": "A", "versionnumber": 7});
        told(world, "POST", "accounts", account).await
    })
    .await;
    assert_eq!((usual, other), (words(204, ""), words(400, "0x80048d19")));
}

#[tokio::test]
async fn not_equal_finds_rows_without_a_value_or_does_not() {
    let (usual, other) = readings("not_equal_finds_empty", async |world| {
        for account in [
            json!({"name": "A"}),
            json!({"name": "B", "fax": "1"}),
            json!({"name": "C", "fax": "2"}),
        ] {
            world.create("accounts", account).await;
        }
        let mut found = Vec::new();
        for filter in ["fax ne '1'", "fax ne null", "not (fax eq '1')"] {
            let path = format!("accounts?$select=name&$filter={filter}");
            let answer = world.crm("GET", &path, &[], None).await;
            found.push(answer.body["value"].as_array().map(Vec::len));
        }
        found
    })
    .await;
    assert_eq!(usual, [Some(2), Some(2), Some(2)]);
    assert_eq!(other, [Some(1), Some(2), Some(2)]);
}

#[tokio::test]
async fn texts_are_kept_as_they_were_sent_or_without_the_blanks_at_their_end() {
    let (usual, other) = readings("text_is_trimmed", async |world| {
        let id = world
            .create(
                "accounts",
                json!({"name": "A \n", "description": " b\r\nc"}),
            )
            .await;
        let row = world.row("account", &id);
        (row["name"].clone(), row["description"].clone())
    })
    .await;
    assert_eq!(usual, (json!("A \n"), json!(" b\r\nc")));
    assert_eq!(other, (json!("A"), json!(" b\r\nc")));
}

#[tokio::test]
async fn line_feeds_are_kept_or_get_their_carriage_return() {
    let (usual, other) = readings("line_feeds_become_crlf", async |world| {
        let id = world
            .create("accounts", json!({"name": "A", "description": "b\nc\r\nd"}))
            .await;
        world.row("account", &id)["description"].clone()
    })
    .await;
    assert_eq!((usual, other), (json!("b\nc\r\nd"), json!("b\r\nc\r\nd")));
}

#[tokio::test]
async fn the_answer_of_qualify_lead_names_what_it_made_or_nothing() {
    let (usual, other) = readings("qualify_names_nothing", async |world| {
        let lead = world.create("leads", json!({"subject": "S", "lastname": "L"})).await;
        let order = json!({"CreateAccount": false, "CreateContact": false, "CreateOpportunity": true, "Status": 3});
        let path = format!("leads({lead})/Microsoft.Dynamics.CRM.QualifyLead");
        let answer = world.crm("POST", &path, &[], Some(order)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        (answer.body["value"].as_array().map(Vec::len), world.control().rows("opportunity").len())
    })
    .await;
    assert_eq!((usual, other), ((Some(1), 1), (Some(0), 1)));
}

#[tokio::test]
async fn a_row_that_is_gone_is_not_found_or_has_another_version() {
    let (usual, other) = readings("gone_row_is_412", async |world| {
        let path = "accounts(0c0c0c0c-0000-4000-8000-000000000009)";
        let mut all = Vec::new();
        for (method, tag) in [
            ("PATCH", "W/\"7\""),
            ("DELETE", "W/\"7\""),
            ("PATCH", "*"),
            ("DELETE", "*"),
        ] {
            let body = (method == "PATCH").then(|| json!({"name": "A"}));
            let answer = world.crm(method, path, &[("if-match", tag)], body).await;
            all.push((answer.status, answer.code().to_owned()));
        }
        all
    })
    .await;
    let (gone, changed) = (words(404, "0x80040217"), words(412, "0x80060882"));
    assert_eq!(
        usual,
        [gone.clone(), gone.clone(), gone.clone(), gone.clone()]
    );
    assert_eq!(
        other,
        [changed.clone(), changed, gone.clone(), gone],
        "`*` is documented"
    );
}

#[tokio::test]
async fn a_reference_to_nobody_is_not_found_or_a_bad_request() {
    let (usual, other) = readings("missing_reference_is_400", async |world| {
        let deal = json!({"name": "O", "parentaccountid@odata.bind": "/accounts(0c0c0c0c-0000-4000-8000-000000000009)"});
        told(world, "POST", "opportunities", deal).await
    })
    .await;
    assert_eq!(
        (usual, other),
        (words(404, "0x80040217"), words(400, "0x80040217"))
    );
}

#[tokio::test]
async fn a_key_that_is_taken_is_a_failed_precondition_or_a_bad_request() {
    let (usual, other) = readings("taken_key_is_400", async |world| {
        let key = json!({"SchemaName": "new_Number", "KeyAttributes": ["accountnumber"],
            "DisplayName": {"LocalizedLabels": [{"Label": "Our key", "LanguageCode": 1033}]}});
        let path = "EntityDefinitions(LogicalName='account')/Keys";
        assert_eq!(world.crm("POST", path, &[], Some(key)).await.status, 204);
        let account = json!({"name": "A", "accountnumber": "1"});
        world.create("accounts", account.clone()).await;
        told(world, "POST", "accounts", account).await
    })
    .await;
    assert_eq!(
        (usual, other),
        (words(412, "0x80060892"), words(400, "0x80060892"))
    );
}

#[tokio::test]
async fn refusals_come_with_400_or_with_500_where_nobody_has_seen_which() {
    let (usual, other) = readings("refusals_are_500", async |world| {
        let id = closed(world).await;
        let path = format!("opportunities({id})");
        let late = told(world, "PATCH", &path, json!({"description": "late"})).await;
        // This status is documented.
        let unknown = told(world, "PATCH", &path, json!({"nonsense": 1})).await;
        (late, unknown)
    })
    .await;
    assert_eq!(usual, (words(400, "0x80040230"), words(400, "0x80048d19")));
    assert_eq!(other, (words(500, "0x80040230"), words(400, "0x80048d19")));
}

#[tokio::test]
async fn errors_have_a_code_or_an_empty_one() {
    let (usual, other) = readings("error_codes_are_empty", async |world| {
        let alone = told(world, "POST", "accounts", json!({"nonsense": 1})).await;
        let part = "--batch_x\r\nContent-Type: application/http\r\n\r\nGET /api/data/v9.2/nonsense HTTP/1.1\r\n\r\n\r\n--batch_x--\r\n";
        let batch = world.batch(&[], part).await.text;
        let refused = world.control().refused().into_iter().next();
        (alone, batch.contains("\"code\":\"\""), refused.map(|refused| refused.code))
    })
    .await;
    let noted = Some("0x80048d19".to_owned());
    assert_eq!(usual, (words(400, "0x80048d19"), false, noted.clone()));
    assert_eq!(
        other,
        (words(400, ""), true, noted),
        "what it was is known here"
    );
}

#[tokio::test]
async fn a_fact_is_not_counted_where_it_does_not_apply() {
    let world = World::start().await;
    world
        .create("accounts", json!({"name": "A", "description": "b"}))
        .await;
    for fact in [
        "text_is_trimmed",
        "line_feeds_become_crlf",
        "read_only_columns_are_refused",
        "closed_rows_are_writable",
    ] {
        assert_eq!(decided(&world, fact), 0, "{fact}");
    }
}

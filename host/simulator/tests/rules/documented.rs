//! Further documented rules of rows and queries.

use serde_json::{Value, json};

use super::harness::World;

async fn names(world: &World, query: &str) -> Vec<String> {
    let answer = world.crm("GET", query, &[], None).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let rows = answer.body["value"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_valid_token_of_an_app_without_user_is_403() {
    let world = World::start().await;
    let other = &world.running.organizations[0];
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", other.client_id.as_str()),
        ("client_secret", &other.client_secret),
        (
            "scope",
            &format!("{}/.default", world.running.urls.dataverse),
        ),
    ];
    let token = world.token("oauth2/v2.0/token", &form).await;
    let token = token.body["access_token"].as_str().unwrap();
    let url = format!("{}/api/data/v9.2/WhoAmI", world.running.urls.dataverse);
    let refused = world.send("GET", &url, token, &[], None).await;
    assert_eq!((refused.status, refused.code()), (403, "0x80072560"));
    assert_eq!(
        refused.body["error"]["message"],
        "The user is not a member of the organization."
    );
}

#[tokio::test]
async fn a_plus_in_a_query_is_a_space_and_an_encoded_one_is_a_plus() {
    let world = World::start().await;
    for name in ["A B", "A+B"] {
        world.create("accounts", json!({"name": name})).await;
    }
    assert_eq!(
        names(&world, "accounts?$select=name&$filter=name+eq+'A+B'").await,
        ["A B"]
    );
    assert_eq!(
        names(
            &world,
            "accounts?%24select=name&%24filter=name+eq+%27A%2BB%27"
        )
        .await,
        ["A+B"]
    );
}

#[tokio::test]
async fn columns_of_a_row_are_compared_with_each_other() {
    let world = World::start().await;
    world
        .create("accounts", json!({"name": "same", "fax": "SAME"}))
        .await;
    world
        .create("accounts", json!({"name": "other", "fax": "x"}))
        .await;
    assert_eq!(
        names(&world, "accounts?$select=name&$filter=name eq fax").await,
        ["same"]
    );
}

#[tokio::test]
async fn a_query_has_at_most_fifteen_expands() {
    let world = World::start().await;
    let query = |count: usize| {
        format!(
            "accounts?$select=name&$expand={}",
            vec!["primarycontactid"; count].join(",")
        )
    };
    assert_eq!(world.crm("GET", &query(15), &[], None).await.status, 200);
    let refused = world.crm("GET", &query(16), &[], None).await;
    assert_eq!((refused.status, refused.code()), (400, "0x80060888"));
}

#[tokio::test]
async fn a_page_has_five_thousand_rows_and_the_count_goes_no_further() {
    let world = World::start().await;
    let targets: Vec<Value> = (0..1_001)
        .map(|n| json!({"@odata.type": "Microsoft.Dynamics.CRM.account", "name": format!("A{n:04}")}))
        .collect();
    let path = "accounts/Microsoft.Dynamics.CRM.CreateMultiple";
    for _ in 0..5 {
        let made = world
            .crm("POST", path, &[], Some(json!({ "Targets": targets })))
            .await;
        assert_eq!(made.status, 200, "{}", made.text);
    }
    let all = [("prefer", "odata.include-annotations=\"*\"")];
    let page = world
        .crm("GET", "accounts?$select=name&$count=true", &all, None)
        .await
        .body;
    assert_eq!(page["value"].as_array().unwrap().len(), 5_000);
    assert!(page["@odata.nextLink"].is_string());
    assert_eq!(page["@odata.count"], 5_000);
    assert_eq!(
        page["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"],
        true
    );
}

#[tokio::test]
async fn a_row_created_and_deleted_between_polls_is_told_as_deleted() {
    let world = World::start().await;
    let tracked = [("prefer", "odata.track-changes")];
    let start = world
        .crm("GET", "accounts?$select=name", &tracked, None)
        .await;
    let link = start.body["@odata.deltaLink"].as_str().unwrap().to_owned();
    let (_, delta) = link.split_once("/api/data/v9.2/").unwrap();
    let id = world.create("accounts", json!({"name": "A"})).await;
    world
        .crm("DELETE", &format!("accounts({id})"), &[], None)
        .await;
    let changes = world.crm("GET", delta, &[], None).await;
    let changes = changes.body["value"].as_array().unwrap().clone();
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (changes[0]["id"].as_str(), changes[0]["reason"].as_str()),
        (Some(id.as_str()), Some("deleted"))
    );
    let token = delta.split_once("$deltatoken=").unwrap().1;
    let count = world
        .crm(
            "GET",
            &format!("accounts/$count?$deltatoken={token}"),
            &[],
            None,
        )
        .await;
    assert_eq!(count.text.trim_start_matches('\u{feff}'), "1");
}

#[tokio::test]
async fn the_organisation_says_how_long_a_delta_link_lives() {
    let mut world = World::start().await;
    let organization = format!("organizations({})", world.running.crm.organization_id);
    let days = Some(json!({"expirechangetrackingindays": 30}));
    assert_eq!(
        world.crm("PATCH", &organization, &[], days).await.status,
        204
    );
    let tracked = [("prefer", "odata.track-changes")];
    let start = world
        .crm("GET", "accounts?$select=name", &tracked, None)
        .await;
    let link = start.body["@odata.deltaLink"].as_str().unwrap().to_owned();
    let (_, delta) = link.split_once("/api/data/v9.2/").unwrap();
    for (days, status) in [(29, 200), (2, 400)] {
        world.control().advance_ms(days * 24 * 3_600_000);
        world.sign_in().await;
        let answer = world.crm("GET", delta, &[], None).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_reference_may_be_relative_absolute_or_by_key() {
    let world = World::start().await;
    let contact = world.create("contacts", json!({"lastname": "C"})).await;
    let root = format!("{}/api/data/v9.2", world.running.urls.dataverse);
    for bind in [
        format!("contacts({contact})"),
        format!("/contacts({contact})"),
        format!("{root}/contacts({contact})"),
    ] {
        let body = json!({"name": "A", "primarycontactid@odata.bind": bind});
        let id = world.create("accounts", body).await;
        assert_eq!(
            world.row("account", &id)["_primarycontactid_value"],
            contact.as_str(),
            "{bind}"
        );
    }
    let body = json!({"name": "A", "new_CountryId@odata.bind": "/new_countries(new_iso2='AT')"});
    let id = world.create("accounts", body).await;
    assert!(world.row("account", &id)["_new_countryid_value"].is_string());
}

#[tokio::test]
async fn a_row_is_taken_out_of_a_collection_by_its_address_in_the_query() {
    let world = World::start().await;
    let account = world.create("accounts", json!({"name": "A"})).await;
    let bind = format!("/accounts({account})");
    let contact = world
        .create(
            "contacts",
            json!({"lastname": "C", "parentcustomerid_account@odata.bind": bind}),
        )
        .await;
    let address = format!(
        "{}/api/data/v9.2/contacts({contact})",
        world.running.urls.dataverse
    );
    let path = format!("accounts({account})/contact_customer_accounts/$ref?$id={address}");
    assert_eq!(world.crm("DELETE", &path, &[], None).await.status, 204);
    assert!(world.row("contact", &contact)["_parentcustomerid_value"].is_null());
}

#[tokio::test]
async fn the_raw_value_of_a_property_is_plain_text_and_null_is_204() {
    let world = World::start().await;
    let id = world.create("accounts", json!({"name": "A"})).await;
    let raw = world
        .crm("GET", &format!("accounts({id})/name/$value"), &[], None)
        .await;
    assert_eq!(
        (raw.status, raw.text.as_str(), raw.header("content-type")),
        (200, "A", "text/plain")
    );
    let none = world
        .crm("GET", &format!("accounts({id})/fax/$value"), &[], None)
        .await;
    assert_eq!((none.status, none.text.as_str()), (204, ""));
}

#[tokio::test]
async fn a_create_may_be_dated_back_and_an_update_may_not() {
    let world = World::start().await;
    let then = "2020-02-03T04:05:06Z";
    let id = world
        .create(
            "accounts",
            json!({"name": "A", "overriddencreatedon": then}),
        )
        .await;
    assert_eq!(world.row("account", &id)["createdon"], then);
    let path = format!("accounts({id})");
    let later =
        json!({"overriddencreatedon": "2021-01-01T00:00:00Z", "createdon": "2021-01-01T00:00:00Z"});
    assert_eq!(
        world.crm("PATCH", &path, &[], Some(later)).await.status,
        204
    );
    assert_eq!(world.row("account", &id)["createdon"], then);
}

#[tokio::test]
async fn dates_before_1753_are_outside_the_supported_range() {
    let world = World::start().await;
    let early = json!({"name": "O", "estimatedclosedate": "1752-12-31"});
    world
        .refuses("POST", "opportunities", early, (400, "0x80040239"))
        .await;
    let early = json!({"name": "A", "overriddencreatedon": "0001-01-01T00:00:00Z"});
    world
        .refuses("POST", "accounts", early, (400, "0x80040239"))
        .await;
    let id = world
        .create(
            "opportunities",
            json!({"name": "O", "estimatedclosedate": "1753-01-01"}),
        )
        .await;
    assert_eq!(
        world.row("opportunity", &id)["estimatedclosedate"],
        "1753-01-01"
    );
}

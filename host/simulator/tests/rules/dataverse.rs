//! Rows: creating, keys, types, properties.

use serde_json::json;

use super::harness::World;

const REPRESENTATION: (&str, &str) = ("prefer", "return=representation");
const NOBODY: &str = "0a0a0a0a-0000-4000-8000-00000000dead";

#[tokio::test]
async fn who_am_i_names_the_application_user() {
    let world = World::start().await;
    let who = world.crm("GET", "WhoAmI", &[], None).await;
    assert_eq!(who.body["UserId"], world.running.crm.app_user_id.as_str());
    assert_eq!(
        who.body["OrganizationId"],
        world.running.crm.organization_id.as_str()
    );
    assert_eq!(who.header("odata-version"), "4.0");
}

#[tokio::test]
async fn create_is_204_with_an_entity_id_or_201_with_a_body() {
    let world = World::start().await;
    let plain = world
        .crm("POST", "accounts", &[], Some(json!({"name": "Fabrikam"})))
        .await;
    assert_eq!((plain.status, plain.text.as_str()), (204, ""));
    assert!(
        plain
            .header("odata-entityid")
            .ends_with(&format!("/api/data/v9.2/accounts({})", plain.entity_id()))
    );
    let told = world
        .crm(
            "POST",
            "accounts?$select=name",
            &[REPRESENTATION],
            Some(json!({"name": "Contoso"})),
        )
        .await;
    assert_eq!((told.status, &told.body["name"]), (201, &json!("Contoso")));
    assert_eq!(
        told.header("etag"),
        told.body["@odata.etag"].as_str().unwrap()
    );
    assert!(
        told.body["accountid"].is_string(),
        "the primary key always comes"
    );
    assert!(told.body.get("telephone1").is_none());
}

#[tokio::test]
async fn a_client_made_key_is_kept_and_a_second_one_is_412() {
    let world = World::start().await;
    let id = "0a0a0a0a-0000-4000-8000-000000000001";
    let body = json!({"accountid": id, "name": "A"});
    assert_eq!(world.create("accounts", body.clone()).await, id);
    let again = world.crm("POST", "accounts", &[], Some(body)).await;
    assert_eq!((again.status, again.code()), (412, "0x80040237"));
}

#[tokio::test]
async fn alternate_keys_address_upsert_and_are_unique() {
    let world = World::start().await;
    let missing = world
        .crm("GET", "new_countries(new_iso2='XX')", &[], None)
        .await;
    assert_eq!((missing.status, missing.code()), (404, "0x80060891"));
    let strict = [("if-match", "*")];
    assert_eq!(
        world
            .crm(
                "PATCH",
                "new_countries(new_iso2='XX')",
                &strict,
                Some(json!({"new_name": "X"}))
            )
            .await
            .code(),
        "0x80060891"
    );
    let made = world
        .crm(
            "PATCH",
            "new_countries(new_iso2='XX')",
            &[REPRESENTATION],
            Some(json!({"new_name": "X"})),
        )
        .await;
    assert_eq!((made.status, &made.body["new_iso2"]), (201, &json!("XX")));
    let again = world
        .crm(
            "PATCH",
            "new_countries(new_iso2='XX')",
            &[REPRESENTATION],
            Some(json!({"new_name": "Y", "new_iso2": "ZZ"})),
        )
        .await;
    assert_eq!(
        (again.status, &again.body["new_iso2"]),
        (200, &json!("XX")),
        "key columns are dropped on update"
    );
    let twin = world
        .crm(
            "POST",
            "new_countries",
            &[],
            Some(json!({"new_name": "X", "new_iso2": "xx"})),
        )
        .await;
    assert_eq!((twin.status, twin.code()), (412, "0x80060892"));
    let undefined = world.crm("GET", "accounts(name='A')", &[], None).await;
    assert_eq!((undefined.status, undefined.code()), (400, "0x80060890"));
    assert_eq!(
        world
            .crm("GET", "accounts(nonsense)", &[], None)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn types_lengths_choices_and_names_are_checked_with_documented_codes() {
    let world = World::start().await;
    for (body, code) in [
        (json!({"name": "x".repeat(301)}), "0x80044331"),
        (json!({"name": 5}), "0x80048d19"),
        (json!({"estimatedvalue": "12k"}), "0x80048d19"),
        (json!({"estimatedvalue": 1e13}), "0x80044330"),
        (json!({"closeprobability": 101}), "0x8004432f"),
        (json!({"opportunityratingcode": 9}), "0x8004431a"),
        (json!({"opportunityratingcode": "Hot"}), "0x80048d19"),
        (
            json!({"estimatedclosedate": "2026-09-30T00:00:00Z"}),
            "0x80048d19",
        ),
        (
            json!({"msft_microsoftpartnercenterreferralsync": "yes"}),
            "0x80048d19",
        ),
        (json!({"nonsense": 1}), "0x80048d19"),
        (json!({"statuscode": 3}), "0x80048408"),
        (json!([1]), "0x80048d19"),
    ] {
        let answer = world
            .crm("POST", "opportunities", &[], Some(body.clone()))
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, code),
            "{body} {}",
            answer.text
        );
    }
    let long = world
        .crm(
            "POST",
            "opportunities",
            &[],
            Some(json!({"name": "x".repeat(301)})),
        )
        .await;
    assert_eq!(
        long.body["error"]["message"],
        "A validation error occurred.  The length of the 'name' attribute of the 'opportunity' entity exceeded the maximum allowed length of '300'."
    );
    assert_eq!(world.control().counts().opportunities, 0);
    assert_eq!(
        world.control().ledger(0).len(),
        0,
        "what was refused is not in the ledger"
    );
}

#[tokio::test]
async fn an_unknown_set_or_segment_is_404() {
    let world = World::start().await;
    for path in ["nonsense", "Accounts", &format!("accounts({NOBODY})/a/b/c")] {
        let answer = world.crm("GET", path, &[], None).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(
        world.crm("GET", "nonsense", &[], None).await.code(),
        "0x8006088a"
    );
}

#[tokio::test]
async fn a_system_required_column_must_not_be_null() {
    let world = World::start().await;
    world
        .create("opportunities", json!({"name": "before"}))
        .await;
    world
        .control()
        .require_column("opportunity", "new_costcentre", true)
        .unwrap();
    let refused = world
        .crm(
            "POST",
            "opportunities",
            &[],
            Some(json!({"name": "without"})),
        )
        .await;
    assert_eq!((refused.status, refused.code()), (400, "0x80072002"));
    assert_eq!(
        refused.body["error"]["message"],
        "Required attribute should not be null. Attribute: new_costcentre"
    );
    let id = world
        .create(
            "opportunities",
            json!({"name": "with", "new_costcentre": "CC-1"}),
        )
        .await;
    let nulled = world
        .crm(
            "PATCH",
            &format!("opportunities({id})"),
            &[],
            Some(json!({"new_costcentre": null})),
        )
        .await;
    assert_eq!(nulled.code(), "0x80072002");
    world
        .control()
        .require_column("opportunity", "new_costcentre", false)
        .unwrap();
    world
        .create("opportunities", json!({"name": "again without"}))
        .await;
}

#[tokio::test]
async fn one_property_can_be_read_set_and_emptied() {
    let world = World::start().await;
    let id = world.create("accounts", json!({"name": "A"})).await;
    let path = format!("accounts({id})/telephone1");
    assert_eq!(world.crm("GET", &path, &[], None).await.status, 204);
    assert_eq!(
        world
            .crm("PUT", &path, &[], Some(json!({"value": "42"})))
            .await
            .status,
        204
    );
    assert_eq!(world.crm("GET", &path, &[], None).await.body["value"], "42");
    assert_eq!(
        world
            .crm("GET", &format!("{path}/$value"), &[], None)
            .await
            .text,
        "42"
    );
    assert_eq!(world.crm("DELETE", &path, &[], None).await.status, 204);
    assert_eq!(world.crm("GET", &path, &[], None).await.status, 204);
}

#[tokio::test]
async fn names_and_composite_addresses_follow_their_parts() {
    let world = World::start().await;
    let contact = world
        .create(
            "contacts",
            json!({"firstname": "Ada", "lastname": "Byron", "fullname": "X"}),
        )
        .await;
    assert_eq!(
        world.control().row("contact", &contact).unwrap()["fullname"],
        "Ada Byron"
    );
    let account = world.create("accounts", json!({"name": "A", "address1_line1": "1 Main St", "address1_city": "Redmond", "address1_postalcode": "98052", "address1_country": "US"})).await;
    assert_eq!(
        world.control().row("account", &account).unwrap()["address1_composite"],
        "1 Main St\r\nRedmond 98052\r\nUS"
    );
}

#[tokio::test]
async fn malformed_json_is_a_payload_error() {
    let world = World::start().await;
    let url = format!("{}/api/data/v9.2/accounts", world.running.urls.dataverse);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &world.running.crm.client_id),
        ("client_secret", &world.running.crm.client_secret),
        ("resource", &world.running.urls.dataverse),
    ];
    let token = world.token("oauth2/token", &form).await.body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let sent = world
        .client
        .post(url)
        .bearer_auth(token)
        .body("{\"name\":")
        .send()
        .await
        .unwrap();
    let answer = super::harness::read(sent).await;
    assert_eq!((answer.status, answer.code()), (400, "0x80048d19"));
}

#[tokio::test]
async fn if_none_match_with_the_current_tag_is_304() {
    let world = World::start().await;
    let path = format!(
        "accounts({})",
        world.create("accounts", json!({"name": "A"})).await
    );
    let etag = world
        .crm("GET", &path, &[], None)
        .await
        .header("etag")
        .to_owned();
    let tag = ("if-none-match", etag.as_str());
    assert_eq!(world.crm("GET", &path, &[tag], None).await.status, 304);
    assert_eq!(
        world
            .crm(
                "GET",
                &format!("{path}?$expand=primarycontactid"),
                &[tag],
                None
            )
            .await
            .status,
        200
    );
}

//! Query functions, pages inside expands, limits of addresses, and annotated errors.

use serde_json::{Value, json};

use super::harness::World;

async fn found(world: &World, filter: &str) -> Vec<String> {
    let path = format!("accounts?$select=name&$orderby=name&$filter={filter}");
    let answer = world.crm("GET", &path, &[], None).await;
    assert_eq!(answer.status, 200, "{filter}: {}", answer.text);
    let rows = answer.body["value"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn query_functions_compare_ranges_lists_dates_and_the_caller() {
    let mut world = World::start().await;
    for (name, staff) in [("A", 1), ("B", 5), ("C", 9)] {
        world
            .create(
                "accounts",
                json!({"name": name, "numberofemployees": staff}),
            )
            .await;
    }
    let crm = "Microsoft.Dynamics.CRM";
    for (filter, names) in [
        (
            format!("{crm}.In(PropertyName='name',PropertyValues=['a','c'])"),
            "A C",
        ),
        (
            format!("{crm}.NotIn(PropertyName='name',PropertyValues=['a','c'])"),
            "B",
        ),
        (
            format!("{crm}.Between(PropertyName='numberofemployees',PropertyValues=['2','9'])"),
            "B C",
        ),
        (
            format!("{crm}.NotBetween(PropertyName='numberofemployees',PropertyValues=['2','9'])"),
            "A",
        ),
        (
            format!("{crm}.LastXDays(PropertyName='modifiedon',PropertyValue=7)"),
            "A B C",
        ),
        (
            format!("{crm}.NextXDays(PropertyName='modifiedon',PropertyValue=7)"),
            "",
        ),
        (
            format!("{crm}.EqualUserId(PropertyName='ownerid')"),
            "A B C",
        ),
        (format!("{crm}.NotEqualUserId(PropertyName='ownerid')"), ""),
        (
            format!("not {crm}.In(PropertyName='name',PropertyValues=['a'])"),
            "B C",
        ),
    ] {
        assert_eq!(found(&world, &filter).await.join(" "), names, "{filter}");
    }
    world.control().advance_ms(8 * 24 * 3_600_000);
    world.sign_in().await;
    assert!(
        found(
            &world,
            "Microsoft.Dynamics.CRM.LastXDays(PropertyName='modifiedon',PropertyValue=7)"
        )
        .await
        .is_empty()
    );
}

#[tokio::test]
async fn string_functions_that_dataverse_lacks_are_refused() {
    let world = World::start().await;
    for call in [
        "tolower(name) eq 'a'",
        "length(name) eq 1",
        "concat(name,'x') eq 'ax'",
        "Microsoft.Dynamics.CRM.Strange(PropertyName='name')",
    ] {
        let path = format!("accounts?$filter={call}");
        let refused = world.crm("GET", &path, &[], None).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "0x80060888"),
            "{call}"
        );
    }
}

#[tokio::test]
async fn an_expanded_collection_has_pages_of_its_own() {
    let world = World::start().await;
    let account = world.create("accounts", json!({"name": "A"})).await;
    for n in 0..5 {
        let bind = format!("/accounts({account})");
        let body =
            json!({"lastname": format!("C{n}"), "parentcustomerid_account@odata.bind": bind});
        world.create("contacts", body).await;
    }
    let sized = [("prefer", "odata.maxpagesize=2")];
    let path = "accounts?$select=name&$expand=contact_customer_accounts($select=lastname;$orderby=lastname;$filter=lastname ne 'C1')";
    let page = world.crm("GET", path, &sized, None).await.body["value"][0].clone();
    let names = |list: &Value| {
        let rows = list.as_array().unwrap().iter();
        rows.map(|row| row["lastname"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&page["contact_customer_accounts"]), ["C0", "C2"]);
    let next = page["contact_customer_accounts@odata.nextLink"]
        .as_str()
        .unwrap();
    let (_, next) = next.split_once("/api/data/v9.2/").unwrap();
    let second = world.crm("GET", next, &sized, None).await;
    assert_eq!(
        names(&second.body["value"]),
        ["C3", "C4"],
        "{}",
        second.text
    );
    assert!(second.body.get("@odata.nextLink").is_none());
}

#[tokio::test]
async fn an_address_may_have_32768_characters_and_twice_as_many_in_a_batch() {
    let world = World::start().await;
    let query = |length: usize| {
        let text = format!(
            "accounts?$select=name&$filter=name eq '{}'",
            "x".repeat(length)
        );
        text.replace(' ', "%20")
    };
    assert_eq!(
        world.crm("GET", &query(32_000), &[], None).await.status,
        200
    );
    assert_eq!(
        world.crm("GET", &query(33_000), &[], None).await.status,
        414
    );
    let batch = |length: usize| {
        format!(
            "--batch_x\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET /api/data/v9.2/{} HTTP/1.1\r\n\r\n\r\n--batch_x--\r\n",
            query(length)
        )
    };
    assert_eq!(world.batch(&[], &batch(60_000)).await.status, 200);
    assert_eq!(world.batch(&[], &batch(66_000)).await.status, 414);
}

#[tokio::test]
async fn errors_carry_annotations_when_they_are_asked_for() {
    let world = World::start().await;
    let path = "accounts?$select=nothing";
    let plain = world.crm("GET", path, &[], None).await;
    assert_eq!(plain.body["error"].as_object().unwrap().len(), 2);
    let all = [("prefer", "odata.include-annotations=\"*\"")];
    let annotated = world.crm("GET", path, &all, None).await;
    let error = &annotated.body["error"];
    assert_eq!(
        error["@Microsoft.PowerApps.CDS.ErrorDetails.HttpStatusCode"],
        "400"
    );
    assert!(error["@Microsoft.PowerApps.CDS.HelpLink"].is_string());
    assert_eq!(error["code"], plain.body["error"]["code"]);
}

#[tokio::test]
async fn the_members_of_enumerations_are_compared_as_words() {
    let world = World::start().await;
    let path = "RelationshipDefinitions?$select=SchemaName&$filter=RelationshipType eq Microsoft.Dynamics.CRM.RelationshipType'ManyToManyRelationship'";
    let found = world.crm("GET", path, &[], None).await;
    assert_eq!(
        found.body["value"][0]["SchemaName"], "contactleads_association",
        "{}",
        found.text
    );
}

#[tokio::test]
async fn collections_tell_the_count_and_the_version_of_metadata_when_annotated() {
    let world = World::start().await;
    world.create("accounts", json!({"name": "A"})).await;
    let all = [("prefer", "odata.include-annotations=\"*\"")];
    let read = async |path: &str| world.crm("GET", path, &all, None).await.body;
    let plain = read("accounts?$select=name").await;
    assert_eq!(plain["@Microsoft.Dynamics.CRM.totalrecordcount"], -1);
    assert_eq!(
        plain["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"],
        false
    );
    let counted = read("accounts?$select=name&$count=true").await;
    assert_eq!(
        (
            counted["@odata.count"].as_i64(),
            counted["@Microsoft.Dynamics.CRM.totalrecordcount"].as_i64()
        ),
        (Some(1), Some(1))
    );
    let version = |body: &Value| {
        body["@Microsoft.Dynamics.CRM.globalmetadataversion"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(version(&plain), version(&counted));
    let column = json!({"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_A"});
    let path = "EntityDefinitions(LogicalName='account')/Attributes";
    assert_eq!(world.crm("POST", path, &[], Some(column)).await.status, 204);
    assert_ne!(
        version(&read("accounts?$select=name").await),
        version(&plain)
    );
}

#[tokio::test]
async fn expand_is_not_honoured_in_the_representation_of_a_patch() {
    let world = World::start().await;
    let id = world
        .create(
            "accounts",
            json!({"name": "A", "primarycontactid": {"lastname": "B"}}),
        )
        .await;
    let path = format!("accounts({id})?$select=name&$expand=primarycontactid($select=lastname)");
    let shown = world.crm("GET", &path, &[], None).await;
    assert_eq!(shown.body["primarycontactid"]["lastname"], "B");
    let patched = world
        .crm(
            "PATCH",
            &path,
            &[super::harness::REPRESENTATION],
            Some(json!({"fax": "1"})),
        )
        .await;
    assert_eq!(
        (patched.status, patched.body["name"].as_str()),
        (200, Some("A"))
    );
    assert!(patched.body.get("primarycontactid").is_none());
}

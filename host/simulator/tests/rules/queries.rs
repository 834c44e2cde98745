//! Queries: filters, pages, expands, counts.

use serde_json::json;

use super::harness::World;

async fn seeded() -> World {
    let world = World::start().await;
    for (name, city, staff) in [
        ("Alpha", "Budapest", 5),
        ("beta 50%", "Berlin", 50),
        ("Gamma", "Budapest", 500),
    ] {
        world
            .create(
                "accounts",
                json!({"name": name, "address1_city": city, "numberofemployees": staff}),
            )
            .await;
    }
    world
}

async fn names(world: &World, query: &str) -> Vec<String> {
    let answer = world
        .crm("GET", &format!("accounts?$select=name&{query}"), &[], None)
        .await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    answer.body["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn filters_compare_text_without_case_and_numbers_as_numbers() {
    let world = seeded().await;
    for (filter, hits) in [
        ("name eq 'ALPHA'", 1),
        ("contains(name,'a')", 3),
        ("startswith(name,'b')", 1),
        ("not endswith(name,'a')", 1),
        ("contains(name,'[%]')", 1),
        ("numberofemployees gt 5 and numberofemployees le 500", 2),
        ("address1_city eq 'budapest' or numberofemployees eq 50", 3),
        ("telephone1 eq null", 3),
        ("telephone1 ne 'x'", 3),
        ("_parentaccountid_value eq null", 3),
        ("statecode eq 0", 3),
        ("createdon ge 2001-01-31T00:00:00Z", 3),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['Alpha','Gamma'])",
            2,
        ),
    ] {
        assert_eq!(
            names(&world, &format!("$filter={}", filter.replace('%', "%25")))
                .await
                .len(),
            hits,
            "{filter}"
        );
    }
    assert_eq!(
        names(&world, "$orderby=numberofemployees desc").await,
        ["Gamma", "beta 50%", "Alpha"]
    );
    assert_eq!(
        names(&world, "$orderby=address1_city asc,name desc&$top=2").await,
        ["beta 50%", "Gamma"]
    );
    assert_eq!(
        names(&world, "$filter=name%20eq%20@p&@p='Gamma'").await,
        ["Gamma"]
    );
    // Some clients encode like a form.
    assert_eq!(
        names(&world, "%24filter=name+eq+%27Gamma%27").await,
        ["Gamma"]
    );
}

#[tokio::test]
async fn filters_reach_through_lookups_and_collections() {
    let world = World::start().await;
    let account = world
        .create(
            "accounts",
            json!({"name": "A", "primarycontactid": {"firstname": "Ada", "lastname": "Byron"}}),
        )
        .await;
    world
        .create(
            "opportunities",
            json!({"name": "O", "customerid_account@odata.bind": format!("/accounts({account})")}),
        )
        .await;
    assert_eq!(
        names(&world, "$filter=primarycontactid/fullname eq 'ada byron'").await,
        ["A"]
    );
    assert_eq!(
        names(
            &world,
            "$filter=opportunity_customer_accounts/any(o:o/statecode eq 0)"
        )
        .await,
        ["A"]
    );
    assert!(
        names(
            &world,
            "$filter=opportunity_customer_accounts/any(o:o/statecode eq 1)"
        )
        .await
        .is_empty()
    );
    assert!(
        names(&world, "$filter=primarycontactid/lastname eq 'x'")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn unknown_names_and_unsupported_options_are_400() {
    let world = World::start().await;
    for query in [
        "$select=nonsense",
        "$select=customerid",
        "$filter=nonsense eq 1",
        "$orderby=nonsense",
        "$expand=nonsense",
        "$filter=name eq",
        "$filter=tolower(name) eq 'a'",
        "$skip=1",
        "$search=x",
        "$format=json",
        "$unknown=1",
        "$expand=parentaccountid($levels=2)",
    ] {
        let answer = world
            .crm("GET", &format!("opportunities?{query}"), &[], None)
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "0x80060888"),
            "{query}"
        );
    }
    let named = world
        .crm("GET", "accounts?$select=nonsense", &[], None)
        .await;
    assert_eq!(
        named.body["error"]["message"],
        "Could not find a property named 'nonsense' on type 'Microsoft.Dynamics.CRM.account'."
    );
}

#[tokio::test]
async fn selecting_money_brings_its_currency() {
    let world = World::start().await;
    let id = world
        .create("opportunities", json!({"name": "O", "estimatedvalue": 1}))
        .await;
    let read = world
        .crm(
            "GET",
            &format!("opportunities({id})?$select=estimatedvalue,description"),
            &[],
            None,
        )
        .await
        .body;
    assert!(read["_transactioncurrencyid_value"].is_string());
    assert!(
        read["description"].is_null() && read.get("description").is_some(),
        "null values are returned"
    );
    assert!(read.get("name").is_none());
}

#[tokio::test]
async fn pages_follow_an_opaque_twice_encoded_cookie() {
    let world = World::start().await;
    for number in 0..5 {
        world
            .create("contacts", json!({"lastname": format!("C{number}")}))
            .await;
    }
    let page = [("prefer", "odata.maxpagesize=2")];
    let mut seen = Vec::new();
    let first = world
        .crm(
            "GET",
            "contacts?$select=lastname&$orderby=lastname&$count=true&$top=1",
            &page,
            None,
        )
        .await;
    assert_eq!(first.header("preference-applied"), "odata.maxpagesize=2");
    assert_eq!(first.body["@odata.count"], 5);
    let mut body = first.body;
    loop {
        seen.extend(
            body["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["lastname"].as_str().unwrap().to_owned()),
        );
        let Some(next) = body["@odata.nextLink"].as_str() else {
            break;
        };
        assert!(
            next.contains("$skiptoken=%3ccookie%20pagenumber%3d%222%22")
                || next.contains("pagenumber%3d%223%22"),
            "{next}"
        );
        assert!(
            next.contains("%2525") || next.contains("%253c"),
            "encoded twice: {next}"
        );
        let path = next.split("/api/data/v9.2/").nth(1).unwrap().to_owned();
        body = world.crm("GET", &path, &page, None).await.body;
    }
    assert_eq!(
        seen,
        ["C0", "C1", "C2", "C3", "C4"],
        "`$top` is ignored when a page size is asked for"
    );
    let broken = world
        .crm("GET", "contacts?$skiptoken=garbage", &page, None)
        .await;
    assert_eq!((broken.status, broken.code()), (400, "0x80060888"));
}

#[tokio::test]
async fn count_segment_is_text_with_a_byte_order_mark() {
    let world = seeded().await;
    let url = format!(
        "{}/api/data/v9.2/accounts/$count",
        world.running.urls.dataverse
    );
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
    let bytes = world
        .client
        .get(url)
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(bytes.as_ref(), b"\xef\xbb\xbf3");
}

#[tokio::test]
async fn annotations_come_only_when_asked_for() {
    let world = World::start().await;
    let account = world.create("accounts", json!({"name": "Fabrikam"})).await;
    let usd = world.currency("USD").await;
    let body = json!({"name": "O", "estimatedvalue": 125_000, "customerid_account@odata.bind": format!("/accounts({account})"),
        "transactioncurrencyid@odata.bind": format!("/transactioncurrencies({usd})")});
    let id = world.create("opportunities", body).await;
    let path = format!("opportunities({id})?$select=estimatedvalue,statecode,_customerid_value");
    let plain = world.crm("GET", &path, &[], None).await.body;
    assert!(
        plain
            .as_object()
            .unwrap()
            .keys()
            .all(|name| name.starts_with('@') || !name.contains('@'))
    );
    let all = world
        .crm(
            "GET",
            &path,
            &[("prefer", "odata.include-annotations=\"*\"")],
            None,
        )
        .await
        .body;
    let formatted =
        |name: &str| all[format!("{name}@OData.Community.Display.V1.FormattedValue")].clone();
    assert_eq!(
        (
            formatted("estimatedvalue"),
            formatted("statecode"),
            formatted("_customerid_value")
        ),
        (json!("$125,000.00"), json!("Open"), json!("Fabrikam"))
    );
    assert_eq!(
        all["_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"],
        "account"
    );
    assert_eq!(
        all["_customerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"],
        "customerid_account"
    );
    let some = world
        .crm(
            "GET",
            &path,
            &[(
                "prefer",
                "odata.include-annotations=\"Microsoft.Dynamics.CRM.*\"",
            )],
            None,
        )
        .await
        .body;
    assert!(
        some.get("statecode@OData.Community.Display.V1.FormattedValue")
            .is_none()
    );
    assert_eq!(
        some["_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"],
        "account"
    );
}

#[tokio::test]
async fn expands_nest_and_are_null_when_unset() {
    let world = World::start().await;
    let account = world
        .create(
            "accounts",
            json!({"name": "A", "primarycontactid": {"lastname": "P"}}),
        )
        .await;
    let opportunity = world
        .create(
            "opportunities",
            json!({"name": "O", "customerid_account@odata.bind": format!("/accounts({account})")}),
        )
        .await;
    world
        .create(
            "msft_partnercentersolutions",
            json!({"msft_name": "Our app", "msft_solutionidentifier": "SOL-12345-ABC",
        "msft_OpportunityId@odata.bind": format!("/opportunities({opportunity})")}),
        )
        .await;
    let query = "?$select=name&$expand=customerid_account($select=name;$expand=primarycontactid($select=fullname)),parentcontactid($select=fullname),msft_opportunity_partnercentersolution($select=msft_solutionidentifier),transactioncurrencyid($select=isocurrencycode)";
    let read = world
        .crm(
            "GET",
            &format!("opportunities({opportunity}){query}"),
            &[],
            None,
        )
        .await
        .body;
    assert_eq!(
        read["customerid_account"]["primarycontactid"]["fullname"],
        "P"
    );
    assert!(read["parentcontactid"].is_null() && read.get("parentcontactid").is_some());
    assert_eq!(
        read["msft_opportunity_partnercentersolution"][0]["msft_solutionidentifier"],
        "SOL-12345-ABC"
    );
    assert_eq!(read["transactioncurrencyid"]["isocurrencycode"], "EUR");
}

#[tokio::test]
async fn rows_that_go_between_pages_shift_nothing() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(
            world
                .create("contacts", json!({"lastname": format!("C{number}")}))
                .await,
        );
    }
    let page = [("prefer", "odata.maxpagesize=2")];
    let first = world
        .crm(
            "GET",
            "contacts?$select=lastname&$orderby=lastname",
            &page,
            None,
        )
        .await
        .body;
    world.control().seller_deletes("contact", &ids[0]).unwrap();
    let next = first["@odata.nextLink"]
        .as_str()
        .unwrap()
        .split("/api/data/v9.2/")
        .nth(1)
        .unwrap()
        .to_owned();
    let second = world.crm("GET", &next, &page, None).await.body;
    assert_eq!(second["value"][0]["lastname"], "C2");
}

#[tokio::test]
async fn what_is_not_built_is_said_to_be_so() {
    let world = World::start().await;
    for query in [
        "accounts?$apply=aggregate($count as n)",
        "accounts?fetchXml=%3Cfetch/%3E",
    ] {
        assert_eq!(
            world.crm("GET", query, &[], None).await.status,
            501,
            "{query}"
        );
    }
}

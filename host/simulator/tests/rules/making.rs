//! Metadata that is made through the API.

use cosell_simulator::{Assumptions, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{Answer, World};

fn label(text: &str) -> Value {
    json!({"@odata.type": "Microsoft.Dynamics.CRM.Label", "LocalizedLabels": [
        {"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": 1033}]})
}

fn column(kind: &str, schema_name: &str, more: Value) -> Value {
    let mut out = json!({"@odata.type": format!("Microsoft.Dynamics.CRM.{kind}AttributeMetadata"), "SchemaName": schema_name,
        "DisplayName": label(schema_name), "RequiredLevel": {"Value": "None"}});
    for (name, value) in more.as_object().unwrap() {
        out[name] = value.clone();
    }
    out
}

async fn post(world: &World, path: &str, body: Value) -> Answer {
    world.crm("POST", path, &[], Some(body)).await
}

async fn makes(world: &World, path: &str, body: Value) -> String {
    let answer = post(world, path, body).await;
    assert_eq!(answer.status, 204, "{path}: {}", answer.text);
    let address = answer.header("odata-entityid").to_owned();
    assert!(address.contains("/api/data/v9.2/"), "{address}");
    address
}

const COLUMNS: &str = "EntityDefinitions(LogicalName='account')/Attributes";

#[tokio::test]
async fn every_kind_of_column_can_be_made_and_holds_its_values() {
    let world = World::start().await;
    let options = json!({"OptionSet": {"Options": [{"Value": 727_000_000, "Label": label("A")}, {"Value": 727_000_001, "Label": label("B")}]}});
    let kinds = [
        ("String", json!({"MaxLength": 5}), json!("abcde")),
        ("Memo", json!({"MaxLength": 50}), json!("long")),
        ("Boolean", json!({"DefaultValue": false}), json!(true)),
        ("Picklist", options.clone(), json!(727_000_001)),
        ("MultiSelectPicklist", options, json!("727000000,727000001")),
        (
            "Money",
            json!({"PrecisionSource": 0, "Precision": 1}),
            json!(1.2),
        ),
        ("Decimal", json!({"Precision": 3}), json!(1.234)),
        ("Double", json!({}), json!(0.5)),
        ("Integer", json!({"MinValue": 1, "MaxValue": 9}), json!(9)),
        (
            "DateTime",
            json!({"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}}),
            json!("2026-01-31"),
        ),
    ];
    let mut body = json!({"name": "A"});
    for (kind, more, value) in &kinds {
        let name = format!("new_{kind}");
        let address = makes(&world, COLUMNS, column(kind, &name, more.clone())).await;
        assert!(address.contains("/Attributes("), "{address}");
        body[name.to_lowercase()] = value.clone();
    }
    let id = world.create("accounts", body).await;
    let row = world.row("account", &id);
    for (kind, _, value) in &kinds {
        assert_eq!(
            row[format!("new_{}", kind.to_lowercase())],
            *value,
            "{kind}"
        );
    }
    let path = format!("accounts({id})");
    for (body, code) in [
        (json!({"new_string": "abcdef"}), "0x80044331"),
        (json!({"new_picklist": 1}), "0x8004431a"),
        (
            json!({"new_multiselectpicklist": "727000000,5"}),
            "0x8004431a",
        ),
        (json!({"new_integer": 10}), "0x8004432f"),
        (
            json!({"new_datetime": "2026-01-31T00:00:00Z"}),
            "0x80048d19",
        ),
    ] {
        world.refuses("PATCH", &path, body, (400, code)).await;
    }
    let annotated = [("prefer", "odata.include-annotations=\"*\"")];
    let select = format!("{path}?$select=new_multiselectpicklist");
    let shown = world.crm("GET", &select, &annotated, None).await;
    assert_eq!(
        shown.body["new_multiselectpicklist@OData.Community.Display.V1.FormattedValue"],
        "A; B"
    );
    let found = "accounts?$select=name&$filter=Microsoft.Dynamics.CRM.ContainValues(PropertyName='new_multiselectpicklist',PropertyValues=['727000001'])";
    let found = world.crm("GET", found, &[], None).await;
    assert_eq!(found.body["value"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_day_of_user_local_behaviour_is_a_point_in_time() {
    let world = World::start().await;
    makes(
        &world,
        COLUMNS,
        column("DateTime", "new_Day", json!({"Format": "DateOnly"})),
    )
    .await;
    world
        .refuses(
            "POST",
            "accounts",
            json!({"name": "A", "new_day": "2026-01-31"}),
            (400, "0x80048d19"),
        )
        .await;
    let id = world
        .create(
            "accounts",
            json!({"name": "A", "new_day": "2026-01-31T22:00:00Z"}),
        )
        .await;
    assert_eq!(world.row("account", &id)["new_day"], "2026-01-31T22:00:00Z");
    let cast = format!(
        "{COLUMNS}(LogicalName='new_day')/Microsoft.Dynamics.CRM.DateTimeAttributeMetadata"
    );
    let told = world.crm("GET", &cast, &[], None).await.body;
    assert_eq!(
        (
            told["Format"].as_str(),
            told["DateTimeBehavior"]["Value"].as_str()
        ),
        (Some("DateOnly"), Some("UserLocal"))
    );
}

fn gadgets() -> Value {
    json!({"@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata", "SchemaName": "new_Gadget", "DisplayName": label("Gadget"),
        "DisplayCollectionName": label("Gadgets"), "OwnershipType": "UserOwned", "IsActivity": false, "ChangeTrackingEnabled": true,
        "Attributes": [column("String", "new_Name", json!({"IsPrimaryName": true, "MaxLength": 200}))]})
}

#[tokio::test]
async fn a_table_is_made_used_and_deleted() {
    let world = World::start().await;
    let address = makes(&world, "EntityDefinitions", gadgets()).await;
    let id = address[address.rfind('(').unwrap()..].to_owned();
    let path = format!(
        "EntityDefinitions{id}?$select=LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,IsCustomEntity"
    );
    let told = world.crm("GET", &path, &[], None).await.body;
    assert_eq!(
        (
            told["EntitySetName"].as_str(),
            told["PrimaryIdAttribute"].as_str()
        ),
        (Some("new_gadgets"), Some("new_gadgetid"))
    );
    let row = world.create("new_gadgets", json!({"new_name": "G"})).await;
    assert_eq!(world.row("new_gadget", &row)["statecode"], 0);
    let twice = post(&world, "EntityDefinitions", gadgets()).await;
    assert_eq!(twice.status, 400);
    assert!(twice.text.contains("already exists"), "{}", twice.text);
    let filters = "sdkmessagefilters?$select=sdkmessagefilterid&$filter=primaryobjecttypecode eq 'new_gadget'";
    let filters = world.crm("GET", filters, &[], None).await;
    assert!(
        filters.body["value"].as_array().unwrap().len() > 3,
        "steps can be registered for it"
    );
    let gone = world
        .crm("DELETE", &format!("EntityDefinitions{id}"), &[], None)
        .await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    let after = world.crm("GET", "new_gadgets", &[], None).await;
    assert_eq!((after.status, after.code()), (404, "0x8006088a"));
    let standard = world
        .crm(
            "DELETE",
            "EntityDefinitions(LogicalName='account')",
            &[],
            None,
        )
        .await;
    assert_eq!(standard.status, 400, "a standard table stays");
}

#[tokio::test]
async fn a_lookup_is_made_with_its_relationship_and_keeps_its_casing() {
    let world = World::start().await;
    let body = json!({"@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", "SchemaName": "new_account_lead_partner",
        "ReferencedEntity": "account", "ReferencedAttribute": "accountid", "ReferencingEntity": "lead",
        "Lookup": column("Lookup", "new_PartnerId", json!({}))});
    let address = makes(&world, "RelationshipDefinitions", body.clone()).await;
    assert!(address.contains("RelationshipDefinitions("), "{address}");
    assert_eq!(
        post(&world, "RelationshipDefinitions", body).await.status,
        400
    );
    let names = "EntityDefinitions(LogicalName='lead')/ManyToOneRelationships?$select=ReferencingEntityNavigationPropertyName&$filter=SchemaName eq 'new_account_lead_partner'";
    let names = world.crm("GET", names, &[], None).await;
    assert_eq!(
        names.body["value"][0]["ReferencingEntityNavigationPropertyName"],
        "new_PartnerId"
    );
    let account = world.create("accounts", json!({"name": "P"})).await;
    let bind = format!("/accounts({account})");
    let lead = world
        .create(
            "leads",
            json!({"lastname": "L", "new_PartnerId@odata.bind": bind}),
        )
        .await;
    assert_eq!(
        world.row("lead", &lead)["_new_partnerid_value"],
        account.as_str()
    );
    let wrong = json!({"lastname": "L", "new_partnerid@odata.bind": bind});
    world
        .refuses("POST", "leads", wrong, (400, "0x80048d19"))
        .await;
    let deleted = world
        .crm(
            "DELETE",
            "RelationshipDefinitions(SchemaName='new_account_lead_partner')",
            &[],
            None,
        )
        .await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    let gone = world
        .crm(
            "GET",
            &format!("leads({lead})?$select=_new_partnerid_value"),
            &[],
            None,
        )
        .await;
    assert_eq!((gone.status, gone.code()), (400, "0x80060888"));
}

#[tokio::test]
async fn a_polymorphic_lookup_has_a_navigation_property_for_each_table() {
    let world = World::start().await;
    let to = |table: &str| json!({"SchemaName": format!("new_lead_{table}_broker"), "ReferencingEntity": "lead", "ReferencedEntity": table});
    let body = json!({"OneToManyRelationships": [to("account"), to("contact")], "Lookup": column("Lookup", "new_Broker", json!({}))});
    let made = post(&world, "CreateCustomerRelationships", body.clone()).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(made.body["RelationshipIds"].as_array().unwrap().len(), 2);
    assert_eq!(
        post(&world, "CreateCustomerRelationships", body)
            .await
            .status,
        400
    );
    let account = world.create("accounts", json!({"name": "A"})).await;
    let contact = world.create("contacts", json!({"lastname": "C"})).await;
    let bind = format!("/accounts({account})");
    let lead = world
        .create(
            "leads",
            json!({"lastname": "L", "new_Broker_account@odata.bind": bind}),
        )
        .await;
    assert_eq!(
        world.row("lead", &lead)["_new_broker_value"],
        account.as_str()
    );
    let other = json!({"new_Broker_contact@odata.bind": format!("/contacts({contact})")});
    world
        .crm("PATCH", &format!("leads({lead})"), &[], Some(other))
        .await;
    assert_eq!(
        world.row("lead", &lead)["_new_broker_value"],
        contact.as_str(),
        "setting one clears the other"
    );
    let cast = "EntityDefinitions(LogicalName='lead')/Attributes(LogicalName='new_broker')/Microsoft.Dynamics.CRM.LookupAttributeMetadata?$select=Targets,AttributeType";
    let told = world.crm("GET", cast, &[], None).await.body;
    assert_eq!(
        (told["Targets"].clone(), told["AttributeType"].as_str()),
        (json!(["account", "contact"]), Some("Customer"))
    );
}

#[tokio::test]
async fn a_many_to_many_relationship_connects_rows_as_soon_as_it_is_made() {
    let world = World::start().await;
    let body = json!({"@odata.type": "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata", "SchemaName": "new_lead_account",
        "Entity1LogicalName": "lead", "Entity2LogicalName": "account", "IntersectEntityName": "new_lead_account"});
    makes(&world, "RelationshipDefinitions", body).await;
    let account = world.create("accounts", json!({"name": "P"})).await;
    let lead = world.create("leads", json!({"lastname": "L"})).await;
    let link = json!({"@odata.id": format!("{}/api/data/v9.2/accounts({account})", world.running.urls.dataverse)});
    let path = format!("leads({lead})/new_lead_account/$ref");
    assert_eq!(post(&world, &path, link).await.status, 204);
    let linked = world.control().linked("lead", &lead, "new_lead_account");
    assert_eq!(linked, [account]);
}

#[tokio::test]
async fn global_choices_serve_several_columns() {
    let world = World::start().await;
    let body = json!({"@odata.type": "Microsoft.Dynamics.CRM.OptionSetMetadata", "Name": "new_mood", "OptionSetType": "Picklist",
        "Options": [{"Value": 727_000_000, "Label": label("Calm")}]});
    makes(&world, "GlobalOptionSetDefinitions", body).await;
    for table in ["account", "lead"] {
        let bind =
            json!({"GlobalOptionSet@odata.bind": "/GlobalOptionSetDefinitions(Name='new_mood')"});
        let path = format!("EntityDefinitions(LogicalName='{table}')/Attributes");
        makes(&world, &path, column("Picklist", "new_Mood", bind)).await;
        let cast = format!(
            "{path}/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$select=LogicalName&$filter=LogicalName eq 'new_mood'&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"
        );
        let held = world.crm("GET", &cast, &[], None).await.body["value"][0].clone();
        assert!(held["OptionSet"].is_null(), "{held}");
        let first = &held["GlobalOptionSet"]["Options"][0];
        assert_eq!(first["Label"]["UserLocalizedLabel"]["Label"], "Calm");
    }
    let choice = "GlobalOptionSetDefinitions(Name='new_mood')";
    let used = world.crm("DELETE", choice, &[], None).await;
    assert_eq!((used.status, used.code()), (405, "0x80040227"));
    for table in ["account", "lead"] {
        let path =
            format!("EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='new_mood')");
        assert_eq!(world.crm("DELETE", &path, &[], None).await.status, 204);
    }
    assert_eq!(world.crm("DELETE", choice, &[], None).await.status, 204);
    assert_eq!(world.crm("GET", choice, &[], None).await.status, 404);
    let nowhere = json!({"GlobalOptionSet@odata.bind": "/GlobalOptionSetDefinitions(Name='none')"});
    let refused = post(&world, COLUMNS, column("Picklist", "new_None", nowhere)).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn metadata_is_put_whole_and_tracking_cannot_be_switched_off() {
    let world = World::start().await;
    let mut body = gadgets();
    body["ChangeTrackingEnabled"] = json!(false);
    makes(&world, "EntityDefinitions", body).await;
    let tracked = [("prefer", "odata.track-changes")];
    let path = "new_gadgets?$select=new_name";
    let refused = world.crm("GET", path, &tracked, None).await;
    assert_eq!((refused.status, refused.code()), (400, "0x80072491"));
    let table = "EntityDefinitions(LogicalName='new_gadget')";
    let set = |on: bool| Some(json!({"ChangeTrackingEnabled": on}));
    assert_eq!(world.crm("PUT", table, &[], set(true)).await.status, 204);
    assert_eq!(
        world.crm("POST", "PublishAllXml", &[], None).await.status,
        204
    );
    assert_eq!(world.crm("GET", path, &tracked, None).await.status, 200);
    assert_eq!(world.crm("PUT", table, &[], set(false)).await.status, 400);
    assert_eq!(world.crm("PATCH", table, &[], set(true)).await.status, 405);
    let column = format!("{table}/Attributes(LogicalName='new_name')");
    let longer = json!({"MaxLength": 3, "DisplayName": label("Title"), "RequiredLevel": {"Value": "ApplicationRequired"}});
    assert_eq!(
        world.crm("PUT", &column, &[], Some(longer)).await.status,
        204
    );
    world
        .refuses(
            "POST",
            "new_gadgets",
            json!({"new_name": "long"}),
            (400, "0x80044331"),
        )
        .await;
}

#[tokio::test]
async fn names_need_a_prefix_and_what_is_leant_on_stays() {
    let world = World::start().await;
    for name in [
        "Plain",
        "_x",
        "x_Short",
        "new_",
        "new_ü",
        "thisprefixistoolong_A",
    ] {
        let refused = post(&world, COLUMNS, column("String", name, json!({}))).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "0x80040203"),
            "{name}"
        );
    }
    for body in [
        json!({}),
        json!([]),
        json!({"SchemaName": 5}),
        column("Strange", "new_A", json!({})),
    ] {
        let refused = post(&world, COLUMNS, body).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "0x80048d19"),
            "{}",
            refused.text
        );
    }
    let too_long = column("String", "new_A", json!({"MaxLength": 4_001}));
    assert_eq!(post(&world, COLUMNS, too_long).await.status, 400);
    let leant_on =
        "EntityDefinitions(LogicalName='new_country')/Attributes(LogicalName='new_iso2')";
    let refused = world.crm("DELETE", leant_on, &[], None).await;
    assert_eq!(
        (refused.status, refused.code()),
        (405, "0x80040227"),
        "a key stands on it"
    );
    let standard = format!("{COLUMNS}(LogicalName='name')");
    assert_eq!(world.crm("DELETE", &standard, &[], None).await.status, 400);
}

#[tokio::test]
async fn a_change_set_makes_all_of_its_metadata_or_none() {
    let world = World::start().await;
    let item = |id: u32, body: &Value| {
        format!(
            "--cs\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}\r\n\r\nPOST /api/data/v9.2/{COLUMNS} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}\r\n"
        )
    };
    let (good, bad) = (
        column("String", "new_Kept", json!({})),
        column("String", "Bad", json!({})),
    );
    let body = format!(
        "--batch_x\r\nContent-Type: multipart/mixed; boundary=cs\r\n\r\n{}{}--cs--\r\n--batch_x--\r\n",
        item(1, &good),
        item(2, &bad)
    );
    assert_eq!(world.batch(&[], &body).await.status, 400);
    let held = world
        .crm(
            "GET",
            &format!("{COLUMNS}(LogicalName='new_kept')"),
            &[],
            None,
        )
        .await;
    assert_eq!(held.status, 404, "{}", held.text);
}

#[tokio::test]
async fn other_servers_may_hear_of_metadata_half_a_minute_later_unless_consistency_is_strong() {
    let world = World::with(SimulatorConfig {
        tls: false,
        assumptions: Assumptions {
            metadata_lags: true,
            ..Assumptions::default()
        },
        ..SimulatorConfig::demo()
    })
    .await;
    makes(&world, COLUMNS, column("String", "new_Late", json!({}))).await;
    let read = async |headers: &[(&str, &str)]| {
        let path = "accounts?$select=new_late";
        world.crm("GET", path, headers, None).await.status
    };
    assert_eq!(read(&[]).await, 400);
    assert_eq!(read(&[("consistency", "Strong")]).await, 200);
    world.control().advance_ms(31_000);
    assert_eq!(read(&[]).await, 200);
}

//! Rows that belong to many: further contacts, the sales team, child tables of an organisation's own.

use cosell_simulator::{ColumnConfig, ColumnKind, ManyConfig, SimulatorConfig, TableConfig};
use serde_json::{Value, json};

use super::harness::{Receiver, World};
use super::webhooks::{endpoint, header_secret, step};

const CONTACTS: &str = "new_Opportunity_Contact";

fn column(schema_name: &str, kind: ColumnKind) -> ColumnConfig {
    ColumnConfig {
        schema_name: schema_name.to_owned(),
        kind,
        required: false,
    }
}

fn many(schema_name: &str, first: &str, second: &str) -> ManyConfig {
    ManyConfig {
        schema_name: schema_name.to_owned(),
        first: first.to_owned(),
        second: second.to_owned(),
    }
}

/// Further contacts by a many-to-many relationship, the sales team by a child table.
fn configured() -> SimulatorConfig {
    let lookup = |target: &str| ColumnKind::Lookup {
        target: target.to_owned(),
    };
    SimulatorConfig {
        tls: false,
        tables: vec![TableConfig {
            schema_name: "new_SalesTeam".to_owned(),
            entity_set: "new_salesteams".to_owned(),
            primary_name: "new_name".to_owned(),
            columns: vec![
                column("new_Name", ColumnKind::Text { max_length: 100 }),
                column("new_OpportunityId", lookup("opportunity")),
                column("new_UserId", lookup("systemuser")),
            ],
            keys: Vec::new(),
        }],
        relationships: vec![many(CONTACTS, "opportunity", "contact")],
        ..SimulatorConfig::default()
    }
}

fn names(list: &Value, column: &str) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|row| row[column].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_child_table_hangs_from_the_opportunity_by_its_lookup() {
    let world = World::with(configured()).await;
    let deal = world.create("opportunities", json!({"name": "O"})).await;
    let seller = world.running.crm.seller_id.clone();
    let member = json!({"new_name": "Sally", "new_OpportunityId@odata.bind": format!("/opportunities({deal})"),
        "new_UserId@odata.bind": format!("/systemusers({seller})")});
    let member = world.create("new_salesteams", member).await;
    let relations = world
        .crm(
            "GET",
            "EntityDefinitions(LogicalName='new_salesteam')/ManyToOneRelationships?$select=ReferencingAttribute,ReferencingEntityNavigationPropertyName,ReferencedEntityNavigationPropertyName",
            &[],
            None,
        )
        .await
        .body;
    let relation = relations["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|relation| relation["ReferencingAttribute"] == "new_opportunityid")
        .unwrap();
    let collection = relation["ReferencedEntityNavigationPropertyName"]
        .as_str()
        .unwrap();
    let path = format!(
        "opportunities({deal})?$select=name&$expand={collection}($select=new_name;$expand=new_UserId($select=fullname))"
    );
    let read = world.crm("GET", &path, &[], None).await.body;
    assert_eq!(read[collection][0]["new_name"], "Sally");
    assert_eq!(
        read[collection][0]["new_UserId"]["fullname"],
        "Sally Seller"
    );
    let gone = world
        .crm("DELETE", &format!("new_salesteams({member})"), &[], None)
        .await;
    assert_eq!(gone.status, 204);
    let read = world.crm("GET", &path, &[], None).await.body;
    assert_eq!(read[collection], json!([]));
}

#[tokio::test]
async fn a_many_to_many_relationship_is_read_linked_and_unlinked_from_both_sides() {
    let world = World::with(configured()).await;
    let deal = world.create("opportunities", json!({"name": "O"})).await;
    let contact = world.create("contacts", json!({"lastname": "B"})).await;
    let told = world
        .crm(
            "GET",
            "EntityDefinitions(LogicalName='opportunity')/ManyToManyRelationships?$select=SchemaName,IntersectEntityName,Entity1LogicalName,Entity2NavigationPropertyName",
            &[],
            None,
        )
        .await
        .body;
    assert_eq!(told["value"][0]["SchemaName"], CONTACTS);
    let from_deal = format!("opportunities({deal})/{CONTACTS}");
    let url = format!(
        "{}/api/data/v9.2/contacts({contact})",
        world.running.urls.dataverse
    );
    let link = Some(json!({ "@odata.id": url }));
    let before = world.row("opportunity", &deal)["versionnumber"].clone();
    let path = format!("{from_deal}/$ref");
    let linked = world.crm("POST", &path, &[], link.clone()).await;
    assert_eq!(linked.status, 204);
    let again = world.crm("POST", &path, &[], link).await;
    assert_eq!((again.status, again.code()), (412, "0x80040237"));
    assert_eq!(
        world.row("opportunity", &deal)["versionnumber"],
        before,
        "a link changes no row"
    );
    let expanded =
        format!("opportunities({deal})?$select=name&$expand={CONTACTS}($select=fullname)");
    let read = world.crm("GET", &expanded, &[], None).await.body;
    assert_eq!(names(&read[CONTACTS], "fullname"), ["B"]);
    let other_way = format!("contacts({contact})/{CONTACTS}?$select=name");
    let read = world.crm("GET", &other_way, &[], None).await.body;
    assert_eq!(names(&read["value"], "name"), ["O"]);
    let path = format!("{from_deal}({contact})/$ref");
    for _ in 0..2 {
        assert_eq!(world.crm("DELETE", &path, &[], None).await.status, 204);
    }
    let read = world.crm("GET", &expanded, &[], None).await.body;
    assert_eq!(read[CONTACTS], json!([]));
    let nobody = json!({"@odata.id": "contacts(0a0a0a0a-0000-4000-8000-00000000dead)"});
    world
        .refuses(
            "POST",
            &format!("{from_deal}/$ref"),
            nobody,
            (404, "0x80040217"),
        )
        .await;
}

#[tokio::test]
async fn links_are_told_as_associate_and_disassociate() {
    let world = World::with(configured()).await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Associate", "", None).await;
    step(&world, &endpoint, "Disassociate", "", None).await;
    let deal = world.create("opportunities", json!({"name": "O"})).await;
    let contact = world.create("contacts", json!({"lastname": "B"})).await;
    let control = world.control();
    control
        .seller_associates("opportunity", &deal, CONTACTS, &contact)
        .unwrap();
    let told = receiver.next().await.body;
    assert_eq!(
        (
            told["MessageName"].as_str(),
            told["PrimaryEntityId"].as_str()
        ),
        (Some("Associate"), Some(deal.as_str()))
    );
    let input = told["InputParameters"].as_array().unwrap();
    assert_eq!(input[1]["value"]["SchemaName"], CONTACTS);
    assert_eq!(input[2]["value"][0]["Id"], contact.as_str());
    control
        .seller_disassociates("opportunity", &deal, CONTACTS, &contact)
        .unwrap();
    assert_eq!(receiver.next().await.body["MessageName"], "Disassociate");
    for (relationship, other) in [
        ("nonsense", &contact),
        (CONTACTS, &deal),
        ("ownerid", &contact),
    ] {
        assert!(
            control
                .seller_associates("opportunity", &deal, relationship, other)
                .is_err()
        );
    }
}

#[tokio::test]
async fn a_merge_moves_links_too() {
    let mut config = configured();
    config
        .relationships
        .push(many("new_Account_Campaign", "account", "campaign"));
    let world = World::with(config).await;
    let control = world.control();
    let [winner, loser] = [
        world.create("accounts", json!({"name": "Kept"})).await,
        world.create("accounts", json!({"name": "Gone"})).await,
    ];
    let campaign = world.create("campaigns", json!({"name": "Spring"})).await;
    control
        .seller_associates("account", &loser, "new_Account_Campaign", &campaign)
        .unwrap();
    control.seller_merges("account", &winner, &loser).unwrap();
    let path = format!("campaigns({campaign})/new_Account_Campaign?$select=name");
    let read = world.crm("GET", &path, &[], None).await.body;
    assert_eq!(names(&read["value"], "name"), ["Kept"]);
}

#[tokio::test]
async fn a_relationship_that_leads_nowhere_is_a_mistake_of_the_configuration() {
    for (first, second) in [("opportunity", "moon"), ("contact", "contact")] {
        let config = SimulatorConfig {
            tls: false,
            relationships: vec![many("new_Bad", first, second)],
            ..SimulatorConfig::default()
        };
        let error = cosell_simulator::Simulator::start(config)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("new_Bad"), "{error}");
    }
}

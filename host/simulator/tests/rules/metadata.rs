//! Metadata that is read: tables, columns, choices, relationships.

use serde_json::json;

use super::harness::World;

#[tokio::test]
async fn a_table_tells_its_set_keys_and_names() {
    let world = World::start().await;
    let path = "EntityDefinitions(LogicalName='opportunity')?$select=EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,ObjectTypeCode,ChangeTrackingEnabled,IsOptimisticConcurrencyEnabled";
    let table = world.crm("GET", path, &[], None).await.body;
    assert_eq!(
        (
            table["EntitySetName"].as_str(),
            table["PrimaryIdAttribute"].as_str()
        ),
        (Some("opportunities"), Some("opportunityid"))
    );
    assert_eq!(
        (
            table["ObjectTypeCode"].as_i64(),
            table["ChangeTrackingEnabled"].as_bool()
        ),
        (Some(3), Some(true))
    );
    let custom = world
        .crm(
            "GET",
            "EntityDefinitions?$select=EntitySetName&$filter=LogicalName eq 'new_country'",
            &[],
            None,
        )
        .await
        .body;
    assert_eq!(custom["value"][0]["EntitySetName"], "new_countries");
    assert_eq!(
        world
            .crm(
                "GET",
                "EntityDefinitions(LogicalName='nonsense')",
                &[],
                None
            )
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn columns_tell_type_requirement_and_validity() {
    let world = World::start().await;
    let path = "EntityDefinitions(LogicalName='opportunity')/Attributes?$select=LogicalName,SchemaName,AttributeType,RequiredLevel,IsValidForCreate,IsValidForUpdate,IsValidForRead";
    let columns = world.crm("GET", path, &[], None).await.body;
    let find = |name: &str| {
        columns["value"]
            .as_array()
            .unwrap()
            .iter()
            .find(|held| held["LogicalName"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (
            find("name")["AttributeType"].as_str(),
            find("name")["RequiredLevel"]["Value"].as_str()
        ),
        (Some("String"), Some("ApplicationRequired"))
    );
    assert_eq!(find("customerid")["AttributeType"], "Customer");
    assert_eq!(find("ownerid")["AttributeType"], "Owner");
    assert_eq!(find("estimatedvalue_base")["IsValidForUpdate"], false);
    assert_eq!(find("new_costcentre")["SchemaName"], "new_CostCentre");
    let cast_needed = "EntityDefinitions(LogicalName='opportunity')/Attributes(LogicalName='name')?$select=MaxLength";
    assert_eq!(
        world.crm("GET", cast_needed, &[], None).await.status,
        400,
        "special properties need a cast"
    );
}

#[tokio::test]
async fn casts_tell_lengths_precision_dates_and_targets() {
    let world = World::start().await;
    let special = async |column: &str, class: &str, select: &str| {
        let path = format!(
            "EntityDefinitions(LogicalName='opportunity')/Attributes(LogicalName='{column}')/Microsoft.Dynamics.CRM.{class}?$select={select}"
        );
        world.crm("GET", &path, &[], None).await.body
    };
    assert_eq!(
        special("name", "StringAttributeMetadata", "MaxLength").await["MaxLength"],
        300
    );
    assert_eq!(
        special("description", "MemoAttributeMetadata", "MaxLength").await["MaxLength"],
        2000
    );
    assert_eq!(
        special(
            "estimatedvalue",
            "MoneyAttributeMetadata",
            "Precision,PrecisionSource,MaxValue"
        )
        .await["PrecisionSource"],
        2
    );
    assert_eq!(
        special(
            "estimatedclosedate",
            "DateTimeAttributeMetadata",
            "Format,DateTimeBehavior"
        )
        .await["DateTimeBehavior"]["Value"],
        "DateOnly"
    );
    assert_eq!(
        special("customerid", "LookupAttributeMetadata", "Targets").await["Targets"],
        json!(["account", "contact"])
    );
    assert_eq!(
        special(
            "closeprobability",
            "IntegerAttributeMetadata",
            "MinValue,MaxValue"
        )
        .await["MaxValue"],
        100
    );
}

#[tokio::test]
async fn choices_come_with_the_expanded_option_set() {
    let world = World::start().await;
    let root = "EntityDefinitions(LogicalName='opportunity')/Attributes";
    let all = world.crm("GET", &format!("{root}/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"), &[], None).await.body;
    let rating = all["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|held| held["LogicalName"] == "opportunityratingcode")
        .unwrap();
    assert_eq!(rating["OptionSet"]["Options"][0]["Value"], 1);
    assert_eq!(
        rating["OptionSet"]["Options"][0]["Label"]["UserLocalizedLabel"]["Label"],
        "Hot"
    );
    let status = world.crm("GET", &format!("{root}(LogicalName='statuscode')/Microsoft.Dynamics.CRM.StatusAttributeMetadata?$select=LogicalName&$expand=OptionSet"), &[], None).await.body;
    let lost: Vec<i64> = status["OptionSet"]["Options"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|o| o["State"] == 2)
        .map(|o| o["Value"].as_i64().unwrap())
        .collect();
    assert_eq!(lost, [4, 5]);
    let state = world.crm("GET", &format!("{root}/Microsoft.Dynamics.CRM.StateAttributeMetadata?$select=LogicalName&$expand=OptionSet"), &[], None).await.body;
    assert_eq!(
        state["value"][0]["OptionSet"]["Options"][1]["DefaultStatus"],
        3
    );
}

#[tokio::test]
async fn relationships_tell_the_names_for_binds() {
    let world = World::start().await;
    let path = "EntityDefinitions(LogicalName='account')/ManyToOneRelationships?$select=ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName,ReferencedEntityNavigationPropertyName,SchemaName";
    let relations = world.crm("GET", path, &[], None).await.body;
    let country = relations["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|held| held["ReferencingAttribute"] == "new_countryid")
        .unwrap();
    assert_eq!(
        country["ReferencingEntityNavigationPropertyName"],
        "new_CountryId"
    );
    let children = world
        .crm(
            "GET",
            "EntityDefinitions(LogicalName='account')/OneToManyRelationships",
            &[],
            None,
        )
        .await
        .body;
    assert!(
        children["value"]
            .as_array()
            .unwrap()
            .iter()
            .any(|held| held["SchemaName"] == "opportunity_customer_accounts")
    );
    let many = world
        .crm(
            "GET",
            "EntityDefinitions(LogicalName='lead')/ManyToManyRelationships",
            &[],
            None,
        )
        .await
        .body;
    assert_eq!(many["value"][0]["IntersectEntityName"], "contactleads");
    let keys = world.crm("GET", "EntityDefinitions(LogicalName='new_country')/Keys?$select=SchemaName,KeyAttributes,EntityKeyIndexStatus", &[], None).await.body;
    assert_eq!(
        (
            &keys["value"][0]["KeyAttributes"],
            &keys["value"][0]["EntityKeyIndexStatus"]
        ),
        (&json!(["new_iso2"]), &json!("Active"))
    );
    let whole = world.crm("GET", "EntityDefinitions(LogicalName='new_country')?$select=LogicalName&$expand=Attributes($select=LogicalName;$filter=LogicalName eq 'new_name'),Keys,ManyToOneRelationships", &[], None).await.body;
    assert_eq!(whole["Attributes"].as_array().unwrap().len(), 1);
    assert_eq!(whole["Keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_csdl_document_tells_every_set_type_and_navigation() {
    let world = World::start().await;
    let answer = world.crm("GET", "$metadata", &[], None).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/xml")
    );
    for part in [
        r#"<EntitySet Name="opportunities" EntityType="Microsoft.Dynamics.CRM.opportunity" />"#,
        r#"<Property Name="estimatedclosedate" Type="Edm.Date" />"#,
        r#"<Property Name="_customerid_value" Type="Edm.Guid" />"#,
        r#"<NavigationProperty Name="customerid_account" Type="mscrm.account" />"#,
        r#"<NavigationProperty Name="opportunity_customer_accounts" Type="Collection(mscrm.opportunity)" />"#,
    ] {
        assert!(answer.text.contains(part), "{part}");
    }
    assert!(
        !answer.text.contains(r#"Name="authvalue""#),
        "a secret is no property"
    );
}

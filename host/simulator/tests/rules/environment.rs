//! Environment variables, and functions that take no row.

use serde_json::json;

use super::harness::World;

#[tokio::test]
async fn an_environment_variable_is_its_value_row_or_else_its_default() {
    let world = World::start().await;
    let body = json!({"schemaname": "new_Mode", "displayname": "Mode", "type": 100_000_000, "defaultvalue": "calm"});
    let definition = world.create("environmentvariabledefinitions", body).await;
    let read = async || {
        let path = "RetrieveEnvironmentVariableValue(DefinitionSchemaName='new_Mode')";
        world.crm("GET", path, &[], None).await.body["Value"].clone()
    };
    assert_eq!(read().await, "calm");
    let bind = format!("/environmentvariabledefinitions({definition})");
    let own = json!({"schemaname": "new_Mode", "value": "lively", "EnvironmentVariableDefinitionId@odata.bind": bind});
    world.create("environmentvariablevalues", own).await;
    assert_eq!(read().await, "lively");
    let query = "environmentvariabledefinitions?$filter=schemaname eq 'new_Mode'&$select=defaultvalue,type&$expand=environmentvariabledefinition_environmentvariablevalue($select=value)";
    let row = world.crm("GET", query, &[], None).await.body["value"][0].clone();
    assert_eq!(
        (
            row["defaultvalue"].as_str(),
            row["environmentvariabledefinition_environmentvariablevalue"][0]["value"].as_str()
        ),
        (Some("calm"), Some("lively"))
    );
    let aliased = "RetrieveEnvironmentVariableValue(DefinitionSchemaName=@name)?@name='new_Mode'";
    assert_eq!(
        world.crm("GET", aliased, &[], None).await.body["Value"],
        "lively"
    );
    let none = "RetrieveEnvironmentVariableValue(DefinitionSchemaName='new_None')";
    let none = world.crm("GET", none, &[], None).await;
    assert_eq!((none.status, none.code()), (404, "0x80040217"));
}

#[tokio::test]
async fn the_total_record_count_is_told_for_each_table() {
    let world = World::start().await;
    world.create("accounts", json!({"name": "A"})).await;
    let path = "RetrieveTotalRecordCount(EntityNames=['account','lead'])";
    let told = world.crm("GET", path, &[], None).await.body["EntityRecordCountCollection"].clone();
    assert_eq!(
        (told["Keys"].clone(), told["Values"].clone()),
        (json!(["account", "lead"]), json!([1, 0]))
    );
    let none = world
        .crm(
            "GET",
            "RetrieveTotalRecordCount(EntityNames=['none'])",
            &[],
            None,
        )
        .await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn publishing_needs_its_parameter_and_answers_204() {
    let world = World::start().await;
    let xml = json!({"ParameterXml": "<importexportxml><entities><entity>lead</entity></entities></importexportxml>"});
    assert_eq!(
        world.crm("POST", "PublishXml", &[], Some(xml)).await.status,
        204
    );
    world
        .refuses("POST", "PublishXml", json!({}), (400, "0x80048d19"))
        .await;
}

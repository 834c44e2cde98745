//! Closing and reopening.

use cosell_simulator::{Assumptions, SimulatorConfig, StatusConfig};
use serde_json::{Value, json};

use super::harness::{Answer, REPRESENTATION, World};

async fn close(world: &World, action: &str, id: &str, status: i64) -> Answer {
    let body = json!({"Status": status, "OpportunityClose": {"subject": "done", "opportunityid@odata.bind": format!("/opportunities({id})"),
        "actualrevenue": 120_000, "actualend": "2026-09-30T10:00:00Z"}});
    world.crm("POST", action, &[], Some(body)).await
}

#[tokio::test]
async fn win_closes_and_records_a_close_row() {
    let world = World::start().await;
    let id = world
        .create("opportunities", json!({"name": "O", "statecode": 1}))
        .await;
    assert_eq!(
        world.control().row("opportunity", &id).unwrap()["statecode"],
        0,
        "always created open"
    );
    let answer = close(&world, "WinOpportunity", &id, 3).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let row = world.control().row("opportunity", &id).unwrap();
    assert_eq!(
        (row["statecode"].as_i64(), row["statuscode"].as_i64()),
        (Some(1), Some(3))
    );
    assert_eq!(
        (row["actualvalue"].as_f64(), row["actualclosedate"].as_str()),
        (Some(120_000.0), Some("2026-09-30"))
    );
    let closes = world.control().rows("opportunityclose");
    assert_eq!(
        (closes.len(), closes[0]["_opportunityid_value"].as_str()),
        (1, Some(id.as_str()))
    );
    let again = close(&world, "WinOpportunity", &id, 3).await;
    assert_eq!((again.status, again.code()), (400, "0x80040515"));
}

#[tokio::test]
async fn minus_one_is_the_default_status_and_a_foreign_status_is_refused() {
    let world = World::start().await;
    let id = world.create("opportunities", json!({"name": "O"})).await;
    assert_eq!(
        close(&world, "LoseOpportunity", &id, 3).await.code(),
        "0x80048408"
    );
    assert_eq!(
        close(&world, "WinOpportunity", &id, 99).await.code(),
        "0x80048408"
    );
    assert_eq!(close(&world, "LoseOpportunity", &id, -1).await.status, 204);
    assert_eq!(
        world.control().row("opportunity", &id).unwrap()["statuscode"],
        4
    );
    let nobody = close(
        &world,
        "LoseOpportunity",
        "0a0a0a0a-0000-4000-8000-00000000dead",
        -1,
    )
    .await;
    assert_eq!((nobody.status, nobody.code()), (404, "0x80040217"));
}

#[tokio::test]
async fn patching_statecode_to_won_is_refused() {
    let world = World::start().await;
    let path = format!(
        "opportunities({})",
        world.create("opportunities", json!({"name": "O"})).await
    );
    let refused = world
        .crm(
            "PATCH",
            &path,
            &[],
            Some(json!({"statecode": 1, "statuscode": 3})),
        )
        .await;
    assert_eq!((refused.status, refused.code()), (400, "0x80100005"));
    let hold = world
        .crm("PATCH", &path, &[], Some(json!({"statuscode": 2})))
        .await;
    assert_eq!(
        hold.status, 204,
        "between open statuses it is an ordinary update"
    );
}

#[tokio::test]
async fn closed_rows_are_read_only_until_reopened() {
    let world = World::start().await;
    let id = world.create("opportunities", json!({"name": "O"})).await;
    let path = format!("opportunities({id})");
    close(&world, "LoseOpportunity", &id, 5).await;
    for body in [
        json!({"description": "late"}),
        json!({"statuscode": 4}),
        json!({"statecode": 0, "statuscode": 1, "name": "x"}),
    ] {
        let refused = world.crm("PATCH", &path, &[], Some(body.clone())).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "0x80040230"),
            "{body}"
        );
    }
    assert!(!world.control().audit().closed_deal_writes.is_empty());
    assert_eq!(
        world
            .crm(
                "PATCH",
                &path,
                &[],
                Some(json!({"statecode": 0, "statuscode": 1}))
            )
            .await
            .status,
        204
    );
    assert_eq!(
        world
            .crm("PATCH", &path, &[], Some(json!({"description": "in time"})))
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn a_lone_statecode_takes_the_default_status_and_wrong_pairs_are_refused() {
    let world = World::start().await;
    let path = format!(
        "leads({})",
        world
            .create(
                "leads",
                json!({"subject": "L", "lastname": "N", "statuscode": 2})
            )
            .await
    );
    let wrong = world
        .crm(
            "PATCH",
            &path,
            &[],
            Some(json!({"statecode": 2, "statuscode": 3})),
        )
        .await;
    assert_eq!(wrong.code(), "0x80048408");
    let told = world
        .crm(
            "PATCH",
            &path,
            &[("prefer", "return=representation")],
            Some(json!({"statecode": 2})),
        )
        .await
        .body;
    assert_eq!(told["statuscode"], 7);
}

#[tokio::test]
async fn the_customer_is_taken_from_the_parent_when_absent() {
    let world = World::start().await;
    let account = world.create("accounts", json!({"name": "A"})).await;
    let id = world
        .create(
            "opportunities",
            json!({"name": "O", "parentaccountid@odata.bind": format!("/accounts({account})")}),
        )
        .await;
    let row = world.control().row("opportunity", &id).unwrap();
    assert_eq!(row["_customerid_value"], Value::String(account));
}

#[tokio::test]
async fn an_organisation_has_loss_reasons_of_its_own() {
    let own = |value: i32, label: &str| StatusConfig {
        table: "opportunity".to_owned(),
        value,
        label: label.to_owned(),
        state: 2,
    };
    let world = World::with(SimulatorConfig {
        tls: false,
        statuses: vec![
            own(727_000_000, "No budget"),
            own(727_000_001, "No decision"),
        ],
        ..SimulatorConfig::demo()
    })
    .await;
    let told = world
        .crm(
            "GET",
            "EntityDefinitions(LogicalName='opportunity')/Attributes(LogicalName='statuscode')/Microsoft.Dynamics.CRM.StatusAttributeMetadata?$select=LogicalName&$expand=OptionSet",
            &[],
            None,
        )
        .await
        .body;
    let options = told["OptionSet"]["Options"].as_array().unwrap();
    let no_budget = options
        .iter()
        .find(|option| option["Value"] == 727_000_000)
        .unwrap();
    assert_eq!(
        (
            &no_budget["State"],
            no_budget["Label"]["UserLocalizedLabel"]["Label"].as_str()
        ),
        (&json!(2), Some("No budget"))
    );
    let id = world.create("opportunities", json!({"name": "O"})).await;
    let wrong = json!({"statuscode": 727_000_000});
    let path = format!("opportunities({id})");
    world
        .refuses("PATCH", &path, wrong, (400, "0x80048408"))
        .await;
    assert_eq!(
        close(&world, "WinOpportunity", &id, 727_000_000)
            .await
            .code(),
        "0x80048408"
    );
    assert_eq!(
        close(&world, "LoseOpportunity", &id, 727_000_001)
            .await
            .status,
        204
    );
    let row = world.row("opportunity", &id);
    assert_eq!(
        (row["statecode"].as_i64(), row["statuscode"].as_i64()),
        (Some(2), Some(727_000_001))
    );
    let other = world.create("opportunities", json!({"name": "P"})).await;
    world
        .control()
        .seller_loses(&other, &json!({"Status": 727_000_000}))
        .unwrap();
    assert_eq!(world.row("opportunity", &other)["statuscode"], 727_000_000);
}

#[tokio::test]
async fn on_hold_and_in_progress_are_ordinary_updates_of_an_open_deal() {
    let world = World::start().await;
    let path = format!(
        "opportunities({})",
        world.create("opportunities", json!({"name": "O"})).await
    );
    for status in [2, 1, 2] {
        let told = world
            .crm(
                "PATCH",
                &path,
                &[REPRESENTATION],
                Some(json!({"statuscode": status})),
            )
            .await
            .body;
        assert_eq!(
            (told["statecode"].as_i64(), told["statuscode"].as_i64()),
            (Some(0), Some(status))
        );
    }
    for foreign in [3, 4, 5] {
        let body = json!({"statuscode": foreign});
        world
            .refuses("PATCH", &path, body, (400, "0x80048408"))
            .await;
    }
    let unknown = json!({"statuscode": 99});
    world
        .refuses("PATCH", &path, unknown, (400, "0x8004431a"))
        .await;
}

#[tokio::test]
async fn reopening_takes_the_default_status_and_leaves_a_close_row() {
    for (leaves, rows) in [(true, 2), (false, 1)] {
        let world = World::with(SimulatorConfig {
            tls: false,
            assumptions: Assumptions {
                reopening_makes_close_row: leaves,
                ..Assumptions::default()
            },
            ..SimulatorConfig::default()
        })
        .await;
        let id = world.create("opportunities", json!({"name": "O"})).await;
        let control = world.control();
        assert!(control.seller_reopens(&id).is_err(), "it is open");
        close(&world, "LoseOpportunity", &id, 5).await;
        control.seller_reopens(&id).unwrap();
        let row = world.row("opportunity", &id);
        assert_eq!(
            (row["statecode"].as_i64(), row["statuscode"].as_i64()),
            (Some(0), Some(1))
        );
        assert_eq!(control.rows("opportunityclose").len(), rows);
        assert_eq!(
            close(&world, "WinOpportunity", &id, 3).await.status,
            204,
            "and it can be closed again"
        );
        let other_end = json!({"statecode": 2, "statuscode": 4});
        let path = format!("opportunities({id})");
        world
            .refuses("PATCH", &path, other_end, (400, "0x80040230"))
            .await;
    }
}

#[tokio::test]
async fn lookups_of_a_closed_deal_cannot_be_set_by_ref_either() {
    let world = World::start().await;
    let account = world.create("accounts", json!({"name": "A"})).await;
    let body = json!({"name": "O", "parentaccountid@odata.bind": format!("/accounts({account})")});
    let id = world.create("opportunities", body).await;
    close(&world, "WinOpportunity", &id, 3).await;
    let frozen = (400, "0x80040230");
    let one = format!("opportunities({id})/parentaccountid/$ref");
    let to = json!({"@odata.id": format!("accounts({account})")});
    world.refuses("PUT", &one, to.clone(), frozen).await;
    world.refuses("DELETE", &one, to, frozen).await;
    let many = format!("accounts({account})/opportunity_customer_accounts/$ref");
    let child = json!({"@odata.id": format!("opportunities({id})")});
    world.refuses("POST", &many, child, frozen).await;
    let property = format!("opportunities({id})/description");
    world
        .refuses("PUT", &property, json!({"value": "late"}), frozen)
        .await;
    // What hangs from it is a row of its own.
    let solution =
        json!({"msft_name": "S", "msft_OpportunityId@odata.bind": format!("/opportunities({id})")});
    world.create("msft_partnercentersolutions", solution).await;
}

/// A reference names the set and never the table, whatever closes the row.
#[tokio::test]
async fn an_opportunity_is_lost_by_the_name_of_its_set_and_not_of_its_table() {
    let world = World::start().await;
    let service = format!("{}/api/data/v9.2", world.running.urls.dataverse);
    for (reference, status) in [
        ("/opportunities", 204),
        ("opportunities", 204),
        (&format!("{service}/opportunities"), 204),
        ("/opportunity", 400),
        ("/Opportunities", 400),
        ("/accounts", 400),
    ] {
        let id = world.create("opportunities", json!({"name": "O"})).await;
        let body = json!({"Status": 4, "OpportunityClose": {"opportunityid@odata.bind": format!("{reference}({id})")}});
        let told = world.crm("POST", "LoseOpportunity", &[], Some(body)).await;
        assert_eq!(told.status, status, "{reference}: {}", told.text);
        let state = if status == 204 { 2 } else { 0 };
        assert_eq!(
            world.control().row("opportunity", &id).unwrap()["statecode"],
            state,
            "{reference}"
        );
    }
}

//! Closing, reopening, qualifying.

use serde_json::{Value, json};

use super::harness::{Answer, World};

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
async fn qualifying_a_lead_makes_what_was_asked_for() {
    let world = World::start().await;
    let body = json!({"subject": "Interest", "firstname": "Ada", "lastname": "Byron", "companyname": "Analytical", "estimatedamount": 500});
    let lead = world.create("leads", body).await;
    let action = format!("leads({lead})/Microsoft.Dynamics.CRM.QualifyLead");
    let order = |opportunity: bool| {
        Some(
            json!({"CreateAccount": true, "CreateContact": true, "CreateOpportunity": opportunity, "Status": 3}),
        )
    };
    let made = world.crm("POST", &action, &[], order(true)).await;
    assert_eq!(
        (made.status, made.body["value"].as_array().map(Vec::len)),
        (200, Some(3)),
        "{}",
        made.text
    );
    let row = &world.control().rows("opportunity")[0];
    assert_eq!(
        (
            row["_originatingleadid_value"].as_str(),
            row["estimatedvalue"].as_f64()
        ),
        (Some(lead.as_str()), Some(500.0))
    );
    let contact = &world.control().rows("contact")[0];
    assert_eq!(
        contact["_parentcustomerid_value"],
        world.control().rows("account")[0]["accountid"]
    );
    let after = world.control().row("lead", &lead).unwrap();
    assert_eq!(
        (after["statecode"].as_i64(), after["statuscode"].as_i64()),
        (Some(1), Some(3))
    );
    assert_eq!(
        world.crm("POST", &action, &[], order(false)).await.code(),
        "0x80040519"
    );
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

//! What a column makes of a value: money by currency, text by length, dates without a time.

use serde_json::{Value, json};

use super::harness::{REPRESENTATION, World};

async fn written(world: &World, set: &str, body: Value) -> Value {
    let answer = world.crm("POST", set, &[REPRESENTATION], Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.body
}

#[tokio::test]
async fn amounts_are_rounded_to_the_currency_of_the_row_and_follow_it() {
    let world = World::start().await;
    for (code, sent, kept, base) in [
        ("JPY", 1_234.5, 1_235.0, 7.6235),
        ("EUR", 0.1, 0.1, 0.1),
        ("EUR", 1.005, 1.01, 1.01),
        (
            "EUR",
            999_999_999_999.99,
            999_999_999_999.99,
            999_999_999_999.99,
        ),
        ("HUF", 39_500.004, 39_500.0, 100.0),
    ] {
        let currency = format!("/transactioncurrencies({})", world.currency(code).await);
        let body = json!({"name": "O", "estimatedvalue": sent, "transactioncurrencyid@odata.bind": currency});
        let row = written(&world, "opportunities", body).await;
        assert_eq!(
            (
                row["estimatedvalue"].as_f64(),
                row["estimatedvalue_base"].as_f64()
            ),
            (Some(kept), Some(base)),
            "{sent} {code}"
        );
    }
    let body = json!({"name": "O", "estimatedvalue": 10.55});
    let row = written(&world, "opportunities", body).await;
    let path = format!("opportunities({})", row["opportunityid"].as_str().unwrap());
    let yen = format!("/transactioncurrencies({})", world.currency("JPY").await);
    let body = json!({"transactioncurrencyid@odata.bind": yen});
    let row = world
        .crm("PATCH", &path, &[REPRESENTATION], Some(body))
        .await
        .body;
    assert_eq!(
        (
            row["estimatedvalue"].as_f64(),
            row["estimatedvalue_base"].as_f64(),
            row["exchangerate"].as_f64()
        ),
        (Some(11.0), Some(0.0679), Some(162.0)),
        "the amount is the same number of another currency"
    );
}

#[tokio::test]
async fn a_leads_estimatedvalue_is_a_number_and_its_estimatedamount_is_money() {
    let world = World::start().await;
    let body = json!({"lastname": "L", "estimatedvalue": 1.23456, "estimatedamount": 1.23456});
    let row = written(&world, "leads", body).await;
    assert_eq!(
        (
            row["estimatedvalue"].as_f64(),
            row["estimatedamount"].as_f64(),
            row["estimatedamount_base"].as_f64()
        ),
        (Some(1.23456), Some(1.23), Some(1.23))
    );
    assert!(row.get("estimatedvalue_base").is_none());
}

#[tokio::test]
async fn text_that_is_too_long_is_refused_and_never_cut() {
    let world = World::start().await;
    for (set, column, max) in [
        ("opportunities", "name", 300),
        ("opportunities", "description", 2_000),
        (
            "opportunities",
            "msft_microsoftpartnercenterreferralsyncaudit",
            100_000,
        ),
        ("leads", "companyname", 100),
        ("accounts", "address1_postalcode", 20),
        ("contacts", "telephone1", 50),
    ] {
        let fits = json!({ column: "x".repeat(max) });
        assert_eq!(
            written(&world, set, fits).await[column]
                .as_str()
                .map(str::len),
            Some(max)
        );
        let over = json!({ column: "x".repeat(max + 1) });
        let refused = world.crm("POST", set, &[], Some(over)).await;
        assert_eq!((refused.status, refused.code()), (400, "0x80044331"));
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("'{column}'")) && message.ends_with(&format!("'{max}'.")),
            "{message}"
        );
    }
    // Lengths are counted as the platform stores text: two units for a sign outside the basic plane.
    let face = "\u{1f600}".repeat(10);
    let fits = json!({ "address1_postalcode": face });
    written(&world, "accounts", fits).await;
    let over = json!({ "address1_postalcode": format!("{face}x") });
    world
        .refuses("POST", "accounts", over, (400, "0x80044331"))
        .await;
}

#[tokio::test]
async fn a_date_has_no_time_and_does_not_shift() {
    let world = World::start().await;
    let body = json!({"name": "O", "estimatedclosedate": "2026-12-31"});
    let row = written(&world, "opportunities", body).await;
    assert_eq!(row["estimatedclosedate"], "2026-12-31");
    let path = format!("opportunities({})", row["opportunityid"].as_str().unwrap());
    for wrong in [
        json!("2026-12-31T23:00:00Z"),
        json!("31.12.2026"),
        json!("2026-13-01"),
        json!(20_261_231),
    ] {
        let body = json!({ "estimatedclosedate": wrong });
        world
            .refuses("PATCH", &path, body, (400, "0x80048d19"))
            .await;
    }
    let close = json!({"actualend": "2026-12-31T23:30:00Z"});
    let id = row["opportunityid"].as_str().unwrap();
    world.control().seller_wins(id, &close).unwrap();
    assert_eq!(
        world.row("opportunity", id)["actualclosedate"],
        "2026-12-31"
    );
}

#[tokio::test]
async fn the_taxonomies_of_the_newer_connector_are_rows_to_refer_to() {
    let world = World::start().await;
    let area = world
        .create("msft_solutionareas", json!({"msft_name": "Data and AI"}))
        .await;
    let play = json!({"msft_name": "Unify data", "msft_SolutionAreaId@odata.bind": format!("/msft_solutionareas({area})")});
    let play = world.create("msft_solutionplays", play).await;
    for set in ["opportunities", "leads"] {
        let body = json!({"msft_SolutionArea@odata.bind": format!("/msft_solutionareas({area})"),
            "msft_SolutionPlay@odata.bind": format!("/msft_solutionplays({play})"), "msft_customerpurchaseintent": 299_600_002});
        let row = written(&world, set, body).await;
        assert_eq!(
            (
                row["_msft_solutionarea_value"].as_str(),
                row["_msft_solutionplay_value"].as_str(),
                row["msft_customerpurchaseintent"].as_i64()
            ),
            (Some(area.as_str()), Some(play.as_str()), Some(299_600_002))
        );
    }
}

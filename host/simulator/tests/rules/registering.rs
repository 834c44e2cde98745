//! Registering won deals. (partner-center 2.9)

use serde_json::{Value, json};

use super::harness::{REPRESENTATION, World, deal, patch};

const HOUR_MS: i64 = 3_600_000;

fn registration() -> Option<Value> {
    let value = json!({"type": "AzureIPCoSell",
        "solutionDetails": [{"id": "SOL-12345-ABC", "currency": "USD", "value": 30_000, "isDeployedOnAzure": true,
            "primaryDeploymentOn": "Customer", "pricingModel": "PayAsYouGo",
            "marketplaceTransactionDetails": {"isMarketplaceTransacted": false, "marketplaceTransactionDateTime": null}}],
        "contract": {"currency": "USD", "value": 30_000, "term": "Finite", "startDateTime": "2027-01-01T00:00:00Z",
            "endDateTime": "2028-01-01T00:00:00Z", "signDateTime": "2026-12-01T00:00:00Z"}});
    Some(json!([{"op": "add", "path": "/registrations/-", "value": value}]))
}

/// A shared deal that was won after so many hours, with Microsoft's answer to it.
async fn won(world: &mut World, hours: i64, microsoft: Option<bool>) -> String {
    let own = world.deal().await;
    let id = own["id"].as_str().unwrap().to_owned();
    if let Some(yes) = microsoft {
        world.invite(&own).await;
        let control = world.control();
        if yes {
            control.microsoft_accepts(&id, "7-A").unwrap();
        } else {
            control.microsoft_declines(&id, "no").unwrap();
        }
    }
    world.control().advance_ms(hours * HOUR_MS);
    world.sign_in().await;
    world
        .control()
        .partner_user_closes(&id, "Won", None)
        .unwrap();
    id
}

#[tokio::test]
async fn a_won_deal_can_be_registered_and_changed_in_its_contract_only() {
    let mut world = World::start().await;
    let id = won(&mut world, 80, Some(true)).await;
    let path = format!("/{id}");
    let told = world
        .pc("PATCH", &path, &[REPRESENTATION], registration())
        .await;
    assert_eq!(told.status, 200, "{}", told.text);
    assert_eq!(
        (
            told.body["registrationStatus"].as_str(),
            told.body["registrations"][0]["status"].as_str()
        ),
        (Some("ReviewPending"), Some("ReviewPending"))
    );
    assert!(told.body["registrations"][0]["id"].is_string());
    let again = world.pc("PATCH", &path, &[], registration()).await;
    assert_eq!(again.code(), "registrationExists");
    let change = patch(&[("/registrations/0/contract/value", json!(40_000))]);
    let told = world.pc("PATCH", &path, &[REPRESENTATION], change).await;
    assert_eq!(
        told.body["registrations"][0]["contract"]["value"],
        json!(40_000)
    );
    for patch in [
        patch(&[("/registrations/0/status", json!("Approved"))]),
        patch(&[("/registrations/1/contract/value", json!(1))]),
        patch(&[
            ("/registrations/0/contract/value", json!(1)),
            ("/details/notes", json!("late")),
        ]),
    ] {
        assert_eq!(world.pc("PATCH", &path, &[], patch).await.status, 400);
    }
    world
        .control()
        .microsoft_reviews_registration(&id, "Approved")
        .unwrap();
    let seen = world.referral(&id);
    assert_eq!(seen["registrationStatus"], "Approved");
    assert!(seen["registrations"][0]["statusHistory"]["approvedDateTime"].is_string());
}

#[tokio::test]
async fn deals_that_are_open_private_hurried_or_declined_cannot_be_registered() {
    let mut world = World::start().await;
    let open = world.deal().await["id"].as_str().unwrap().to_owned();
    let hurried = won(&mut world, 71, Some(true)).await;
    let declined = won(&mut world, 80, Some(false)).await;
    let alone = won(&mut world, 80, None).await;
    let mut private = deal();
    private["type"] = json!("Independent");
    private["consent"]["consentToShareReferralWithMicrosoftSellers"] = json!(false);
    let private = world
        .control()
        .partner_user_creates(&private)
        .unwrap()
        .record;
    world.control().advance_ms(80 * HOUR_MS);
    world.sign_in().await;
    world
        .control()
        .partner_user_closes(&private, "Won", None)
        .unwrap();
    for id in [open, hurried, declined, alone, private] {
        let refused = world
            .pc("PATCH", &format!("/{id}"), &[], registration())
            .await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "registrationNotEligible")
        );
        assert!(
            world
                .control()
                .microsoft_reviews_registration(&id, "Approved")
                .is_err()
        );
    }
    let mut bad = registration().unwrap();
    bad[0]["value"]["solutionDetails"] = json!([]);
    let id = won(&mut world, 80, Some(true)).await;
    assert_eq!(
        world
            .pc("PATCH", &format!("/{id}"), &[], Some(bad))
            .await
            .code(),
        "invalidValue"
    );
}

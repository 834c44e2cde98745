//! Referrals that arrive: their kinds, the answer in time, and what a partner may change until when.

use cosell_simulator::{Arrival, Assumptions, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{REPRESENTATION, Receiver, World, deal, patch};

const DAY_MS: i64 = 24 * 3_600_000;

async fn with(assumptions: Assumptions) -> World {
    World::with(SimulatorConfig {
        tls: false,
        assumptions,
        ..SimulatorConfig::default()
    })
    .await
}

fn arrives(world: &World, kind: Arrival) -> String {
    world
        .control()
        .referral_arrives_as(kind, &deal())
        .unwrap()
        .record
}

async fn patched(world: &World, id: &str, pairs: &[(&str, Value)]) -> super::harness::Answer {
    let path = format!("/{id}");
    world
        .pc("PATCH", &path, &[REPRESENTATION], patch(pairs))
        .await
}

#[tokio::test]
async fn type_qualification_and_inviter_tell_the_kind() {
    let world = World::start().await;
    for (kind, told) in [
        (
            Arrival::MarketplaceLead,
            ("Independent", "Direct", Value::Null, "AzureMarketplace"),
        ),
        (
            Arrival::QualifiedLead,
            ("Independent", "SalesQualified", json!("msft"), ""),
        ),
        (
            Arrival::CoSell,
            ("Shared", "SalesQualified", json!("msft"), ""),
        ),
    ] {
        let id = arrives(&world, kind);
        let seen = world.pc("GET", &format!("/{id}"), &[], None).await.body;
        let text = |field: &str| seen[field].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (
                text("type").as_str(),
                text("qualification").as_str(),
                seen["inviteContext"]["invitedBy"]["organizationId"].clone(),
                text("referralSource").as_str()
            ),
            told
        );
        assert_eq!(
            (
                text("status").as_str(),
                text("substatus").as_str(),
                text("direction").as_str()
            ),
            ("New", "Pending", "Incoming")
        );
        let own = world.running.organizations[0].id.as_str();
        assert_eq!(text("organizationId"), own);
        assert_eq!(
            world.control().microsoft_referral(&id).is_some(),
            kind == Arrival::CoSell,
            "a lead is seen by one partner only"
        );
    }
}

#[tokio::test]
async fn another_partner_may_be_the_inviter() {
    let world = World::start().await;
    let mut body = deal();
    body["inviteContext"] =
        json!({"invitedBy": {"organizationId": "fabrikam", "organizationName": "Fabrikam"}});
    let id = world.control().referral_arrives(&body).unwrap().record;
    let seen = world.referral(&id);
    let filter = format!(
        "?$filter=engagementId eq '{}'",
        seen["engagementId"].as_str().unwrap()
    );
    let listed = world.pc("GET", &filter, &[], None).await.body;
    let mut owners: Vec<&str> = listed["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|referral| referral["organizationName"].as_str().unwrap())
        .collect();
    owners.sort_unstable();
    assert_eq!(owners, ["Contoso Partner", "Fabrikam"]);
}

#[tokio::test]
async fn lists_may_leave_marketplace_leads_out() {
    for shown in [true, false] {
        let world = with(Assumptions {
            list_shows_marketplace_leads: shown,
            ..Assumptions::default()
        })
        .await;
        let id = arrives(&world, Arrival::MarketplaceLead);
        arrives(&world, Arrival::QualifiedLead);
        let listed = world.pc("GET", "", &[], None).await.body;
        assert_eq!(
            listed["value"].as_array().map(Vec::len),
            Some(1 + usize::from(shown))
        );
        assert_eq!(
            world.pc("GET", &format!("/{id}"), &[], None).await.status,
            200,
            "its address answers either way"
        );
    }
}

#[tokio::test]
async fn a_partners_user_accepts_or_declines_once() {
    let world = World::start().await;
    let control = world.control();
    let accepted = arrives(&world, Arrival::CoSell);
    control.partner_user_accepts(&accepted).unwrap();
    assert_eq!(world.referral(&accepted)["substatus"], "Accepted");
    assert!(world.referral(&accepted)["acceptedDateTime"].is_string());
    assert!(
        control.partner_user_accepts(&accepted).is_ok(),
        "no change is no step"
    );
    assert!(
        control
            .partner_user_declines(&accepted, "too late")
            .is_err()
    );
    let declined = arrives(&world, Arrival::QualifiedLead);
    control
        .partner_user_declines(&declined, "Not our trade")
        .unwrap();
    let seen = world.referral(&declined);
    assert_eq!(
        (seen["substatus"].as_str(), seen["statusReason"].as_str()),
        (Some("Declined"), Some("Not our trade"))
    );
    assert!(control.partner_user_accepts(&declined).is_err());
}

#[tokio::test]
async fn an_unanswered_lead_expires_after_14_days_and_is_told_of() {
    let mut world = World::start().await;
    let mut receiver = Receiver::start().await;
    let body = json!({"WebhookUrl": receiver.url, "WebhookEvents": ["referral-updated"]});
    assert_eq!(world.hooks("POST", "", Some(body)).await.status, 200);
    let silent = arrives(&world, Arrival::QualifiedLead);
    let answered = arrives(&world, Arrival::CoSell);
    world.control().partner_user_accepts(&answered).unwrap();
    assert!(
        receiver.next().await.body["ResourceUri"]
            .as_str()
            .unwrap()
            .ends_with(&answered)
    );
    world.control().advance_ms(14 * DAY_MS - 60_000);
    assert_eq!(world.referral(&silent)["status"], "New", "a minute is left");
    world.control().advance_ms(120_000);
    let told = receiver.next().await;
    assert!(
        told.body["ResourceUri"]
            .as_str()
            .unwrap()
            .ends_with(&silent)
    );
    let seen = world.referral(&silent);
    assert_eq!(
        (seen["status"].as_str(), seen["substatus"].as_str()),
        (Some("Closed"), Some("Expired"))
    );
    assert!(seen["closedDateTime"].is_string());
    assert_eq!(world.referral(&answered)["substatus"], "Accepted");
    world.sign_in().await;
    let late = [
        ("/status", json!("Active")),
        ("/substatus", json!("Accepted")),
    ];
    assert_eq!(
        patched(&world, &silent, &late).await.code(),
        "referralClosed"
    );
}

#[tokio::test]
async fn every_closed_state_refuses_every_patch() {
    let world = World::start().await;
    let control = world.control();
    let own = |substatus: &str| {
        let id = control.partner_user_creates(&deal()).unwrap().record;
        control
            .partner_user_closes(&id, substatus, Some("why"))
            .unwrap();
        id
    };
    let declined = arrives(&world, Arrival::CoSell);
    control.partner_user_declines(&declined, "no").unwrap();
    let expired = arrives(&world, Arrival::CoSell);
    let frozen = [own("Won"), own("Lost"), declined, expired];
    control.advance_ms(15 * DAY_MS);
    let mut world = world;
    world.sign_in().await;
    for (id, substatus) in frozen.iter().zip(["Won", "Lost", "Declined", "Expired"]) {
        let before = world.referral(id);
        assert_eq!(before["substatus"], substatus);
        for (path, value) in [
            ("/details/notes", json!("late")),
            ("/externalReferenceId", json!("opp-9")),
            ("/statusReason", json!("other")),
            ("/team", json!([])),
            ("/salesStage", json!("Close")),
        ] {
            let refused = patched(&world, id, &[(path, value)]).await;
            assert_eq!((refused.status, refused.code()), (400, "referralClosed"));
        }
        let reopen = [
            ("/status", json!("Active")),
            ("/substatus", json!("Accepted")),
        ];
        assert_eq!(patched(&world, id, &reopen).await.code(), "referralClosed");
        assert_eq!(
            world.referral(id),
            before,
            "nothing moved, the eTag neither"
        );
    }
}

#[tokio::test]
async fn a_reason_may_be_demanded_of_who_gives_a_deal_up() {
    let lost = [("/status", json!("Closed")), ("/substatus", json!("Lost"))];
    let world = World::start().await;
    let id = world
        .control()
        .partner_user_creates(&deal())
        .unwrap()
        .record;
    assert_eq!(patched(&world, &id, &lost).await.status, 200);
    let strict = with(Assumptions {
        closing_needs_reason: true,
        ..Assumptions::default()
    })
    .await;
    let id = strict
        .control()
        .partner_user_creates(&deal())
        .unwrap()
        .record;
    assert_eq!(
        patched(&strict, &id, &lost).await.code(),
        "statusReasonRequired"
    );
    let [status, substatus] = lost;
    let told = patched(
        &strict,
        &id,
        &[status, substatus, ("/statusReason", json!("No budget"))],
    )
    .await
    .body;
    assert_eq!(
        (told["substatus"].as_str(), told["statusReason"].as_str()),
        (Some("Lost"), Some("No budget"))
    );
    let won = strict
        .control()
        .partner_user_creates(&deal())
        .unwrap()
        .record;
    assert!(
        strict
            .control()
            .partner_user_closes(&won, "Won", None)
            .is_ok()
    );
}

#[tokio::test]
async fn customer_contacts_are_fixed_once_microsoft_sees_them() {
    let contacts =
        |name: &str| json!([{"firstName": name, "lastName": "B", "email": "a@x.example"}]);
    for (once_visible, expected) in [(true, 400), (false, 200)] {
        let world = with(Assumptions {
            contacts_fixed_once_visible: once_visible,
            ..Assumptions::default()
        })
        .await;
        let mut private = deal();
        private["consent"]["consentToShareReferralWithMicrosoftSellers"] = json!(false);
        let own = world.pc("POST", "", &[], Some(private)).await.body;
        let id = own["id"].as_str().unwrap();
        let change = |name: &str| [("/customerProfile/team", contacts(name))];
        assert_eq!(patched(&world, id, &change("private")).await.status, 200);
        // With the patch that shares the deal they still may come along.
        let consent = "/consent/consentToShareReferralWithMicrosoftSellers";
        let [last] = change("last");
        assert_eq!(
            patched(&world, id, &[last, (consent, json!(true))])
                .await
                .status,
            200
        );
        assert_eq!(
            patched(&world, id, &change("visible")).await.status,
            expected
        );
        let add = json!([{"op": "add", "path": "/customerProfile/team/-", "value": {"firstName": "one more"}}]);
        let added = world
            .pc("PATCH", &format!("/{id}"), &[REPRESENTATION], Some(add))
            .await;
        assert_eq!(added.status, expected);
        assert_eq!(world.invite(&own).await.status, 200);
        let refused = patched(&world, id, &change("invited")).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "customerContactsReadOnly")
        );
        assert!(
            world
                .control()
                .partner_user_patches(id, &patch(&change("site")).unwrap())
                .is_err()
        );
    }
}

#[tokio::test]
async fn solutions_and_team_are_replaced_as_wholes() {
    let world = World::start().await;
    let id = world.deal().await["id"].as_str().unwrap().to_owned();
    let solution = |id: &str| json!({"id": id, "name": id});
    for list in [
        json!([solution("SOL-1-A"), solution("SOL-2-B")]),
        json!([solution("SOL-3-C")]),
    ] {
        let told = patched(
            &world,
            &id,
            &[("/details/requirements/solutions", list.clone())],
        )
        .await
        .body;
        let kept = told["details"]["requirements"]["solutions"]
            .as_array()
            .unwrap();
        assert_eq!(kept.len(), list.as_array().unwrap().len());
        assert_eq!(kept[0]["id"], list[0]["id"]);
        assert_eq!(kept[0]["type"], "Name", "every key is filled");
    }
    let none = [("/details/requirements/solutions", json!([]))];
    assert_eq!(
        patched(&world, &id, &none).await.code(),
        "solutionIdRequired"
    );
    let team = json!([{"firstName": "E", "email": "e@us.example"}, {"firstName": "F", "email": "f@us.example"}]);
    let told = patched(&world, &id, &[("/team", team)]).await.body;
    assert_eq!(told["team"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        patched(&world, &id, &[("/team", json!([]))]).await.body["team"],
        json!([])
    );
}

#[tokio::test]
async fn what_is_the_partners_to_say_is_kept_as_said() {
    let world = World::start().await;
    let id = world.deal().await["id"].as_str().unwrap().to_owned();
    for (path, value) in [
        ("/externalReferenceId", json!("opp-2")),
        ("/externalReferenceId", Value::Null),
        ("/externalReferenceId", json!("opp-3")),
        ("/salesStage", json!("Propose")),
        ("/salesStage", json!("80")),
        ("/campaignId", json!("CMP-1")),
        ("/referralProgram", json!("Program")),
    ] {
        let told = patched(&world, &id, &[(path, value.clone())]).await.body;
        assert_eq!(told.pointer(path), Some(&value));
    }
    for (reference, hits) in [("opp-1", 0), ("opp-2", 0), ("opp-3", 1)] {
        let query = format!("?$filter=externalReferenceId eq '{reference}'");
        let listed = world.pc("GET", &query, &[], None).await.body;
        assert_eq!(listed["value"].as_array().map(Vec::len), Some(hits));
    }
}

#[tokio::test]
async fn what_is_the_servers_to_say_cannot_be_patched() {
    let world = World::start().await;
    let own = world.deal().await;
    let id = own["id"].as_str().unwrap();
    for path in [
        "/trackingInfo/microsoftMsxId",
        "/inviteContext/assistanceRequestCode",
        "/registrationStatus",
        "/quality",
        "/direction",
        "/engagementId",
        "/type",
        "/acceptedDateTime",
        "/consent/consentToContact",
        "/customerProfile/address/country",
    ] {
        let refused = patched(&world, id, &[(path, json!("x"))]).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "invalidPath"),
            "{path}"
        );
    }
    world.invite(&own).await;
    world.control().microsoft_accepts(id, "7-MSX").unwrap();
    let theirs = world.control().microsoft_referral(id).unwrap();
    assert_eq!(theirs["trackingInfo"]["microsoftMsxId"], "7-MSX");
    let note = json!([{"op": "replace", "path": "/details/notes", "value": "theirs"}]);
    world.control().microsoft_patches(id, &note).unwrap();
    assert_eq!(
        world.control().microsoft_referral(id).unwrap()["details"]["notes"],
        "theirs"
    );
    assert_eq!(world.referral(id)["details"]["notes"], "n");
}

#[tokio::test]
async fn help_cannot_be_taken_back_and_a_closed_deal_invites_nobody() {
    let world = World::start().await;
    let own = world.deal().await;
    let theirs = world.invite(&own).await.body;
    let path = format!("/{}", theirs["id"].as_str().unwrap());
    let help = patch(&[("/inviteContext/assistanceRequestCode", json!("Unknown"))]);
    assert_eq!(world.pc("PATCH", &path, &[], help).await.status, 403);
    assert_eq!(
        world.referral(theirs["id"].as_str().unwrap())["inviteContext"]["assistanceRequestCode"],
        "GeneralOrOther"
    );
    let mut private = deal();
    private["type"] = json!("Independent");
    let other = world.pc("POST", "", &[], Some(private)).await.body;
    assert_eq!(other["type"], "Independent");
    world.invite(&other).await;
    assert_eq!(
        world.referral(other["id"].as_str().unwrap())["type"],
        "Shared",
        "the server turns it"
    );
    let lost = world.deal().await;
    world
        .control()
        .partner_user_closes(lost["id"].as_str().unwrap(), "Lost", None)
        .unwrap();
    assert_eq!(world.invite(&lost).await.code(), "referralClosed");
}

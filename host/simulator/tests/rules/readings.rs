//! Doubtful facts about the referrals API, each in both readings. The names are those of the switches.

use cosell_simulator::{Assumptions, Fault, FaultKind, Hidden, Role, Service, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{Answer, REPRESENTATION, World, deal, patch};

/// A world in which `assume` was changed about the vendors.
pub(crate) async fn assuming(assume: impl FnOnce(&mut Assumptions)) -> World {
    let mut config = SimulatorConfig {
        tls: false,
        ..SimulatorConfig::demo()
    };
    assume(&mut config.assumptions);
    World::with(config).await
}

fn path(referral: &Value) -> String {
    format!("/{}", referral["id"].as_str().unwrap())
}

async fn engagement(world: &World, own: &Value) -> Vec<Value> {
    let id = own["engagementId"].as_str().unwrap();
    let query = format!("?$filter=engagementId eq '{id}'");
    let listed = world.pc("GET", &query, &[], None).await.body;
    listed["value"].as_array().unwrap().clone()
}

async fn listed(world: &World, query: &str) -> (u16, usize) {
    let answer = world.pc("GET", query, &[], None).await;
    let count = answer.body["value"].as_array().map_or(0, Vec::len);
    (answer.status, count)
}

async fn close(world: &World, id: &str, substatus: &str) -> Answer {
    let ends = patch(&[
        ("/status", json!("Closed")),
        ("/substatus", json!(substatus)),
    ]);
    world.pc("PATCH", id, &[REPRESENTATION], ends).await
}

#[tokio::test]
async fn one_post_invites_microsoft() {
    for (flipped, members) in [(false, 1), (true, 2)] {
        let world = assuming(|all| all.one_post_invites_microsoft = flipped).await;
        let mut body = deal();
        body["inviteContext"] = json!({"assistanceRequestCode": "ProofOfConceptOrDemo"});
        let own = world.pc("POST", "", &[], Some(body)).await.body;
        assert_ne!(own["organizationId"], "msft");
        let all = engagement(&world, &own).await;
        assert_eq!(all.len(), members);
        let theirs = all.iter().find(|one| one["organizationId"] == "msft");
        assert_eq!(theirs.is_some(), flipped);
        if let Some(theirs) = theirs {
            assert_eq!(
                (&theirs["status"], &theirs["externalReferenceId"]),
                (&json!("New"), &Value::Null)
            );
            let help = &theirs["inviteContext"]["assistanceRequestCode"];
            assert_eq!(help, "ProofOfConceptOrDemo");
        }
        // A private deal invites nobody, in no reading.
        let mut private = deal();
        private["type"] = json!("Independent");
        private["consent"]["consentToShareReferralWithMicrosoftSellers"] = json!(false);
        let private = world.pc("POST", "", &[], Some(private)).await.body;
        assert_eq!(engagement(&world, &private).await.len(), 1);
    }
}

#[tokio::test]
async fn independent_deals_stay_independent_and_the_help_code_is_mirrored() {
    for (flipped, kind, code) in [
        (false, "Shared", "Unknown"),
        (true, "Independent", "GeneralOrOther"),
    ] {
        let world = assuming(|all| {
            all.independent_deals_stay_independent = flipped;
            all.help_code_is_mirrored = flipped;
        })
        .await;
        let mut body = deal();
        body["type"] = json!("Independent");
        let own = world.pc("POST", "", &[], Some(body)).await.body;
        assert_eq!(world.invite(&own).await.status, 200);
        let own = world.pc("GET", &path(&own), &[], None).await.body;
        assert_eq!(
            (&own["type"], &own["inviteContext"]["assistanceRequestCode"]),
            (&json!(kind), &json!(code))
        );
    }
}

#[tokio::test]
async fn external_reference_is_unique() {
    for (flipped, second) in [(false, 200), (true, 409)] {
        let world = assuming(|all| all.external_reference_is_unique = flipped).await;
        let own = world.deal().await;
        let again = world.pc("POST", "", &[], Some(deal())).await;
        assert_eq!(again.status, second);
        // An invitation is no second referral of ours.
        assert_eq!(world.invite(&own).await.status, 200);
        let mut other = deal();
        other["externalReferenceId"] = json!("opp-2");
        assert_eq!(world.pc("POST", "", &[], Some(other)).await.status, 200);
    }
}

#[tokio::test]
async fn create_requires_what_the_site_does() {
    for (flipped, status) in [(false, 200), (true, 400)] {
        let world = assuming(|all| all.create_requires_what_the_site_does = flipped).await;
        world.deal().await;
        for (pointer, value) in [
            ("/name", json!(" ")),
            ("/details/currency", Value::Null),
            ("/details/closingDateTime", Value::Null),
            ("/team", json!([])),
            ("/team/0/email", Value::Null),
        ] {
            let mut body = deal();
            *body.pointer_mut(pointer).unwrap() = value;
            let made = world.pc("POST", "", &[], Some(body)).await;
            assert_eq!(made.status, status, "{pointer}: {}", made.text);
        }
    }
}

#[tokio::test]
async fn external_reference_filter_is_refused_or_ignored_or_finds_nothing() {
    type Flip = fn(&mut Assumptions);
    let readings: [(Flip, (u16, usize)); 4] = [
        (|_| {}, (200, 1)),
        (
            |all| all.external_reference_filter_is_refused = true,
            (400, 0),
        ),
        (
            |all| all.external_reference_filter_is_ignored = true,
            (200, 2),
        ),
        (
            |all| all.external_reference_filter_finds_nothing = true,
            (200, 0),
        ),
    ];
    for (flip, expected) in readings {
        let world = assuming(flip).await;
        world.deal().await;
        let mut other = deal();
        other["externalReferenceId"] = json!("opp-2");
        world.pc("POST", "", &[], Some(other)).await;
        let query = "?$filter=externalReferenceId eq 'opp-2'";
        assert_eq!(listed(&world, query).await, expected);
        assert_eq!(listed(&world, "?$filter=status eq 'Active'").await.1, 2);
    }
}

#[tokio::test]
async fn date_filters_need_quotes_or_are_refused() {
    type Flip = fn(&mut Assumptions);
    let readings: [(Flip, [u16; 2]); 3] = [
        (|_| {}, [200, 400]),
        (|all| all.date_filters_need_quotes = true, [400, 200]),
        (|all| all.date_filters_are_refused = true, [400, 400]),
    ];
    for (flip, expected) in readings {
        let world = assuming(flip).await;
        world.deal().await;
        for (moment, status) in ["2020-01-01T00:00:00Z", "'2020-01-01T00:00:00Z'"]
            .into_iter()
            .zip(expected)
        {
            let query = format!("?$filter=status eq 'Active' and updatedDateTime ge {moment}");
            let found = usize::from(status == 200);
            assert_eq!(listed(&world, &query).await, (status, found), "{moment}");
        }
        let nonsense = "?$filter=updatedDateTime ge 'yesterday'";
        assert_eq!(listed(&world, nonsense).await.0, 400);
    }
}

#[tokio::test]
async fn order_by_updated_is_refused() {
    for (flipped, status) in [(false, 200), (true, 400)] {
        let world = assuming(|all| all.order_by_updated_is_refused = flipped).await;
        let by = |field: &str| format!("?$orderby={field} desc");
        assert_eq!(listed(&world, &by("updatedDateTime")).await.0, status);
        assert_eq!(listed(&world, &by("createdDateTime")).await.0, 200);
    }
}

#[tokio::test]
async fn top_is_a_page_size() {
    for flipped in [false, true] {
        let world = assuming(|all| all.top_is_a_page_size = flipped).await;
        for _ in 0..3 {
            world.deal().await;
        }
        let page = world.pc("GET", "?$top=2", &[], None).await.body;
        assert_eq!(page["value"].as_array().map(Vec::len), Some(2));
        assert_eq!(page["@odata.nextLink"].is_string(), flipped);
    }
}

#[tokio::test]
async fn state_conflicts_are_409() {
    for (flipped, status) in [(false, 400), (true, 409)] {
        let world = assuming(|all| all.state_conflicts_are_409 = flipped).await;
        let id = path(&world.deal().await);
        let backwards = close(&world, &id, "Declined").await;
        assert_eq!(
            (backwards.status, backwards.code()),
            (status, "invalidTransition")
        );
        assert_eq!(close(&world, &id, "Won").await.status, 200);
        let late = patch(&[("/details/notes", json!("late"))]);
        let late = world.pc("PATCH", &id, &[], late).await;
        assert_eq!((late.status, late.code()), (status, "referralClosed"));
        assert_eq!(world.control().audit().closed_deal_writes.len(), 1);
        let refused = world.control().refused();
        assert_eq!(refused.last().map(|refused| refused.status), Some(status));
        // A value that cannot be is no conflict.
        let open = path(&world.deal().await);
        let odd = patch(&[("/details/dealValue", json!("12k"))]);
        assert_eq!(world.pc("PATCH", &open, &[], odd).await.status, 400);
    }
}

#[tokio::test]
async fn new_deals_may_be_won() {
    for (flipped, status) in [(false, 400), (true, 200)] {
        let world = assuming(|all| all.new_deals_may_be_won = flipped).await;
        let inbound = world.control().referral_arrives(&deal()).unwrap().record;
        let won = close(&world, &format!("/{inbound}"), "Won").await;
        assert_eq!(won.status, status, "{}", won.text);
    }
}

#[tokio::test]
async fn closed_deals_may_change_their_end() {
    for (flipped, status) in [(false, 400), (true, 200)] {
        let world = assuming(|all| all.closed_deals_may_change_their_end = flipped).await;
        let id = path(&world.deal().await);
        close(&world, &id, "Lost").await;
        assert_eq!(close(&world, &id, "Won").await.status, status);
        let reopened = patch(&[
            ("/status", json!("Active")),
            ("/substatus", json!("Accepted")),
        ]);
        assert_eq!(world.pc("PATCH", &id, &[], reopened).await.status, 400);
        let notes = patch(&[("/details/notes", json!("late"))]);
        assert_eq!(
            world.pc("PATCH", &id, &[], notes).await.code(),
            "referralClosed"
        );
    }
}

#[tokio::test]
async fn patches_are_not_atomic() {
    for (flipped, notes) in [(false, "n"), (true, "first")] {
        let world = assuming(|all| all.patches_are_not_atomic = flipped).await;
        let own = world.deal().await;
        let mixed = patch(&[
            ("/details/notes", json!("first")),
            ("/name", json!("second")),
            ("/campaignId", json!("third")),
        ]);
        let refused = world.pc("PATCH", &path(&own), &[], mixed).await;
        assert_eq!((refused.status, refused.code()), (400, "invalidPath"));
        let now = world.pc("GET", &path(&own), &[], None).await.body;
        assert_eq!(now["details"]["notes"], notes);
        assert_eq!(now["campaignId"], Value::Null);
        assert_eq!(now["eTag"] != own["eTag"], flipped);
        let updates = world.control().ledger(0).into_iter();
        let updates: Vec<_> = updates
            .filter(|entry| entry.operation == "update")
            .collect();
        assert_eq!(updates.len(), usize::from(flipped));
        assert!(
            updates
                .iter()
                .all(|entry| entry.changed == ["/details/notes"])
        );
    }
}

#[tokio::test]
async fn patching_nothing_changes_nothing() {
    for flipped in [false, true] {
        let world = assuming(|all| all.patching_nothing_changes_nothing = flipped).await;
        let own = world.deal().await;
        let same = patch(&[("/details/notes", own["details"]["notes"].clone())]);
        let told = world
            .pc("PATCH", &path(&own), &[REPRESENTATION], same)
            .await;
        assert_eq!(told.status, 200);
        assert_eq!(told.body["eTag"] == own["eTag"], flipped);
        let other = patch(&[("/details/notes", json!("other"))]);
        let told = world
            .pc("PATCH", &path(&own), &[REPRESENTATION], other)
            .await;
        assert_ne!(told.body["eTag"], own["eTag"]);
    }
}

#[tokio::test]
async fn representations_are_never_returned() {
    for (flipped, status) in [(false, 200), (true, 204)] {
        let world = assuming(|all| all.representations_are_never_returned = flipped).await;
        let id = path(&world.deal().await);
        let notes = patch(&[("/details/notes", json!("new"))]);
        let told = world.pc("PATCH", &id, &[REPRESENTATION], notes).await;
        assert_eq!(told.status, status);
        assert_eq!(told.text.is_empty(), flipped);
        let now = world.pc("GET", &id, &[], None).await.body;
        assert_eq!(now["details"]["notes"], "new");
    }
}

#[tokio::test]
async fn referrals_leave_in_the_spelling_that_is_assumed() {
    type Flip = fn(&mut Assumptions);
    let readings: [(&str, Flip, &str, [Value; 2]); 5] = [
        (
            "sales_stages_are_percents",
            |all| all.sales_stages_are_percents = true,
            "/salesStage",
            [json!("Develop"), json!("40")],
        ),
        (
            "timestamps_have_seven_digits",
            |all| all.timestamps_have_seven_digits = true,
            "/details/closingDateTime",
            [
                json!("2027-01-31T00:00:00Z"),
                json!("2027-01-31T00:00:00.0000000Z"),
            ],
        ),
        (
            "empty_ids_are_an_object",
            |all| all.empty_ids_are_an_object = true,
            "/customerProfile/ids",
            [json!([]), json!({})],
        ),
        (
            "us_states_land_in_region",
            |all| all.us_states_land_in_region = true,
            "/customerProfile/address/region",
            [Value::Null, json!("WA")],
        ),
        (
            "answers_carry_new_members",
            |all| all.answers_carry_new_members = true,
            "/someDay/level",
            [Value::Null, json!(1)],
        ),
    ];
    for (name, flip, place, expected) in readings {
        for (flipped, expected) in [false, true].into_iter().zip(expected) {
            let world = assuming(|all| {
                if flipped {
                    flip(all);
                }
            })
            .await;
            let mut body = deal();
            body["salesStage"] = json!("Develop");
            let made = world.pc("POST", "", &[], Some(body)).await.body;
            let shown = made.pointer(place).cloned().unwrap_or_default();
            assert_eq!(shown, expected, "{name}");
            let listed = world.pc("GET", "", &[], None).await.body;
            let shown = listed["value"][0].pointer(place).cloned();
            assert_eq!(shown.unwrap_or_default(), expected, "{name}, in a list");
        }
    }
}

#[tokio::test]
async fn timestamps_have_seven_digits_wherever_they_stand() {
    let world = assuming(|all| all.timestamps_have_seven_digits = true).await;
    let made = world.pc("POST", "", &[], Some(deal())).await;
    let moments = [
        made.body["createdDateTime"].as_str().unwrap(),
        made.body["updatedDateTime"].as_str().unwrap(),
        made.header("timestamp"),
    ];
    for moment in moments {
        let (_, fraction) = moment.split_once('.').unwrap();
        assert_eq!(fraction.len(), 8, "{moment}");
        moment.parse::<jiff::Timestamp>().unwrap();
    }
}

#[tokio::test]
async fn empty_members_are_left_out() {
    for flipped in [false, true] {
        let world = assuming(|all| all.empty_members_are_left_out = flipped).await;
        let made = world.deal().await;
        assert_eq!(made.get("campaignId").is_none(), flipped);
        assert_eq!(made.get("tags").is_none(), flipped);
        let member = &made["team"][0];
        assert_eq!(member.get("phoneNumber").is_none(), flipped);
        assert!(made["isSpam"].is_boolean() && made["details"]["requirements"].is_object());
    }
}

#[tokio::test]
async fn inner_error_is_lower_case() {
    for (flipped, member, code) in [
        (false, "innerError", "unauthenticated"),
        (true, "innererror", "unAuthorized"),
    ] {
        let world = assuming(|all| all.inner_error_is_lower_case = flipped).await;
        let refused = world.pc("GET", "?$top=many", &[], None).await;
        assert_eq!(refused.body["error"][member]["code"], "invalidQuery");
        let url = format!(
            "{}/v1.0/engagements/referrals",
            world.running.urls.referrals
        );
        let stranger = world.send("GET", &url, "stranger", &[], None).await;
        assert_eq!(
            (stranger.status, &stranger.body["error"]["code"]),
            (401, &json!(code))
        );
    }
}

#[tokio::test]
async fn hidden_referrals_are_403() {
    for (flipped, status) in [(false, 404), (true, 403)] {
        let world = assuming(|all| all.hidden_referrals_are_403 = flipped).await;
        let own = world.deal().await;
        let id = own["id"].as_str().unwrap();
        world
            .control()
            .hide_record("referral", id, Hidden::NotFound)
            .unwrap();
        assert_eq!(world.pc("GET", &path(&own), &[], None).await.status, status);
        let nowhere = "/0a0a0a0a-0000-4000-8000-000000000001";
        assert_eq!(world.pc("GET", nowhere, &[], None).await.status, 404);
    }
}

#[tokio::test]
async fn client_request_id_is_required() {
    for (flipped, status) in [(false, 200), (true, 400)] {
        let world = assuming(|all| all.client_request_id_is_required = flipped).await;
        assert_eq!(world.pc("GET", "", &[], None).await.status, status);
        let with = [("client-request-id", "0a0a0a0a-0000-4000-8000-000000000001")];
        assert_eq!(world.pc("GET", "", &with, None).await.status, 200);
    }
}

#[tokio::test]
async fn referrals_users_may_write() {
    for (flipped, status) in [(false, 403), (true, 204)] {
        let world = assuming(|all| all.referrals_users_may_write = flipped).await;
        let mail = world.running.organizations[0].user_mail.clone();
        let mut body = deal();
        body["team"][0]["email"] = json!(mail);
        let own = world.pc("POST", "", &[], Some(body)).await.body;
        world.control().set_role(&mail, Role::ReferralsUser);
        let notes = patch(&[("/details/notes", json!("by a user"))]);
        let told = world.pc("PATCH", &path(&own), &[], notes).await;
        assert_eq!(told.status, status);
    }
}

#[tokio::test]
async fn throttled_referrals_answer_as_the_gateway() {
    for (flipped, place) in [(false, "/error/code"), (true, "/statusCode")] {
        let world = assuming(|all| all.throttled_referrals_answer_as_the_gateway = flipped).await;
        world.control().fault(Fault {
            service: Service::Referrals,
            method: None,
            path_prefix: String::new(),
            skip: 0,
            count: Some(1),
            kind: FaultKind::Answer {
                status: 429,
                code: None,
                retry_after_s: Some(57),
            },
        });
        let told = world.pc("GET", "", &[], None).await;
        assert_eq!((told.status, told.header("retry-after")), (429, "57"));
        assert!(told.body.pointer(place).is_some(), "{}", told.text);
    }
}

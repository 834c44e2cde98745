use std::sync::Mutex;
use std::time::Duration;

use cosell_remote::partner_center::{
    ListQuery, Order, PartnerCenterSettings, Referral, Registration, patch_ops,
};
use cosell_remote::{Class, Endpoint, PartnerCenter};
use cosell_sync::deal::{Timestamp, Unit, UnitValue, Units};

use crate::fake::{Asked, Fake, Reply, blunt, http, reply, tokens};

const ID: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const ENGAGEMENT: &str = "eeeeeeee-0000-4000-8000-000000000001";

fn referral(id: &str, external: &str) -> String {
    format!(
        r#"{{"id":"{id}","engagementId":"{ENGAGEMENT}","organizationId":"{ENGAGEMENT}","eTag":"\"84001c9d-0000-0100-0000-6225a63e0000\"",
        "externalReferenceId":"{external}","status":"Active","substatus":"Accepted","details":{{"notes":"old"}}}}"#
    )
}

async fn client(fake: &Fake) -> PartnerCenter {
    at(
        fake.endpoint("/v1.0/engagements"),
        fake.endpoint("/webhooks/v1"),
    )
    .await
}

async fn at(referrals: Endpoint, webhooks: Endpoint) -> PartnerCenter {
    PartnerCenter::new(
        PartnerCenterSettings {
            referrals,
            webhooks,
        },
        tokens().await,
        http(),
    )
}

fn notes(text: &str) -> Vec<cosell_remote::partner_center::PatchOp> {
    let current = Referral::parse(&referral(ID, "x")).unwrap();
    patch_ops(
        &current,
        &Units::from([(Unit::Notes, UnitValue::Text(Some(text.to_owned())))]),
    )
    .unwrap()
}

#[tokio::test]
async fn a_broken_next_link_is_followed_on_our_own_base() {
    let fake = Fake::start(|asked| {
        let (id, next) = match asked.query("$skiptoken").as_deref() {
            None => ("1", r#","@odata.nextLink":"http://api.partner.microsoft.com/v1.0/referrals?$skiptoken=a%2Bb%3D""#),
            Some("a+b=") => ("2", ""),
            Some(other) => panic!("{other}"),
        };
        let id = format!("aaaaaaaa-0000-4000-8000-00000000000{id}");
        reply(200, format!(r#"{{"value":[{}]{next}}}"#, referral(&id, "x")))
    })
    .await;
    let query = ListQuery {
        filter: Some("status eq 'Active'".to_owned()),
        order: Some(Order::Updated),
        page_size: Some(2),
    };
    let all = client(&fake).await.list(&query).all().await.unwrap();
    assert_eq!(
        all.iter()
            .map(|referral| &referral.id[35..])
            .collect::<Vec<_>>(),
        ["1", "2"]
    );
    let asked = fake.asked();
    assert_eq!(
        asked[0].raw_query,
        "$filter=status%20eq%20%27Active%27&$orderby=updatedDateTime%20asc&$top=2"
    );
    assert_eq!(asked[1].line(), "GET /v1.0/engagements/referrals");
    assert_eq!(asked[1].raw_query, "$skiptoken=a%2Bb%3D");
}

#[tokio::test]
async fn pages_that_lead_in_a_circle_end() {
    let fake = Fake::start(|_| {
        reply(
            200,
            r#"{"value":[],"@odata.nextLink":"http://elsewhere.example/?$skiptoken=1"}"#,
        )
    })
    .await;
    let error = client(&fake)
        .await
        .list(&ListQuery::default())
        .all()
        .await
        .unwrap_err();
    assert_eq!(error.class, Class::Refused);
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn a_filter_that_the_server_ignores_brings_no_strangers() {
    let stranger = "bbbbbbbb-0000-4000-8000-000000000001";
    let fake = Fake::start(move |_| {
        reply(
            200,
            format!(
                r#"{{"value":[{},{}]}}"#,
                referral(ID, "o'brien"),
                referral(stranger, "other")
            ),
        )
    })
    .await;
    let client = client(&fake).await;
    let since = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
    let found = client.by_external_reference("O'Brien", since).await;
    let found = found.unwrap();
    assert_eq!(
        found
            .iter()
            .map(|referral| referral.id.as_str())
            .collect::<Vec<_>>(),
        [ID]
    );
    assert_eq!(
        fake.asked()[0].query("$filter").unwrap(),
        "externalReferenceId eq 'O''Brien'"
    );
    assert_eq!(client.engagement(ENGAGEMENT).await.unwrap().len(), 2);
    assert_eq!(client.engagement(stranger).await.unwrap().len(), 0);
    client.updated_since(since).next().await.unwrap();
    assert_eq!(
        fake.last().query("$filter").unwrap(),
        "updatedDateTime ge 2026-01-01T00:00:00Z"
    );
}

#[tokio::test]
async fn a_patch_carries_the_etag_as_it_came_and_returns_what_it_wrote() {
    let fake = Fake::start(|_| reply(200, referral(ID, "x"))).await;
    let client = client(&fake).await;
    let seen = client.get(ID).await.unwrap();
    let patched = client
        .patch(ID, &notes("new"), &seen.etag, "op-1")
        .await
        .unwrap();
    assert!(patched.from_write);
    let asked = fake.last();
    assert_eq!(
        asked.line(),
        format!("PATCH /v1.0/engagements/referrals/{ID}")
    );
    assert_eq!(
        asked.header("if-match"),
        "\"84001c9d-0000-0100-0000-6225a63e0000\""
    );
    assert_eq!(asked.header("content-type"), "application/json");
    assert_eq!(asked.header("prefer"), "return=representation");
    assert_eq!(asked.header("ms-correlationid"), "op-1");
    assert_eq!(
        asked.body,
        r#"[{"op":"replace","path":"/details/notes","value":"new"}]"#
    );
}

#[tokio::test]
async fn an_empty_answer_to_a_patch_is_read_after() {
    let fake = Fake::start(|asked| {
        if asked.method == "PATCH" {
            reply(204, "")
        } else {
            reply(200, referral(ID, "x"))
        }
    })
    .await;
    let patched = client(&fake)
        .await
        .patch(ID, &notes("new"), "\"e\"", "op")
        .await
        .unwrap();
    assert!(!patched.from_write);

    let fake = Fake::start(|asked| {
        if asked.method == "PATCH" {
            reply(204, "")
        } else {
            reply(503, "")
        }
    })
    .await;
    let error = client(&fake)
        .await
        .patch(ID, &notes("new"), "\"e\"", "op")
        .await
        .unwrap_err();
    assert_eq!(error.class, Class::UnknownOutcome, "{error}");
}

#[tokio::test]
async fn every_status_has_its_class_and_a_read_never_ends_unknown() {
    let transient = |throttled| Class::Transient {
        retry_after: None,
        throttled,
    };
    let table = [
        (400, Class::Refused, Class::Refused),
        // Where no referral may be read, the role is missing: that was asked for, too.
        (403, Class::Unauthorised, Class::Forbidden),
        (404, Class::NotFound, Class::NotFound),
        // Where the referral cannot be read after, it may have moved.
        (409, Class::Refused, Class::Conflict),
        (410, Class::NotFound, Class::NotFound),
        (412, Class::Conflict, Class::Conflict),
        (422, Class::Refused, Class::Refused),
        (423, transient(false), transient(false)),
        (429, transient(true), transient(true)),
        (408, transient(false), Class::UnknownOutcome),
        (500, transient(false), Class::UnknownOutcome),
        (502, transient(false), Class::UnknownOutcome),
        (503, transient(false), Class::UnknownOutcome),
        (504, transient(false), Class::UnknownOutcome),
        (509, transient(true), transient(true)),
    ];
    for (status, read, written) in table {
        let fake = Fake::start(move |_| {
            reply(
                status,
                r#"{"error":{"code":"generalException","message":"No."}}"#,
            )
            .header("request-id", "r-1")
        })
        .await;
        let client = client(&fake).await;
        let error = client.get(ID).await.unwrap_err();
        assert_eq!((status, error.class), (status, read));
        assert_eq!(
            (error.status, error.code(), error.about.message.as_str()),
            (Some(status), Some("generalException"), "No.")
        );
        assert!(
            error
                .about
                .request_ids
                .contains(&("request-id".to_owned(), "r-1".to_owned()))
        );
        let error = client
            .patch(ID, &notes("n"), "\"e\"", "op")
            .await
            .unwrap_err();
        assert_eq!((status, error.class), (status, written));
        let asked = match status {
            // The role is asked for, or the referral looked at.
            403 | 409 => 3,
            _ => 2,
        };
        assert_eq!(
            fake.asked().len(),
            asked,
            "{status}: nothing is retried here"
        );
    }
}

#[tokio::test]
async fn one_referral_that_we_may_not_see_is_no_missing_role() {
    let fake = Fake::start(|asked| {
        if asked.path.contains(ID) {
            reply(
                403,
                r#"{"error":{"code":"accessDenied","message":"Not yours."}}"#,
            )
        } else {
            reply(200, r#"{"value":[]}"#)
        }
    })
    .await;
    let error = client(&fake).await.get(ID).await.unwrap_err();
    assert_eq!(error.class, Class::Forbidden, "{error}");
    assert!(error.to_string().contains("Referrals admin"), "{error}");
}

#[tokio::test]
async fn the_gateways_wish_when_to_come_again_is_kept() {
    let fake = Fake::start(|_| reply(429, r#"{ "statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds." }"#).header("retry-after", "57")).await;
    let error = client(&fake).await.get(ID).await.unwrap_err();
    assert_eq!(
        error.class,
        Class::Transient {
            retry_after: Some(Duration::from_secs(57)),
            throttled: true
        }
    );
    assert_eq!(
        error.to_string(),
        format!(
            "Partner Center is slowing us down and did not read referral {ID} (429): Rate limit is exceeded. Try again in 57 seconds."
        )
    );
}

#[tokio::test]
async fn one_fresh_token_is_tried_after_a_401_and_no_more() {
    let fake = Fake::start(|asked| {
        if asked.header("authorization") == "Bearer token-1" {
            reply(200, referral(ID, "x"))
        } else {
            reply(401, "")
        }
    })
    .await;
    client(&fake).await.get(ID).await.unwrap();
    assert_eq!(fake.asked().len(), 2);

    let fake =
        Fake::start(|_| reply(401, r#"{"error":{"code":"unAuthorized","message":"m"}}"#)).await;
    assert_eq!(
        client(&fake).await.get(ID).await.unwrap_err().class,
        Class::Unauthorised
    );
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_transient_to_read_and_unknown_to_write() {
    for bytes in [&b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"id\":"[..], b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"] {
        let base = blunt(bytes).await;
        let client = at(Endpoint::new(&base).unwrap(), Endpoint::new(&base).unwrap()).await;
        let error = client.get(ID).await.unwrap_err();
        assert!(matches!(error.class, Class::Transient { throttled: false, .. }), "{error}");
        assert_eq!(client.patch(ID, &notes("n"), "\"e\"", "op").await.unwrap_err().class, Class::UnknownOutcome);
    }
}

#[tokio::test]
async fn a_write_that_never_left_is_not_unknown() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = at(Endpoint::new(&base).unwrap(), Endpoint::new(&base).unwrap()).await;
    let error = client
        .patch(ID, &notes("n"), "\"e\"", "op")
        .await
        .unwrap_err();
    assert!(
        matches!(
            error.class,
            Class::Transient {
                throttled: false,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("no connection to 127.0.0.1"),
        "{error}"
    );
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let fake = Fake::start(|_| reply(200, " ".repeat(17 * 1024 * 1024))).await;
    let error = client(&fake).await.get(ID).await.unwrap_err();
    assert_eq!(error.class, Class::Refused);
    assert!(
        error.to_string().contains("larger than 16777216 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_a_token() {
    let elsewhere = Fake::start(|_| reply(200, referral(ID, "x"))).await;
    let to = elsewhere.base.clone();
    let fake = Fake::start(move |_| reply(302, "").header("location", &to)).await;
    let error = client(&fake).await.get(ID).await.unwrap_err();
    assert_eq!(error.class, Class::Refused);
    assert!(
        error.to_string().contains("check the base address"),
        "{error}"
    );
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn an_id_that_is_no_guid_goes_nowhere() {
    let fake = Fake::start(|_| reply(200, "{}")).await;
    let client = client(&fake).await;
    for id in [
        "../../secrets",
        "",
        "aaaaaaaa-0000-4000-8000-000000000001?x=1",
        "{}",
    ] {
        assert_eq!(client.get(id).await.unwrap_err().class, Class::Refused);
    }
    assert!(fake.asked().is_empty());
}

/// A registration host with a memory.
fn registrar() -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let registered = Mutex::new(None::<String>);
    move |asked| {
        let mut registered = registered.lock().unwrap();
        match (
            asked.method.as_str(),
            asked.path.as_str(),
            registered.is_some(),
        ) {
            ("GET", "/webhooks/v1/registration/events", _) => {
                reply(200, r#"["referral-created","test-created"]"#)
            }
            ("GET", "/webhooks/v1/registration", false) => {
                reply(404, r#"{"code":"3000","description":"none"}"#)
            }
            ("POST", "/webhooks/v1/registration", true) => reply(
                409,
                r#"{"Code":"600041","Description":"There is one already. Use PUT."}"#,
            ),
            ("GET", "/webhooks/v1/registration", true) => reply(200, registered.clone().unwrap()),
            ("POST" | "PUT", "/webhooks/v1/registration", _) => {
                *registered = Some(asked.body.clone());
                reply(200, asked.body.replace("WebhookUrl", "webhookUrl"))
            }
            ("POST", "/webhooks/v1/registration/validationEvents", _) => {
                reply(200, format!(r#"{{"correlationId":"{ID}"}}"#))
            }
            ("GET", _, _) => reply(
                200,
                r#"{"correlationId":"c","status":"completed","results":[{"responseCode":"OK","responseMessage":"","systemError":false}]}"#,
            ),
            _ => reply(500, ""),
        }
    }
}

#[tokio::test]
async fn the_one_registration_of_a_tenant_is_read_before_it_is_replaced() {
    let fake = Fake::start(registrar()).await;
    let client = client(&fake).await;
    assert_eq!(client.registration().await.unwrap(), None);
    let wanted = Registration {
        url: "https://host.example/hooks?x=1".to_owned(),
        events: vec!["referral-created".to_owned()],
        signature_header: true,
    };
    assert_eq!(client.create_registration(&wanted).await.unwrap(), wanted);
    assert_eq!(
        fake.last().body,
        r#"{"WebhookUrl":"https://host.example/hooks?x=1","WebhookEvents":["referral-created"],"SignatureTokenToMsSignatureHeader":true}"#
    );
    let error = client.create_registration(&wanted).await.unwrap_err();
    assert_eq!(
        (error.status, error.code(), error.about.message.as_str()),
        (Some(409), Some("600041"), "There is one already. Use PUT.")
    );
    assert_eq!(client.replace_registration(&wanted).await.unwrap(), wanted);
    assert_eq!(client.registration().await.unwrap(), Some(wanted));
    assert_eq!(
        client.registrable_events().await.unwrap(),
        ["referral-created", "test-created"]
    );
    let test = client.send_test_event().await.unwrap();
    assert_eq!(client.test_event(&test).await.unwrap().responses, ["OK"]);
}

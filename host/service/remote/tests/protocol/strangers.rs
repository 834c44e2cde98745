//! An answer may name any host; none of them gets a token, or is even asked. What goes on is taken from the answer as a path and a query at most, and put
//! behind the address of the configuration.

use cosell_remote::dataverse::{Changes, Next, Version};
use cosell_remote::partner_center::{ListQuery, PartnerCenterSettings, Registration};
use cosell_remote::{Class, Dataverse, PartnerCenter, Tokens};
use cosell_sync::deal::Timestamp;
use cosell_sync::row::{Link, Query};
use secrecy::SecretString;

use crate::dataverse::{cells, join, names, row, text};
use crate::fake::{Asked, Fake, Reply, credential, http, reply, tokens};
use crate::organisation::{ACCOUNT, API, OPPORTUNITY, organisation};

const ID: &str = "aaaaaaaa-0000-4000-8000-000000000001";

/// A host that hopes to be asked. It would answer anything.
async fn stranger() -> Fake {
    Fake::start(|_| reply(200, "{}")).await
}

/// Every way in which an answer's headers name another address.
fn luring(answer: Reply, to: &str, path: &str) -> Reply {
    let address = format!("{to}{path}");
    let challenge =
        format!("Bearer authorization_uri=\"{to}/oauth2/authorize\", resource_id=\"{to}\"");
    answer
        .header("location", &address)
        .header("content-location", &address)
        .header("operation-location", &address)
        .header("azure-asyncoperation", &address)
        .header(
            "odata-entityid",
            &format!("{to}{API}/opportunities({OPPORTUNITY})"),
        )
        .header("refresh", &format!("0; url={address}"))
        .header("link", &format!("<{address}>; rel=\"next\""))
        .header("www-authenticate", &challenge)
}

async fn partner_center(base: &Fake) -> PartnerCenter {
    let settings = PartnerCenterSettings {
        referrals: base.endpoint("/v1.0/engagements"),
        webhooks: base.endpoint("/webhooks/v1"),
    };
    PartnerCenter::new(settings, tokens().await, http())
}

/// Nobody has asked; and whoever is asked by us shows up here, token and all, or this would prove nothing.
async fn unasked(stranger: &Fake) {
    assert_eq!(stranger.lines(), [""; 0]);
    let _answer = partner_center(stranger).await.get(ID).await;
    assert!(
        stranger
            .last()
            .header("authorization")
            .starts_with("Bearer token-")
    );
}

/// The spellings in which an absolute address hides another host than the one that it seems to name.
fn spellings(stranger: &str, ours: &str, rest: &str) -> [String; 6] {
    let host = |base: &str| base.trim_start_matches("http://").to_owned();
    let (stranger, ours) = (host(stranger), host(ours));
    [
        format!("http://{stranger}{rest}"),
        format!("//{stranger}{rest}"),
        format!("http://{ours}@{stranger}{rest}"),
        format!("http:\\\\\\\\{stranger}{rest}"),
        format!("http://{stranger}#@{ours}{rest}"),
        format!("HTTP://{stranger}/..;/{rest}"),
    ]
}

#[tokio::test]
async fn no_answer_of_partner_center_leads_a_token_elsewhere() {
    let stranger = stranger().await;
    let to = stranger.base.clone();
    let answer = move |asked: &Asked| {
        let referral = format!(
            r#"{{"id":"{ID}","engagementId":"{ID}","organizationId":"{ID}","eTag":"\"1\"","externalReferenceId":"x","status":"Active",
            "substatus":"Accepted","@odata.context":"{to}/$metadata","@odata.id":"{to}/r","@odata.editLink":"{to}/r","details":{{"notes":"old"}},
            "links":{{"relatedReferrals":{{"method":"GET","uri":"{to}/r"}},"self":{{"method":"GET","uri":"{to}/r"}}}},"url":"{to}/r"}}"#
        );
        let number: usize = asked
            .query("$skiptoken")
            .map_or(0, |token| token.parse().unwrap());
        let rest = format!("/v1.0/engagements/referrals?$skiptoken={}", number + 1);
        let next = spellings(&to, asked.header("host"), &rest)
            .into_iter()
            .nth(number)
            .map(|link| format!(r#","@odata.nextLink":"{link}","@nextLink":"{to}/r"}}"#));
        let body = match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/v1.0/engagements/referrals") => format!(
                r#"{{"@odata.context":"{to}/$metadata","value":[{referral}]{}"#,
                next.unwrap_or_else(|| "}".to_owned())
            ),
            ("GET", "/webhooks/v1/registration") => {
                format!(
                    r#"{{"WebhookUrl":"{to}/hook","WebhookEvents":[],"links":{{"self":"{to}"}}}}"#
                )
            }
            (_, path) if path.starts_with("/webhooks/v1/registration/validationEvents") => format!(
                r#"{{"correlationId":"{ID}","status":"completed","callbackUrl":"{to}/hook","results":[],"resultUri":"{to}/r"}}"#
            ),
            (_, "/webhooks/v1/registration") => asked.body.clone(),
            _ => referral,
        };
        luring(reply(200, body), &to, "/r")
    };
    let fake = Fake::start(answer).await;
    let client = partner_center(&fake).await;
    let since = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
    client.get(ID).await.unwrap();
    client.engagement(ID).await.unwrap();
    client.by_external_reference("x", since).await.unwrap();
    let before = fake.asked().len();
    let all = client.list(&ListQuery::default()).all().await.unwrap();
    assert_eq!(
        (all.len(), fake.asked().len() - before),
        (7, 7),
        "every spelling was followed, to where it does not lead"
    );
    let registration = client.registration().await.unwrap().unwrap();
    let wanted = Registration {
        events: vec!["referral-created".to_owned()],
        ..registration
    };
    client.replace_registration(&wanted).await.unwrap();
    let test = client.send_test_event().await.unwrap();
    client.test_event(&test).await.unwrap();
    unasked(&stranger).await;
}

#[tokio::test]
async fn no_answer_of_the_crm_leads_a_token_elsewhere() {
    let stranger = stranger().await;
    let to = stranger.base.clone();
    let answer = move |asked: &Asked| {
        let path = asked.path.strip_prefix(API).unwrap_or_default();
        let number: usize = asked
            .query("$skiptoken")
            .map_or(0, |token| token.parse().unwrap());
        let rest = |set: &str| format!("{API}/{set}?$skiptoken={}", number + 1);
        let next = |set: &str| {
            spellings(&to, asked.header("host"), &rest(set))
                .into_iter()
                .nth(number)
        };
        let body = match (asked.method.as_str(), path) {
            (_, "/WhoAmI") => format!(
                r#"{{"@odata.context":"{to}","BusinessUnitId":"{ID}","UserId":"{ID}","OrganizationId":"{ID}"}}"#
            ),
            ("GET", "/serviceendpoints") => format!(r#"{{"@odata.context":"{to}","value":[]}}"#),
            (_, "/opportunities") => {
                let deleted = format!(
                    r#"{{"@odata.context":"{to}/$metadata#opportunities/$deletedEntity","id":"{ACCOUNT}","reason":"deleted"}}"#
                );
                let on = next("opportunities").map_or_else(
                    || format!(r#""@odata.deltaLink":"{to}{API}/opportunities?$deltatoken=1""#),
                    |link| format!(r#""@odata.nextLink":"{link}""#),
                );
                format!(r#"{{"@odata.context":"{to}/$metadata","value":[{deleted}],{on}}}"#)
            }
            (_, "/accounts" | "/new_lines") => {
                let set = path.trim_start_matches('/');
                let account = format!(
                    r#"{{"@odata.etag":"W/\"1\"","@odata.id":"{to}/a","accountid":"0a0a0a0a-0000-4000-8000-00000000000{number}","new_lineid":"11111111-0000-4000-8000-00000000000{number}","name":"A","new_name":"l"}}"#
                );
                let on = next(set).map_or_else(String::new, |link| {
                    format!(r#","@odata.nextLink":"{link}","nextLink":"{to}/a""#)
                });
                format!(r#"{{"@odata.context":"{to}/$metadata","value":[{account}]{on}}}"#)
            }
            _ => row(&format!(
                r#""@odata.id":"{to}/o","@odata.editLink":"{to}/o","name":"n","new_deal_lines":[],"new_deal_lines@odata.nextLink":"{to}{API}/new_lines?$skiptoken=1","new_deal_lines@odata.navigationLink":"{to}/l""#
            )),
        };
        luring(reply(200, body), &to, "/o")
    };
    let (fake, crm) = organisation(answer).await;
    crm.who_am_i().await.unwrap();
    let lines = join(
        "stock/lines",
        "opportunity",
        "new_line",
        Link::Child("new_dealid".to_owned()),
        &["new_name"],
    );
    let looked = crm
        .retrieve("opportunity", OPPORTUNITY, &names(["name"]), &[lines])
        .await
        .unwrap();
    assert!(!looked.seen.related[0].rows.is_empty());
    let accounts = Query {
        label: "all".to_owned(),
        table: "account".to_owned(),
        columns: vec!["name".to_owned()],
        conditions: vec![],
        limit: 50,
    };
    assert_eq!(crm.every(&accounts).await.unwrap().len(), 7);
    // Every spelling of a link to the next page, and then the link that is kept.
    let mut link = None;
    let mut pages = 0;
    let kept = loop {
        let page = match crm.changes("opportunity", link.as_deref()).await.unwrap() {
            Changes::Page(page) => page,
            Changes::Expired(refused) => panic!("{refused}"),
        };
        pages += 1;
        match page.next {
            Next::More(more) => link = Some(more),
            Next::Kept(kept) => break kept,
        }
    };
    assert_eq!(pages, 7);
    crm.changes("opportunity", Some(&kept)).await.unwrap();
    assert_eq!(fake.last().raw_query, "$deltatoken=1");
    let version = Version {
        etag: "W/\"7\"".to_owned(),
        currency: None,
    };
    let wanted = cells([("name", text("n"))]);
    crm.create("opportunity", OPPORTUNITY, &wanted, "op")
        .await
        .unwrap();
    crm.update("opportunity", OPPORTUNITY, &wanted, &version, "op")
        .await
        .unwrap();
    let secret = SecretString::from("the-webhook-secret");
    crm.ensure_endpoint(
        "cosell",
        "https://host.example/crm",
        "x-cosell-key",
        &secret,
    )
    .await
    .unwrap();
    unasked(&stranger).await;
}

#[tokio::test]
async fn no_redirect_is_followed_whatever_asked_and_whoever_answers() {
    let stranger = stranger().await;
    for status in [300, 301, 302, 303, 305, 307, 308] {
        let to = stranger.base.clone();
        let fake = Fake::start(move |_| luring(reply(status, ""), &to, "/moved")).await;
        let client = partner_center(&fake).await;
        let crm = Dataverse::new(fake.endpoint(""), tokens().await, http());
        let sick = Tokens::new(&fake.base, credential(), http()).unwrap();
        let wanted = Registration {
            url: "https://host.example/hook".to_owned(),
            events: vec![],
            signature_header: false,
        };
        for (what, refused) in [
            ("read", client.get(ID).await.map(drop)),
            (
                "list",
                client.list(&ListQuery::default()).all().await.map(drop),
            ),
            (
                "register",
                client.create_registration(&wanted).await.map(drop),
            ),
            (
                "replace",
                client.replace_registration(&wanted).await.map(drop),
            ),
            ("the CRM", crm.who_am_i().await.map(drop)),
            (
                "Entra",
                sick.bearer("https://api.partner.example").await.map(drop),
            ),
        ] {
            let refused = refused.expect_err(what);
            assert_ne!(refused.class, Class::Conflict, "{status} {what}: {refused}");
        }
        assert_eq!(fake.asked().len(), 6, "{status}: each was asked once");
    }
    unasked(&stranger).await;
}

//! Changes and subscriptions.

use std::sync::Mutex;

use cosell_remote::Class;
use cosell_remote::dataverse::{ChangePage, Changes, Message, Next, RowVersion, Step};
use secrecy::SecretString;

use crate::dataverse::error;
use crate::fake::{Asked, Reply, reply};
use crate::organisation::{ACCOUNT, API, EUR, HUF, OPPORTUNITY, list, organisation};

#[tokio::test]
async fn changes_come_page_by_page_with_deletions_and_a_link_to_keep() {
    let (fake, crm) = organisation(|asked| {
        let row = format!(r#"{{"@odata.etag":"W/\"919050\"","opportunityid":"{OPPORTUNITY}"}}"#);
        match asked.query("$deltatoken").as_deref() {
            None if asked.raw_query.contains("$skiptoken") => reply(200, format!(r#"{{"value":[],"@odata.deltaLink":"https://x.example{API}/opportunities?$select=opportunityid&$deltatoken=1%2101"}}"#)),
            None => reply(200, format!(r#"{{"value":[{row}],"@odata.nextLink":"https://x.example{API}/opportunities?$skiptoken=2"}}"#)),
            Some("1!01") => reply(
                200,
                format!(
                    r#"{{"value":[{row},{{"@odata.context":"https://x/$metadata#opportunities/$deletedEntity","id":"{ACCOUNT}","reason":"deleted"}}],"@odata.deltaLink":"https://x.example{API}/opportunities?$deltatoken=2"}}"#
                ),
            ),
            Some(_) => error(400, "0x80044352"),
        }
    })
    .await;
    let page = |changes| match changes {
        Changes::Page(page) => page,
        Changes::Expired(refused) => panic!("{refused}"),
    };
    let first: ChangePage = page(crm.changes("opportunity", None).await.unwrap());
    assert_eq!(
        first.changed,
        [RowVersion {
            id: OPPORTUNITY.to_owned(),
            etag: "W/\"919050\"".to_owned()
        }]
    );
    assert!(
        fake.last()
            .header("prefer")
            .starts_with("odata.track-changes")
    );
    assert_eq!(fake.last().raw_query, "$select=opportunityid,versionnumber");
    let Next::More(link) = first.next else {
        panic!("{:?}", first.next)
    };
    let Next::Kept(link) = page(crm.changes("opportunity", Some(&link)).await.unwrap()).next else {
        panic!("no link to keep")
    };
    let third = page(crm.changes("opportunity", Some(&link)).await.unwrap());
    assert_eq!(
        fake.last().raw_query,
        "$select=opportunityid&$deltatoken=1%2101"
    );
    // It tracks by itself, and nobody knows whether it bears to be told so.
    assert_eq!(fake.last().header("prefer"), "odata.maxpagesize=500");
    assert_eq!(
        (third.changed.len(), third.deleted),
        (1, vec![ACCOUNT.to_owned()])
    );
    let Next::Kept(old) = third.next else {
        panic!("no link to keep")
    };
    assert!(matches!(
        crm.changes("opportunity", Some(&old)).await.unwrap(),
        Changes::Expired(refused) if refused.has_code("0x80044352")
    ));
    // A link that leads elsewhere is not followed.
    assert_eq!(
        crm.changes("opportunity", Some("https://evil.example/other"))
            .await
            .unwrap_err()
            .class,
        Class::Refused
    );
}

/// Endpoints and steps as rows.
fn registrar() -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let steps = Mutex::new(Vec::<(String, String)>::new());
    let endpoint = Mutex::new(false);
    move |asked| {
        let mut steps = steps.lock().unwrap();
        let id = |n: usize| format!("55555555-0000-4000-8000-00000000000{n}");
        match (asked.method.as_str(), asked.path.strip_prefix(API).unwrap()) {
            ("GET", "/serviceendpoints") if *endpoint.lock().unwrap() => {
                list(&format!(r#"{{"serviceendpointid":"{ACCOUNT}"}}"#))
            }
            ("POST", "/serviceendpoints") => {
                *endpoint.lock().unwrap() = true;
                reply(204, "").header(
                    "odata-entityid",
                    &format!("https://x.example{API}/serviceendpoints({ACCOUNT})"),
                )
            }
            ("GET", "/sdkmessages") => list(&format!(r#"{{"sdkmessageid":"{EUR}"}}"#)),
            ("GET", "/sdkmessagefilters") => list(&format!(r#"{{"sdkmessagefilterid":"{HUF}"}}"#)),
            ("POST", "/sdkmessageprocessingsteps") => {
                let member = |name: &str| {
                    asked
                        .body
                        .split(&format!("\"{name}\":\""))
                        .nth(1)
                        .map(|rest| rest.split('"').next().unwrap().to_owned())
                        .unwrap_or_default()
                };
                steps.push((member("name"), member("filteringattributes")));
                reply(204, "").header(
                    "odata-entityid",
                    &format!(
                        "https://x.example{API}/sdkmessageprocessingsteps({})",
                        id(steps.len() - 1)
                    ),
                )
            }
            ("GET", "/sdkmessageprocessingsteps") => {
                let rows = steps.iter().enumerate().map(|(n, (name, columns))| format!(r#"{{"sdkmessageprocessingstepid":"{}","name":"{name}","filteringattributes":"{columns}","statecode":0}}"#, id(n)));
                list(&rows.collect::<Vec<_>>().join(","))
            }
            ("PATCH", _) => reply(204, ""),
            ("DELETE", _) => reply(204, ""),
            ("GET", _) => list(""),
            (method, path) => panic!("{method} {path}"),
        }
    }
}

#[tokio::test]
async fn a_link_that_is_refused_is_given_up_and_an_outage_is_waited_for() {
    // What a refusal of a kept link looks like, nobody knows; what is no refusal is known.
    for (status, code, given_up) in [
        (400, "0x80044352", true),
        (400, "", true),
        (404, "", true),
        (410, "", true),
        (412, "", true),
        (500, "", true),
        (401, "0x80041d50", false),
        (403, "0x80040220", false),
        (429, "0x80072322", false),
        (502, "", false),
        (503, "0x8004a001", false),
        (504, "", false),
    ] {
        let (_fake, crm) = organisation(move |_| error(status, code)).await;
        let link = format!("https://x.example{API}/opportunities?$deltatoken=1");
        let told = crm.changes("opportunity", Some(&link)).await;
        let told = matches!(told, Ok(Changes::Expired(_)));
        assert_eq!(told, given_up, "{status} {code}");
        assert!(crm.changes("opportunity", None).await.is_err(), "{status}");
    }
}

#[tokio::test]
async fn a_webhook_endpoint_is_asked_for_again_with_all_that_its_page_requires() {
    let asked_for = Mutex::new(Vec::new());
    let (fake, crm) = organisation(move |asked| {
        if asked.method == "GET" {
            return list("");
        }
        let mut bodies = asked_for.lock().unwrap();
        bodies.push(asked.body.clone());
        match bodies.len() {
            1 => error(400, "0x80072002"),
            _ => reply(204, "").header(
                "odata-entityid",
                &format!("https://x.example{API}/serviceendpoints({ACCOUNT})"),
            ),
        }
    })
    .await;
    // Without a header of its own the secret is a key, whose form is plain.
    let secret = SecretString::from("a<b>");
    let address = "https://host.example/crm";
    let made = crm.ensure_endpoint("cosell", address, "", &secret).await;
    assert_eq!(made.unwrap(), ACCOUNT);
    let body = fake.last().body;
    assert!(
        body.contains(r#""authtype":4,"authvalue":"a<b>""#) && body.contains("userclaim"),
        "{body}"
    );
}

#[tokio::test]
async fn subscribing_twice_registers_once_and_follows_the_columns() {
    let (fake, crm) = organisation(registrar()).await;
    let secret = SecretString::from("a<b>\"&");
    let endpoint = crm
        .ensure_endpoint(
            "cosell",
            "https://host.example/crm",
            "x-cosell-key",
            &secret,
        )
        .await
        .unwrap();
    assert_eq!(endpoint, ACCOUNT);
    assert!(fake.last().body.contains(r#""authtype":5,"authvalue":"<settings><setting name=\"x-cosell-key\" value=\"a&lt;b&gt;&quot;&amp;\"/></settings>","contract":8"#), "{}", fake.last().body);
    let mut steps = vec![
        Step {
            message: Message::Create,
            table: "opportunity".to_owned(),
            columns: vec![],
        },
        Step {
            message: Message::Update,
            table: "opportunity".to_owned(),
            columns: vec!["name".to_owned(), "estimatedvalue".to_owned()],
        },
    ];
    let subscriptions = crm.ensure_steps(&endpoint, &steps).await.unwrap();
    assert_eq!(
        subscriptions
            .iter()
            .map(|subscription| subscription.name.as_str())
            .collect::<Vec<_>>(),
        [
            "cosell: Create of opportunity",
            "cosell: Update of opportunity"
        ]
    );
    assert_eq!(subscriptions[1].columns, ["estimatedvalue", "name"]);
    let writes = |fake: &crate::fake::Fake| {
        fake.lines()
            .into_iter()
            .filter(|line| !line.starts_with("GET"))
            .collect::<Vec<_>>()
    };
    let before = writes(&fake).len();

    crm.ensure_steps(&endpoint, &steps).await.unwrap();
    assert_eq!(
        writes(&fake).len(),
        before,
        "nothing is written when all is there"
    );
    assert_eq!(
        crm.ensure_endpoint(
            "cosell",
            "https://host.example/crm",
            "x-cosell-key",
            &secret
        )
        .await
        .unwrap(),
        ACCOUNT
    );
    assert_eq!(
        writes(&fake).pop().unwrap(),
        format!("PATCH {API}/serviceendpoints({ACCOUNT})")
    );

    steps.remove(0);
    steps[0].columns.push("statecode".to_owned());
    crm.ensure_steps(&endpoint, &steps).await.unwrap();
    let lines = writes(&fake);
    assert_eq!(
        lines[lines.len() - 2..],
        [
            format!("PATCH {API}/sdkmessageprocessingsteps(55555555-0000-4000-8000-000000000001)"),
            format!("DELETE {API}/sdkmessageprocessingsteps(55555555-0000-4000-8000-000000000000)")
        ]
    );
}

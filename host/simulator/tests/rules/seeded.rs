//! Same seed, same run: every byte that a client sees follows from the seed and from what was asked, but for real time.
//!
//! Keys, certificates and what is signed with them are no part of that: a key that follows from a seed is none.

use std::fmt::Write as _;

use bytes::Bytes;
use cosell_simulator::{Carried, Fault, FaultKind, Inside, Service, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{Receiver, World, deal};
use super::webhooks::{endpoint, header_secret, step};

const NOW: &str = "2026-06-01T08:00:00Z";

/// A client that writes down all that it is told.
struct Client {
    world: Inside,
    told: String,
}

impl Client {
    fn new(seed: u64) -> Self {
        let config = SimulatorConfig {
            seed,
            ..SimulatorConfig::demo()
        };
        Self {
            world: Inside::new(config, NOW.parse().unwrap()).unwrap(),
            told: String::new(),
        }
    }

    fn ask(&mut self, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Value {
        let mut request = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::copy_from_slice(body.as_bytes()));
        let Carried::Answered(answer) = self.world.handle(request.unwrap()) else {
            self.told.push_str("no answer\n");
            return Value::Null;
        };
        let (head, body) = answer.into_parts();
        writeln!(self.told, "{method} {url}: {}", head.status).unwrap();
        for (name, value) in &head.headers {
            writeln!(self.told, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
        writeln!(self.told, "\n{}\n", String::from_utf8_lossy(&body)).unwrap();
        serde_json::from_slice(&body).unwrap_or_default()
    }

    fn token(&mut self, form: &str) -> String {
        let tenant = self.world.crm().tenant_id.clone();
        let url = format!("{}/{tenant}/oauth2/token", self.world.urls.entra);
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let told = self.ask("POST", &url, &kind, form);
        format!("Bearer {}", told["access_token"].as_str().unwrap())
    }

    /// A bit of everything, well and badly asked.
    fn script(&mut self) {
        let partner = self.world.organizations()[0].clone();
        let (crm, urls) = (self.world.crm().clone(), self.world.urls.clone());
        let app = format!(
            "client_id={}&client_secret={}",
            partner.client_id, partner.client_secret
        );
        let refresh = format!(
            "grant_type=refresh_token&{app}&refresh_token={}",
            partner.refresh_token
        );
        let pc = self.token(&format!(
            "{refresh}&resource=https://api.partner.microsoft.com"
        ));
        let hooks = self.token(&format!(
            "{refresh}&resource=https://api.partnercenter.microsoft.com"
        ));
        let crm = self.token(&format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&resource={}",
            crm.client_id, crm.client_secret, urls.dataverse
        ));
        let json_of = |bearer: &str| -> [(&'static str, String); 2] {
            [
                ("authorization", bearer.to_owned()),
                ("content-type", "application/json".to_owned()),
            ]
        };
        let (pc, hooks, crm) = (json_of(&pc), json_of(&hooks), json_of(&crm));
        let referrals = format!("{}/v1.0/engagements/referrals", urls.referrals);
        let own = self.asked("POST", &referrals, &pc, &deal().to_string());
        let id = own["id"].as_str().unwrap().to_owned();
        let change = r#"[{"op":"replace","path":"/details/notes","value":"new"}]"#;
        self.asked("PATCH", &format!("{referrals}/{id}"), &pc, change);
        self.asked("PATCH", &format!("{referrals}/{id}"), &pc, "{}");
        self.asked("GET", &referrals, &pc, "");
        self.asked("GET", &format!("{referrals}/{id}"), &pc, "");
        self.asked("DELETE", &format!("{referrals}/{id}"), &pc, "");
        let registration = format!("{}/webhooks/v1/registration", urls.partner_center);
        let order = r#"{"WebhookUrl":"https://host.example/","WebhookEvents":["test-created"]}"#;
        self.asked("GET", &registration, &hooks, "");
        self.asked("POST", &registration, &hooks, order);
        let tests = format!("{registration}/validationEvents");
        self.asked("POST", &tests, &hooks, "");
        let api = format!("{}/api/data/v9.2", urls.dataverse);
        let account = r#"{"name":"A","revenue":7}"#;
        self.asked("POST", &format!("{api}/accounts"), &crm, account);
        self.asked("POST", &format!("{api}/accounts"), &crm, r#"{"no":1}"#);
        self.asked(
            "GET",
            &format!("{api}/accounts?$select=name,revenue"),
            &crm,
            "",
        );
        self.asked(
            "GET",
            &format!("{api}/accounts?$filter=no%20eq%201"),
            &crm,
            "",
        );
        self.asked("GET", &format!("{api}/nothing"), &crm, "");
        let mixed = [
            crm[0].clone(),
            ("content-type", "multipart/mixed; boundary=b".to_owned()),
        ];
        for account in [account, r#"{"no":1}"#] {
            let part = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n";
            let batch = format!(
                "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n{part}Content-ID: 1\r\n\r\n\
                 POST /api/data/v9.2/accounts HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{account}\r\n--c--\r\n\
                 --b\r\n{part}\r\nGET /api/data/v9.2/accounts(0) HTTP/1.1\r\n\r\n--b--\r\n"
            );
            self.asked("POST", &format!("{api}/$batch"), &mixed, &batch);
        }
        self.world.control().fault_by_chance(
            Fault {
                service: Service::Dataverse,
                method: None,
                path_prefix: String::new(),
                skip: 0,
                count: None,
                kind: FaultKind::DropBefore,
            },
            0.5,
        );
        for _ in 0..20 {
            self.asked("GET", &format!("{api}/WhoAmI"), &crm, "");
        }
    }

    fn asked(&mut self, method: &str, url: &str, headers: &[(&str, String)], body: &str) -> Value {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.ask(method, url, &headers, body)
    }
}

#[test]
fn the_same_seed_and_the_same_calls_give_the_same_answers_and_headers() {
    let [first, again, other] = [7, 7, 8].map(|seed| {
        let mut client = Client::new(seed);
        client.script();
        let posted = format!("{:?}", client.world.outbox());
        (client.told, posted)
    });
    assert!(first.0.contains("request-id") && first.0.contains("batchresponse_"));
    assert!(first.0.contains("no answer") && first.0.contains("req_id"));
    for (one, two) in first.0.lines().zip(again.0.lines()) {
        assert_eq!(one, two);
    }
    assert_eq!(first, again);
    assert_ne!(first.0, other.0, "another seed is another run");
}

#[test]
fn a_copy_and_a_saved_world_go_on_with_ids_of_their_own() {
    let mut client = Client::new(7);
    client.script();
    let mut all = client.told;
    let mut copy = Client {
        world: client.world.copied(1),
        told: String::new(),
    };
    copy.script();
    all.push_str(&copy.told);
    // The same seed, and so the same ids, if it were not for what is in the file.
    let mut resumed = Client::new(7);
    let file = client.world.control().save().unwrap();
    resumed.world.control().load(&file).unwrap();
    resumed.script();
    all.push_str(&resumed.told);
    let ids: Vec<&str> = all
        .lines()
        .filter_map(|line| line.split_once("request-id: "))
        .map(|(_, id)| id)
        .collect();
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert!(ids.len() > 60 && distinct.len() == ids.len());
}

/// The webhooks of one deal and one row, without what is signed and when it happened.
async fn posted(seed: u64) -> Vec<String> {
    let world = World::with(SimulatorConfig {
        tls: false,
        seed,
        ..SimulatorConfig::demo()
    })
    .await;
    let mut receiver = Receiver::start().await;
    let body = json!({"WebhookUrl": receiver.url, "WebhookEvents": ["referral-created"]});
    world.hooks("POST", "", Some(body)).await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Create", "account", None).await;
    let mut told = Vec::new();
    for kind in ["referral", "account"] {
        match kind {
            "referral" => drop(world.deal().await),
            _ => drop(world.create("accounts", json!({"name": "A"})).await),
        }
        let mut event = receiver.next().await;
        for real in [
            "x-ms-certificate-url",
            "authorization",
            "content-length",
            "host",
            "x-ms-dynamics-organization",
        ] {
            event.headers.remove(real);
        }
        blank_moments(&mut event.body);
        told.push(format!("{:?} {}", event.headers, event.body));
    }
    told
}

/// Real time, and the address of a listener, are another each time.
fn blank_moments(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(blank_moments),
        Value::Object(members) => {
            let key = members.get("key").and_then(Value::as_str);
            if key.is_some_and(|key| matches!(key, "createdon" | "modifiedon" | "versionnumber")) {
                members.remove("value");
            }
            members.retain(|name, _| {
                !matches!(
                    name.as_str(),
                    "OperationCreatedOn" | "ResourceChangeUtcDate"
                )
            });
            members.values_mut().for_each(blank_moments);
        }
        _ => {}
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_webhooks() {
    let (first, again, other) = (posted(7).await, posted(7).await, posted(8).await);
    assert_eq!(first, again);
    assert_ne!(first[1], other[1]);
}

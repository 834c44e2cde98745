//! Signed-in clients of a world without listeners.
#![allow(
    dead_code,
    reason = "each test that has this module asks for its own part"
)]

use bytes::Bytes;
use cosell_simulator::{Assumptions, Carried, Inside, SimulatorConfig};
use serde_json::{Value, json};

/// A world, and a token for each of its services.
pub(crate) struct Client {
    pub(crate) world: Inside,
    referrals: String,
    registration: String,
    dataverse: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(assumptions: Assumptions) -> Self {
        let now = "2026-11-25T12:00:00Z".parse().unwrap();
        let config = SimulatorConfig {
            assumptions,
            ..SimulatorConfig::demo()
        };
        let world = Inside::new(config, now).unwrap();
        let (crm, partner) = (world.crm().clone(), world.organizations()[0].clone());
        let mut client = Self {
            world,
            referrals: String::new(),
            registration: String::new(),
            dataverse: String::new(),
        };
        let user = |resource: &str| {
            format!(
                "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}&resource={resource}",
                partner.client_id, partner.client_secret, partner.refresh_token
            )
        };
        let app = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&resource={}",
            crm.client_id, crm.client_secret, client.world.urls.dataverse
        );
        client.referrals = client.token(&user("https://api.partner.microsoft.com"));
        client.registration = client.token(&user("https://api.partnercenter.microsoft.com"));
        client.dataverse = client.token(&app);
        client
    }

    fn token(&self, form: &str) -> String {
        let url = format!(
            "{}/{}/oauth2/token",
            self.world.urls.entra,
            self.world.crm().tenant_id
        );
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let told = self.send("POST", &url, &[kind], form.as_bytes());
        let told = told.expect("Entra answers");
        format!("Bearer {}", told.body["access_token"].as_str().unwrap())
    }

    /// None when no such request can be sent over HTTP at all.
    fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Told> {
        let mut request = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::copy_from_slice(body)).ok()?;
        let Carried::Answered(answer) = self.world.handle(request) else {
            return None;
        };
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        Some(Told {
            status: answer.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        })
    }

    /// A request to the referrals; `path` begins with `/` or `?`, or is empty.
    pub(crate) fn pc(&self, method: &str, path: &str, body: &[u8]) -> Option<Told> {
        let url = format!(
            "{}/v1.0/engagements/referrals{path}",
            self.world.urls.referrals
        );
        let mut headers = vec![
            ("authorization", self.referrals.as_str()),
            ("content-type", "application/json"),
            ("prefer", "return=representation"),
        ];
        if method == "PUT" {
            headers.push(("if-match", "*"));
        }
        self.send(method, &url, &headers, body)
    }

    /// A request to the registration of webhooks.
    pub(crate) fn hooks(&self, method: &str, path: &str, body: &[u8]) -> Option<Told> {
        let url = format!(
            "{}/webhooks/v1/registration{path}",
            self.world.urls.partner_center
        );
        let headers = [
            ("authorization", self.registration.as_str()),
            ("content-type", "application/json"),
        ];
        self.send(method, &url, &headers, body)
    }

    /// A request to the Web API; a batch has the boundary `b`.
    pub(crate) fn crm(&self, method: &str, path: &str, body: &[u8]) -> Option<Told> {
        let kind = match path {
            "$batch" => "multipart/mixed; boundary=b",
            _ => "application/json",
        };
        let headers = [
            ("content-type", kind),
            ("prefer", "odata.continue-on-error"),
        ];
        self.crm_with(method, path, &headers, body)
    }

    /// The same with headers of the caller's own.
    pub(crate) fn crm_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Told> {
        let url = format!("{}/api/data/v9.2/{path}", self.world.urls.dataverse);
        let mut all = vec![("authorization", self.dataverse.as_str())];
        all.extend_from_slice(headers);
        self.send(method, &url, &all, body)
    }
}

/// Name and value, encoded for a query.
pub(crate) fn option(name: &str, value: &str) -> String {
    let coded =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    format!("{}={}", coded(name), coded(value))
}

/// A whole co-sell deal of the partner's own.
pub(crate) fn deal() -> Value {
    json!({
        "name": "Northwind pilot", "type": "Shared", "qualification": "SalesQualified", "externalReferenceId": "opp-1",
        "customerProfile": {
            "name": "Northwind & Söhne", "size": "10to50employees",
            "address": {"addressLine1": "1 Main St", "city": "Redmond", "state": "WA", "postalCode": "98052", "country": "US"},
            "team": [{"firstName": "A", "lastName": "B", "phoneNumber": "4255550100", "email": "a@northwind.example"}],
        },
        "consent": {"consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false},
        "details": {"notes": "n", "dealValue": 5000.50, "currency": "USD", "closingDateTime": "2027-01-31T00:00:00Z",
            "requirements": {"solutions": [{"type": "Name", "id": "SOL-12345-ABC", "name": "Our app"}]}},
        "team": [{"firstName": "C", "lastName": "D", "email": "c@us.example"}],
        "target": [],
    })
}

/// Makes a deal and returns it as it is shown.
pub(crate) fn make(client: &Client, deal: &Value) -> Value {
    let made = client.pc("POST", "", deal.to_string().as_bytes());
    let made = made.expect("a deal can be sent");
    assert_eq!(made.status, 200, "{}", made.text);
    made.body
}

//! A world, a client that is signed in to it, and a receiver of webhooks.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cosell_simulator::{Control, Running, Simulator, SimulatorConfig};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// How long a test waits for a webhook that must come.
const WEBHOOK_WAIT: Duration = Duration::from_secs(20);

/// What four hundred tests poll is compiled once: an async body is compiled anew in each unit of code that polls it, unless it is boxed.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) client: reqwest::Client,
    pc_token: String,
    hooks_token: String,
    crm_token: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    }

    /// The Dataverse error code, or the inner code of Partner Center.
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["innerError"]["code"]
            .as_str()
            .or(self.body["error"]["code"].as_str())
            .unwrap_or_default()
    }

    /// The id at the end of `OData-EntityId`.
    pub(crate) fn entity_id(&self) -> String {
        let address = self.header("odata-entityid");
        address[address.rfind('(').unwrap() + 1..address.len() - 1].to_owned()
    }
}

/// A client that trusts the world's authority, and knows no other.
pub(crate) fn client(ca_pem: Option<&str>) -> reqwest::Client {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let mut roots = rustls::RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(ca_pem.unwrap_or_default().as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .build()
        .unwrap()
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(SimulatorConfig {
            tls: false,
            ..SimulatorConfig::demo()
        })
        .await
    }

    pub(crate) fn with(config: SimulatorConfig) -> Boxed<'static, Self> {
        Box::pin(Self::signed_in(config))
    }

    async fn signed_in(config: SimulatorConfig) -> Self {
        let running = Simulator::start(config).await.unwrap();
        let client = client(running.ca_pem.as_deref());
        let mut world = Self {
            running,
            client,
            pc_token: String::new(),
            hooks_token: String::new(),
            crm_token: String::new(),
        };
        world.sign_in().await;
        world
    }

    pub(crate) async fn sign_in(&mut self) {
        self.pc_token = self.user_token("https://api.partner.microsoft.com").await;
        self.hooks_token = self
            .user_token("https://api.partnercenter.microsoft.com")
            .await;
        let crm = &self.running.crm;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &crm.client_id),
            ("client_secret", &crm.client_secret),
            (
                "scope",
                &format!("{}/.default", self.running.urls.dataverse),
            ),
        ];
        let answer = self.token("oauth2/v2.0/token", &form).await;
        self.crm_token = answer.body["access_token"].as_str().unwrap().to_owned();
    }

    pub(crate) async fn user_token(&self, resource: &str) -> String {
        let partner = &self.running.organizations[0];
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", partner.client_id.as_str()),
            ("client_secret", &partner.client_secret),
            ("refresh_token", &partner.refresh_token),
            ("resource", resource),
        ];
        let answer = self.token("oauth2/token", &form).await;
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn token(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let tenant = &self.running.crm.tenant_id;
        let url = format!("{}/{tenant}/{path}", self.running.urls.entra);
        read(self.client.post(url).form(form).send().await.unwrap()).await
    }

    pub(crate) fn control(&self) -> &Control {
        self.running.control()
    }

    pub(crate) fn send<'a>(
        &'a self,
        method: &str,
        url: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Boxed<'a, Answer> {
        let mut request = self.client.request(method.parse().unwrap(), url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        Box::pin(async move { read(request.send().await.unwrap()).await })
    }

    /// A request to the referrals collection; `path` starts with `/` or `?`, or is empty.
    pub(crate) fn pc(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Boxed<'_, Answer> {
        let url = format!(
            "{}/v1.0/engagements/referrals{path}",
            self.running.urls.referrals
        );
        self.send(method, &url, &self.pc_token, headers, body)
    }

    /// A request to the webhook registration.
    pub(crate) fn hooks(&self, method: &str, path: &str, body: Option<Value>) -> Boxed<'_, Answer> {
        let url = format!(
            "{}/webhooks/v1/registration{path}",
            self.running.urls.partner_center
        );
        self.send(method, &url, &self.hooks_token, &[], body)
    }

    /// A request to the Web API.
    pub(crate) fn crm(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Boxed<'_, Answer> {
        let url = format!("{}/api/data/v9.2/{path}", self.running.urls.dataverse);
        self.send(method, &url, &self.crm_token, headers, body)
    }

    pub(crate) fn batch(&self, headers: &[(&str, &str)], body: &str) -> Boxed<'_, Answer> {
        let url = format!("{}/api/data/v9.2/$batch", self.running.urls.dataverse);
        let mut request = self
            .client
            .post(url)
            .bearer_auth(&self.crm_token)
            .body(body.to_owned());
        request = request.header("content-type", "multipart/mixed; boundary=\"batch_x\"");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Box::pin(async move { read(request.send().await.unwrap()).await })
    }

    pub(crate) async fn create(&self, set: &str, body: Value) -> String {
        let answer = self.crm("POST", set, &[], Some(body)).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
        answer.entity_id()
    }

    pub(crate) async fn currency(&self, code: &str) -> String {
        let filter = format!(
            "transactioncurrencies?$select=isocurrencycode&$filter=isocurrencycode eq '{code}'"
        );
        let found = self.crm("GET", &filter, &[], None).await;
        found.body["value"][0]["transactioncurrencyid"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// An own deal, ready to be shared.
    pub(crate) async fn deal(&self) -> Value {
        let answer = self.pc("POST", "", &[], Some(deal())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    }

    /// Whether refused with this status and code.
    pub(crate) async fn refuses(
        &self,
        method: &str,
        path: &str,
        body: Value,
        expected: (u16, &str),
    ) {
        let answer = self.crm(method, path, &[], Some(body.clone())).await;
        assert_eq!(
            (answer.status, answer.code()),
            expected,
            "{method} {path} {body}: {}",
            answer.text
        );
    }

    /// A row as control sees it; it must be there.
    pub(crate) fn row(&self, table: &str, id: &str) -> Value {
        self.control().row(table, id).unwrap()
    }

    /// A referral as it is kept; it must be there.
    pub(crate) fn referral(&self, id: &str) -> Value {
        self.control().referral(id).unwrap()
    }

    /// Invites Microsoft to a deal.
    pub(crate) async fn invite(&self, own: &Value) -> Answer {
        let mut body = deal();
        body["engagementId"] = own["engagementId"].clone();
        body["target"] = json!([{"type": "BusinessProfileLocation", "id": "msft"}]);
        body["inviteContext"] =
            json!({"notes": "please", "assistanceRequestCode": "GeneralOrOther"});
        self.pc("POST", "", &[], Some(body)).await
    }
}

pub(crate) async fn read(response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer {
        status,
        headers,
        text,
        body,
    }
}

/// A whole co-sell deal of the partner's own.
pub(crate) fn deal() -> Value {
    json!({
        "name": "Northwind pilot", "type": "Shared", "qualification": "SalesQualified",
        "externalReferenceId": "opp-1", "status": "New", "substatus": "Pending",
        "customerProfile": {
            "name": "Northwind & Söhne", "size": "10to50employees",
            "address": {"addressLine1": "1 Main St", "city": "Redmond", "state": "WA", "postalCode": "98052", "country": "US"},
            "team": [{"firstName": "A", "lastName": "B", "phoneNumber": "4255550100", "email": "a@northwind.example"}],
        },
        "consent": {"consentToToShareInfoWithOthers": true, "ConsentToContact": true, "consentToShareReferralWithMicrosoftSellers": true},
        "details": {"notes": "n", "dealValue": "5000.50", "currency": "USD", "closingDateTime": "2027-01-31T00:00:00Z",
            "requirements": {"solutions": [{"type": "Name", "id": "SOL-12345-ABC", "name": "Our app"}]}},
        "team": [{"firstName": "C", "lastName": "D", "email": "c@us.example"}],
        "target": [{"type": "SolutionProfile", "id": "SOL-12345-ABC"}],
    })
}

/// Asks a write for the record as it is then.
pub(crate) const REPRESENTATION: (&str, &str) = ("prefer", "return=representation");

/// A JSON Patch that replaces.
pub(crate) fn patch(pairs: &[(&str, Value)]) -> Option<Value> {
    let replace =
        |(path, value): &(&str, Value)| json!({"op": "replace", "path": path, "value": value});
    Some(pairs.iter().map(replace).collect())
}

/// What a receiver was sent.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) raw: Bytes,
    pub(crate) body: Value,
}

/// A webhook receiver on loopback; answers 200 unless told otherwise.
pub(crate) struct Receiver {
    pub(crate) url: String,
    statuses: Arc<Mutex<Vec<u16>>>,
    inbox: mpsc::Receiver<Received>,
}

impl Receiver {
    pub(crate) fn start() -> Boxed<'static, Self> {
        Box::pin(Self::listening())
    }

    async fn listening() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, inbox) = mpsc::channel(1_000);
        let statuses: Arc<Mutex<Vec<u16>>> = Arc::default();
        let answers = Arc::clone(&statuses);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, answers) = (sender.clone(), Arc::clone(&answers));
                tokio::spawn(async move {
                    let service =
                        service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                            let (sender, answers) = (sender.clone(), Arc::clone(&answers));
                            async move {
                                let path = request.uri().to_string();
                                let headers = request.headers().iter();
                                let headers = headers
                                    .map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()))
                                    .collect();
                                let raw = request.into_body().collect().await.unwrap().to_bytes();
                                let body = serde_json::from_slice(&raw).unwrap_or(Value::Null);
                                let status = answers.lock().unwrap().pop().unwrap_or(200);
                                sender
                                    .send(Received {
                                        path,
                                        headers,
                                        raw,
                                        body,
                                    })
                                    .await
                                    .unwrap();
                                let mut response = hyper::Response::new(Full::new(Bytes::new()));
                                *response.status_mut() = status.try_into().unwrap();
                                Ok::<_, std::convert::Infallible>(response)
                            }
                        });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            url,
            statuses,
            inbox,
        }
    }

    /// The next requests are answered so, in order; later ones with 200.
    pub(crate) fn answers(&self, statuses: &[u16]) {
        *self.statuses.lock().unwrap() = statuses.iter().rev().copied().collect();
    }

    /// The next webhook; it must come.
    pub(crate) async fn next(&mut self) -> Received {
        tokio::time::timeout(WEBHOOK_WAIT, self.inbox.recv())
            .await
            .expect("a webhook should have come")
            .unwrap()
    }

    /// Waits until the world has nothing more to send, and says whether anything came.
    pub(crate) async fn nothing_more(&mut self, world: &World) -> bool {
        while world.control().deliveries_waiting() > 0 {
            tokio::task::yield_now().await;
        }
        self.inbox.try_recv().is_err()
    }
}

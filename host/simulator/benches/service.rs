//! How much the simulated Dataverse bears: requests a second, their latency, memory, and the time to start. Prints figures and fails
//! when one is outside its budget.
//!
//! The limit of the machine is measured in the same run: a bare server that answers the same bytes to the same client.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench is read on the terminal, and a failed step is a failed bench"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cosell_simulator::{Running, Simulator, SimulatorConfig};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const REQUESTS_PER_SECOND_MIN: f64 = 3_000.0;
const P99_MAX: Duration = Duration::from_millis(20);
const ROWS: usize = 200_000;
const RESIDENT_BYTES_MAX: u64 = 1_000_000_000;
const START_MAX: Duration = Duration::from_millis(300);

/// Connections that ask at the same time, and what each asks.
const CONNECTIONS: usize = 8;
const REQUESTS: usize = 24_000;
/// Rows of one call when the organisation is filled.
const BULK: usize = 1_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        starts().await;
        answers().await;
        holds().await;
    });
    println!("all within budget");
}

fn budget(what: &str, fits: bool) {
    assert!(fits, "{what} is outside its budget");
}

/// A world is up soon. Its keys are random, so the time to find them is too: the middle of several starts counts.
async fn starts() {
    let mut times = Vec::new();
    for _ in 0..9 {
        let began = Instant::now();
        let world = Simulator::start(SimulatorConfig::demo()).await.unwrap();
        times.push(began.elapsed());
        world.shutdown();
    }
    times.sort();
    let middle = times[times.len() / 2];
    println!("start: {middle:.1?} in the middle of {times:.1?}");
    budget("the time to start", middle <= START_MAX);
}

async fn plain() -> (Running, String) {
    let config = SimulatorConfig {
        tls: false,
        ..SimulatorConfig::demo()
    };
    let world = Simulator::start(config).await.unwrap();
    let crm = &world.crm;
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope={}/.default",
        crm.client_id, crm.client_secret, world.urls.dataverse
    );
    let entra = world.urls.entra.strip_prefix("http://").unwrap();
    let mut line = Line::open(entra).await;
    let head = format!(
        "POST /{}/oauth2/v2.0/token HTTP/1.1\r\nhost: {entra}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        crm.tenant_id,
        form.len()
    );
    let answer = line.ask(head.as_bytes()).await;
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    let token = told["access_token"].as_str().unwrap().to_owned();
    (world, token)
}

/// Simple requests of each kind, and the same client against a bare server.
async fn answers() {
    let (world, token) = plain().await;
    let host = world.urls.dataverse.strip_prefix("http://").unwrap();
    let request = |method: &str, path: &str, body: &str| {
        format!(
            "{method} /api/data/v9.2/{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\naccept: application/json\r\nodata-version: 4.0\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    let row = r#"{"name":"Northwind","telephone1":"1","revenue":125000,"industrycode":7}"#;
    let made = Line::open(host)
        .await
        .ask(&request("POST", "accounts", row))
        .await;
    let from = made.head.find("accounts(").unwrap();
    let here = made.head[from..].split_once(')').unwrap().0.to_owned() + ")";
    let read = request(
        "GET",
        &format!("{here}?$select=name,telephone1,revenue,industrycode"),
        "",
    );
    let kinds = [
        ("read", read.clone()),
        ("update", request("PATCH", &here, r#"{"telephone1":"2"}"#)),
        ("create", request("POST", "accounts", row)),
    ];
    let bare = bare(&Line::open(host).await.ask(&read).await).await;
    let limit = rate(&bare, &read).await;
    println!("limit: {limit}");
    for (kind, request) in kinds {
        let measured = rate(host, &request).await;
        println!(
            "{kind}: {measured}, {:.0}% of the limit",
            100.0 * measured.per_second / limit.per_second
        );
        budget(
            kind,
            measured.per_second >= REQUESTS_PER_SECOND_MIN && measured.p99 <= P99_MAX,
        );
    }
}

/// Many rows, with the ledger of their creation, in little memory; and a page of them soon.
async fn holds() {
    let (world, token) = plain().await;
    let host = world.urls.dataverse.strip_prefix("http://").unwrap();
    let mut line = Line::open(host).await;
    let before = resident();
    let began = Instant::now();
    for bulk in 0..ROWS / BULK {
        let targets: Vec<Value> = (0..BULK)
            .map(|at| {
                let n = bulk * BULK + at;
                json!({"@odata.type": "Microsoft.Dynamics.CRM.account", "name": format!("Account {n}"), "telephone1": format!("+1 425 {n}"),
                    "revenue": n, "industrycode": 7, "address1_city": "Redmond", "address1_country": "US", "websiteurl": "https://northwind.example"})
            })
            .collect();
        let body = json!({ "Targets": targets }).to_string();
        let head = format!(
            "POST /api/data/v9.2/accounts/Microsoft.Dynamics.CRM.CreateMultiple HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = line.ask(head.as_bytes()).await;
        assert!(answer.head.starts_with("HTTP/1.1 200"), "{}", answer.head);
    }
    let filled = began.elapsed();
    let held = resident();
    let count = format!(
        "GET /api/data/v9.2/RetrieveTotalRecordCount(EntityNames=[%27account%27]) HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    let told = line.ask(count.as_bytes()).await;
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(told["EntityRecordCountCollection"]["Values"][0], ROWS);
    println!(
        "{ROWS} rows: {} MB resident ({} bytes a row), filled in {filled:.1?}",
        held / 1_000_000,
        held.saturating_sub(before) / ROWS as u64
    );
    let began = Instant::now();
    let page = format!(
        "GET /api/data/v9.2/accounts?$select=name&$filter=startswith(name,%27Account%2019%27)&$orderby=revenue%20desc HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nprefer: odata.maxpagesize=100\r\n\r\n"
    );
    let answer = line.ask(page.as_bytes()).await;
    println!(
        "a filtered, ordered page of them: {:.1?}, {} bytes",
        began.elapsed(),
        answer.body.len()
    );
    let key = json!({"SchemaName": "new_Name", "KeyAttributes": ["name"]}).to_string();
    let order = format!(
        "POST /api/data/v9.2/EntityDefinitions(LogicalName=%27account%27)/Keys HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{key}",
        key.len()
    );
    assert!(
        line.ask(order.as_bytes())
            .await
            .head
            .starts_with("HTTP/1.1 204")
    );
    world.control().advance_ms(10_000);
    let upsert = format!(
        "PATCH /api/data/v9.2/accounts(name=%27Account%20777%27) HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{{\"fax\":\"7\"}}"
    );
    let measured = rate(host, upsert.as_bytes()).await;
    println!("upsert by key among them: {measured}");
    budget(
        "upsert by key",
        measured.per_second >= REQUESTS_PER_SECOND_MIN && measured.p99 <= P99_MAX,
    );
    budget("memory", held <= RESIDENT_BYTES_MAX);
}

/// What this process holds in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1_024
}

struct Rate {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

impl std::fmt::Display for Rate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            per_second,
            p50,
            p99,
        } = self;
        write!(
            formatter,
            "{per_second:.0} requests/s, p50 {p50:.2?}, p99 {p99:.2?}"
        )
    }
}

/// Sends a request again and again over several connections.
async fn rate(host: &str, request: &[u8]) -> Rate {
    let left = Arc::new(AtomicUsize::new(REQUESTS));
    let began = Instant::now();
    let lines: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (left, host, request) = (Arc::clone(&left), host.to_owned(), request.to_vec());
            tokio::spawn(async move {
                let mut line = Line::open(&host).await;
                let mut times = Vec::with_capacity(REQUESTS / CONNECTIONS * 2);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    .is_ok()
                {
                    let asked = Instant::now();
                    let answer = line.ask(&request).await;
                    times.push(asked.elapsed());
                    assert!(answer.head.starts_with("HTTP/1.1 20"), "{}", answer.head);
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for line in lines {
        times.extend(line.await.unwrap());
    }
    let took = began.elapsed();
    times.sort();
    Rate {
        per_second: times.len() as f64 / took.as_secs_f64(),
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
    }
}

/// A server that does nothing but answer these bytes.
async fn bare(answer: &Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let body = Bytes::from(answer.body.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let body = body.clone();
            let service = hyper::service::service_fn(
                move |request: hyper::Request<hyper::body::Incoming>| {
                    let body = body.clone();
                    async move {
                        request.into_body().collect().await?;
                        let mut answer = hyper::Response::new(Full::new(body));
                        let json = http::HeaderValue::from_static(
                            "application/json; odata.metadata=minimal",
                        );
                        answer.headers_mut().insert("content-type", json);
                        Ok::<_, hyper::Error>(answer)
                    }
                },
            );
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    host
}

/// A connection that is kept, and as little client as there can be: the server is what is measured.
struct Line {
    stream: TcpStream,
    held: Vec<u8>,
}

struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Line {
    async fn open(host: &str) -> Self {
        let stream = TcpStream::connect(host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            held: Vec::new(),
        }
    }

    async fn ask(&mut self, request: &[u8]) -> Answer {
        self.stream.write_all(request).await.unwrap();
        let end = loop {
            if let Some(at) = self.held.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await;
        };
        let head = String::from_utf8(self.held[..end].to_vec()).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        while self.held.len() < end + length {
            self.more().await;
        }
        let body = self.held[end..end + length].to_vec();
        self.held.drain(..end + length);
        Answer { head, body }
    }

    async fn more(&mut self) {
        let read = self.stream.read_buf(&mut self.held).await.unwrap();
        assert!(read > 0, "the server closed the connection");
    }
}

//! Hostile input: whatever is sent, the answer is the documented one or a documented error, and never a panic.
//!
//! `fuzz-corpus/` keeps inputs, one a file: queries (`odata`, an option a line), batch bodies (`batch`), bodies of rows (`body`) and what
//! follows the service root (`address`). Each is replayed as it is, and then mutated with a seeded generator: the same seed makes the same
//! inputs. What breaks is printed so that it can be kept there.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test, in helpers too"
)]

#[path = "hostile/mutation.rs"]
mod mutation;

use bytes::Bytes;
use cosell_simulator::{Carried, Inside, SimulatorConfig};
use serde_json::Value;

const ROOT: &str = "https://dataverse.simulated/api/data/v9.2/";
/// What a client may be answered: success, or an error that the Web API documents.
const STATUSES: [u16; 10] = [200, 201, 204, 304, 400, 404, 405, 412, 414, 501];
/// A world with something in it, and a token for it.
struct Target {
    world: Inside,
    token: String,
}

fn world() -> Target {
    let now = "2026-11-25T12:00:00Z".parse().unwrap();
    let world = Inside::new(SimulatorConfig::demo(), now).unwrap();
    let crm = world.crm();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope={}/.default",
        crm.client_id, crm.client_secret, world.urls.dataverse
    );
    let url = format!("{}/{}/oauth2/v2.0/token", world.urls.entra, crm.tenant_id);
    let request = http::Request::post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form))
        .unwrap();
    let Carried::Answered(answer) = world.handle(request) else {
        panic!("Entra answers");
    };
    let told: Value = serde_json::from_slice(answer.body()).unwrap();
    let token = told["access_token"].as_str().unwrap().to_owned();
    let target = Target { world, token };
    for (set, body) in [
        (
            "contacts",
            r#"{"contactid":"0a0a0a0a-0000-4000-8000-000000000001","lastname":"L"}"#,
        ),
        (
            "accounts",
            r#"{"accountid":"0a0a0a0a-0000-4000-8000-000000000001","name":"O'Neil","revenue":7,"primarycontactid@odata.bind":"/contacts(0a0a0a0a-0000-4000-8000-000000000001)"}"#,
        ),
    ] {
        let made = target.send("POST", set, &[], body.as_bytes().to_vec());
        assert_eq!(made.map(|(status, _)| status), Some(204));
    }
    target
}

impl Target {
    /// None when no such request can be sent over HTTP at all.
    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Option<(u16, Bytes)> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{ROOT}{path}"))
            .header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::from(body)).ok()?;
        match self.world.handle(request) {
            Carried::Answered(answer) => Some((answer.status().as_u16(), answer.into_body())),
            Carried::Lost | Carried::Unanswered => None,
        }
    }

    /// Sends an input of a kind.
    fn feed(&self, kind: &str, input: &[u8]) -> Option<(u16, Bytes)> {
        let json = ("content-type", "application/json");
        let tracked = ("prefer", "odata.include-annotations=\"*\"");
        match kind {
            "odata" => {
                let text = String::from_utf8_lossy(input);
                let options = text.split('\n').filter_map(|line| line.split_once('='));
                let query: Vec<String> = options
                    .map(|(name, value)| {
                        let coded: String =
                            url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
                        let name: String =
                            url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
                        format!("{name}={coded}")
                    })
                    .collect();
                self.send(
                    "GET",
                    &format!("accounts?{}", query.join("&")),
                    &[tracked],
                    Vec::new(),
                )
            }
            "batch" => {
                let mixed = ("content-type", "multipart/mixed; boundary=batch_x");
                let go_on = ("prefer", "odata.continue-on-error");
                self.send("POST", "$batch", &[mixed, go_on], input.to_vec())
            }
            "body" => {
                let _updated = self.send(
                    "PATCH",
                    "accounts(0a0a0a0a-0000-4000-8000-000000000001)",
                    &[json],
                    input.to_vec(),
                );
                self.send("POST", "accounts", &[json], input.to_vec())
            }
            _ => {
                let path = String::from_utf8_lossy(input).replace(' ', "%20");
                for method in ["DELETE", "PUT", "PATCH"] {
                    // The row that all lean on stays.
                    if !path.contains("0a0a0a0a") {
                        self.send(method, &path, &[json], b"{\"value\":1}".to_vec());
                    }
                }
                self.send("GET", &path, &[], Vec::new())
            }
        }
    }
}

/// The answer is documented, and an error says what is wrong.
fn judge(kind: &str, answer: Option<(u16, Bytes)>) -> Result<(), String> {
    let Some((status, body)) = answer else {
        return Ok(());
    };
    if !STATUSES.contains(&status) {
        return Err(format!("status {status}"));
    }
    let text = String::from_utf8_lossy(&body);
    if status < 400 || (kind == "batch" && text.starts_with("--batchresponse_")) {
        return Ok(());
    }
    let told: Value =
        serde_json::from_slice(&body).map_err(|error| format!("{status}, and no JSON: {error}"))?;
    let word = |name: &str| {
        told["error"][name]
            .as_str()
            .is_some_and(|word| !word.is_empty())
    };
    if word("message") && word("code") {
        Ok(())
    } else {
        Err(format!(
            "{status}, and no error that says what is wrong: {text}"
        ))
    }
}

fn survives(kind: &str) {
    let target = world();
    mutation::survives(kind, |input| judge(kind, target.feed(kind, input)));
}

#[test]
fn hostile_queries_are_answered_or_refused_and_never_panic() {
    survives("odata");
}

#[test]
fn hostile_batches_are_answered_or_refused_and_never_panic() {
    survives("batch");
}

#[test]
fn hostile_rows_are_answered_or_refused_and_never_panic() {
    survives("body");
}

#[test]
fn hostile_addresses_are_answered_or_refused_and_never_panic() {
    survives("address");
}

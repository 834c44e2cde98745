//! Hostile input: whatever is sent, the answer is the documented one or a documented error, and never a panic.
//!
//! `fuzz-corpus/` keeps inputs, one a file: queries (`odata`, an option a line), batch bodies (`batch`), bodies of rows (`body`) and what
//! follows the service root (`address`). Each is replayed as it is, and then mutated with a seeded generator: the same seed makes the same
//! inputs. What breaks is printed so that it can be kept there.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test, in helpers too"
)]

#[path = "hostile/clients.rs"]
mod clients;
#[path = "hostile/mutation.rs"]
mod mutation;
#[path = "hostile/rounds.rs"]
mod rounds;

use clients::{Client, Told, option};
use cosell_simulator::Assumptions;

/// What a client may be answered: success, or an error that the Web API documents.
const STATUSES: [u16; 10] = [200, 201, 204, 304, 400, 404, 405, 412, 414, 501];

/// A client of a world with something in it.
struct Target(Client);

fn world() -> Target {
    let target = Target(Client::new(Assumptions::default()));
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
        let made = target.send("POST", set, &[JSON], body.as_bytes());
        assert_eq!(made.map(|told| told.status), Some(204));
    }
    target
}

const JSON: (&str, &str) = ("content-type", "application/json");

impl Target {
    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Told> {
        self.0.crm_with(method, path, headers, body)
    }

    /// Sends an input of a kind.
    fn feed(&self, kind: &str, input: &[u8]) -> Option<Told> {
        let tracked = ("prefer", "odata.include-annotations=\"*\"");
        match kind {
            "odata" => {
                let text = String::from_utf8_lossy(input);
                let options = text.split('\n').filter_map(|line| line.split_once('='));
                let query: Vec<String> = options.map(|(name, value)| option(name, value)).collect();
                self.send(
                    "GET",
                    &format!("accounts?{}", query.join("&")),
                    &[tracked],
                    &[],
                )
            }
            "batch" => {
                let mixed = ("content-type", "multipart/mixed; boundary=batch_x");
                let go_on = ("prefer", "odata.continue-on-error");
                self.send("POST", "$batch", &[mixed, go_on], input)
            }
            "body" => {
                let _updated = self.send(
                    "PATCH",
                    "accounts(0a0a0a0a-0000-4000-8000-000000000001)",
                    &[JSON],
                    input,
                );
                self.send("POST", "accounts", &[JSON], input)
            }
            _ => {
                let path = String::from_utf8_lossy(input).replace(' ', "%20");
                for method in ["DELETE", "PUT", "PATCH"] {
                    // The row that all lean on stays.
                    if !path.contains("0a0a0a0a") {
                        self.send(method, &path, &[JSON], b"{\"value\":1}");
                    }
                }
                self.send("GET", &path, &[], &[])
            }
        }
    }
}

/// The answer is documented, and an error says what is wrong.
fn judge(kind: &str, answer: Option<Told>) -> Result<(), String> {
    let Some(Told { status, text, body }) = answer else {
        return Ok(());
    };
    if !STATUSES.contains(&status) {
        return Err(format!("status {status}"));
    }
    if status < 400 || (kind == "batch" && text.starts_with("--batchresponse_")) {
        return Ok(());
    }
    let word = |name: &str| {
        body["error"][name]
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

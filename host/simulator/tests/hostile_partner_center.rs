//! Hostile input for Partner Center: queries, patches, referrals and registrations. Whatever is sent, the answer is a documented one, and what is
//! kept afterwards is a referral that could have been made by good requests.
//!
//! `fuzz-corpus/` keeps the inputs, one a file: `referral-query` (an option a line), `referral-patch`, `referral` and `registration`; `@id@` and
//! `@engagement@` stand for those of a deal that is there.

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

use std::cell::RefCell;

use clients::{Client, Told, deal, make, option};
use cosell_simulator::Assumptions;
use serde_json::Value;

/// What a client may be answered with. (partner-center 3.7, 5.6)
const STATUSES: [u16; 8] = [200, 204, 400, 404, 405, 409, 412, 429];
/// The pairs that a referral can stand in. (partner-center 2.5)
const STANDINGS: [(&str, &str); 7] = [
    ("New", "Pending"),
    ("New", "Received"),
    ("Active", "Accepted"),
    ("Closed", "Won"),
    ("Closed", "Lost"),
    ("Closed", "Declined"),
    ("Closed", "Expired"),
];

/// A client, and the deal that is patched: another one once it is closed.
struct Target {
    client: Client,
    own: RefCell<Value>,
}

impl Target {
    fn new() -> Self {
        let client = Client::new(Assumptions::default());
        let own = RefCell::new(make(&client, &deal()));
        Self { client, own }
    }

    fn id(&self) -> String {
        self.own.borrow()["id"].as_str().unwrap().to_owned()
    }

    /// The input with what stands for a deal that is there.
    fn filled(&self, input: &[u8]) -> Vec<u8> {
        let engagement = self.own.borrow()["engagementId"].clone();
        let Ok(text) = std::str::from_utf8(input) else {
            return input.to_vec();
        };
        text.replace("@id@", &self.id())
            .replace("@engagement@", engagement.as_str().unwrap())
            .into_bytes()
    }

    fn query(&self, input: &[u8]) -> Result<(), String> {
        let input = self.filled(input);
        let text = String::from_utf8_lossy(&input);
        let options: Vec<String> = text
            .split('\n')
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| option(name, value))
            .collect();
        let told = self
            .client
            .pc("GET", &format!("?{}", options.join("&")), b"");
        let Some(told) = documented(told)? else {
            return Ok(());
        };
        if told.status != 200 {
            return Ok(());
        }
        match told.body["value"].as_array() {
            Some(list) if list.iter().all(Value::is_object) => Ok(()),
            _ => Err(format!("200, and no list: {}", told.text)),
        }
    }

    fn patch(&self, input: &[u8]) -> Result<(), String> {
        let path = format!("/{}", self.id());
        let told = documented(self.client.pc("PATCH", &path, &self.filled(input)))?;
        let Some(now) = self.client.pc("GET", &path, b"") else {
            return Err("the referral cannot be read any more".to_owned());
        };
        sound(&now.body)?;
        let is_kept = told.is_none_or(|told| told.status >= 400);
        if is_kept && now.body != *self.own.borrow() {
            return Err(format!("refused, and changed all the same: {}", now.text));
        }
        *self.own.borrow_mut() = if now.body["status"] == "Closed" {
            make(&self.client, &deal())
        } else {
            now.body
        };
        Ok(())
    }

    fn referral(&self, input: &[u8]) -> Result<(), String> {
        let input = self.filled(input);
        let put = format!("/{}", self.id());
        documented(self.client.pc("PUT", &put, &input))?;
        match documented(self.client.pc("POST", "", &input))? {
            Some(made) if made.status == 200 => sound(&made.body),
            _ => Ok(()),
        }
    }

    fn registration(&self, input: &[u8]) -> Result<(), String> {
        for method in ["POST", "PUT"] {
            let Some(told) = self.client.hooks(method, "", &self.filled(input)) else {
                continue;
            };
            let word = |name: &str| {
                let word = told.body[name].as_str();
                word.is_some_and(|word| !word.is_empty())
            };
            let fits = match told.status {
                200 => word("WebhookUrl") && told.body["WebhookEvents"].is_array(),
                400 | 404 | 409 => {
                    word("code") && word("description") && told.body["data"].is_array()
                }
                _ => false,
            };
            if !fits {
                return Err(format!("{} {}", told.status, told.text));
            }
        }
        Ok(())
    }
}

/// The status is a documented one, and an error says what is wrong.
fn documented(told: Option<Told>) -> Result<Option<Told>, String> {
    let Some(told) = told else {
        return Ok(None);
    };
    if !STATUSES.contains(&told.status) {
        return Err(format!("status {}: {}", told.status, told.text));
    }
    let error = &told.body["error"];
    let word = |value: &Value| value.as_str().is_some_and(|word| !word.is_empty());
    let says_it =
        word(&error["code"]) && word(&error["message"]) && word(&error["innerError"]["code"]);
    let is_short = error["message"]
        .as_str()
        .is_none_or(|message| message.chars().count() <= 1024);
    if told.status >= 400 && !(says_it && is_short) {
        return Err(format!(
            "{}, and no error that says what is wrong: {}",
            told.status, told.text
        ));
    }
    Ok(Some(told))
}

/// A referral as good requests make them.
fn sound(referral: &Value) -> Result<(), String> {
    let text = |name: &str| referral[name].as_str().unwrap_or_default();
    let stands = STANDINGS.contains(&(text("status"), text("substatus")));
    let lists = [
        "/team",
        "/customerProfile/team",
        "/details/requirements/solutions",
    ];
    let is_list = |path: &&str| {
        let list = referral.pointer(path).and_then(Value::as_array);
        list.is_some_and(|items| items.iter().all(Value::is_object))
    };
    let consent = &referral["consent"]["consentToShareReferralWithMicrosoftSellers"];
    let value = &referral["details"]["dealValue"];
    if stands && lists.iter().all(is_list) && consent.is_boolean() && !value.is_string() {
        Ok(())
    } else {
        Err(format!("this is no referral: {referral}"))
    }
}

#[test]
fn hostile_queries_of_referrals_are_answered_or_refused_and_never_panic() {
    let target = Target::new();
    for _ in 0..5 {
        make(&target.client, &deal());
    }
    mutation::survives("referral-query", |input| target.query(input));
}

#[test]
fn hostile_patches_are_applied_whole_or_refused_and_never_panic() {
    let target = Target::new();
    mutation::survives("referral-patch", |input| target.patch(input));
}

#[test]
fn hostile_referrals_are_created_or_refused_and_never_panic() {
    let target = Target::new();
    mutation::survives("referral", |input| target.referral(input));
}

#[test]
fn hostile_registrations_are_taken_or_refused_and_never_panic() {
    let target = Target::new();
    mutation::survives("registration", |input| target.registration(input));
}

//! `$filter`: conditions of any shape, and the same conditions said otherwise.

use cosell_simulator::Assumptions;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use super::clients::{Client, deal, make, option};
use super::{one, rounds};

/// Deepest nesting that is generated: what the parser takes is more.
const DEPTH: u32 = 5;

/// A condition.
#[derive(Clone, Debug)]
enum Condition {
    Not(Box<Condition>),
    Both(Box<Condition>, Box<Condition>),
    Either(Box<Condition>, Box<Condition>),
    /// As it is written.
    Plain(String),
}

use Condition::{Both, Either, Not, Plain};

/// What can be asked of a service: fields, and values that fit them.
struct Words {
    texts: &'static [&'static str],
    numbers: &'static [&'static str],
    moments: &'static [&'static str],
    flags: &'static [&'static str],
    /// Conditions about lists.
    lists: &'static [&'static str],
}

const REFERRALS: Words = Words {
    texts: &[
        "name",
        "status",
        "externalReferenceId",
        "campaignId",
        "details/currency",
        "customerProfile/address/country",
    ],
    numbers: &["details/dealValue"],
    moments: &["createdDateTime", "details/closingDateTime"],
    flags: &["favorite", "consent/consentToContact"],
    lists: &[
        "team/any()",
        "team/any(t:t/email eq 'c@us.example')",
        "team/all(t:contains(t/email,'@') and not (t/firstName eq null))",
        "customerProfile/team/any(t:t/firstName eq 'A' or t/lastName eq 'B')",
    ],
};

const ACCOUNTS: Words = Words {
    texts: &["name", "fax", "address1_city", "emailaddress1"],
    numbers: &["revenue", "numberofemployees"],
    moments: &["createdon", "modifiedon"],
    flags: &["merged"],
    lists: &["opportunity_customer_accounts/any()"],
};

const TEXTS: [&str; 6] = [
    "'Active'",
    "'O''Neil'",
    "''",
    "'opp-3'",
    "'%5B a'",
    "'Söhne 🦀'",
];
const NUMBERS: [&str; 5] = ["0", "-7", "5003.5", "1000000", "0.001"];
const MOMENTS: [&str; 3] = [
    "2020-01-01T00:00:00Z",
    "2026-11-25T12:00:00Z",
    "2999-12-31T23:59:59Z",
];

fn condition(words: &Words, depth: u32, rng: &mut StdRng) -> Condition {
    let inner = |rng: &mut StdRng| Box::new(condition(words, depth - 1, rng));
    match rng.random_range(0..10) {
        0..2 if depth > 0 => Not(inner(rng)),
        2..4 if depth > 0 => Both(inner(rng), inner(rng)),
        4..6 if depth > 0 => Either(inner(rng), inner(rng)),
        _ => Plain(plain(words, rng)),
    }
}

fn plain(words: &Words, rng: &mut StdRng) -> String {
    let operator = one(&["eq", "ne", "gt", "ge", "lt", "le"], rng);
    let compared = |fields: &[&str], values: &[&str], rng: &mut StdRng| {
        format!("{} {operator} {}", one(fields, rng), one(values, rng))
    };
    match rng.random_range(0..7) {
        0 => compared(words.numbers, &NUMBERS, rng),
        1 => compared(words.moments, &MOMENTS, rng),
        2 => {
            let function = one(&["contains", "startswith", "endswith"], rng);
            let (field, text) = (one(words.texts, rng), one(&TEXTS, rng));
            format!("{function}({field},{text})")
        }
        3 => {
            let field = one(words.flags, rng);
            format!("{field} eq {}", one(&["true", "false"], rng))
        }
        4 => {
            let field = one(words.texts, rng);
            format!("{field} {} null", one(&["eq", "ne"], rng))
        }
        5 => (one(words.lists, rng)).to_owned(),
        _ => compared(words.texts, &TEXTS, rng),
    }
}

impl Condition {
    fn text(&self) -> String {
        match self {
            Not(inner) => format!("not ({})", inner.text()),
            Both(one, two) => format!("({}) and ({})", one.text(), two.text()),
            Either(one, two) => format!("({}) or ({})", one.text(), two.text()),
            Plain(text) => text.clone(),
        }
    }

    /// The same, said by De Morgan and with everything turned round.
    fn otherwise(&self) -> Self {
        let not = |inner: &Self| Box::new(Not(Box::new(inner.otherwise())));
        match self {
            Not(inner) => match &**inner {
                Both(one, two) => Either(not(two), not(one)),
                Either(one, two) => Both(not(two), not(one)),
                other => *not(other),
            },
            Both(one, two) => Not(Box::new(Either(not(two), not(one)))),
            Either(one, two) => Both(
                Box::new(Either(Box::new(two.otherwise()), Box::new(one.otherwise()))),
                Box::new(Either(Box::new(one.otherwise()), Box::new(two.otherwise()))),
            ),
            Plain(text) => Plain(text.clone()),
        }
    }
}

/// How many records a service finds.
type Count<'a> = &'a dyn Fn(&str) -> usize;

fn agree(words: &Words, count: Count<'_>, all: usize) {
    let mut rng = StdRng::seed_from_u64(11);
    let (mut some, mut none) = (0, 0);
    for round in 0..rounds() {
        let asked = condition(words, DEPTH, &mut rng);
        let text = asked.text();
        let found = count(&text);
        let otherwise = asked.otherwise().text();
        assert_eq!(
            found,
            count(&otherwise),
            "round {round}:\n{text}\n{otherwise}"
        );
        let rest = count(&format!("not ({text})"));
        assert_eq!(found + rest, all, "round {round}: {text}");
        some += usize::from(found > 0 && found < all);
        none += usize::from(found == 0);
    }
    // Otherwise it would agree about nothing.
    assert!(some > rounds() / 20 && none < rounds(), "{some}, {none}");
}

#[test]
fn conditions_on_referrals_mean_the_same_however_they_are_said() {
    let client = Client::new(Assumptions::default());
    for number in 0..8 {
        let mut body = deal();
        body["name"] = json!(["O'Neil", "Active", "Söhne 🦀", "plain"][number % 4]);
        body["externalReferenceId"] = json!(format!("opp-{number}"));
        body["details"]["dealValue"] = json!(5000.5 + number as f64);
        body["favorite"] = json!(number % 3 == 0);
        body["campaignId"] = [json!(null), json!("opp-3")][number % 2].clone();
        if number % 2 == 0 {
            body["team"] = json!([]);
        }
        make(&client, &body);
    }
    let count = |filter: &str| {
        let told = client.pc("GET", &format!("?{}", option("$filter", filter)), b"");
        let told = told.unwrap();
        assert_eq!(told.status, 200, "{filter}: {}", told.text);
        told.body["value"].as_array().unwrap().len()
    };
    agree(&REFERRALS, &count, 8);
}

#[test]
fn conditions_on_rows_mean_the_same_however_they_are_said() {
    let client = Client::new(Assumptions::default());
    for number in 0..8 {
        let name = ["O'Neil", "Active", "Söhne 🦀", "plain"][number % 4];
        let fax = [json!(null), json!("opp-3")][number % 2].clone();
        let body = json!({
            "name": name, "revenue": 5000.5 + number as f64, "numberofemployees": number, "fax": fax,
        });
        let made = client.crm("POST", "accounts", body.to_string().as_bytes());
        assert_eq!(made.unwrap().status, 204);
    }
    let count = |filter: &str| {
        let query = option("$filter", filter);
        let told = client.crm("GET", &format!("accounts?$select=name&{query}"), b"");
        let told = told.unwrap();
        assert_eq!(told.status, 200, "{filter}: {}", told.text);
        told.body["value"].as_array().unwrap().len()
    };
    let all = count("name ne 'nobody'");
    agree(&ACCOUNTS, &count, all);
}

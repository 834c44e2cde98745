//! JSON Patch: lists of operations of any shape, held against a model of a few lines.

use cosell_simulator::Assumptions;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::clients::{Client, deal, make};
use super::{one, rounds};

/// Paths that hold text, of which the last word is what is shown.
const TEXTS: [&str; 6] = [
    "/details/notes",
    "/campaignId",
    "/salesStage",
    "/externalReferenceId",
    "/referralProgram",
    "/statusReason",
];

/// One operation, and whether it can be done.
struct Step {
    operation: Value,
    is_good: bool,
}

fn step(rng: &mut StdRng) -> Step {
    let word = json!(one(&["replace", "add", "Replace", "ADD"], rng));
    let text = json!(one(&["", "new", "Söhne 🦀", "\u{0}", "null"], rng));
    let good = |path: &str, value: Value| Step {
        operation: json!({"op": word, "path": path, "value": value}),
        is_good: true,
    };
    let bad = |operation: Value| Step {
        operation,
        is_good: false,
    };
    match rng.random_range(0..20) {
        0..9 => good(one(&TEXTS, rng), text),
        9 => good(one(&TEXTS, rng), Value::Null),
        10 => good("/details/dealValue", json!("12.50")),
        11 => good("/details/dealValue", json!(7)),
        12 => good("/details/closingDateTime", json!("2027-02-28")),
        13 => good("/team/-", json!({"firstName": "E", "someday": 1})),
        14 => good("/team", json!([{"email": "e@us.example"}])),
        15 => bad(json!({"op": "remove", "path": "/campaignId", "value": text})),
        16 => bad(json!({"op": word, "path": "/name", "value": text})),
        17 => bad(json!({"op": word, "path": one(&TEXTS, rng), "value": [text]})),
        18 => bad(json!({"op": word, "path": "/details/closingDateTime", "value": "soon"})),
        _ => {
            let mut operation = json!({"op": word, "path": "/campaignId", "value": text});
            let missing = one(&["op", "path", "value"], rng);
            operation.as_object_mut().unwrap().remove(missing);
            bad(operation)
        }
    }
}

/// What a referral shows of the paths that a list of operations wrote.
fn check(before: &Value, after: &Value, steps: &[Step]) {
    let mut wanted: Vec<(String, Value)> = Vec::new();
    let mut sellers = before["team"].as_array().unwrap().len();
    for Step { operation, .. } in steps {
        let path = operation["path"].as_str().unwrap();
        match path {
            "/team/-" => sellers += 1,
            "/team" => sellers = 1,
            _ => {
                wanted.retain(|(held, _)| held != path);
                wanted.push((path.to_owned(), operation["value"].clone()));
            }
        }
    }
    assert_eq!(after["team"].as_array().unwrap().len(), sellers);
    for (path, value) in wanted {
        let shown = match value.as_str() {
            Some("12.50") => json!(12.5),
            Some("2027-02-28") => json!("2027-02-28T00:00:00Z"),
            _ => value,
        };
        assert_eq!(after.pointer(&path), Some(&shown), "{path}");
    }
}

/// Members that every accepted patch moves.
fn without_versions(referral: &Value) -> Value {
    let mut referral = referral.clone();
    for moved in ["eTag", "updatedDateTime"] {
        referral.as_object_mut().unwrap().remove(moved);
    }
    referral
}

#[test]
fn a_patch_is_done_whole_or_not_at_all() {
    let client = Client::new(Assumptions::default());
    let mut now = make(&client, &deal());
    let path = format!("/{}", now["id"].as_str().unwrap());
    let mut rng = StdRng::seed_from_u64(12);
    let mut done = 0;
    for round in 0..rounds() * 4 {
        let steps: Vec<Step> = (0..rng.random_range(1..6))
            .map(|_| step(&mut rng))
            .collect();
        let body: Value = steps.iter().map(|step| step.operation.clone()).collect();
        let told = client.pc("PATCH", &path, body.to_string().as_bytes());
        let told = told.unwrap();
        let is_good = steps.iter().all(|step| step.is_good);
        let expected = if is_good { 200 } else { 400 };
        assert_eq!(
            told.status, expected,
            "round {round}: {body}: {}",
            told.text
        );
        let after = client.pc("GET", &path, b"").unwrap().body;
        if is_good {
            done += 1;
            assert_eq!(
                told.body, after,
                "round {round}: what was returned is what is there"
            );
            assert_ne!(now["eTag"], after["eTag"]);
            check(&now, &after, &steps);
        } else {
            assert_eq!(now, after, "round {round}: {body}");
        }
        now = after;
    }
    assert!(done > rounds() / 2, "{done}");
}

#[test]
fn a_patch_that_is_not_atomic_keeps_what_stands_before_the_refusal() {
    let client = Client::new(Assumptions {
        patches_are_not_atomic: true,
        ..Assumptions::default()
    });
    let mut now = make(&client, &deal());
    let path = format!("/{}", now["id"].as_str().unwrap());
    let mut rng = StdRng::seed_from_u64(13);
    for round in 0..rounds() {
        let steps: Vec<Step> = (0..rng.random_range(1..6))
            .map(|_| step(&mut rng))
            .collect();
        // What is no operation at all is refused before any is looked at, in this reading too.
        let is_operation = |step: &Step| {
            let operation = &step.operation;
            let is_known = operation["op"]
                .as_str()
                .is_some_and(|word| word != "remove");
            is_known && operation["path"].is_string() && operation.get("value").is_some()
        };
        let kept = match steps.iter().all(is_operation) {
            true => steps.iter().take_while(|step| step.is_good).count(),
            false => 0,
        };
        let body: Value = steps.iter().map(|step| step.operation.clone()).collect();
        let told = client.pc("PATCH", &path, body.to_string().as_bytes());
        let expected = if kept == steps.len() { 200 } else { 400 };
        assert_eq!(told.unwrap().status, expected, "round {round}: {body}");
        let after = client.pc("GET", &path, b"").unwrap().body;
        check(&now, &after, &steps[..kept]);
        if kept == 0 {
            assert_eq!(without_versions(&now), without_versions(&after));
        }
        now = after;
    }
}

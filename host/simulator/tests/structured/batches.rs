//! `$batch`: parts and change sets of any shape. Each part stands by itself, a change set happens whole or not at all.

use std::fmt::Write as _;

use cosell_simulator::Assumptions;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::clients::{Client, option};
use super::{one, rounds};

const PART: &str = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n";

/// One request of a batch.
struct Item {
    /// Method and address, and a body.
    request: (&'static str, &'static str, &'static str),
    makes_a_row: bool,
    is_good: bool,
}

enum Part {
    Single(Item),
    ChangeSet(Vec<Item>),
}

/// Rows that are made are called `R`, by which they are counted.
fn item(alone: bool, rng: &mut StdRng) -> Item {
    let makes = |body| Item {
        request: ("POST", "accounts", body),
        makes_a_row: true,
        is_good: true,
    };
    let refused = |method, address, body| Item {
        request: (method, address, body),
        makes_a_row: false,
        is_good: false,
    };
    match rng.random_range(0..10) {
        0 if alone => Item {
            request: ("GET", "accounts?$top=1", ""),
            makes_a_row: false,
            is_good: true,
        },
        1 if alone => refused("GET", "accounts(0)", ""),
        2 => refused("POST", "accounts", "{\"no\":1}"),
        3 => refused("POST", "nothing", "{}"),
        4 => refused(
            "PATCH",
            "accounts(0a0a0a0a-0000-4000-8000-00000000ffff)?x",
            "{",
        ),
        _ => makes(one(
            &["{\"name\":\"R\"}", "{\"name\":\"R\",\"revenue\":7}"],
            rng,
        )),
    }
}

fn part(rng: &mut StdRng) -> Part {
    if rng.random_range(0..3) == 0 {
        return Part::Single(item(true, rng));
    }
    let count = rng.random_range(1..5);
    Part::ChangeSet((0..count).map(|_| item(false, rng)).collect())
}

fn write_item(text: &mut String, boundary: &str, item: &Item, id: Option<usize>) {
    let (method, address, body) = item.request;
    write!(text, "--{boundary}\r\n{PART}").unwrap();
    if let Some(id) = id {
        write!(text, "Content-ID: {id}\r\n").unwrap();
    }
    write!(text, "\r\n{method} /api/data/v9.2/{address} HTTP/1.1\r\n").unwrap();
    write!(text, "Content-Type: application/json\r\n\r\n{body}\r\n").unwrap();
}

fn text(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Single(item) => write_item(&mut text, "b", item, None),
            Part::ChangeSet(items) => {
                text.push_str("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n");
                for (id, item) in items.iter().enumerate() {
                    write_item(&mut text, "c", item, Some(id + 1));
                }
                text.push_str("--c--\r\n");
            }
        }
    }
    text.push_str("--b--\r\n");
    text
}

/// Rows that the parts make, each part by itself.
fn made(parts: &[Part]) -> usize {
    let rows = |items: &[Item]| items.iter().filter(|item| item.makes_a_row).count();
    let of = |part: &Part| match part {
        Part::Single(item) => rows(std::slice::from_ref(item)),
        Part::ChangeSet(items) if items.iter().all(|item| item.is_good) => rows(items),
        Part::ChangeSet(_) => 0,
    };
    parts.iter().map(of).sum()
}

fn count(client: &Client) -> usize {
    let query = option("$filter", "name eq 'R'");
    let told = client.crm(
        "GET",
        &format!("accounts?$select=name&$count=true&$top=1&{query}"),
        b"",
    );
    let told = told.unwrap();
    let count = told.body["@odata.count"].as_u64().unwrap();
    usize::try_from(count).unwrap()
}

#[test]
fn every_part_of_a_batch_stands_by_itself_and_a_change_set_is_whole() {
    let client = Client::new(Assumptions::default());
    let mut rng = StdRng::seed_from_u64(14);
    let mut there = count(&client);
    for round in 0..rounds() {
        let parts: Vec<Part> = (0..rng.random_range(1..6))
            .map(|_| part(&mut rng))
            .collect();
        let body = text(&parts);
        let told = client.crm("POST", "$batch", body.as_bytes()).unwrap();
        assert_eq!(told.status, 200, "round {round}: {body}\n{}", told.text);
        there += made(&parts);
        assert_eq!(
            count(&client),
            there,
            "round {round}: {body}\n{}",
            told.text
        );
    }
    assert!(there > rounds() / 2);
}

#[test]
fn a_batch_whose_lines_were_shuffled_is_answered_or_refused() {
    let client = Client::new(Assumptions::default());
    let mut rng = StdRng::seed_from_u64(15);
    for round in 0..rounds() {
        let parts: Vec<Part> = (0..rng.random_range(1..5))
            .map(|_| part(&mut rng))
            .collect();
        let whole = text(&parts);
        let mut lines: Vec<&str> = whole.split("\r\n").collect();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..lines.len());
            match rng.random_range(0..5) {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at]),
                2 => lines.swap(at, 0),
                3 => {
                    lines[at] = one(
                        &["--b", "--b--", "--c", "--c--", "", "Content-ID: 1"],
                        &mut rng,
                    )
                }
                _ => lines.truncate(at.max(1)),
            }
        }
        let body = lines.join(one(&["\r\n", "\r\n", "\n"], &mut rng));
        let before = count(&client);
        let told = client.crm("POST", "$batch", body.as_bytes()).unwrap();
        let is_documented = matches!(told.status, 200 | 400 | 404 | 405 | 412 | 501);
        assert!(is_documented, "round {round}: {body}\n{}", told.text);
        if told.status != 200 && !told.text.starts_with("--batchresponse_") {
            let message = told.body["error"]["message"].as_str();
            assert!(message.is_some_and(|text| !text.is_empty()), "{body}");
        }
        let made = count(&client) - before;
        let asked = body.matches("\"name\":\"R\"").count();
        assert!(made <= asked, "round {round}: {body}\n{}", told.text);
    }
}

//! A recording for a plugin author: names, mails, phones, addresses and free text become stand-ins of the same shape, ids too. The same word has the
//! same stand-in everywhere, whatever stands around it: a mail's domain is still that of the company's mails, and a query for a name still finds it.
//! Codes, choices, numbers and dates stay.

use std::collections::BTreeMap;

use cosell_sync::deal::Unit;
use serde_json::{Map, Value, json};

use super::{REFERRAL_CATALOGUE, REFERRAL_CODES, REFERRAL_REASONS, is_code, is_harmless};
use crate::link::fingerprint;
use crate::recording::{Heard, Read, Recording};
use crate::seal::Seal;

/// Words that a web address has, whoever it is of.
const ADDRESS_WORDS: [&str; 3] = ["http", "https", "www"];
/// Letters for letters that are not ASCII.
const OTHER_LETTERS: [(char, char); 8] = [
    ('á', 'Á'),
    ('é', 'É'),
    ('í', 'Í'),
    ('ó', 'Ó'),
    ('ö', 'Ö'),
    ('ő', 'Ő'),
    ('ü', 'Ü'),
    ('ű', 'Ű'),
];
/// Characters of a GUID with its dashes.
const GUID_CHARS: usize = 36;
/// Shorter words are no names that anybody would be found by in a message.
const WORD_IN_PROSE_MIN: usize = 2;

/// The same recording with stand-ins. `seal` makes them, so that they are the same in every file of one host, and nobody else finds the way back.
#[must_use]
pub fn pseudonymised(recording: &Recording, seal: &Seal) -> Recording {
    let mut stand_ins = StandIns {
        seal,
        known: BTreeMap::new(),
        raws: BTreeMap::new(),
    };
    let reads = recording.reads.iter();
    let reads = reads.map(|read| stand_ins.read(read)).collect();
    let state = stand_ins.state(&recording.state);
    // Last: sentences of plugins lose the words that are known by now.
    let answers = recording.answers.iter();
    let answers = answers.map(|heard| stand_ins.heard(heard)).collect();
    Recording {
        pseudonymised: true,
        connection: "connection".to_owned(),
        state,
        reads,
        answers,
        ..recording.clone()
    }
}

struct StandIns<'a> {
    seal: &'a Seal,
    /// Words that have one.
    known: BTreeMap<String, String>,
    /// New names of raw records, by old ones.
    raws: BTreeMap<String, String>,
}

impl StandIns<'_> {
    fn read(&mut self, read: &Read) -> Read {
        let mut asked = read.asked.clone();
        for member in ["referral", "engagement", "row"] {
            self.text_at(&mut asked, member);
        }
        for condition in items(&mut asked, "conditions") {
            self.cells(&mut condition["value"]);
        }
        for part in items(&mut asked, "where") {
            let value = part[1].as_str().map(|text| self.text(text));
            part[1] = value.into();
        }
        let mut answer = read.answer.clone();
        match &mut answer {
            Value::String(raw) => *raw = self.raw(raw),
            Value::Array(raws) => {
                for raw in raws {
                    if let Value::String(raw) = raw {
                        *raw = self.raw(raw);
                    }
                }
            }
            Value::Object(_) if asked.get("table-of-columns").is_none() => {
                self.row_answer(&mut answer);
            }
            _ => {}
        }
        Read { asked, answer }
    }

    /// What the CRM answered: a row with related ones, rows, or a reference.
    fn row_answer(&mut self, answer: &mut Value) {
        if answer.get("reference").is_some() {
            return self.cell(answer);
        }
        if answer.get("row").is_some() {
            self.row(&mut answer["row"]);
        }
        for related in items(answer, "related") {
            for row in items(related, "rows") {
                self.row(row);
            }
        }
        for row in items(answer, "rows") {
            self.row(row);
        }
    }

    fn row(&mut self, row: &mut Value) {
        self.text_at(row, "id");
        for (_, cell) in members(row, "cells") {
            self.cell(cell);
        }
    }

    /// A cell, or a list of them.
    fn cells(&mut self, value: &mut Value) {
        match value {
            Value::Array(cells) => cells.iter_mut().for_each(|cell| self.cell(cell)),
            cell => self.cell(cell),
        }
    }

    /// By its kind: what a column is called says nothing about what people write into it.
    fn cell(&mut self, cell: &mut Value) {
        for member in ["text", "reference", "name"] {
            self.text_at(cell, member);
        }
        if let Some(parts) = cell.get_mut("row-where").and_then(Value::as_array_mut) {
            for part in parts {
                let value = part[1].as_str().map(|text| self.text(text));
                part[1] = value.into();
            }
        }
    }

    fn text_at(&mut self, value: &mut Value, member: &str) {
        if let Some(Value::String(text)) = value.get_mut(member) {
            *text = self.text(text);
        }
    }

    /// A raw record: a referral, or a row as it is kept behind bases.
    fn raw(&mut self, raw: &str) -> String {
        let Ok(mut value) = serde_json::from_str::<Value>(raw) else {
            return self.text(raw);
        };
        if value.get("related").is_some() && value.get("row").is_some() {
            self.row(&mut value["row"]);
            for (_, rows) in members(&mut value, "related") {
                for row in rows.as_array_mut().into_iter().flatten() {
                    self.row(row);
                }
            }
        } else {
            self.referral(&mut value);
        }
        value.to_string()
    }

    fn referral(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        _ if REFERRAL_CODES.contains(&name.as_str())
                            || REFERRAL_CATALOGUE.contains(&name.as_str()) => {}
                        Value::String(text)
                            if REFERRAL_REASONS.contains(&name.as_str())
                                && uuid::Uuid::try_parse(text).is_err()
                                && !text.contains(char::is_whitespace) => {}
                        value => self.referral(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.referral(item)),
            Value::String(text) => *text = self.text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn state(&mut self, state: &Value) -> Value {
        let mut state = state.clone();
        for member in items(&mut state, "members") {
            self.text_at(member, "id");
        }
        for bell in items(&mut state, "bells") {
            self.text_at(&mut bell["record"], "id");
        }
        // Questions and answers are about exact values; a stand-in is another one.
        for member in ["cards", "holds"] {
            state[member] = json!([]);
        }
        for member in ["failure", "parked-on"] {
            state[member] = Value::Null;
        }
        if let Some(link) = state.get_mut("link").filter(|link| link.is_object()) {
            self.link(link);
        }
        state
    }

    fn link(&mut self, link: &mut Value) {
        for member in ["referral", "microsoft-referral", "engagement", "crm-row"] {
            self.text_at(link, member);
        }
        let raws = link["raws"].as_object().cloned().unwrap_or_default();
        let mut renamed = Map::new();
        for (name, raw) in raws {
            let raw = self.raw(raw.as_str().unwrap_or_default());
            let new = fingerprint(&raw);
            renamed.insert(new.clone(), raw.into());
            self.raws.insert(name, new);
        }
        link["raws"] = renamed.into();
        for base in items(link, "bases") {
            let raw = base["raw"].as_str().and_then(|raw| self.raws.get(raw));
            base["raw"] = raw.cloned().into();
            let unit = base["unit"].as_str().and_then(Unit::parse);
            let parts = base["value"].as_str().map(serde_json::from_str::<Value>);
            if let (Some(unit), Some(Ok(mut parts))) = (unit, parts) {
                self.parts(&unit, &mut parts);
                base["value"] = parts.to_string().into();
            }
        }
        let notes = link["notes"].as_str().unwrap_or_default();
        let mut notes: Value = serde_json::from_str(notes).unwrap_or_default();
        if let Some(members) = notes.as_object_mut() {
            for gone in ["sent", "halves", "apart"] {
                members.remove(gone);
            }
            for ids in ["made", "left"] {
                for id in members
                    .get_mut(ids)
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .flatten()
                {
                    *id = id.as_str().map(|id| self.text(id)).into();
                }
            }
            self.text_at(&mut notes, "name");
        }
        link["notes"] = notes.to_string().into();
    }

    /// Pairs of path and text.
    fn parts(&mut self, unit: &Unit, parts: &mut Value) {
        for part in parts.as_array_mut().into_iter().flatten() {
            let path = part[0].as_str().unwrap_or_default().to_owned();
            if !is_harmless(unit, &path) {
                let text = part[1].as_str().map(|text| self.text(text));
                part[1] = text.into();
            }
        }
    }

    fn heard(&mut self, heard: &Heard) -> Heard {
        let mut heard = heard.clone();
        let is_reading = heard.answer.get("units").is_some();
        if is_reading {
            for (unit, said) in members(&mut heard.answer, "units") {
                if let Some(unit) = Unit::parse(unit) {
                    self.parts(&unit, &mut said["parts"]);
                }
            }
            self.prose(&mut heard.answer["refusals"]);
        } else {
            self.answer(&mut heard.answer);
        }
        self.prose(&mut heard.stop);
        heard
    }

    /// Whatever has the form of a cell is one; the rest is sentences and codes.
    fn answer(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                let is_cell = ["text", "reference", "row-where"]
                    .iter()
                    .any(|kind| members.contains_key(*kind));
                if is_cell {
                    return self.cell(value);
                }
                for (name, value) in members {
                    match value {
                        Value::String(text) if matches!(name.as_str(), "id" | "key") => {
                            *text = self.text(text);
                        }
                        Value::String(text) if matches!(name.as_str(), "message" | "hint") => {
                            *text = self.sentence(text);
                        }
                        value => self.answer(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.answer(item)),
            _ => {}
        }
    }

    /// Sentences: only words that are somebody's lose themselves, so that an author can still read what went wrong.
    fn prose(&self, value: &mut Value) {
        match value {
            Value::Object(members) => members.values_mut().for_each(|value| self.prose(value)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.prose(item)),
            Value::String(text) => *text = self.sentence(text),
            _ => {}
        }
    }

    fn sentence(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Word(word) if word.chars().count() >= WORD_IN_PROSE_MIN => {
                    match self.known.get(&word.to_lowercase()) {
                        Some(stand_in) => out.push_str(&like(word, stand_in)),
                        None => out.push_str(word),
                    }
                }
                Piece::Guid(id) => match self.known.get(&id.to_lowercase()) {
                    Some(stand_in) => out.push_str(stand_in),
                    None => out.push_str(id),
                },
                Piece::Word(other) | Piece::Else(other) => out.push_str(other),
            }
        }
        out
    }

    fn text(&mut self, text: &str) -> String {
        if is_code(text) {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Guid(id) => {
                    let stand_in = self.guid(id);
                    out.push_str(&stand_in);
                }
                Piece::Word(word) if ADDRESS_WORDS.contains(&word) => out.push_str(word),
                Piece::Word(word) => {
                    let stand_in = self.word(&word.to_lowercase());
                    out.push_str(&like(word, &stand_in));
                }
                Piece::Else(other) => out.push_str(other),
            }
        }
        out
    }

    /// A stand-in in small letters, as long as the word.
    fn word(&mut self, word: &str) -> String {
        if let Some(known) = self.known.get(word) {
            return known.clone();
        }
        let mut stand_in = String::new();
        for (place, letter) in word.chars().enumerate() {
            let byte = self.drawn(word, place);
            stand_in.push(match letter {
                '0' if place == 0 => '0',
                '0'..='9' if place == 0 => char::from(b'1' + byte % 9),
                '0'..='9' => char::from(b'0' + byte % 10),
                letter if letter.is_ascii() => char::from(b'a' + byte % 26),
                _ => OTHER_LETTERS[usize::from(byte) % OTHER_LETTERS.len()].0,
            });
        }
        self.known.insert(word.to_owned(), stand_in.clone());
        stand_in
    }

    fn guid(&mut self, id: &str) -> String {
        let id = id.to_lowercase();
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        let bytes: [u8; 16] = std::array::from_fn(|place| self.drawn(&id, place));
        let stand_in = uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string();
        self.known.insert(id, stand_in.clone());
        stand_in
    }

    /// A byte that only this host draws for this place of this word.
    fn drawn(&self, word: &str, place: usize) -> u8 {
        let block = place / 32;
        let name = self
            .seal
            .name_of(format!("stand-in {block} {word}").as_bytes());
        let bytes = hex::decode(name.unwrap_or_default()).unwrap_or_default();
        bytes.get(place % 32).copied().unwrap_or_default()
    }
}

/// The items of a list below, if there is one. Asking by index would put a null there.
fn items<'v>(value: &'v mut Value, member: &str) -> impl Iterator<Item = &'v mut Value> {
    let list = value.get_mut(member).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

/// The members of an object below, if there is one.
fn members<'v>(
    value: &'v mut Value,
    member: &str,
) -> impl Iterator<Item = (&'v String, &'v mut Value)> {
    let object = value.get_mut(member).and_then(Value::as_object_mut);
    object.into_iter().flatten()
}

/// What a text is made of.
enum Piece<'a> {
    Guid(&'a str),
    Word(&'a str),
    Else(&'a str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(id) = rest
            .get(..GUID_CHARS)
            .filter(|id| uuid::Uuid::try_parse(id).is_ok())
        {
            pieces.push(Piece::Guid(id));
            rest = &rest[GUID_CHARS..];
            continue;
        }
        let is_word = first.is_alphanumeric();
        let end = rest
            .find(|letter: char| letter.is_alphanumeric() != is_word)
            .unwrap_or(rest.len());
        let (piece, more) = rest.split_at(end);
        pieces.push(if is_word {
            Piece::Word(piece)
        } else {
            Piece::Else(piece)
        });
        rest = more;
    }
    pieces
}

/// The stand-in with capitals where the word has them.
fn like(word: &str, stand_in: &str) -> String {
    let capital = |letter: char| {
        let other = OTHER_LETTERS.iter().find(|(small, _)| *small == letter);
        other.map_or(letter.to_ascii_uppercase(), |(_, capital)| *capital)
    };
    let pairs = word.chars().zip(stand_in.chars());
    let cased = pairs.map(|(word, letter)| {
        if word.is_uppercase() {
            capital(letter)
        } else {
            letter
        }
    });
    cased.collect()
}

/// Words of the recording that a reader could know somebody by; for tests that look for them afterwards.
#[cfg(test)]
fn words_of(text: &str) -> std::collections::BTreeSet<String> {
    pieces(text)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Word(word) => Some(word.to_lowercase()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn seal() -> Seal {
        Seal::new(&[SecretString::from("a".repeat(64))]).unwrap()
    }

    const REFERRAL: &str = r#"{"id":"8b1c3f0e-1111-4222-8333-444455556666","name":"Kereszturi expansion","status":"New","organizationId":"msft",
        "externalReferenceId":"7c5c5c5c-1111-4222-8333-444455556666","customerProfile":{"name":"Kereszturi &amp; Fiai Kft.","size":"10to50employees",
        "address":{"addressLine1":"Váci út 1.","city":"Budapest","postalCode":"1138","country":"HU"},
        "team":[{"firstName":"Zsófia","lastName":"Kereszturi","email":"zsofia@kereszturi-fiai.hu","phoneNumber":"+36 1 555 0147"}]},
        "details":{"notes":"Call Zsófia","dealValue":125000.50,"currency":"EUR","closingDateTime":"2026-12-15T00:00:00Z",
        "requirements":{"solutions":[{"id":"SOL-1","name":"Azure migration"}]}}}"#;

    fn recording() -> Recording {
        let cells = json!({
            "name": { "text": "Kereszturi expansion" },
            "estimatedvalue": { "money": "125000.50", "currency": "EUR" },
            "statuscode": { "choice": 1, "label": "In Progress" },
            "parentaccountid": { "reference": "9d1c3f0e-1111-4222-8333-444455556666", "table": "account", "name": "Kereszturi & Fiai Kft." },
            "country": { "text": "HU" },
            "close": { "date": "2026-12-15" },
            "wwsite": { "text": "https://www.kereszturi-fiai.hu" },
        });
        let row = json!({ "table": "opportunity", "id": "7c5c5c5c-1111-4222-8333-444455556666", "cells": cells });
        Recording {
            version: 1,
            pseudonymised: false,
            at: 5,
            connection: "kereszturi".into(),
            lane: 17,
            language: "hu".into(),
            set: "aa".into(),
            plugins: vec!["stock 1.0.0 (aa)".into()],
            state: json!({
                "members": [{ "side": "crm", "kind": "opportunity", "id": "7c5c5c5c-1111-4222-8333-444455556666" }],
                "cards": [{ "body": "Zsófia?" }], "failure": "Zsófia",
                "link": {
                    "referral": "8b1c3f0e-1111-4222-8333-444455556666", "raws": { "h": REFERRAL }, "notes": "{\"name\":\"Kereszturi expansion\"}",
                    "bases": [
                        { "unit": "contacts", "side": "crm", "value": "[[\"0\",\"\"],[\"0.first-name\",\"Zsófia\"]]", "raw": "h" },
                        { "unit": "value", "side": "crm", "value": "[[\"amount\",\"125000.50\"],[\"currency\",\"EUR\"]]", "raw": "h" },
                    ],
                },
            }),
            reads: vec![
                Read {
                    asked: json!({ "referral": "8b1c3f0e-1111-4222-8333-444455556666" }),
                    answer: REFERRAL.into(),
                },
                Read {
                    asked: json!({ "row": "7c5c5c5c-1111-4222-8333-444455556666", "table": "opportunity" }),
                    answer: json!({ "columns": ["name"], "joins": [], "row": row, "related": [], "etag": "W/\"1\"", "currency": "EUR" }),
                },
                Read {
                    asked: json!({ "rows": "contact", "conditions": [{ "column": "emailaddress1", "test": "equals",
                        "value": { "text": "zsofia@kereszturi-fiai.hu" } }] }),
                    answer: json!({ "rows": [], "cut": false }),
                },
            ],
            answers: vec![Heard {
                asked: "opportunity.to-deal".into(),
                answer: Value::Null,
                stop: json!({ "by": "acme 1.0.0 (aa)", "fault": { "kind": "panic", "message": "no rule for Kereszturi in unreachable code" } }),
            }],
            ended: "parked".into(),
        }
    }

    #[test]
    fn nobody_is_known_by_what_leaves_and_its_shape_stays() {
        let text = serde_json::to_string(&pseudonymised(&recording(), &seal())).unwrap();
        let lower = text.to_lowercase();
        for planted in [
            "zsófia",
            "zsofia",
            "kereszturi",
            "fiai",
            "budapest",
            "váci",
            "555 0147",
            "1138",
            "8b1c3f0e",
            "7c5c5c5c",
            "9d1c3f0e",
            "expansion",
        ] {
            assert!(!lower.contains(planted), "{planted} in {text}");
        }
        for kept in [
            "125000.5",
            "EUR",
            "\"HU\"",
            "HU\\\"",
            "SOL-1",
            "Azure migration",
            "In Progress",
            "2026-12-15",
            "msft",
            "10to50employees",
            "unreachable code",
            "W/\\\"1\\\"",
            "https://www.",
        ] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
    }

    #[test]
    fn the_same_word_has_the_same_stand_in_everywhere_and_by_another_key_another_one() {
        let out = pseudonymised(&recording(), &seal());
        let mail = out.reads[2].asked["conditions"][0]["value"]["text"]
            .as_str()
            .unwrap()
            .to_owned();
        let referral: Value = serde_json::from_str(out.reads[0].answer.as_str().unwrap()).unwrap();
        let member = &referral["customerProfile"]["team"][0];
        assert_eq!(member["email"], mail.as_str());
        let domain = mail.split_once('@').unwrap().1;
        let site = out.reads[1].answer["row"]["cells"]["wwsite"]["text"].as_str();
        assert_eq!(site, Some(format!("https://www.{domain}").as_str()));
        let last = member["lastName"].as_str().unwrap().to_lowercase();
        assert!(words_of(domain).contains(&last), "{last} in {domain}");
        assert_eq!(out.reads[0].asked["referral"], referral["id"]);
        assert_eq!(referral["externalReferenceId"], out.reads[1].asked["row"]);
        let link = &out.state["link"];
        let raw = link["bases"][0]["raw"].as_str().unwrap();
        assert_eq!(
            fingerprint(link["raws"][raw].as_str().unwrap()),
            raw,
            "named by its content again"
        );
        let other = Seal::new(&[SecretString::from("b".repeat(64))]).unwrap();
        assert_ne!(pseudonymised(&recording(), &other).reads, out.reads);
        assert_eq!(pseudonymised(&recording(), &seal()), out);
        let asked = out.reads[0].asked.as_object().unwrap();
        assert_eq!(
            asked.len(),
            1,
            "what was asked can be asked again: {asked:?}"
        );
    }
}

//! One person, as an erasure looks for him: by mail, name and phone.

use serde_json::Value;

use super::phone;

/// What stands where the person stood.
pub const ERASED: &str = "[erased]";

/// Parts of a person's record in a list: `0.first-name`, `0.email`.
const PARTS: &[&str] = &[
    "first-name",
    "last-name",
    "name",
    "email",
    "phone",
    "title",
    "job-title",
    "firstName",
    "lastName",
    "phoneNumber",
];

/// Whom to look for. A text speaks of the person when it has one of the mails or phones, or one of the names: in one text in either order, or its
/// words in fields of one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Person {
    pub mails: Vec<String>,
    pub names: Vec<String>,
    pub phones: Vec<String>,
}

/// Why nobody can be looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPerson {
    /// Nothing was said.
    #[error("say whom: --mail, --name or --phone; several of each if the person has several")]
    Nobody,
    /// What was said would be found everywhere.
    #[error("\"{0}\" says too little and would be found in other people's data: {1}")]
    TooLittle(String, &'static str),
}

impl Person {
    /// Says whether one person can be found by it.
    ///
    /// # Errors
    /// What is missing, or says too little.
    pub fn check(&self) -> Result<(), NoPerson> {
        if self.mails.is_empty() && self.names.is_empty() && self.phones.is_empty() {
            return Err(NoPerson::Nobody);
        }
        let too_little = |text: &String, what| Err(NoPerson::TooLittle(text.clone(), what));
        for mail in &self.mails {
            if mail
                .split_once('@')
                .is_none_or(|(name, at)| name.is_empty() || at.is_empty())
            {
                return too_little(mail, "give the whole mail address");
            }
        }
        for name in &self.names {
            if words(name).len() < 2 {
                return too_little(name, "give first and last name, or the mail address");
            }
        }
        for phone in &self.phones {
            if !phone::is_whole(phone) {
                return too_little(phone, "give the whole number");
            }
        }
        Ok(())
    }

    /// The text without the person. None: it does not speak of the person.
    #[must_use]
    pub fn without(&self, text: &str) -> Option<String> {
        let first = text.trim_start().chars().next();
        if matches!(first, Some('{' | '['))
            && let Ok(mut value) = serde_json::from_str::<Value>(text)
        {
            return self.scrub(&mut value).then(|| value.to_string());
        }
        self.without_in_words(text)
    }

    /// Whether the text speaks of the person.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.without(text).is_some()
    }

    /// True: something was taken away.
    fn scrub(&self, value: &mut Value) -> bool {
        let mut is_hit = self.scrub_record(value);
        match value {
            Value::String(text) => {
                if let Some(without) = self.without(text) {
                    *text = without;
                    is_hit = true;
                }
            }
            Value::Array(items) => {
                for item in items {
                    is_hit |= self.scrub(item);
                }
            }
            Value::Object(members) => {
                for value in members.values_mut() {
                    is_hit |= self.scrub(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        is_hit
    }

    /// A record that is the person's loses all that a person's record says: the name beside the mail, the mail beside the name.
    fn scrub_record(&self, value: &mut Value) -> bool {
        match value {
            Value::Array(items) if is_parts(items) => {
                let mut owners: Vec<String> = Vec::new();
                for item in items.iter() {
                    let (owner, _) = split(item);
                    if !owners.contains(&owner) {
                        owners.push(owner);
                    }
                }
                let mut is_hit = false;
                for owner in owners {
                    let own = |item: &&mut Value| split(item).0 == owner;
                    let leaves: Vec<String> = items
                        .iter()
                        .filter(|item| split(item).0 == owner)
                        .filter_map(|item| item[1].as_str().map(str::to_owned))
                        .collect();
                    if !self.owns(&leaves) {
                        continue;
                    }
                    is_hit = true;
                    for item in items.iter_mut().filter(own) {
                        let part = split(item).1;
                        let is_filled = item[1].as_str().is_some_and(|text| !text.is_empty());
                        if is_filled && PARTS.contains(&part.as_str()) {
                            item[1] = ERASED.into();
                        }
                    }
                }
                is_hit
            }
            Value::Object(members) => {
                let leaves: Vec<String> = members.values().flat_map(leaves).collect();
                if !self.owns(&leaves) {
                    return false;
                }
                let names: Vec<String> = self.names.iter().flat_map(|name| words(name)).collect();
                for (member, value) in members.iter_mut() {
                    let is_name = |text: &str| names.contains(&text.to_lowercase());
                    let text = match value {
                        Value::Object(inner) => inner.get_mut("text"),
                        other => Some(other),
                    };
                    if let Some(Value::String(text)) = text
                        && !text.is_empty()
                        && (PARTS.contains(&member.as_str()) || is_name(text))
                    {
                        *text = ERASED.to_owned();
                    }
                }
                true
            }
            _ => false,
        }
    }

    /// Whether fields of one record are the person's.
    fn owns(&self, leaves: &[String]) -> bool {
        let lower: Vec<String> = leaves
            .iter()
            .map(|leaf| leaf.trim().to_lowercase())
            .collect();
        let has = |word: &String| lower.contains(word);
        let is_mail = |mail: &String| has(&mail.trim().to_lowercase());
        let is_phone = |phone: &String| leaves.iter().any(|leaf| phone::is_in(leaf, phone));
        let is_name = |name: &String| words(name).iter().all(has);
        self.mails.iter().any(is_mail)
            || self.phones.iter().any(is_phone)
            || self.names.iter().any(is_name)
    }

    fn without_in_words(&self, text: &str) -> Option<String> {
        let mut out = text.to_owned();
        for mail in &self.mails {
            replace(&mut out, mail.trim(), &IN_ADDRESSES);
        }
        for name in &self.names {
            let words = words(name);
            replace(&mut out, &words.join(" "), &[]);
            let turned: Vec<String> = words.iter().rev().cloned().collect();
            replace(&mut out, &turned.join(" "), &[]);
            replace(&mut out, &turned.join(", "), &[]);
        }
        for phone in &self.phones {
            phone::take_out(&mut out, phone, ERASED);
        }
        (out != text).then_some(out)
    }
}

/// `[path, text]` pairs and nothing else.
fn is_parts(items: &[Value]) -> bool {
    let is_pair = |item: &Value| {
        matches!(
            item.as_array().map(Vec::as_slice),
            Some([Value::String(_), Value::String(_)])
        )
    };
    !items.is_empty() && items.iter().all(is_pair)
}

/// Whose part, and which: `0.email` is `email` of 0.
fn split(item: &Value) -> (String, String) {
    let path = item[0].as_str().unwrap_or_default();
    match path.split_once('.') {
        Some((owner, part)) => (owner.to_owned(), part.to_owned()),
        None => (path.to_owned(), String::new()),
    }
}

/// Texts of a field: the text, or that of a cell.
fn leaves(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Object(cell) => match cell.get("text") {
            Some(Value::String(text)) => vec![text.clone()],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text.split_whitespace();
    words
        .map(|word| word.trim_matches(',').to_lowercase())
        .filter(|word| !word.is_empty())
        .collect()
}

/// What may stand in an address before its end: `zsofia@…` is no part of `anna.zsofia@…`, which is somebody else's.
const IN_ADDRESSES: [char; 4] = ['.', '_', '+', '-'];

/// Takes `what` out of the text, in whatever case, where it is no part of a longer word. `joins` are signs that make one word of two.
fn replace(text: &mut String, what: &str, joins: &[char]) {
    let what: Vec<char> = what.chars().flat_map(char::to_lowercase).collect();
    if what.is_empty() {
        return;
    }
    // A letter of another length in small is compared as it is.
    let small = |letter: char| {
        let mut lower = letter.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(one), None) => one,
            _ => letter,
        }
    };
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let mut out = String::with_capacity(text.len());
    let mut place = 0;
    while place < letters.len() {
        let here = &letters[place..];
        let fits = here.len() >= what.len()
            && here
                .iter()
                .zip(&what)
                .all(|((_, letter), what)| small(*letter) == *what);
        let is_word = |letter: Option<&(usize, char)>| {
            letter.is_none_or(|(_, letter)| !letter.is_alphanumeric())
        };
        let before = place.checked_sub(1).and_then(|before| letters.get(before));
        let is_joined = before.is_some_and(|(at, letter)| {
            // A sign behind a blank, or at the beginning, joins nothing.
            joins.contains(letter) && text[..*at].ends_with(char::is_alphanumeric)
        });
        let stands_alone =
            is_word(before) && !is_joined && is_word(letters.get(place + what.len()));
        if fits && stands_alone {
            out.push_str(ERASED);
            place += what.len();
        } else {
            out.push(letters[place].1);
            place += 1;
        }
    }
    *text = out;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zsofia() -> Person {
        Person {
            mails: vec!["zsofia@kereszturi.hu".into()],
            names: vec!["Zsófia Kereszturi".into()],
            phones: vec!["+36 1 555 0147".into()],
        }
    }

    #[test]
    fn a_person_is_found_in_sentences_and_nobody_else() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(zsofia().without(text).as_deref(), expect, "{text}");
        };
        check("ask ZSÓFIA KERESZTURI today", Some("ask [erased] today"));
        check("Kereszturi Zsófia, Budapest", Some("[erased], Budapest"));
        check("Kereszturi, Zsófia", Some("[erased]"));
        check("to Zsofia@Kereszturi.hu.", Some("to [erased]."));
        check("call 06 1 555-0147 or not", Some("call [erased] or not"));
        check("call (+36)1/5550147", Some("call ([erased]"));
        check("Zsófia Kereszturiné", None);
        check("Zsófia and somebody", None);
        check("by 2026-12-15 for 125000 EUR", None);
        // Somebody else's address, however it is joined.
        check("anna.zsofia@kereszturi.hu", None);
        check("anna+zsofia@kereszturi.hu", None);
        check("at -zsofia@kereszturi.hu", Some("at -[erased]"));
    }

    #[test]
    fn a_record_of_the_person_loses_what_stands_beside_the_mail() {
        let only = Person {
            mails: vec!["zsofia@kereszturi.hu".into()],
            ..Person::default()
        };
        let parts = r#"{"after":[["0",""],["0.first-name","Zsófia"],["0.email","zsofia@kereszturi.hu"],["1",""],["1.first-name","Béla"]]}"#;
        assert_eq!(
            only.without(parts).as_deref(),
            Some(
                r#"{"after":[["0",""],["0.first-name","[erased]"],["0.email","[erased]"],["1",""],["1.first-name","Béla"]]}"#
            )
        );
        let row = r#"{"cells":{"firstname":{"text":"Zsófia"},"lastname":{"text":"Kereszturi"},"city":{"text":"Budapest"}}}"#;
        assert_eq!(
            zsofia().without(row).as_deref(),
            Some(
                r#"{"cells":{"firstname":{"text":"[erased]"},"lastname":{"text":"[erased]"},"city":{"text":"Budapest"}}}"#
            )
        );
        assert_eq!(only.without(row), None);
        let inner = r#"{"body":"{\"who\":\"Zsófia Kereszturi\"}"}"#;
        assert_eq!(
            zsofia().without(inner).as_deref(),
            Some(r#"{"body":"{\"who\":\"[erased]\"}"}"#)
        );
    }

    #[test]
    fn a_phone_beside_another_is_the_persons() {
        let both = "+36 1 555 0147 / +36 30 555 0199";
        assert_eq!(
            zsofia().without(both).as_deref(),
            Some("[erased] / +36 30 555 0199")
        );
        // A field of the person's own record is his whole.
        let parts = format!(r#"[["0",""],["0.first-name","Zs."],["0.phone","{both}"]]"#);
        assert_eq!(
            zsofia().without(&parts).as_deref(),
            Some(r#"[["0",""],["0.first-name","[erased]"],["0.phone","[erased]"]]"#)
        );
    }

    #[test]
    fn what_would_be_found_everywhere_is_refused() {
        assert!(zsofia().check().is_ok());
        assert_eq!(Person::default().check(), Err(NoPerson::Nobody));
        for person in [
            Person {
                names: vec!["Anna".into()],
                ..Person::default()
            },
            Person {
                mails: vec!["@contoso.com".into()],
                ..Person::default()
            },
            Person {
                phones: vec!["12".into()],
                ..Person::default()
            },
        ] {
            assert!(matches!(person.check(), Err(NoPerson::TooLittle(..))));
        }
    }
}

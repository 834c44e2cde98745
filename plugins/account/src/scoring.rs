//! How much an account is the customer of a deal: points for each key, and the sentence that a person reads.
//!
//! | key | same | another |
//! |---|---|---|
//! | a search that identifies (DUNS number, external id, another plugin's) | proof | −40 |
//! | name | 55; 45 but for the legal form; 30 but for a letter; 25 with another legal form | |
//! | domain of web site or mail | 40 | |
//! | postal code | 25 | −20 |
//! | country | 10 | −40 |
//!
//! So name and postal code are enough (80), name and domain are (95), a name alone is a question (55), and so is a domain alone (40).

use cosell_guest_sdk::prelude::*;

use crate::columns::{BY_DUNS, BY_EXTERNAL_ID, Columns, IDENTIFIES, NAME, POSTCODE};
use crate::name::{Likeness, Name};
use crate::{country, domain};

/// Nothing but a proof is surer than this.
const POINTS_MAX: i32 = 95;
const PROOF: i32 = 100;

/// What is known of the customer.
pub(crate) struct Customer {
    name: Name,
    postcode: Option<String>,
    country: Option<String>,
    domain: Option<String>,
    duns: Option<String>,
    external: Option<String>,
}

/// How much one account is the customer.
#[derive(Debug, Clone)]
pub(crate) struct Score {
    pub(crate) points: i32,
    /// It is proved, and nothing speaks against it.
    pub(crate) proves: bool,
    /// It has the customer's domain.
    pub(crate) same_domain: bool,
    pub(crate) because: Vec<String>,
}

impl Customer {
    pub(crate) fn of(deal: &Deal, domain: Option<String>) -> Self {
        let company = &deal.company;
        let filled = |text: Option<&str>| {
            text.map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Self {
            name: Name::of(&company.name),
            postcode: crate::postcode(company).map(str::to_owned),
            country: filled(company.address.country.as_deref()),
            domain,
            duns: crate::number(company, "duns").map(str::to_owned),
            external: crate::number(company, "external").map(str::to_owned),
        }
    }

    pub(crate) fn score(&self, row: &Row, found_by: &[String], columns: &Columns<'_>) -> Score {
        let mut tally = Tally::default();
        let mut proofs = proofs(found_by);
        for (number, column, what, label) in [
            (&self.duns, columns.duns, "DUNS number", BY_DUNS),
            (
                &self.external,
                columns.external,
                "customer number",
                BY_EXTERNAL_ID,
            ),
        ] {
            let theirs = column.and_then(|column| row.text(column));
            match number.as_deref().zip(theirs) {
                Some((ours, theirs)) if is_same_number(ours, theirs) => {
                    proofs.push(format!("same {what}"));
                }
                Some(_) if !found_by.iter().any(|by| by == label) => {
                    tally.add(-40, format!("another {what}"));
                }
                _ => {}
            }
        }
        if let Some((points, why)) = row.text(NAME).and_then(|name| like(&self.name, name)) {
            tally.add(points, why);
        }
        let same_domain = self.domain_of(row, columns);
        if let Some(what) = same_domain {
            tally.add(40, format!("same domain as its {what}"));
        }
        if let Some((ours, theirs)) = self.postcode.as_deref().zip(row.text(POSTCODE)) {
            if is_same_number(ours, theirs) {
                tally.add(25, "same postal code");
            } else {
                tally.add(-20, "another postal code");
            }
        }
        let country = columns.country.and_then(|column| row.text(column));
        match self
            .country
            .as_deref()
            .zip(country)
            .and_then(|(ours, theirs)| country::is_same(theirs, ours))
        {
            Some(true) => tally.add(10, "same country"),
            Some(false) => tally.add(-40, "another country"),
            None => {}
        }
        tally.concluded(proofs, same_domain.is_some())
    }

    fn domain_of(&self, row: &Row, columns: &Columns<'_>) -> Option<&'static str> {
        let ours = self.domain.as_deref()?;
        let is = |theirs: Option<String>| theirs.as_deref() == Some(ours);
        let text = |column: Option<&str>| row.text(column?);
        if is(text(columns.website).and_then(domain::of_site)) {
            return Some("web site");
        }
        is(text(columns.mail).and_then(domain::of_mail)).then_some("mail")
    }
}

#[derive(Default)]
struct Tally {
    points: i32,
    because: Vec<String>,
    /// A number of the customer's is another one here.
    contradicted: bool,
}

impl Tally {
    fn add(&mut self, points: i32, why: impl Into<String>) {
        let why = why.into();
        self.contradicted |= why.ends_with("number") && points < 0;
        self.points += points;
        self.because.push(why);
    }

    fn concluded(self, proofs: Vec<String>, same_domain: bool) -> Score {
        let proves = !proofs.is_empty() && !self.contradicted;
        let points = match (proofs.is_empty(), self.contradicted) {
            (true, _) => self.points.clamp(0, POINTS_MAX),
            (false, false) => PROOF,
            // One number says yes and another one no: nobody but a person can tell.
            (false, true) => 60,
        };
        let mut because = proofs;
        because.dedup();
        because.extend(self.because);
        Score {
            points,
            proves,
            same_domain,
            because,
        }
    }
}

fn like(ours: &Name, theirs: &str) -> Option<(i32, &'static str)> {
    Some(match ours.like(&Name::of(theirs)) {
        Likeness::Same => (55, "same name"),
        Likeness::SameButForm => (45, "same name but for the legal form"),
        Likeness::OtherForm => (25, "same name with another legal form"),
        Likeness::OneLetter => (30, "name differs by one letter"),
        Likeness::Different => return None,
    })
}

/// What a search that identifies has found, in words.
fn proofs(found_by: &[String]) -> Vec<String> {
    let by = |label: &str| found_by.iter().any(|found| found == label);
    let mut proofs = Vec::new();
    if by(BY_DUNS) {
        proofs.push("same DUNS number".to_owned());
    }
    if by(BY_EXTERNAL_ID) {
        proofs.push("same customer number".to_owned());
    }
    if by(IDENTIFIES) && proofs.is_empty() {
        let labels: Vec<&str> = found_by
            .iter()
            .map(String::as_str)
            .filter(|label| *label != IDENTIFIES)
            .collect();
        proofs.push(format!("found by {}", labels.join(", ")));
    }
    proofs
}

/// `12-345-6789` is `123456789`, and `H-1051` is `h1051`.
fn is_same_number(a: &str, b: &str) -> bool {
    let signs = |text: &str| -> String {
        text.chars()
            .filter(|sign| sign.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let (a, b) = (signs(a), signs(b));
    !a.is_empty() && a == b
}

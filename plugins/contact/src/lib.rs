//! The stock matching of people at the customer, `25-contact.wasm`.
//!
//! By mail, then by name within the customer's account. Two people with one mail address are told apart by their account;
//! what stays ambiguous is a person's choice. Somebody with neither mail nor last name cannot be recognised again, and does not
//! cross.

mod golden;
#[cfg(test)]
mod tests;

use cosell_guest_sdk::prelude::*;

/// The stock matching of people at the customer.
pub struct StockContact;

const FIRST_NAME: &str = "firstname";
const LAST_NAME: &str = "lastname";
const MAIL: &str = "emailaddress1";
const PHONE: &str = "telephone1";
const TITLE: &str = "jobtitle";
const CUSTOMER: &str = "parentcustomerid";
const STATE: &str = "statecode";
/// `statecode` of a row that nobody works with any more.
const INACTIVE: i32 = 1;
/// First and last names hold 50 characters.
const NAME_CHARS_MAX: usize = 50;
/// More hits than this are no choice that a person can make.
const HITS_MAX: u16 = 10;

const BY_MAIL: &str = "mail";
const BY_NAME: &str = "name";

impl Plugin for StockContact {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "stock-contact",
            env!("CARGO_PKG_VERSION"),
            "Finds people at the customer by mail, then by name within the account, or creates them.",
        )
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(vec![
            Need::asks("contact", [FIRST_NAME, LAST_NAME, MAIL, CUSTOMER, STATE]),
            Need::writes(
                "contact",
                [FIRST_NAME, LAST_NAME, MAIL, PHONE, TITLE, CUSTOMER],
            ),
        ])
    }
}

impl Contact for StockContact {
    fn searches(
        _: &Context,
        question: &ContactQuestion,
        draft: &[Search],
    ) -> Answer<Option<Vec<Search>>> {
        let person = &question.person;
        let query = |label| {
            Query::new(
                label,
                "contact",
                [FIRST_NAME, LAST_NAME, MAIL, CUSTOMER, STATE],
            )
            .limit(HITS_MAX)
        };
        let mut searches = draft.to_vec();
        if let Some(mail) = said(&person.email) {
            searches.push(Search::identifies(query(BY_MAIL).equals(MAIL, mail)));
        }
        if let (Some(account), Some(last_name)) = (&question.account, said(&person.last_name)) {
            let mut by_name = query(BY_NAME)
                .equals(CUSTOMER, account)
                .equals(LAST_NAME, last_name);
            if let Some(first_name) = said(&person.first_name) {
                by_name = by_name.equals(FIRST_NAME, first_name);
            }
            searches.push(Search::suggests(by_name));
        }
        Ok(Some(searches))
    }

    fn choose(
        _: &Context,
        question: &ContactQuestion,
        candidates: &[Candidate],
        _: Option<&Resolution>,
    ) -> Answer<Option<Resolution>> {
        let found = |label: &str| -> Vec<&Row> {
            candidates
                .iter()
                .filter(|candidate| candidate.found_by(label))
                .map(|candidate| &candidate.row)
                .filter(|row| row.choice(STATE) != Some(INACTIVE))
                .collect()
        };
        let by_mail = found(BY_MAIL);
        let here: Vec<&Row> = by_mail
            .iter()
            .copied()
            .filter(|row| works_at(row, question.account.as_ref()))
            .collect();
        Ok(
            match (
                here.as_slice(),
                by_mail.as_slice(),
                found(BY_NAME).as_slice(),
            ) {
                ([one], _, _) => Some(Resolution::existing(&one.id, 100, "same mail and account")),
                (_, [one], _) => Some(Resolution::existing(&one.id, 95, "same mail")),
                (_, several @ [_, ..], _) => Some(review(several, 80, "same mail")),
                (_, [], [one]) => Some(Resolution::existing(
                    &one.id,
                    85,
                    "same name at the same account",
                )),
                (_, [], several @ [_, ..]) => {
                    Some(review(several, 70, "same name at the same account"))
                }
                (_, [], []) => identity(question).map(Resolution::CreateNew),
            },
        )
    }

    fn to_row(
        _: &Context,
        question: &ContactQuestion,
        _: Option<&Row>,
        _: &[Cell],
    ) -> Answer<Vec<Change>> {
        let person = &question.person;
        // A contact row must have a last name; the mail address is at least true.
        let last_name = said(&person.last_name)
            .or_else(|| said(&person.first_name))
            .or_else(|| said(&person.email));
        let short = |name: &str| name.chars().take(NAME_CHARS_MAX).collect::<String>();
        let mut changes = vec![
            Change::set(
                FIRST_NAME,
                said(&person.last_name)
                    .and(said(&person.first_name))
                    .map(short),
            ),
            Change::set(LAST_NAME, last_name.map(short)),
            Change::set(MAIL, said(&person.email)),
            Change::set(PHONE, said(&person.phone)),
            Change::set(TITLE, said(&person.title)),
        ];
        if let Some(account) = &question.account {
            changes.push(Change::set(CUSTOMER, account));
        }
        Ok(changes)
    }
}

impl Examples for StockContact {
    fn cases() -> Vec<Example> {
        golden::cases()
    }
}

plugin!(StockContact: contact, examples);

/// What makes a person this person: `mail:anna@contoso.example`, else the name within the account.
fn identity(question: &ContactQuestion) -> Option<String> {
    let person = &question.person;
    if let Some(mail) = said(&person.email) {
        return Some(format!("mail:{}", mail.to_lowercase()));
    }
    let last_name = said(&person.last_name)?.to_lowercase();
    let first_name = said(&person.first_name).unwrap_or_default().to_lowercase();
    let account = question.account.as_ref()?.id.to_lowercase();
    Some(format!("{first_name} {last_name}|{account}"))
}

fn works_at(row: &Row, account: Option<&Reference>) -> bool {
    match (row.reference(CUSTOMER), account) {
        (Some(theirs), Some(account)) => theirs.id.eq_ignore_ascii_case(&account.id),
        _ => false,
    }
}

fn review(rows: &[&Row], score: u8, because: &str) -> Resolution {
    Resolution::Review(
        rows.iter()
            .map(|row| Likeness::new(&row.id, score, because))
            .collect(),
    )
}

fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

//! The stock matching of people at the customer, `25-contact.wasm`.
//!
//! By mail, then by name within the customer's account. Two people with one mail address are told apart by their account;
//! what stays ambiguous is a person's choice, and so is somebody whose contact is inactive. Somebody with neither mail nor last name cannot
//! be recognised again, and does not cross.
//!
//! Nothing is taken away from a contact that is there: what Partner Center does not say about a person stays, and so does the account
//! that the person belongs to. A person who leaves a deal is let go of by the opportunity; the contact itself stays.

mod golden;
#[cfg(test)]
mod tests;

use cosell_guest_sdk::parts::people::{self, FIRST_NAME, LAST_NAME, MAIL};
use cosell_guest_sdk::parts::said;
use cosell_guest_sdk::prelude::*;

/// The stock matching of people at the customer.
pub struct StockContact;

const CUSTOMER: &str = "parentcustomerid";
const STATE: &str = "statecode";
/// `statecode` of a row that nobody works with any more.
const INACTIVE: i32 = 1;
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
            Need::writes("contact", people::WRITTEN.into_iter().chain([CUSTOMER])),
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
        let found = |label: &str, active: bool| -> Vec<&Row> {
            candidates
                .iter()
                .filter(|candidate| candidate.found_by(label))
                .map(|candidate| &candidate.row)
                .filter(|row| (row.choice(STATE) != Some(INACTIVE)) == active)
                .collect()
        };
        let by_mail = found(BY_MAIL, true);
        let here: Vec<&Row> = by_mail
            .iter()
            .copied()
            .filter(|row| works_at(row, question.account.as_ref()))
            .collect();
        let by_name = found(BY_NAME, true);
        let asleep = found(BY_MAIL, false);
        Ok(
            match (here.as_slice(), by_mail.as_slice(), by_name.as_slice()) {
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
                (_, [], []) if !asleep.is_empty() => Some(review(
                    &asleep,
                    60,
                    "same mail, but the contact is inactive",
                )),
                (_, [], []) => identity(question).map(Resolution::CreateNew),
            },
        )
    }

    fn to_row(
        _: &Context,
        question: &ContactQuestion,
        existing: Option<&Row>,
        _: &[Cell],
    ) -> Answer<Vec<Change>> {
        let mut changes = people::set_person(&question.person, existing.is_some());
        let belongs = existing.is_some_and(|row| row.reference(CUSTOMER).is_some());
        if let (Some(account), false) = (&question.account, belongs) {
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

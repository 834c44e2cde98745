//! Which account the customer is, `54-account-match.wasm`: by DUNS number, then by the domain of its people's mail, then by name and postal code.
//!
//! A number proves it. A domain or a name with a postal code is a hint, and one hit of the better hint is taken. Two hits of the same worth are a
//! person's choice, because a wrong account costs more than a question. None: a new account, under an identity such that two deals of one new
//! customer make one account.
//!
//! The searches of the stock mapping, which stands before this file, are replaced and not added to.

use cosell_guest_sdk::prelude::*;

/// The mapping.
pub struct AccountMatch;

const TABLE: &str = "account";
const NAME: &str = "name";
const POSTCODE: &str = "address1_postalcode";
const WEBSITE: &str = "websiteurl";
const DUNS_SETTING: &str = "duns-column";
const DUNS: &str = "new_duns";

/// The searches, the best first: label, points, and what a person reads.
const BY_DUNS: (&str, u8, &str) = ("by-duns", 100, "same DUNS number");
const BY_DOMAIN: (&str, u8, &str) = ("by-domain", 80, "same mail domain");
const BY_NAME: (&str, u8, &str) = ("by-name", 70, "same name and postal code");

/// Domains that say nothing about an employer.
const PUBLIC: [&str; 5] = [
    "gmail.com",
    "outlook.com",
    "hotmail.com",
    "yahoo.com",
    "icloud.com",
];

fn duns_column<'a>(settings: impl Into<Settings<'a>>) -> &'a str {
    settings.into().text(DUNS_SETTING).unwrap_or(DUNS)
}

fn duns(deal: &Deal) -> Option<&str> {
    let mut ids = deal.company.ids.iter();
    let id = ids.find(|id| id.scheme.eq_ignore_ascii_case("duns"))?;
    Some(id.id.trim()).filter(|id| !id.is_empty())
}

/// Of the first contact whose mail address has one.
fn domain(deal: &Deal) -> Option<String> {
    let mails = deal.contacts.iter().filter_map(|one| one.email.as_deref());
    mails
        .filter_map(|mail| mail.rsplit_once('@'))
        .map(|(_, domain)| domain.trim().to_ascii_lowercase())
        .find(|domain| domain.contains('.') && !PUBLIC.contains(&domain.as_str()))
}

fn postcode(deal: &Deal) -> Option<&str> {
    let code = deal.company.address.postal_code.as_deref()?.trim();
    Some(code).filter(|code| !code.is_empty())
}

/// What makes this customer this customer.
fn identity(deal: &Deal) -> String {
    match duns(deal) {
        Some(number) => format!("duns:{number}"),
        None => format!(
            "{}|{}",
            deal.company.name.trim().to_lowercase(),
            postcode(deal).unwrap_or_default()
        ),
    }
}

impl Plugin for AccountMatch {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "account-match",
            env!("CARGO_PKG_VERSION"),
            "Finds the customer by DUNS number, then domain, then name and postal code.",
        )
        .setting(
            SettingSpec::column(
                DUNS_SETTING,
                TABLE,
                "The column of the account that holds the DUNS number.",
            )
            .default_text(DUNS),
        )
    }

    fn describe(settings: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        let duns = duns_column(settings);
        Ok(vec![
            Need::asks(TABLE, [NAME, POSTCODE, WEBSITE, duns]),
            Need::writes(TABLE, [duns]),
        ])
    }
}

impl Account for AccountMatch {
    fn searches(ctx: &Context, deal: &Deal, _: &[Search]) -> Answer<Option<Vec<Search>>> {
        let column = duns_column(ctx);
        let query = |label| Query::new(label, TABLE, [NAME]).limit(10);
        let mut searches = Vec::new();
        if let Some(number) = duns(deal) {
            searches.push(Search::identifies(query(BY_DUNS.0).equals(column, number)));
        }
        if let Some(domain) = domain(deal) {
            let holds = Test::Contains(domain);
            searches.push(Search::suggests(query(BY_DOMAIN.0).meets(WEBSITE, holds)));
        }
        if let Some(code) = postcode(deal)
            && !deal.company.name.trim().is_empty()
        {
            let named = query(BY_NAME.0).equals(NAME, deal.company.name.trim());
            searches.push(Search::suggests(named.equals(POSTCODE, code)));
        }
        Ok(Some(searches))
    }

    fn choose(
        _: &Context,
        deal: &Deal,
        candidates: &[Candidate],
        _: Option<&Resolution>,
    ) -> Answer<Option<Resolution>> {
        for (label, score, because) in [BY_DUNS, BY_DOMAIN, BY_NAME] {
            let hits: Vec<&Candidate> = candidates
                .iter()
                .filter(|candidate| candidate.found_by(label))
                .collect();
            match hits.as_slice() {
                [] => {}
                [one] => return Ok(Some(Resolution::existing(&one.row.id, score, because))),
                many => {
                    let close = many
                        .iter()
                        .map(|one| Likeness::new(&one.row.id, score, because));
                    return Ok(Some(Resolution::Review(close.collect())));
                }
            }
        }
        Ok(Some(Resolution::CreateNew(identity(deal))))
    }

    fn to_row(ctx: &Context, deal: &Deal, _: Option<&Row>, _: &[Cell]) -> Answer<Vec<Change>> {
        // So that the next deal of this customer is proved by its number.
        let number = duns(deal).map(|number| Change::set(duns_column(ctx), number));
        Ok(number.into_iter().collect())
    }
}

impl Examples for AccountMatch {
    fn cases() -> Vec<Example> {
        const ASKS: &str = "account.choose";
        let row = |number: u8| {
            Row::new(
                TABLE,
                format!("0a0a0a0a-0000-4000-8000-0000000000{number:02}"),
            )
        };
        let hit = |number: u8, labels: &[&str]| {
            Given::Candidate(Candidate {
                row: row(number),
                found_by: labels.iter().map(|label| (*label).to_owned()).collect(),
            })
        };
        let found =
            |number: u8| Expected::Resolution(Resolution::existing(row(number).id, 100, "any"));
        vec![
            Example::new("it is looked for in three ways", "account.searches")
                .expects(Expected::Asks(BY_DUNS.0.to_owned()))
                .expects(Expected::Asks(BY_DOMAIN.0.to_owned()))
                .expects(Expected::Asks(BY_NAME.0.to_owned())),
            Example::new("the number beats the domain", ASKS)
                .given(hit(1, &["by-domain"]))
                .given(hit(2, &["by-duns", "identifies"]))
                .expects(found(2)),
            Example::new("the domain beats the name", ASKS)
                .given(hit(1, &["by-name"]))
                .given(hit(2, &["by-domain"]))
                .expects(found(2)),
            Example::new("two of the same worth are a person's choice", ASKS)
                .given(hit(1, &["by-name"]))
                .given(hit(2, &["by-name"]))
                .expects(Expected::Resolution(Resolution::Review(vec![
                    Likeness::new(row(1).id, 70, "any"),
                    Likeness::new(row(2).id, 70, "any"),
                ]))),
            Example::new("nobody is found: a new one, known by its number", ASKS).expects(
                Expected::Resolution(Resolution::CreateNew("duns:123456789".to_owned())),
            ),
        ]
    }
}

plugin!(AccountMatch: account, examples);

#[cfg(test)]
mod tests {
    #[test]
    fn the_golden_examples_hold() {
        cosell_guest_sdk::test::check_examples::<super::AccountMatch>();
    }
}

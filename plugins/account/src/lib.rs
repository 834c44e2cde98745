//! The stock matching of customers, `20-account.wasm`.
//!
//! Looks for the account by its DUNS number, when the setting `duns-column` says where the CRM keeps it, and by name and postal
//! code. One DUNS hit proves it; one hit by name and postal code is taken; several are a person's choice; none makes a new
//! account, whose identity is such that two deals of one new customer make one account.
//!
//! A name without a postal code proves nothing: then a person chooses. Inactive accounts are passed over.

mod golden;
mod identity;
#[cfg(test)]
mod tests;

use cosell_guest_sdk::prelude::*;

/// The stock matching of customers.
pub struct StockAccount;

const NAME: &str = "name";
const POSTCODE: &str = "address1_postalcode";
const STATE: &str = "statecode";
/// `statecode` of a row that nobody works with any more.
const INACTIVE: i32 = 1;
/// An account's name holds 160 characters.
const NAME_CHARS_MAX: usize = 160;
/// More hits than this are no choice that a person can make.
const HITS_MAX: u16 = 10;

const DUNS_COLUMN: &str = "duns-column";
const BY_DUNS: &str = "duns";
const BY_NAME: &str = "name";
const BY_NAME_AND_POSTCODE: &str = "name-and-postcode";

impl Plugin for StockAccount {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "stock-account",
            env!("CARGO_PKG_VERSION"),
            "Finds a deal's customer by DUNS number or by name and postal code, or creates it.",
        )
        .setting(SettingSpec::column(
            DUNS_COLUMN,
            "account",
            "Column of the account with the DUNS number. Without it accounts are matched by name and postal code.",
        ))
    }

    fn describe(settings: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        let duns = settings.text(DUNS_COLUMN);
        let searched = [NAME, POSTCODE, STATE].into_iter().chain(duns);
        let written = [
            NAME,
            POSTCODE,
            "address1_line1",
            "address1_line2",
            "address1_city",
            "address1_stateorprovince",
        ]
        .into_iter()
        .chain(duns);
        Ok(vec![
            Need::asks("account", searched),
            Need::writes("account", written),
        ])
    }
}

impl Account for StockAccount {
    fn searches(ctx: &Context, deal: &Deal, draft: &[Search]) -> Answer<Option<Vec<Search>>> {
        let company = &deal.company;
        let query = |label| Query::new(label, "account", [NAME, POSTCODE, STATE]).limit(HITS_MAX);
        let mut searches = draft.to_vec();
        if let (Some(column), Some(number)) = (ctx.setting_text(DUNS_COLUMN), duns(company)) {
            searches.push(Search::identifies(query(BY_DUNS).equals(column, number)));
        }
        let by_name = |label| query(label).equals(NAME, company.name.trim());
        searches.push(Search::suggests(match postcode(company) {
            Some(code) => by_name(BY_NAME_AND_POSTCODE).equals(POSTCODE, code),
            None => by_name(BY_NAME),
        }));
        Ok(Some(searches))
    }

    fn choose(
        ctx: &Context,
        deal: &Deal,
        candidates: &[Candidate],
        _: Option<&Resolution>,
    ) -> Answer<Option<Resolution>> {
        let known_by_duns = ctx.setting_text(DUNS_COLUMN).is_some();
        let found = |label: &str| -> Vec<&Row> {
            candidates
                .iter()
                .filter(|candidate| candidate.found_by(label))
                .map(|candidate| &candidate.row)
                .filter(|row| row.choice(STATE) != Some(INACTIVE))
                .collect()
        };
        for (label, score, because) in [
            (BY_DUNS, 100, "same DUNS number"),
            (BY_NAME_AND_POSTCODE, 90, "same name and postal code"),
        ] {
            match found(label).as_slice() {
                [] => {}
                [one] => return Ok(Some(Resolution::existing(&one.id, score, because))),
                several => return Ok(Some(review(several, score, because))),
            }
        }
        Ok(Some(match found(BY_NAME).as_slice() {
            [] => Resolution::CreateNew(identity::of(&deal.company, known_by_duns)),
            some => review(some, 50, "same name, and the deal has no postal code"),
        }))
    }

    fn to_row(ctx: &Context, deal: &Deal, _: Option<&Row>, _: &[Cell]) -> Answer<Vec<Change>> {
        let company = &deal.company;
        let address = &company.address;
        let name: String = company.name.trim().chars().take(NAME_CHARS_MAX).collect();
        let mut changes = vec![
            Change::set(NAME, name),
            Change::set("address1_line1", address.line1.as_ref()),
            Change::set("address1_line2", address.line2.as_ref()),
            Change::set("address1_city", address.city.as_ref()),
            Change::set(
                "address1_stateorprovince",
                address.state.as_ref().or(address.region.as_ref()),
            ),
            Change::set(POSTCODE, address.postal_code.as_ref()),
        ];
        if let (Some(column), Some(number)) = (ctx.setting_text(DUNS_COLUMN), duns(company)) {
            changes.push(Change::set(column, number));
        }
        Ok(changes)
    }
}

impl Examples for StockAccount {
    fn cases() -> Vec<Example> {
        golden::cases()
    }
}

plugin!(StockAccount: account, examples);

fn review(rows: &[&Row], score: u8, because: &str) -> Resolution {
    Resolution::Review(
        rows.iter()
            .map(|row| Likeness::new(&row.id, score, because))
            .collect(),
    )
}

fn duns(company: &Company) -> Option<&str> {
    company
        .ids
        .iter()
        .find(|id| id.scheme.eq_ignore_ascii_case("duns"))
        .map(|id| id.id.trim())
        .filter(|number| !number.is_empty())
}

fn postcode(company: &Company) -> Option<&str> {
    company
        .address
        .postal_code
        .as_deref()
        .map(str::trim)
        .filter(|code| !code.is_empty())
}

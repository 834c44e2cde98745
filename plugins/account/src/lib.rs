//! The stock matching of customers, `20-account.wasm`.
//!
//! Looks for the account by the numbers that Partner Center knows (DUNS, External), where settings say in which columns the CRM keeps them;
//! by name, with postal code or country; and by the domain of its people's mail, in web site and mail address. What is found gets
//! points for each key, see `scoring`: one account that is proved is taken, so is one with points enough when no other comes
//! near; a close call is a person's choice, the best first and with reasons; none makes a new account, whose identity is such that two
//! deals of one new customer make one account.
//!
//! An account that was merged leads to its master. An inactive one is never chosen silently.

mod choosing;
mod columns;
mod country;
mod domain;
mod golden;
mod identity;
mod name;
mod scoring;
mod searching;
#[cfg(test)]
mod tests;

use cosell_guest_sdk::parts::{company, cut};
use cosell_guest_sdk::prelude::*;

use columns::{Columns, NAME, PUBLIC_DOMAINS};

/// The stock matching of customers.
pub struct StockAccount;

/// An account's name holds so many characters.
const NAME_MAX: usize = 160;

impl Plugin for StockAccount {
    fn manifest() -> PluginManifest {
        columns::settings(PluginManifest::new(
            "stock-account",
            env!("CARGO_PKG_VERSION"),
            "Finds a deal's customer by number, name, address and domain, or creates it.",
        ))
    }

    fn describe(settings: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        let mistakes = columns::mistakes(settings);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Columns::of(settings).needs())
    }
}

impl Account for StockAccount {
    fn searches(ctx: &Context, deal: &Deal, draft: &[Search]) -> Answer<Option<Vec<Search>>> {
        let domain = domain_of(ctx, deal);
        let ours = searching::searches(deal, domain.as_deref(), &Columns::of(ctx));
        Ok(Some(searching::after(draft, ours)))
    }

    fn choose(
        ctx: &Context,
        deal: &Deal,
        candidates: &[Candidate],
        _: Option<&Resolution>,
    ) -> Answer<Option<Resolution>> {
        choosing::choose(ctx, deal, domain_of(ctx, deal), candidates).map(Some)
    }

    fn to_row(
        ctx: &Context,
        deal: &Deal,
        existing: Option<&Row>,
        _: &[Cell],
    ) -> Answer<Vec<Change>> {
        let company = &deal.company;
        let columns = Columns::of(ctx);
        let mut changes = vec![Change::set(NAME, cut(company.name.trim(), NAME_MAX))];
        changes.extend(company::set_address(&company.address));
        for (column, scheme) in [(columns.duns, "duns"), (columns.external, "external")] {
            if let Some((column, number)) = column.zip(number(company, scheme)) {
                changes.push(Change::set(column, number));
            }
        }
        // Only of a new one: what people have written about a customer is theirs.
        if let (Some(column), Some(domain), None, true) = (
            columns.website,
            domain_of(ctx, deal),
            existing,
            columns.fill_website,
        ) {
            changes.push(Change::set(column, format!("https://{domain}")));
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

fn domain_of(ctx: &Context, deal: &Deal) -> Option<String> {
    domain::of_deal(deal, ctx.setting_texts(PUBLIC_DOMAINS))
}

/// The number that this scheme gives the company.
fn number<'a>(company: &'a Company, scheme: &str) -> Option<&'a str> {
    company
        .ids
        .iter()
        .find(|id| id.scheme.eq_ignore_ascii_case(scheme))
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

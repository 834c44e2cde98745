//! The stock mapping of opportunities, `10-opportunity.wasm`.
//!
//! Serves `opportunity` (columns ⇄ deal) and `should-sync` (the seller's switch). The column names are those of Microsoft's
//! co-sell connector for Dynamics 365, so an organisation that used it keeps its forms and its data.
//!
//! | deal | opportunity | notes |
//! |---|---|---|
//! | name | `name` | cut to leave room for a mark; a deal without one is called `customer @ solution` |
//! | value | setting `value-column`, default `estimatedvalue` | never written while the CRM computes the revenue itself |
//! | close date | `estimatedclosedate` | a day, in no time zone |
//! | notes | `description` | |
//! | visibility | `msft_microsoftpartnercenterreferralvisible` | |
//! | help | `msft_microsoftpartnercenterhelp` | codes by setting `help-choices` |
//! | company | the account of `parentaccountid`, else of `customerid` | numbers by the settings `duns-column` and `external-id-column`; the country is the business of the `country` hook |
//! | first contact | `parentcontactid` | |
//! | other contacts | a table or relationship by the settings `contacts-…` | by default they stay in Partner Center |
//! | first seller | `ownerid`, by mail | |
//! | other sellers | a table by the settings `team-…` | by default they stay in Partner Center |
//! | solutions | rows of `msft_partnercentersolution` | table, columns and a catalogue by the settings `solution-…` |
//! | sales stage, campaign, partner role, solution area, solution play, marketplace intent | a column by setting `FIELD-column` | text, choice or lookup; by default nowhere |
//!
//! Another mapping of any line: a plugin with a later file name. The last word wins.

mod columns;
mod door;
mod from_row;
mod golden;
mod into_row;
mod people;
mod tail;

use cosell_guest_sdk::prelude::*;

/// The stock mapping of opportunities.
pub struct StockOpportunity;

impl Plugin for StockOpportunity {
    fn manifest() -> PluginManifest {
        columns::settings(PluginManifest::new(
            "stock-opportunity",
            env!("CARGO_PKG_VERSION"),
            "Maps opportunities as the co-sell connector for Dynamics 365 did, and reads the seller's switch.",
        ))
    }

    fn describe(settings: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        let mistakes = columns::mistakes(settings);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut needs = columns::Columns::of(settings).needs();
        needs.extend(tail::needs(settings));
        Ok(needs)
    }
}

impl Opportunity for StockOpportunity {
    fn to_deal(ctx: &Context, seen: &Seen, _: &[Fact]) -> Answer<Vec<Fact>> {
        from_row::facts(ctx, seen)
    }

    fn to_row(ctx: &Context, order: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        into_row::changes(ctx, order)
    }
}

impl ShouldSync for StockOpportunity {
    fn decide(_: &Context, arrival: &Arrival, draft: Option<&Verdict>) -> Answer<Option<Verdict>> {
        Ok(door::decide(arrival, draft))
    }
}

impl Examples for StockOpportunity {
    fn cases() -> Vec<Example> {
        golden::cases()
    }
}

plugin!(StockOpportunity: opportunity, should_sync, examples);

#[cfg(test)]
mod tests;

//! The stock mapping of leads, `15-lead.wasm`: referrals that nobody has accepted yet.
//!
//! Serves `lead` (columns ⇄ deal) and `should-sync`. Take it out of the folder, and an unaccepted referral waits in Partner Center
//! until somebody accepts it.
//!
//! | deal | lead | notes |
//! |---|---|---|
//! | name | `subject` | a deal without one is called `customer @ solution` |
//! | value | setting `value-column`, default `estimatedamount` | `budgetamount`, or a column of plain numbers by setting `value-kept-as` |
//! | close date | `estimatedclosedate` | a day, in no time zone |
//! | notes | `description` | |
//! | visibility, help | the connector's columns | as on opportunities |
//! | company | `companyname`, `address1_…`, `numberofemployees` of the lead itself | the DUNS number by setting `duns-column`; the country is the business of the `country` hook |
//! | first contact | `firstname`, `lastname`, `emailaddress1`, `telephone1`, `jobtitle` of the lead itself | `mobilephone` stands in for a missing phone; other contacts stay in Partner Center |
//! | first seller | `ownerid`, by mail | other sellers stay in Partner Center |
//! | solutions | a table by the settings `solution-…`, by default none | setting `default-solution` for leads that go out |
//! | account and contact, where matched | `parentaccountid`, `parentcontactid` | so that a qualified lead keeps them |

mod columns;
mod door;
mod from_row;
mod golden;
mod into_row;

use cosell_guest_sdk::prelude::*;

/// The stock mapping of leads.
pub struct StockLead;

impl Plugin for StockLead {
    fn manifest() -> PluginManifest {
        columns::settings(PluginManifest::new(
            "stock-lead",
            env!("CARGO_PKG_VERSION"),
            "Maps referrals that nobody has accepted yet to leads, and reads the seller's switch on leads.",
        ))
    }

    fn describe(settings: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        let mistakes = columns::mistakes(settings);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(columns::Columns::of(settings).needs())
    }
}

impl Lead for StockLead {
    fn to_deal(ctx: &Context, seen: &Seen, _: &[Fact]) -> Answer<Vec<Fact>> {
        from_row::facts(ctx, seen)
    }

    fn to_row(ctx: &Context, order: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(into_row::changes(ctx, order))
    }
}

impl ShouldSync for StockLead {
    fn decide(
        ctx: &Context,
        arrival: &Arrival,
        draft: Option<&Verdict>,
    ) -> Answer<Option<Verdict>> {
        Ok(door::decide(ctx, arrival, draft))
    }
}

impl Examples for StockLead {
    fn cases() -> Vec<Example> {
        golden::cases()
    }
}

plugin!(StockLead: lead, should_sync, examples);

#[cfg(test)]
mod tests;

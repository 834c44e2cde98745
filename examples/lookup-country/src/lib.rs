//! An organisation's own mapping, `50-acme.wasm`: an example to copy.
//!
//! Acme keeps countries in a table, `new_country`, to which the account points with `new_countryid`; and every opportunity at
//! Acme must have a deal type. Neither needs the stock mapping to change: this file comes after it in the folder, and the last
//! word wins.
//!
//! * *Reading* the country needs no query: two joins bring the row, the code stands in it.
//! * *Writing* it is one line: "the country row whose code is HU". The host finds the row.
//! * The *mandatory column* is a constant. The host asks twice on an update and writes what differs, so a constant is written when
//!   the row is created and never again: a seller may change it.

use cosell_guest_sdk::prelude::*;

/// Acme's mapping.
pub struct Acme;

const COUNTRY: &str = "new_countryid";
const ISO2: &str = "new_iso2";
const DEAL_TYPE: &str = "new_dealtype";
/// The column of the stock mapping, which Acme does not use.
const STOCK_COUNTRY: &str = "address1_country";

impl Plugin for Acme {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "acme",
            env!("CARGO_PKG_VERSION"),
            "Countries in a lookup table, and a deal type for every new opportunity.",
        )
        .setting(
            SettingSpec::text(
                "deal-type",
                "What every new opportunity gets as its deal type.",
            )
            .default_text("co-sell"),
        )
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        let account =
            |label, lookup| Join::lookup(label, "opportunity", lookup, "account", [COUNTRY]);
        let country = |label, above| Join::lookup(label, above, COUNTRY, "new_country", [ISO2]);
        Ok(vec![
            account("account", "parentaccountid").into(),
            account("customer", "customerid").into(),
            country("account-country", "account").into(),
            country("customer-country", "customer").into(),
            Need::writes("account", [COUNTRY, STOCK_COUNTRY]),
            Need::writes("opportunity", [DEAL_TYPE]),
            Need::asks_steady("new_country", [ISO2]),
        ])
    }
}

impl Country for Acme {
    fn to_deal(_: &Context, seen: &Seen, _: Option<&str>) -> Answer<Option<String>> {
        Ok(["account-country", "customer-country"]
            .into_iter()
            .find_map(|label| seen.joined(label)?.owned_text(ISO2))
            // What stands there is a person's to write, and a code is two letters.
            .filter(|code| {
                code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_uppercase())
            }))
    }

    fn to_row(_: &Context, order: &CountryOrder, _: &[Cell]) -> Answer<Vec<Change>> {
        if order.table != "account" {
            return Ok(Vec::new());
        }
        Ok(vec![
            Change::withdraw(STOCK_COUNTRY),
            Change::set(COUNTRY, RowKey::new("new_country", ISO2, &order.code)),
        ])
    }
}

impl Opportunity for Acme {
    fn to_row(ctx: &Context, _: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(vec![Change::set(DEAL_TYPE, ctx.setting_text("deal-type"))])
    }
}

impl Examples for Acme {
    fn cases() -> Vec<Example> {
        vec![
            Example::new("the country is read through two joins", "country.to-deal")
                .given(Row::new(
                    "opportunity",
                    "0c0c0c0c-0000-4000-8000-0000000000a1",
                ))
                .related(
                    "account-country",
                    vec![
                        Row::new("new_country", "0e0e0e0e-0000-4000-8000-0000000000a1")
                            .with(ISO2, "HU"),
                    ],
                )
                .answers("HU"),
            Example::new(
                "the country is written as a row of the table",
                "country.to-row",
            )
            .given(Given::Text("HU".to_owned()))
            .sets(COUNTRY, RowKey::new("new_country", ISO2, "HU"))
            .expects(Expected::Withdraws(STOCK_COUNTRY.to_owned())),
            Example::new("every opportunity gets its deal type", "opportunity.to-row")
                .sets(DEAL_TYPE, "co-sell"),
        ]
    }
}

plugin!(Acme: country, opportunity, examples);

#[cfg(test)]
mod tests {
    #[test]
    fn the_golden_examples_hold() {
        cosell_guest_sdk::test::check_examples::<super::Acme>();
    }
}

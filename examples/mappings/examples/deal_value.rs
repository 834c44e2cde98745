//! The deal value in another column than the stock mapping's, `56-deal-value.wasm`.
//!
//! `estimatedvalue` is computed from products in many organisations, or means something else. The word of the stock mapping about it is taken back in
//! both directions; which column holds the value is a setting, so the same component serves two environments.

use cosell_guest_sdk::prelude::*;

/// The mapping.
pub struct DealValue;

const STOCK_VALUE: &str = "estimatedvalue";
const SETTING: &str = "value-column";
const USUAL: &str = "new_dealvalue";

fn column<'a>(settings: impl Into<Settings<'a>>) -> &'a str {
    settings.into().text(SETTING).unwrap_or(USUAL)
}

impl Plugin for DealValue {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "deal-value",
            env!("CARGO_PKG_VERSION"),
            "Keeps the deal value in a column of our own.",
        )
        .setting(
            SettingSpec::column(
                SETTING,
                "opportunity",
                "The currency column that holds the deal value.",
            )
            .default_text(USUAL),
        )
    }

    fn describe(settings: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        let column = column(settings);
        Ok(vec![
            Need::reads("opportunity", [column]),
            Need::writes("opportunity", [column, STOCK_VALUE]),
        ])
    }
}

impl Opportunity for DealValue {
    fn to_deal(ctx: &Context, seen: &Seen, _: &[Fact]) -> Answer<Vec<Fact>> {
        Ok(vec![Fact::Value(seen.row.money(column(ctx)).cloned())])
    }

    fn to_row(ctx: &Context, order: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(vec![
            Change::withdraw(STOCK_VALUE),
            Change::set(column(ctx), order.deal.value.as_ref()),
        ])
    }
}

impl Examples for DealValue {
    fn cases() -> Vec<Example> {
        let value = Money::new("125000.00", "EUR");
        let row = |column: &str| {
            Row::new("opportunity", "0c0c0c0c-0000-4000-8000-000000000001").with(column, &value)
        };
        vec![
            Example::new("the value goes into our own column", "opportunity.to-row")
                .sets(USUAL, &value)
                .expects(Expected::Withdraws(STOCK_VALUE.to_owned())),
            Example::new("the value is read from it", "opportunity.to-deal")
                .given(row(USUAL))
                .expects(Fact::Value(Some(value.clone()))),
            Example::new("the operator names the column", "opportunity.to-deal")
                .setting(SETTING, SettingValue::Text("acme_amount".to_owned()))
                .given(row("acme_amount"))
                .expects(Fact::Value(Some(value.clone()))),
            Example::new(
                "a deal without a value empties the column",
                "opportunity.to-row",
            )
            .given(Fact::Value(None))
            .sets(USUAL, Value::Empty),
        ]
    }
}

plugin!(DealValue: opportunity, examples);

#[cfg(test)]
mod tests {
    #[test]
    fn the_golden_examples_hold() {
        cosell_guest_sdk::test::check_examples::<super::DealValue>();
    }
}

//! Columns that an organisation demands of every new opportunity and lead, `52-mandatory-fields.wasm`.
//!
//! The CRM refuses a row that lacks a required column, so a deal from Partner Center would never arrive. Three sources, all of them here: a constant, a
//! setting of the operator, and something that the deal says. What is constant is written when the row is made and never again: the host asks twice
//! on an update and writes what differs, so a seller may change it.

use cosell_guest_sdk::prelude::*;

/// The mapping.
pub struct MandatoryFields;

/// A choice, required on both tables.
const DEAL_TYPE: &str = "new_dealtype";
/// A text, required on opportunities: who pays.
const COST_CENTRE: &str = "new_costcentre";
/// A text, required on leads: where it comes from.
const ORIGIN: &str = "new_origin";

/// Options of the deal type.
const CO_SELL: i32 = 100_000_000;
const MARKETPLACE: i32 = 100_000_001;

impl Plugin for MandatoryFields {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "mandatory-fields",
            env!("CARGO_PKG_VERSION"),
            "Fills the columns that every new opportunity and lead must have.",
        )
        .setting(
            SettingSpec::text("cost-centre", "The cost centre of every new opportunity.")
                .default_text("4711"),
        )
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(vec![
            Need::writes("opportunity", [DEAL_TYPE, COST_CENTRE]),
            Need::writes("lead", [DEAL_TYPE, ORIGIN]),
        ])
    }
}

/// What Partner Center knows about where a deal comes from.
fn deal_type(deal: &Deal) -> Value {
    let category = deal.referral.as_ref().map(|referral| referral.category);
    Value::choice(match category {
        Some(Category::MarketplaceLead) => MARKETPLACE,
        _ => CO_SELL,
    })
}

impl Opportunity for MandatoryFields {
    fn to_row(ctx: &Context, order: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(vec![
            Change::set(DEAL_TYPE, deal_type(&order.deal)),
            Change::set(COST_CENTRE, ctx.setting_text("cost-centre")),
        ])
    }
}

impl Lead for MandatoryFields {
    fn to_row(_: &Context, order: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(vec![
            Change::set(DEAL_TYPE, deal_type(&order.deal)),
            Change::set(ORIGIN, "Microsoft Partner Center"),
        ])
    }
}

impl Examples for MandatoryFields {
    fn cases() -> Vec<Example> {
        vec![
            Example::new(
                "an opportunity gets its deal type and a cost centre",
                "opportunity.to-row",
            )
            .sets(DEAL_TYPE, Value::choice(CO_SELL))
            .sets(COST_CENTRE, "4711"),
            Example::new("the operator chooses the cost centre", "opportunity.to-row")
                .setting("cost-centre", SettingValue::Text("0815".to_owned()))
                .sets(COST_CENTRE, "0815"),
            Example::new("a lead says where it comes from", "lead.to-row")
                .sets(DEAL_TYPE, Value::choice(CO_SELL))
                .sets(ORIGIN, "Microsoft Partner Center"),
        ]
    }
}

plugin!(MandatoryFields: opportunity, lead, examples);

#[cfg(test)]
mod tests {
    #[test]
    fn the_golden_examples_hold() {
        cosell_guest_sdk::test::check_examples::<super::MandatoryFields>();
    }
}

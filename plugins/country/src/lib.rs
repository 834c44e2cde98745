//! The stock mapping of countries, `30-country.wasm`.
//!
//! Reads whatever people write in the account's country column (`HU`, `HUN`, `Hungary`, `South Korea`, `Türkiye`) and writes the
//! alpha-2 code or the English name, as the setting `kept-as` says. Codes and names are those of the `iso3166` crate; spellings
//! that people use beside them stand in `names.rs`.
//!
//! A country that nobody can read is refused with a reason: without a country Partner Center takes no deal.

mod golden;
mod names;
#[cfg(test)]
mod tests;

use cosell_guest_sdk::prelude::*;

/// The stock mapping of countries.
pub struct StockCountry;

const COLUMN: &str = "country-column";
const COLUMN_DEFAULT: &str = "address1_country";
const KEPT_AS: &str = "kept-as";
const AS_CODE: &str = "code";
const AS_NAME: &str = "name";

/// Join: the account of `parentaccountid`.
const ACCOUNT_JOIN: &str = "account";
/// Join: the account of `customerid`.
const CUSTOMER_JOIN: &str = "customer";
/// A lead carries its address itself, always in this column.
const LEAD_COLUMN: &str = "address1_country";

impl Plugin for StockCountry {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "stock-country",
            env!("CARGO_PKG_VERSION"),
            "Reads and writes the customer's country as ISO 3166 code or English name.",
        )
        .setting(
            SettingSpec::column(
                COLUMN,
                "account",
                "Text column of the account with the country.",
            )
            .default_text(COLUMN_DEFAULT),
        )
        .setting(SettingSpec::one_of(
            KEPT_AS,
            [AS_CODE, AS_NAME],
            "How a country is written: as its two-letter code or as its English name. Reading understands both.",
        ))
    }

    fn describe(settings: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        let column = settings.text(COLUMN).unwrap_or(COLUMN_DEFAULT);
        let join = |label, lookup| Join::lookup(label, "opportunity", lookup, "account", [column]);
        Ok(vec![
            join(ACCOUNT_JOIN, "parentaccountid").into(),
            join(CUSTOMER_JOIN, "customerid").into(),
            Need::writes("account", [column]),
            Need::reads("lead", [LEAD_COLUMN]),
            Need::writes("lead", [LEAD_COLUMN]),
        ])
    }
}

impl Country for StockCountry {
    fn to_deal(ctx: &Context, seen: &Seen, _: Option<&str>) -> Answer<Option<String>> {
        let (row, column) = if seen.row.table == "lead" {
            (Some(&seen.row), LEAD_COLUMN)
        } else {
            let account = seen
                .joined(ACCOUNT_JOIN)
                .or_else(|| seen.joined(CUSTOMER_JOIN));
            (account, account_column(ctx))
        };
        let Some((row, written)) = row.and_then(|row| Some((row, row.text(column)?))) else {
            return Ok(None);
        };
        match names::code_of(written) {
            Some(code) => Ok(Some(code.to_owned())),
            None => Err(Reason::new(
                "country-unknown",
                format!("\"{written}\" is no country that can be told from its name or code"),
            )
            .about_column(row.table.as_str(), column)
            .hint("write the two-letter code, HU, or the English name")
            .into()),
        }
    }

    fn to_row(ctx: &Context, order: &CountryOrder, _: &[Cell]) -> Answer<Vec<Change>> {
        let column = match order.table.as_str() {
            "account" => account_column(ctx),
            "lead" => LEAD_COLUMN,
            _ => return Ok(Vec::new()),
        };
        if ctx.setting_text(KEPT_AS) != Some(AS_NAME) {
            return Ok(vec![Change::set(column, order.code.to_uppercase())]);
        }
        Ok(vec![match names::name_of(&order.code) {
            Some(name) => Change::set(column, name),
            None => Change::refuse(
                Unit::Address,
                Reason::new(
                    "country-unknown",
                    format!("\"{}\" is no ISO 3166 code with a name", order.code),
                )
                .about_deal("company.address.country")
                .hint("correct the country in Partner Center, or set kept-as to code"),
            ),
        }])
    }
}

impl Examples for StockCountry {
    fn cases() -> Vec<Example> {
        golden::cases()
    }
}

plugin!(StockCountry: country, examples);

fn account_column(ctx: &Context) -> &str {
    ctx.setting_text(COLUMN).unwrap_or(COLUMN_DEFAULT)
}

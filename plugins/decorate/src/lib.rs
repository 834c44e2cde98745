//! The stock mark, `90-decorate.wasm`: ✔ in step, ✖ failed, none while the deal is paused.

use cosell_guest_sdk::prelude::*;

/// The stock mark.
pub struct StockMark;

const IN_STEP: &str = "✔";
const FAILED: &str = "✖";
const SHOW_MARK: &str = "show-mark";

impl Plugin for StockMark {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "stock-decorate",
            env!("CARGO_PKG_VERSION"),
            "Puts a check mark or a cross before an opportunity's name.",
        )
        .setting(SettingSpec::yes_no(
            SHOW_MARK,
            true,
            "Whether the name carries a mark. Switched off, marks disappear as deals are touched.",
        ))
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(Vec::new())
    }
}

impl Decorate for StockMark {
    fn mark(ctx: &Context, report: &Report, _: Option<&str>) -> Answer<Option<String>> {
        let shown = ctx.setting_yes(SHOW_MARK).unwrap_or(true);
        let mark = match &report.outcome {
            _ if !shown => "",
            Outcome::InStep => IN_STEP,
            Outcome::Failed(_) => FAILED,
            Outcome::Paused(_) => "",
        };
        Ok(Some(mark.to_owned()))
    }
}

impl Examples for StockMark {
    fn cases() -> Vec<Example> {
        let asks = "decorate.mark";
        let reason = || Reason::new("country-missing", "the account has no country");
        vec![
            Example::new("a deal in step has a check mark", asks)
                .given(Given::Outcome(Outcome::InStep))
                .answers(IN_STEP),
            Example::new("a deal that failed has a cross", asks)
                .given(Given::Outcome(Outcome::Failed(vec![reason()])))
                .answers(FAILED),
            Example::new("a paused deal has no mark", asks)
                .given(Given::Outcome(Outcome::Paused(reason())))
                .answers(""),
            Example::new("no mark at all, when the operator wants none", asks)
                .setting(SHOW_MARK, SettingValue::Boolean(false))
                .given(Given::Outcome(Outcome::InStep))
                .answers(""),
        ]
    }
}

plugin!(StockMark: decorate, examples);

#[cfg(test)]
mod tests {
    #[test]
    fn the_golden_examples_hold() {
        cosell_guest_sdk::test::check_examples::<super::StockMark>();
    }
}

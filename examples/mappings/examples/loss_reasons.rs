//! An organisation's own status reasons for lost deals, `58-loss-reasons.wasm`.
//!
//! Partner Center takes a loss reason as text; the CRM has options that the organisation made itself. Which option means which reason is a setting:
//!
//! ```toml
//! [settings]
//! loss-reasons = { "100000004" = "Price", "100000005" = "Lost to a competitor" }
//! ```
//!
//! Whatever the setting does not name is left to the stock mapping, which stands before this file in the folder.

use cosell_guest_sdk::prelude::*;

/// The mapping.
pub struct LossReasons;

const SETTING: &str = "loss-reasons";
/// State of an opportunity that is lost: the platform's own code.
const LOST: i32 = 2;

/// Status reasons and what they mean.
fn reasons(ctx: &Context) -> impl Iterator<Item = (i32, &str)> {
    let pairs = ctx.setting_pairs(SETTING).iter();
    pairs.filter_map(|(code, reason)| Some((code.parse().ok()?, reason.as_str())))
}

impl Plugin for LossReasons {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "loss-reasons",
            env!("CARGO_PKG_VERSION"),
            "Our own status reasons for lost deals.",
        )
        .setting(SettingSpec::pairs(
            SETTING,
            [
                ("100000004", "Price"),
                ("100000005", "Lost to a competitor"),
            ],
            "Code of a status reason under Lost, and the reason that Partner Center is told.",
        ))
    }

    fn describe(settings: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        let codes = settings.pairs(SETTING).iter().map(|(code, _)| code);
        let wrong: Vec<Reason> = codes
            .filter(|code| code.parse::<i32>().is_err())
            .map(|code| {
                Reason::new("no-code", format!("{code:?} is no code of a status reason"))
                    .about_setting(SETTING)
            })
            .collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(vec![Need::reads(
            "opportunity",
            ["statecode", "statuscode"],
        )])
    }
}

impl Status for LossReasons {
    fn to_deal(ctx: &Context, seen: &Seen, _: Option<&DealState>) -> Answer<Option<DealState>> {
        if seen.row.table != "opportunity" || seen.row.choice("statecode") != Some(LOST) {
            return Ok(None);
        }
        let code = seen.row.choice("statuscode");
        let reason = reasons(ctx).find(|(known, _)| Some(*known) == code);
        Ok(reason.map(|(_, reason)| DealState {
            standing: Standing::Lost,
            reason: Some(reason.to_owned()),
        }))
    }

    fn to_row(ctx: &Context, order: &Order, _: Option<&RowState>) -> Answer<Option<RowState>> {
        let state = &order.deal.state;
        if order.record_kind() != RecordKind::Opportunity || state.standing != Standing::Lost {
            return Ok(None);
        }
        let told = state.reason.as_deref().unwrap_or_default();
        let ours = reasons(ctx).find(|(_, reason)| reason.eq_ignore_ascii_case(told));
        Ok(ours.map(|(statuscode, _)| RowState {
            statecode: LOST,
            statuscode,
            closing: Vec::new(),
        }))
    }
}

impl Examples for LossReasons {
    fn cases() -> Vec<Example> {
        let lost = |reason: &str| DealState {
            standing: Standing::Lost,
            reason: Some(reason.to_owned()),
        };
        let row = |status: i32| {
            Row::new("opportunity", "0c0c0c0c-0000-4000-8000-000000000001")
                .with("statecode", Value::choice(LOST))
                .with("statuscode", Value::choice(status))
        };
        vec![
            Example::new(
                "our own status reason is told as its reason",
                "status.to-deal",
            )
            .given(row(100_000_004))
            .expects(lost("Price")),
            Example::new(
                "a status reason that we do not know is the stock's",
                "status.to-deal",
            )
            .given(row(4))
            .passes(),
            Example::new("a reason becomes our own status reason", "status.to-row")
                .given(lost("lost to a competitor"))
                .expects(RowState {
                    statecode: LOST,
                    statuscode: 100_000_005,
                    closing: Vec::new(),
                }),
            Example::new(
                "a reason that we do not have is the stock's",
                "status.to-row",
            )
            .given(lost("Weather"))
            .passes(),
        ]
    }
}

plugin!(LossReasons: status, examples);

#[cfg(test)]
mod tests {
    #[test]
    fn the_golden_examples_hold() {
        cosell_guest_sdk::test::check_examples::<super::LossReasons>();
    }
}

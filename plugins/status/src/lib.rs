//! The stock mapping of where a deal stands, `40-status.wasm`.
//!
//! | Partner Center | opportunity: state / status reason |
//! |---|---|
//! | accepted | open / In Progress (1) |
//! | pending, received | open / On Hold (2) |
//! | won | won / Won (3) |
//! | lost | lost / the status reason of the deal's reason, else Out-Sold (5) |
//! | declined, expired, error | lost / Canceled (4) |
//!
//! Out of the CRM, every open opportunity is an accepted deal (a seller's pause is no business of Microsoft's), and a lost one
//! takes its reason from the setting `loss-reasons`: organisations put their own status reasons under Lost.

mod golden;
#[cfg(test)]
mod tests;

use cosell_guest_sdk::prelude::*;

/// The stock mapping of where a deal stands.
pub struct StockStatus;

const STATE: &str = "statecode";
const STATUS: &str = "statuscode";

const OPEN: i32 = 0;
const WON: i32 = 1;
const LOST: i32 = 2;

const IN_PROGRESS: i32 = 1;
const ON_HOLD: i32 = 2;
const STATUS_WON: i32 = 3;
const CANCELED: i32 = 4;
const OUT_SOLD: i32 = 5;

const LOSS_REASONS: &str = "loss-reasons";
/// The subject of a closing activity holds 200 characters.
const SUBJECT_CHARS_MAX: usize = 200;

impl Plugin for StockStatus {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "stock-status",
            env!("CARGO_PKG_VERSION"),
            "Maps state and status reason of opportunities to where the deal stands.",
        )
        .setting(SettingSpec::pairs(
            LOSS_REASONS,
            [("4", "Canceled"), ("5", "Out-Sold")],
            "Status reasons of a lost opportunity and the reason that Partner Center is told, 100000004 = Price.",
        ))
    }

    fn describe(settings: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        let wrong: Vec<Reason> = settings
            .pairs(LOSS_REASONS)
            .iter()
            .filter(|(code, reason)| code.parse::<i32>().is_err() || reason.trim().is_empty())
            .map(|(code, reason)| {
                Reason::new(
                    "loss-reason-unknown",
                    format!("\"{code}\" = \"{reason}\" is no status reason with a meaning"),
                )
                .about_setting(LOSS_REASONS)
                .hint("write the number of the status reason and a word, 100000004 = Price")
            })
            .collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(vec![
            Need::reads("opportunity", [STATE, STATUS]),
            Need::writes("opportunity", [STATE, STATUS]),
            Need::writes("opportunityclose", ["subject"]),
        ])
    }
}

impl Status for StockStatus {
    fn to_deal(ctx: &Context, seen: &Seen, _: Option<&DealState>) -> Answer<Option<DealState>> {
        let row = &seen.row;
        if row.table != "opportunity" {
            return Ok(None);
        }
        Ok(match row.choice(STATE) {
            Some(OPEN) => Some(DealState::from(Standing::Accepted)),
            Some(WON) => Some(DealState::from(Standing::Won)),
            Some(LOST) => Some(DealState {
                standing: Standing::Lost,
                reason: row
                    .choice(STATUS)
                    .and_then(|code| reason_of(ctx, code))
                    .map(str::to_owned),
            }),
            _ => None,
        })
    }

    fn to_row(ctx: &Context, order: &Order, _: Option<&RowState>) -> Answer<Option<RowState>> {
        let state = &order.deal.state;
        let (statecode, statuscode, word) = match &state.standing {
            Standing::Accepted => (OPEN, IN_PROGRESS, None),
            Standing::Pending | Standing::Received => (OPEN, ON_HOLD, None),
            Standing::Won => (WON, STATUS_WON, Some("Won")),
            Standing::Lost => {
                let code = state.reason.as_deref().and_then(|text| code_of(ctx, text));
                (LOST, code.unwrap_or(OUT_SOLD), Some("Lost"))
            }
            Standing::Declined => (LOST, CANCELED, Some("Declined")),
            Standing::Expired => (LOST, CANCELED, Some("Expired")),
            Standing::Error => (LOST, CANCELED, Some("Error")),
            Standing::Unlisted(_) => return Ok(None),
        };
        let closing = word.map_or_else(Vec::new, |word| {
            let subject: String = match &state.reason {
                Some(reason) => format!("{word} in Partner Center: {reason}"),
                None => format!("{word} in Partner Center"),
            };
            let cut: String = subject.chars().take(SUBJECT_CHARS_MAX).collect();
            vec![("subject".to_owned(), Value::Text(cut))]
        });
        Ok(Some(RowState {
            statecode,
            statuscode,
            closing,
        }))
    }
}

impl Examples for StockStatus {
    fn cases() -> Vec<Example> {
        golden::cases()
    }
}

plugin!(StockStatus: status, examples);

fn reason_of(ctx: &Context, code: i32) -> Option<&str> {
    ctx.setting_pairs(LOSS_REASONS)
        .iter()
        .find(|(known, _)| known.parse() == Ok(code))
        .map(|(_, reason)| reason.as_str())
}

fn code_of(ctx: &Context, reason: &str) -> Option<i32> {
    ctx.setting_pairs(LOSS_REASONS)
        .iter()
        .find(|(_, known)| known.trim().to_lowercase() == reason.trim().to_lowercase())
        .and_then(|(code, _)| code.parse().ok())
}

//! The stock mapping of where a deal stands, `40-status.wasm`, at the level of the status reason.
//!
//! | Partner Center | opportunity: state / status reason | lead: state / status reason |
//! |---|---|---|
//! | pending | open / On Hold (2) | open / New (1) |
//! | received | open / On Hold (2) | open / Contacted (2) |
//! | accepted | open / In Progress (1) | qualified / Qualified (3); a lead of our own stays as it is |
//! | won | won / Won (3) | qualified / Qualified (3) |
//! | lost | lost / the status reason of the deal's reason, else Out-Sold (5) | disqualified / the same, else Lost (4) |
//! | declined, expired, error | lost / the same, else Canceled (4) | disqualified / the same, else Canceled (7) |
//!
//! Back again: an open opportunity is an accepted deal, whatever its status reason (a seller's pause is no business of Microsoft's), unless
//! the setting `on-hold-is-not-accepted` makes On Hold the place of deals that nobody has accepted: then leaving it accepts the deal. A
//! lost opportunity and a disqualified lead stand where the settings `loss-reasons` and `lead-loss-reasons` say, with the reason that
//! stands there. Organisations put their own status reasons under these states, so each code is named, never the state alone.
//!
//! An open lead is pending while it is New, and received under any other open status reason. Our own deals count as accepted in Partner
//! Center from the start, which qualifies nobody's lead.
//!
//! A row that already says what it should keeps its status reason: an organisation's own "Negotiating" is not set back to In Progress.

mod golden;
mod lead;
mod opportunity;
mod reasons;
#[cfg(test)]
mod tests;

use cosell_guest_sdk::prelude::*;

/// The stock mapping of where a deal stands.
pub struct StockStatus;

pub(crate) const STATE: &str = "statecode";
pub(crate) const STATUS: &str = "statuscode";

impl Plugin for StockStatus {
    fn manifest() -> PluginManifest {
        let manifest = PluginManifest::new(
            "stock-status",
            env!("CARGO_PKG_VERSION"),
            "Maps state and status reason of opportunities and leads to where the deal stands.",
        );
        lead::settings(opportunity::settings(manifest))
    }

    fn describe(settings: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        let mut mistakes = opportunity::mistakes(settings);
        mistakes.extend(lead::mistakes(settings));
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut needs: Vec<Need> = [opportunity::TABLE, lead::TABLE]
            .into_iter()
            .flat_map(|table| {
                [
                    Need::reads(table, [STATE, STATUS]),
                    Need::writes(table, [STATE, STATUS]),
                ]
            })
            .collect();
        needs.push(Need::writes("opportunityclose", ["subject"]));
        Ok(needs)
    }
}

impl Status for StockStatus {
    fn to_deal(ctx: &Context, seen: &Seen, _: Option<&DealState>) -> Answer<Option<DealState>> {
        let Some(state) = seen.row.choice(STATE) else {
            return Ok(None);
        };
        let status = seen.row.choice(STATUS);
        Ok(match seen.row.table.as_str() {
            opportunity::TABLE => opportunity::read(ctx, state, status),
            lead::TABLE => lead::read(ctx, state, status),
            _ => None,
        })
    }

    fn to_row(ctx: &Context, order: &Order, _: Option<&RowState>) -> Answer<Option<RowState>> {
        let deal = &order.deal.state;
        let kind = order.record_kind();
        let now = held(order);
        let says = now.and_then(|(state, status)| match kind {
            RecordKind::Opportunity => opportunity::read(ctx, state, Some(status)),
            RecordKind::Lead => lead::read(ctx, state, Some(status)),
        });
        // What says the same already stays as the organisation has it.
        if let Some((state, status)) = now.filter(|_| says.as_ref() == Some(deal)) {
            return Ok(Some(row_state(state, status)));
        }
        Ok(match kind {
            RecordKind::Opportunity => opportunity::write(ctx, deal),
            RecordKind::Lead => lead::write(ctx, &order.deal, now),
        })
    }
}

/// State and status reason that the row has now.
fn held(order: &Order) -> Option<(i32, i32)> {
    let row = order.row()?;
    Some((row.choice(STATE)?, row.choice(STATUS)?))
}

/// Without a closing activity.
pub(crate) const fn row_state(statecode: i32, statuscode: i32) -> RowState {
    RowState {
        statecode,
        statuscode,
        closing: Vec::new(),
    }
}

/// A status reason that a setting can move: its name, the CRM's own code, what it is for.
pub(crate) type Moved = (&'static str, i32, &'static str);

pub(crate) fn code(ctx: &Context, (name, default, _): Moved) -> i32 {
    ctx.setting_integer(name).unwrap_or(default)
}

impl Examples for StockStatus {
    fn cases() -> Vec<Example> {
        golden::cases()
    }
}

plugin!(StockStatus: status, examples);

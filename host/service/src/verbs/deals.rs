//! `cosell deals`: a page of deals, each in one line.

use cosell_store::{LaneFilter, LaneId, LaneState, LaneSummary, Store, StoreError};
use cosell_sync::deal::{Unit, UnitValue};
use cosell_sync::row::RecordKind;
use cosell_sync::side::Side;
use serde::Serialize;

use super::pages::Pages;
use super::{Archive, DealKey, Moment, VerbError, reason_in_words};
use crate::link;
use crate::records::REFERRAL;

/// Every state that a lane can be in.
pub const STATES: [&str; 9] = [
    "settled", "due", "running", "waiting", "held", "parked", "orphaned", "paused", "retired",
];

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Only deals in these states. Empty: every deal; rows and referrals that were left alone, and lanes that became one with another, are
    /// only listed when their state (`paused`, `settled`, `retired`) is named.
    pub states: Vec<String>,
    /// After this one: the last of the page before.
    pub after: Option<DealKey>,
    /// At most so many.
    pub limit: usize,
}

/// A page.
#[derive(Debug, Clone, Serialize)]
pub struct Deals {
    /// Youngest first, connection by connection.
    pub deals: Vec<DealLine>,
    /// There are more after this one.
    pub more_after: Option<DealKey>,
}

/// One deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DealLine {
    /// The connection.
    pub connection: String,
    /// The lane's number.
    pub lane: i64,
    /// The deal's name, as far as it is known.
    pub name: Option<String>,
    /// One of [`STATES`].
    pub state: String,
    /// Why, when it is not settled.
    pub reason: Option<String>,
    /// Our referral.
    pub referral: Option<String>,
    /// Microsoft's.
    pub microsoft_referral: Option<String>,
    /// Logical name of the CRM row's table.
    pub crm_table: Option<String>,
    /// The CRM row.
    pub crm_row: Option<String>,
    /// Both records are connected.
    pub linked: bool,
    /// When its last run ended.
    pub ran: Option<Moment>,
    /// When it runs next, as far as that is known.
    pub next_at: Option<Moment>,
    /// Rings that no run has answered yet.
    pub unanswered: i64,
    /// Failures in a row.
    pub failures: i64,
}

impl DealLine {
    /// The deal's name among all connections.
    #[must_use]
    pub fn key(&self) -> DealKey {
        DealKey {
            connection: self.connection.clone(),
            lane: self.lane,
        }
    }
}

/// A page of deals.
///
/// # Errors
/// [`VerbError::Store`].
pub async fn deals(archive: &Archive, asked: &Asked) -> Result<Deals, VerbError> {
    let mut deals = Vec::new();
    let begin = asked.after.as_ref().map(|after| after.connection.clone());
    let connections = archive
        .connections
        .iter()
        .skip_while(|id| begin.as_ref().is_some_and(|begin| begin != *id));
    for connection in connections {
        let after = asked
            .after
            .as_ref()
            .filter(|after| after.connection == *connection)
            .map(|after| LaneId(after.lane));
        let filter = LaneFilter {
            states: asked.states.clone(),
            after,
            ..LaneFilter::default()
        };
        let mut pages = Pages::of(&*archive.store, connection, filter);
        while let Some(page) = pages.next().await? {
            for summary in page {
                if asked.states.is_empty() && !is_a_deal(&summary) {
                    continue;
                }
                if deals.len() == asked.limit {
                    let more_after = deals.last().map(DealLine::key);
                    return Ok(Deals { deals, more_after });
                }
                let state = archive.store.peek(connection, summary.lane).await?;
                deals.push(line(summary, state.as_ref()));
            }
        }
    }
    Ok(Deals {
        deals,
        more_after: None,
    })
}

/// Not a lane that became one with another, nor a record that nobody keeps in step.
pub(crate) fn is_a_deal(summary: &LaneSummary) -> bool {
    match summary.state.as_str() {
        "retired" => false,
        "paused" | "settled" => summary.link.is_some(),
        _ => true,
    }
}

/// A lane as a line. A lane that has linked nothing is known by the records that rang.
pub(super) fn line(summary: LaneSummary, state: Option<&LaneState>) -> DealLine {
    let link = summary.link.unwrap_or_default();
    let member = |side: Side, kinds: &[&str]| {
        let mut members = state.into_iter().flat_map(|state| &state.members);
        members
            .find(|one| one.side == side.as_str() && kinds.contains(&one.kind.as_str()))
            .cloned()
    };
    let tables = [RecordKind::Opportunity, RecordKind::Lead].map(RecordKind::table);
    let row = member(Side::Crm, &tables);
    DealLine {
        connection: summary.connection,
        lane: summary.lane.0,
        name: state.and_then(name),
        state: summary.state,
        reason: summary.reason.as_deref().map(reason_in_words),
        linked: link.referral.is_some() && link.crm_row.is_some(),
        referral: link
            .referral
            .or_else(|| member(Side::PartnerCenter, &[REFERRAL]).map(|one| one.id)),
        microsoft_referral: link.microsoft_referral,
        crm_table: link
            .crm_table
            .or_else(|| row.as_ref().map(|one| one.kind.clone())),
        crm_row: link.crm_row.or_else(|| row.map(|one| one.id)),
        ran: summary.ran.map(Moment),
        next_at: summary.next_at.map(Moment),
        unanswered: summary.unanswered,
        failures: summary.attempts,
    }
}

/// The name that both sides last agreed on, or that the deal had when it could not cross.
fn name(state: &LaneState) -> Option<String> {
    let link = state.link.as_ref()?;
    let agreed = link::bases(link).remove(&Unit::Name);
    let agreed = agreed.and_then(|sides| {
        [sides.crm, sides.partner_center]
            .into_iter()
            .flatten()
            .find_map(|value| match value {
                UnitValue::Text(text) => text,
                _ => None,
            })
    });
    agreed.or_else(|| link::Notes::parse(&link.notes).name)
}

/// The name of a lane's deal, for lists of other things.
pub(super) async fn name_of(
    store: &dyn Store,
    connection: &str,
    lane: LaneId,
) -> Result<Option<String>, StoreError> {
    let state = store.peek(connection, lane).await?;
    Ok(state.as_ref().and_then(name))
}

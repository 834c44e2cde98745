//! What the store says about the deals, for people and programs. Reads only; a host may be running beside it.

use cosell_store::{Census, LaneSummary, Millis, Opened, StoreError, Throttle};
use serde::Serialize;

use crate::config::Config;
use crate::expiry::{Expiry, expiries};
use crate::verbs::{Moment, PluginNews, plugin_news, reason_in_words};

/// Deals listed at most; [`verbs::deals`](crate::verbs::deals()) pages through all of them.
const DEALS_MAX: usize = 10_000;

/// The whole answer.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Lanes by state.
    pub lanes: std::collections::BTreeMap<String, i64>,
    /// Deals with both records.
    pub linked: i64,
    /// Events accepted since the store was made.
    pub events: i64,
    /// Bells that no run has answered yet.
    pub bells_unanswered: i64,
    /// How long the oldest of them waits, in milliseconds; without those that a full compare or changed plugins rang.
    pub oldest_unanswered_ms: Option<Millis>,
    /// Writes whose outcome is not known yet.
    pub open_writes: i64,
    /// Questions that nobody has answered yet.
    pub cards: i64,
    /// Writes that wait for a person or the end of their grace period.
    pub holds: i64,
    /// Candidates, refused files and slow plugins.
    pub plugins: PluginNews,
    /// The audit's hash chains verify.
    pub audit_whole: bool,
    /// Credentials that may not be used right now: deals wait for them and go on by themselves.
    pub resting: Vec<Resting>,
    /// Credentials of which it is known when they end, the soonest first.
    pub credentials: Vec<Ending>,
    /// One line per deal, youngest first.
    pub deals: Vec<Deal>,
}

/// A credential that may not be used right now.
#[derive(Debug, Serialize)]
pub struct Resting {
    /// The connection.
    pub connection: String,
    /// `dataverse`, `partner-center`.
    pub credential: String,
    /// When it is tried again.
    pub until: Moment,
    /// Who refused or slowed what, and what to do.
    pub reason: String,
}

impl Resting {
    fn of(connection: &str, throttle: Throttle) -> Self {
        Self {
            connection: connection.to_owned(),
            credential: throttle.credential,
            until: Moment(throttle.until),
            reason: throttle.reason,
        }
    }
}

/// A credential that ends.
#[derive(Debug, Serialize)]
pub struct Ending {
    /// Which, and when.
    #[serde(flatten)]
    pub expiry: Expiry,
    /// Whole days that are left; negative when it is over.
    pub days_left: i64,
    /// It ends within `credential_ends_days` of `[alerts]`, or is over: time to act.
    pub soon: bool,
}

impl Ending {
    fn of(expiry: Expiry, now: Millis, ends_days: u32) -> Self {
        let days_left = expiry.days_left(now);
        Self {
            expiry,
            days_left,
            soon: days_left < i64::from(ends_days),
        }
    }
}

/// One deal.
#[derive(Debug, Serialize)]
pub struct Deal {
    /// The connection.
    pub connection: String,
    /// The lane's number.
    pub lane: i64,
    /// `settled`, `due`, `running`, `waiting`, `held`, `parked`, `orphaned`, `paused`, `retired`.
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
    /// When it is looked at next, milliseconds since the epoch.
    pub next_at: Option<Millis>,
    /// Rings that no run has answered yet.
    pub unanswered: i64,
}

/// Reads the store of a configuration.
///
/// # Errors
/// The store cannot be opened or read.
pub async fn status(config: &Config) -> Result<Status, StoreError> {
    let Opened { store, clock } = cosell_store::look(&config.store, None)?;
    let now = clock();
    let census: Census = store.census().await?;
    let mut deals = Vec::new();
    let mut resting = Vec::new();
    for connection in &config.connections {
        let closed = store.throttles(&connection.id).await?;
        resting.extend(
            closed
                .into_iter()
                .map(|throttle| Resting::of(&connection.id, throttle)),
        );
        deals.extend(
            store
                .lanes(&connection.id, DEALS_MAX)
                .await?
                .into_iter()
                .map(deal),
        );
    }
    let mut credentials: Vec<Ending> = expiries(config)
        .into_iter()
        .map(|expiry| Ending::of(expiry, now, config.alerts.ends_days))
        .collect();
    credentials.sort_by_key(|ending| ending.expiry.expires_at);
    Ok(Status {
        resting,
        credentials,
        lanes: census.lanes,
        linked: census.linked,
        events: census.events,
        bells_unanswered: census.bells_unanswered,
        oldest_unanswered_ms: census.oldest_unanswered.map(|since| now - since),
        open_writes: census.intents,
        cards: census.cards,
        holds: census.holds,
        plugins: plugin_news(&*store, &config.plugins).await?,
        audit_whole: store.check_audit().await?.is_empty(),
        deals,
    })
}

fn deal(summary: LaneSummary) -> Deal {
    let link = summary.link.unwrap_or_default();
    Deal {
        connection: summary.connection,
        lane: summary.lane.0,
        state: summary.state,
        reason: summary.reason.as_deref().map(reason_in_words),
        referral: link.referral,
        microsoft_referral: link.microsoft_referral,
        crm_table: link.crm_table,
        crm_row: link.crm_row,
        next_at: summary.next_at,
        unanswered: summary.unanswered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_soon_when_alerts_would_tell_of_it() {
        let ends_in = |days: i64, ends_days: u32| {
            let expiry = Expiry {
                connection: "contoso".into(),
                credential: "dataverse-secret".into(),
                expires_at: days * 86_400_000,
            };
            Ending::of(expiry, 0, ends_days).soon
        };
        assert!(ends_in(44, 45) && ends_in(0, 1) && ends_in(-1, 1));
        assert!(!ends_in(45, 45) && !ends_in(29, 7));
    }
}

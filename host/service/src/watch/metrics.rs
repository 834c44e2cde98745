//! `/metrics`: numbers in Prometheus' text format. Counters and times are recorded where they happen, by the `metrics` facade; what the store
//! knows is looked at when somebody asks.
//!
//! | metric | labels | counts |
//! |---|---|---|
//! | `cosell_events_total` | connection, side, outcome | verified events: `rung`, `duplicate`, `unknown`, `full`, `broken` |
//! | `cosell_runs_total` | connection, ending | runs over a deal, by how they ended |
//! | `cosell_writes_total` | connection, kind, outcome | writes, by how they ended |
//! | `cosell_remote_request_seconds` | service, method, status | calls to Microsoft |
//! | `cosell_plugin_call_seconds` | plugin, question | calls of plugins |
//! | `cosell_plugin_faults_total` | plugin, kind | calls that a plugin failed |
//! | `cosell_lanes` | state | deals by state |
//! | `cosell_linked_deals` | | deals with both records |
//! | `cosell_unanswered_bells`, `cosell_oldest_unanswered_bell_seconds` | | what waits, and how long |
//! | `cosell_open_writes`, `cosell_open_cards`, `cosell_open_holds` | | what nobody has decided yet |
//! | `cosell_credential_rests_seconds` | connection, credential | how long no call may be made |
//! | `cosell_plugin_slow` | plugin | 1: it comes near the limit of a call |
//! | `cosell_budget_used_ratio`, `cosell_budget_calls_at_once` | connection, credential | what is used of what Microsoft allows, and how many calls may be under way |
//! | `cosell_turns_waited_total` | connection | runs that waited because others came first, or because the budget was used |
//! | `cosell_spans_dropped_total` | | spans that no collector took |
//! | `cosell_plugins`, `cosell_refused_plugin_files` | | the plugin folder |
//! | `cosell_store_up`, `cosell_build_info` | version | the host itself |

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ::metrics::{describe_counter, describe_gauge, describe_histogram, gauge};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::vitals::{Vitals, look};
use crate::desk::Desk;
use crate::verbs::STATES;

/// From a plugin call (10 µs) to a call that Microsoft never answers (60 s).
const BUCKETS: [f64; 16] = [
    0.000_01, 0.000_03, 0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0,
    60.0, 120.0,
];

/// One recorder a process, however many hosts it runs; without somebody who reads, nothing is recorded.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Begins to record. None: another part of the program records already.
fn recorder() -> Option<&'static PrometheusHandle> {
    RECORDER
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
                .ok()?
                .build_recorder();
            let handle = recorder.handle();
            ::metrics::set_global_recorder(recorder).ok()?;
            describe();
            Some(handle)
        })
        .as_ref()
}

fn describe() {
    describe_counter!("cosell_events_total", "Verified webhook events.");
    describe_counter!("cosell_runs_total", "Runs over a deal, by how they ended.");
    describe_counter!("cosell_writes_total", "Writes, by how they ended.");
    describe_counter!("cosell_plugin_faults_total", "Calls that a plugin failed.");
    describe_histogram!("cosell_remote_request_seconds", "Calls to Microsoft.");
    describe_histogram!("cosell_plugin_call_seconds", "Calls of plugins.");
    describe_counter!(
        "cosell_turns_waited_total",
        "Runs that waited for their turn."
    );
    describe_counter!(
        "cosell_spans_dropped_total",
        "Spans of traces that no collector took."
    );
    describe_gauge!(
        "cosell_budget_used_ratio",
        "What is used of what Microsoft allows in its window."
    );
    describe_gauge!(
        "cosell_budget_calls_at_once",
        "Calls that may be under way at once."
    );
    describe_gauge!("cosell_lanes", "Deals by state.");
    describe_gauge!("cosell_linked_deals", "Deals with both records.");
    describe_gauge!(
        "cosell_unanswered_bells",
        "Records that rang and were not looked at yet."
    );
    describe_gauge!(
        "cosell_oldest_unanswered_bell_seconds",
        "How long the oldest of them waits that somebody waits for: a full compare and changed plugins do not count."
    );
    describe_gauge!(
        "cosell_open_writes",
        "Writes whose outcome is not known yet."
    );
    describe_gauge!(
        "cosell_open_cards",
        "Questions that nobody has answered yet."
    );
    describe_gauge!(
        "cosell_open_holds",
        "Writes that wait for a person or a grace period."
    );
    describe_gauge!(
        "cosell_credential_rests_seconds",
        "How long a credential is not used."
    );
    describe_gauge!("cosell_plugins", "Plugins in service.");
    describe_gauge!(
        "cosell_plugin_slow",
        "1: the plugin comes near the limit of a call."
    );
    describe_gauge!(
        "cosell_refused_plugin_files",
        "Files of the plugin folder that are refused."
    );
    describe_gauge!("cosell_store_up", "1: the store answers.");
    describe_gauge!("cosell_build_info", "1, with the version.");
}

/// What was told once is told for ever: a gauge that nobody sets any more keeps its last number.
#[derive(Default)]
struct Once {
    /// Connection and credential.
    rested: BTreeSet<(String, String)>,
    /// Plugins.
    slow: BTreeSet<String>,
}

/// Serves `/metrics`. For a listener of its own: the one for webhooks is open to the world.
pub(crate) fn router(desk: Arc<Desk>) -> Router {
    let once = Arc::new(Mutex::new(Once::default()));
    let page = move || {
        let (desk, once) = (Arc::clone(&desk), Arc::clone(&once));
        async move {
            let text = match recorder() {
                Some(recorder) => {
                    let vitals = look(&desk).await;
                    put(
                        &vitals,
                        &mut once.lock().unwrap_or_else(PoisonError::into_inner),
                    );
                    put_budgets(&desk);
                    recorder.run_upkeep();
                    recorder.render()
                }
                None => "# this process records its metrics elsewhere\n".to_owned(),
            };
            (
                [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
                text,
            )
        }
    };
    // What happens before somebody asks for the first time counts as well.
    recorder();
    Router::new().route("/metrics", get(page))
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; 2^53 deals are not in sight"
)]
fn put(vitals: &Vitals, once: &mut Once) {
    gauge!("cosell_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!("cosell_store_up").set(f64::from(u8::from(vitals.census.is_some())));
    gauge!("cosell_plugins").set(vitals.plugins as f64);
    gauge!("cosell_refused_plugin_files").set(vitals.refused.len() as f64);
    once.rested.extend(vitals.resting.keys().cloned());
    for rests in &once.rested {
        let until = vitals
            .resting
            .get(rests)
            .map_or(vitals.now, |(until, _)| *until);
        let (connection, credential) = rests.clone();
        gauge!("cosell_credential_rests_seconds", "connection" => connection, "credential" => credential)
            .set((until - vitals.now) as f64 / 1_000.0);
    }
    once.slow.extend(vitals.slow.iter().cloned());
    for plugin in &once.slow {
        let is_slow = vitals.slow.contains(plugin);
        gauge!("cosell_plugin_slow", "plugin" => plugin.clone()).set(f64::from(u8::from(is_slow)));
    }
    // While the store does not answer, nobody knows: a number of before would look like one of now.
    let census = vitals.census.as_ref();
    let known = |count: Option<i64>| count.map_or(f64::NAN, |count| count as f64);
    for state in STATES {
        let lanes = census.map(|census| census.lanes.get(state).copied().unwrap_or(0));
        gauge!("cosell_lanes", "state" => state).set(known(lanes));
    }
    for (name, count) in [
        ("cosell_linked_deals", census.map(|census| census.linked)),
        (
            "cosell_unanswered_bells",
            census.map(|census| census.bells_unanswered),
        ),
        ("cosell_open_writes", census.map(|census| census.intents)),
        ("cosell_open_cards", census.map(|census| census.cards)),
        ("cosell_open_holds", census.map(|census| census.holds)),
    ] {
        gauge!(name).set(known(count));
    }
    let oldest = census.map(|census| {
        let since = census.oldest_unanswered;
        since.map_or(0, |since| vitals.now.saturating_sub(since))
    });
    gauge!("cosell_oldest_unanswered_bell_seconds").set(known(oldest) / 1_000.0);
}

#[allow(
    clippy::cast_precision_loss,
    reason = "per mille of a window are small numbers"
)]
fn put_budgets(desk: &Desk) {
    for connection in desk.connections.values() {
        for (credential, meter) in [
            ("dataverse", connection.dataverse.meter()),
            ("partner-center", connection.partner_center.meter()),
        ] {
            let Some(meter) = meter else { continue };
            let tally = meter.tally();
            gauge!("cosell_budget_used_ratio", "connection" => connection.id.clone(), "credential" => credential)
                .set(tally.used_permille as f64 / 1_000.0);
            gauge!("cosell_budget_calls_at_once", "connection" => connection.id.clone(), "credential" => credential)
                .set(f64::from(tally.at_once));
        }
    }
}

#[cfg(test)]
mod tests {
    use cosell_store::Census;

    use super::*;

    /// The value of a line of the page, if there is one.
    fn value(line: &str) -> Option<f64> {
        let page = recorder().expect("nobody else records").render();
        let found = page.lines().find_map(|one| one.strip_prefix(line));
        found.and_then(|value| value.trim().parse().ok())
    }

    #[test]
    fn a_number_that_holds_no_longer_is_not_told_any_more() {
        recorder();
        const RESTS: &str =
            "cosell_credential_rests_seconds{connection=\"fabrikam\",credential=\"dataverse\"}";
        const SLOW: &str = "cosell_plugin_slow{plugin=\"acme\"}";
        const PARKED: &str = "cosell_lanes{state=\"parked\"}";
        let mut once = Once::default();
        let mut vitals = Vitals {
            now: 1_000_000,
            census: Some(Census::default()),
            slow: vec!["acme".to_owned()],
            ..Vitals::default()
        };
        let census = vitals.census.as_mut().expect("it has one");
        census.lanes.insert("parked".to_owned(), 3);
        let credential = ("fabrikam".to_owned(), "dataverse".to_owned());
        vitals
            .resting
            .insert(credential, (1_030_000, "429".to_owned()));
        put(&vitals, &mut once);
        assert_eq!((value(RESTS), value(PARKED)), (Some(30.0), Some(3.0)));
        assert_eq!(value(SLOW), Some(1.0));

        vitals.resting.clear();
        vitals.slow.clear();
        vitals.census = None;
        put(&vitals, &mut once);
        assert_eq!(value(RESTS), Some(0.0), "it may be used again");
        assert_eq!(value(SLOW), Some(0.0));
        assert!(
            value(PARKED).is_some_and(f64::is_nan),
            "nobody knows while the store does not answer: {:?}",
            value(PARKED)
        );
    }
}

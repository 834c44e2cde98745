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
//! | `cosell_plugins`, `cosell_refused_plugin_files` | | the plugin folder |
//! | `cosell_store_up`, `cosell_build_info` | version | the host itself |

use std::sync::OnceLock;

use ::metrics::{describe_counter, describe_gauge, describe_histogram, gauge};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use std::sync::Arc;

use super::vitals::{Vitals, look};
use crate::desk::Desk;

/// From a plugin call (10 µs) to a call that Microsoft never answers (60 s).
const BUCKETS: [f64; 16] = [
    0.000_01, 0.000_03, 0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0,
    60.0, 120.0,
];

const STATES: [&str; 9] = [
    "settled", "due", "running", "waiting", "held", "parked", "orphaned", "paused", "retired",
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
    describe_gauge!("cosell_lanes", "Deals by state.");
    describe_gauge!("cosell_linked_deals", "Deals with both records.");
    describe_gauge!(
        "cosell_unanswered_bells",
        "Records that rang and were not looked at yet."
    );
    describe_gauge!(
        "cosell_oldest_unanswered_bell_seconds",
        "How long the oldest of them waits."
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
        "cosell_refused_plugin_files",
        "Files of the plugin folder that are refused."
    );
    describe_gauge!("cosell_store_up", "1: the store answers.");
    describe_gauge!("cosell_build_info", "1, with the version.");
}

/// Serves `/metrics`. For a listener of its own: the one for webhooks is open to the world.
pub(crate) fn router(desk: Arc<Desk>) -> Router {
    let page = move || {
        let desk = Arc::clone(&desk);
        async move {
            let text = match recorder() {
                Some(recorder) => {
                    put(&look(&desk).await);
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
fn put(vitals: &Vitals) {
    gauge!("cosell_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!("cosell_store_up").set(f64::from(u8::from(vitals.census.is_some())));
    gauge!("cosell_plugins").set(vitals.plugins as f64);
    gauge!("cosell_refused_plugin_files").set(vitals.refused.len() as f64);
    for ((connection, credential), (until, _)) in &vitals.resting {
        gauge!("cosell_credential_rests_seconds", "connection" => connection.clone(), "credential" => credential.clone())
            .set((until - vitals.now) as f64 / 1_000.0);
    }
    let Some(census) = &vitals.census else { return };
    for state in STATES {
        let lanes = census.lanes.get(state).copied().unwrap_or(0);
        gauge!("cosell_lanes", "state" => state).set(lanes as f64);
    }
    let oldest = census
        .oldest_unanswered
        .map_or(0, |since| vitals.now.saturating_sub(since));
    for (name, value) in [
        ("cosell_linked_deals", census.linked),
        ("cosell_unanswered_bells", census.bells_unanswered),
        ("cosell_open_writes", census.intents),
        ("cosell_open_cards", census.cards),
        ("cosell_open_holds", census.holds),
    ] {
        gauge!(name).set(value as f64);
    }
    gauge!("cosell_oldest_unanswered_bell_seconds").set(oldest as f64 / 1_000.0);
}

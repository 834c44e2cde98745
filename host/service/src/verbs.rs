//! A person's verbs: what people ask about deals, and what they order. Each is a function that returns a plain value; the command line
//! prints it as a table or as JSON, and the console will show it.
//!
//! Verbs that only look into what the host has written down, or order something there, take an [`Archive`]: they need no network and no
//! plugin, and a host may be running beside them. Verbs that look at both sides take the whole [`Desk`](crate::desk::Desk), which
//! [`app::desk`](crate::app::desk) makes without a door, a worker or a timer.
//!
//! An order (an answer, a release, a retry) is one transaction that makes the lane due; the host's worker looks every few seconds.

mod archive;
mod cards;
mod deal;
mod deals;
mod diff;
mod error;
mod explain;
mod find;
mod history;
mod holds;
mod moment;
mod pages;
mod person;
mod plan;
mod plugin_orders;
mod plugins;
mod rebind;
mod reconcile;
mod replay;
mod retry;
mod rules;
mod subject;
mod unseal;
mod vouching;

pub use cosell_sync::side::Side;

pub use archive::{Archive, DealKey};
pub use cards::{Answered, CardView, Choice, ClosedView, answer, cards};
pub use deal::{DealView, Pair, Shown, UnitLine, deal};
pub use deals::{Asked, DealLine, Deals, STATES, deals};
pub use diff::{DealDiff, SetDiff, diff};
pub(crate) use diff::{Judged, diff_lane, diff_recorded_lane};
pub use error::VerbError;
pub use explain::{Event, Explanation, UnitExplained, explain};
pub use find::find;
pub use history::{HistoryLine, WriteLine, reason_in_words};
pub use holds::{HoldView, Settled, VerdictView, holds, release_mass, settle};
pub use moment::{Moment, since};
pub(crate) use pages::Pages;
pub use person::{Erasure, erase};
pub(crate) use plan::is_shut;
pub use plan::{Plan, Planned, PlannedAsk, PlannedHold, Scope, Summary, Would, plan};
pub(crate) use plugin_orders::promote;
pub use plugin_orders::{
    SetChanged, promote_plugin, quarantine_plugin, release_plugin, roll_back_plugins,
};
pub use plugins::NO_PLUGIN;
pub(crate) use plugins::deals_to_judge;
pub use plugins::{
    CandidateView, GenerationView, OutView, PluginLine, PluginList, PluginNews, RefusedView,
    ShadowView, SlowView, plugin_list, plugin_news,
};
pub use rebind::{Rebound, rebind};
pub use reconcile::{Exception, Reconciliation, What, reconcile};
pub use replay::{
    Difference, Replay, Replayed, diff_recording, read_recording, record, recorded, replay,
};
pub use retry::{Woken, retry, retry_parked};
pub use rules::{RULES, meaning};
pub use subject::{Subject, subject, subject_of};
pub use unseal::{Unsealed, unseal};
pub use vouching::UnvouchedView;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Desk;

    /// The console serves many people on many threads. That this compiles is the proof.
    #[test]
    fn verbs_that_look_at_both_sides_may_run_on_any_thread() {
        fn is_send<T: Send>(_: T) -> bool {
            true
        }
        let check = |desk: &Desk, archive: &Archive, key: &DealKey| {
            is_send(plan(desk, None, &Scope::All, &|_, _| {}))
                && is_send(reconcile(desk, None))
                && is_send(deal(archive, key, Some(desk)))
        };
        assert_eq!(size_of_val(&check), 0, "it is never called");
    }
}

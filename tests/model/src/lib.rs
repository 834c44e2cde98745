//! The model-based proof: random histories of people, services and power cuts, played against the real host and judged by what the services
//! hold and have accepted.
//!
//! Everything is real but the sockets: the host's pipeline, worker and store (SQLite, in memory), its clients with their wire formats, the
//! compiled plugins, and the whole simulator behind them. One thread, one clock that stands until it is moved, and no number that is not
//! drawn from the seed: a history repeats exactly.
//!
//! Reading order: [`op`] (what can happen), [`draw`] (a history from a seed), [`stage`] (what a history is played on), [`people`] (who acts
//! and what they said last), [`judge`] (the promises), [`history`] (played, judged, made short).

mod clients;
pub mod draw;
pub mod history;
pub mod judge;
pub mod kit;
pub mod known;
pub mod layer;
mod layer_door;
mod layer_sets;
pub mod op;
pub mod people;
pub mod stage;
pub mod tell;
pub mod view;
pub mod wire;

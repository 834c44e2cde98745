//! The co-sell host. A bell rings; we look at both sides; plugins read them into one language; a pure function plans; plugins write it
//! out; we act; we remember.
//!
//! The rooms beside this package (`store`, `remote`, `plugins`, `webhook`) do one thing each; what is decided is decided in `cosell-sync`. Here is
//! the line that connects them: [`app`] composes, [`bell`] writes down, [`worker`] takes turns, [`pipeline`] runs the line, [`sweep`] rings for events
//! that never came, `set` keeps the plugins that the store says, `shadow` judges those that are to come. What people ask and order is in [`verbs`].
#![forbid(unsafe_code)]

#[macro_use]
mod failpoint;
#[cfg(debug_assertions)]
pub use failpoint::{ORDERS as FAILPOINT_ORDERS, POINTS as FAILPOINTS};

pub mod app;
pub mod config;
pub mod counting;
pub mod desk;
pub mod records;
mod set;
mod shadow;

pub mod bell;
pub mod binding;
pub mod pipeline;
pub mod sweep;
pub mod trouble;
pub mod worker;

pub mod expiry;
mod history;
pub mod link;
mod looking;
mod pace;
pub mod personal;
mod presence;
pub mod raw;
pub mod recording;
mod room;
pub mod seal;
pub mod status;
pub mod steady;
pub mod subscribe;
mod throttle;
mod token;
pub mod traces;
pub mod verbs;
mod watch;

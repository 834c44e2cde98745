//! What every store has to keep, kept by the ones there are. An adapter proves itself with two lines: a module, and
//! `conformance!` with a way to get an empty store.
#![allow(
    clippy::unwrap_used,
    reason = "a fact that cannot be told fails; clippy.toml exempts test functions, not what they share"
)]

mod check;
mod conformance;
mod copying;
mod crash;
mod erasing;
mod file;
mod filled;
mod hosts;
mod model;
mod postgres;
mod silence;
mod stage;
mod tls;
mod upgrade;

mod in_memory {
    crate::conformance::conformance!(crate::stage::Stage::in_memory());
}

mod in_a_file {
    crate::conformance::conformance!(crate::stage::Stage::in_a_file());
}

mod on_postgres {
    crate::conformance::conformance!(crate::stage::Stage::on_postgres().await);
}

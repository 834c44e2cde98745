//! Stories of the plugin engine, told with guests that are made on the spot.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as a test does"
)]

mod acme;
mod author;
mod cache;
mod check;
mod crowds;
mod customers;
mod examples;
mod folder;
mod guest;
mod house;
mod ledger;
mod limits;
mod loading;
mod modes;
mod pace;
mod questions;
mod refusals;
mod rollback;
mod scripts;
mod self_test;
mod signing;
mod tables;
mod wasi;

//! What the sync decides. Pure: functions from what was seen to what shall be done. No clock, no I/O, no thread, no JSON, no SQL, no
//! wasm; the manifest and `no_std` keep it so. Time, when it matters, is an argument.
//!
//! The rules S1–S31 that are named in the comments are explained in `ARCHITECTURE.md`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod deal;
pub mod row;
pub mod side;

pub mod ability;
pub mod brake;
pub mod budget;
pub mod columns;
pub mod course;
pub mod delta;
pub mod element;
pub mod hold;
pub mod identity;
pub mod mark;
pub mod merge;
pub mod parts;
pub mod queue;
pub mod route;
pub mod schedule;

//! What this binary carries for authors: see `build.rs`.

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

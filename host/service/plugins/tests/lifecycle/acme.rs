//! Versions of one plugin that says the deal's name, or breaks over every deal.

use crate::guest::{Does, Guest, Val, manifest};

pub(crate) fn acme(version: &str, does: Does) -> Vec<u8> {
    Guest::of(&["opportunity"])
        .named("acme")
        .says("plugin#manifest", manifest("acme", version, vec![]))
        .with("opportunity#to-deal", does)
        .build()
}

/// Every deal is called as the version is.
pub(crate) fn good(version: &str) -> Vec<u8> {
    let answer = Val::ok(Val::list([Val::with("name", Val::s(version))]));
    acme(version, Does::Says(answer))
}

/// It passes every check, for its examples are none, and panics over each deal.
pub(crate) fn bad(version: &str) -> Vec<u8> {
    acme(version, Does::LogsAndPanics("no such table: 7", 1))
}

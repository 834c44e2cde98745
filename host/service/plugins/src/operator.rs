//! `NAME.toml` beside `NAME.wasm`: what the operator says about a plugin.
//!
//! ```toml
//! enabled = true            # false: the file stays, nobody asks it
//! mode = "shadow"           # "live": it serves; "shadow": it is judged by what it would write; "try-on": it serves the deals below
//! deals = ["17", "7f3c…"]   # try-on: CONNECTION/NUMBER (the number alone where there is one connection), ids of referrals and rows
//! laws = "refuse"           # "warn": a file that breaks a law of the contract is told and taken all the same
//! wasi = "inert"            # a component that imports WASI is let in, and gets nothing by it; without the key it is refused
//! promote = "by-person"     # a shadow goes live: "no-difference", { budget = 5 } (deals that may differ), "by-person"
//!
//! [settings]                # as the plugin's manifest names them
//! check-mark = true
//! value-column = "new_dealvalue"
//! loss-reasons = { "100000004" = "Price" }
//!
//! [limits]                  # what is not named keeps its default
//! call_ms = 100
//! start_ms = 1000
//! memory_mb = 128
//! fresh_per_call = true     # a new instance for every call
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::generation::{Mode, Promote};
use crate::inert::{self, Wasi};
use crate::limits::Limits;
use crate::rejection::{Phase, Rejection, RejectionKind};

/// Nobody's mapping works for a second; longer and a loop holds a thread.
const CALL_MS_MAX: u64 = 1_000;
/// A guest that needs longer to come up is compiled wrongly.
const START_MS_MAX: u64 = 10_000;
/// Four instances of this on a small machine are still bearable.
const MEMORY_MB_MAX: u64 = 512;

/// What the operator said, or what holds when there is no file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operator {
    /// As it was written.
    pub(crate) text: String,
    pub(crate) enabled: bool,
    /// None: as the configuration says for what is new.
    pub(crate) mode: Option<Mode>,
    pub(crate) deals: Vec<String>,
    pub(crate) promote: Promote,
    pub(crate) laws: Laws,
    pub(crate) wasi: Wasi,
    pub(crate) settings: BTreeMap<String, toml::Value>,
    pub(crate) limits: LimitsSaid,
}

/// What becomes of a file that does not keep a law of the contract.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Laws {
    /// It is not taken.
    #[default]
    Refuse,
    /// It is told, and taken.
    Warn,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSaid {
    call_ms: Option<u64>,
    start_ms: Option<u64>,
    memory_mb: Option<u64>,
    fresh_per_call: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    enabled: bool,
    mode: Option<Mode>,
    deals: Vec<String>,
    promote: Option<Promote>,
    laws: Laws,
    wasi: Option<inert::Said>,
    settings: BTreeMap<String, toml::Value>,
    limits: LimitsSaid,
}

impl Default for File {
    fn default() -> Self {
        Self {
            enabled: true,
            mode: None,
            deals: Vec::new(),
            promote: None,
            laws: Laws::default(),
            wasi: None,
            settings: BTreeMap::new(),
            limits: LimitsSaid::default(),
        }
    }
}

impl Default for Operator {
    fn default() -> Self {
        Self {
            text: String::new(),
            enabled: true,
            mode: None,
            deals: Vec::new(),
            promote: Promote::default(),
            laws: Laws::default(),
            wasi: Wasi::default(),
            settings: BTreeMap::new(),
            limits: LimitsSaid::default(),
        }
    }
}

impl Operator {
    pub(crate) fn read(text: &str) -> Result<Self, Rejection> {
        let refused =
            |message: String| Rejection::new(Phase::Operator, RejectionKind::Settings, message);
        let file: File = toml::from_str(text).map_err(|error| {
            refused("the operator file beside it cannot be read".to_owned())
                .because([error.to_string().trim_end().to_owned()])
                .with_hint("it has the keys `enabled`, `mode`, `deals`, `promote`, `laws`, `wasi` (which can only be \"inert\"), [settings] and [limits] with call_ms, start_ms, memory_mb, fresh_per_call")
        })?;
        let mut mistakes = Vec::new();
        for (name, said, max) in [
            ("call_ms", file.limits.call_ms, CALL_MS_MAX),
            ("start_ms", file.limits.start_ms, START_MS_MAX),
            ("memory_mb", file.limits.memory_mb, MEMORY_MB_MAX),
        ] {
            if said.is_some_and(|said| said == 0 || said > max) {
                mistakes.push(format!("limits.{name} is 1 to {max}"));
            }
        }
        let is_tried = file.mode == Some(Mode::TryOn);
        match (is_tried, file.deals.is_empty()) {
            (true, true) => mistakes.push(
                "mode = \"try-on\" needs the deals on which it is tried: deals = [\"17\"]: numbers of deals (CONNECTION/17 where there are several connections) or ids of records"
                    .to_owned(),
            ),
            (false, false) => mistakes.push(
                "`deals` names the deals on which a plugin is tried, and belongs to mode = \"try-on\""
                    .to_owned(),
            ),
            _ => {}
        }
        if file.promote.is_some_and(|rule| rule.budget().is_some())
            && (is_tried || file.mode == Some(Mode::Live))
        {
            mistakes
                .push("`promote` is about mode = \"shadow\": nothing else is judged".to_owned());
        }
        if mistakes.is_empty() {
            return Ok(Self {
                text: text.to_owned(),
                enabled: file.enabled,
                mode: file.mode,
                deals: file.deals,
                promote: file.promote.unwrap_or_default(),
                laws: file.laws,
                wasi: file.wasi.into(),
                settings: file.settings,
                limits: file.limits,
            });
        }
        Err(
            refused("the operator file beside it asks for what cannot be".to_owned())
                .because(mistakes),
        )
    }

    /// What the file beside this one says.
    pub(crate) fn beside(path: &std::path::Path) -> Result<Self, Rejection> {
        Self::read(&crate::folder::read_operator(path)?.unwrap_or_default())
    }

    pub(crate) fn limits(&self, default: Limits) -> Limits {
        Limits {
            call_ms: self.limits.call_ms.unwrap_or(default.call_ms),
            start_ms: self.limits.start_ms.unwrap_or(default.start_ms),
            memory_bytes: self
                .limits
                .memory_mb
                .and_then(|mb| usize::try_from(mb << 20).ok())
                .unwrap_or(default.memory_bytes),
            fresh_per_call: self.limits.fresh_per_call.unwrap_or(default.fresh_per_call),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let rejection = Operator::read("enabld = true").unwrap_err();
        assert!(rejection.causes[0].contains("enabld"), "{rejection}");
        assert!(Operator::read("[limits]\ncall = 5").is_err());
    }

    #[test]
    fn impossible_limits_are_told_together() {
        let rejection = Operator::read("[limits]\ncall_ms = 0\nmemory_mb = 100000").unwrap_err();
        assert_eq!(
            rejection.causes,
            [
                "limits.call_ms is 1 to 1000",
                "limits.memory_mb is 1 to 512"
            ]
        );
    }

    #[test]
    fn modes_and_rules_of_promotion_are_read() {
        let read = |text| {
            Operator::read(text).map(|operator| (operator.mode, operator.deals, operator.promote))
        };
        let shadow = |rule| Ok((Some(Mode::Shadow), Vec::new(), rule));
        assert_eq!(read("mode = \"shadow\""), shadow(Promote::ByPerson));
        assert_eq!(
            read("mode = \"shadow\"\npromote = \"no-difference\""),
            shadow(Promote::NoDifference)
        );
        assert_eq!(
            read("mode = \"shadow\"\npromote = { budget = 5 }"),
            shadow(Promote::Budget(5))
        );
        assert_eq!(
            read("mode = \"try-on\"\ndeals = [\"17\"]"),
            Ok((Some(Mode::TryOn), vec!["17".to_owned()], Promote::ByPerson))
        );
        for (text, word) in [
            ("mode = \"try-on\"", "needs the deals"),
            ("deals = [\"17\"]", "`deals` names"),
            ("mode = \"live\"\npromote = { budget = 1 }", "is about mode"),
            ("mode = \"shade\"", "shade"),
            ("promote = \"sometimes\"", "sometimes"),
            ("wasi = \"all\"", "expected `inert`"),
            ("wasi = true", "wasi = true"),
        ] {
            let refused = Operator::read(text).unwrap_err();
            assert!(refused.causes[0].contains(word), "{text}: {refused}");
        }
    }

    #[test]
    fn what_is_not_said_keeps_its_default() {
        let operator = Operator::read("[limits]\nmemory_mb = 1").unwrap();
        let limits = operator.limits(Limits::default());
        assert_eq!(
            (limits.memory_bytes, limits.call_ms),
            (1 << 20, Limits::default().call_ms)
        );
        assert_eq!(Operator::read("").unwrap(), Operator::default());
    }
}

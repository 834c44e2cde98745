//! What went wrong in a run, and what that means for its lane. The only page that turns an error into "again", "refuse" or "call someone".

use std::time::Duration;

use cosell_plugins::{PluginFault, Stop, StopKind};
use cosell_remote::{Class, RemoteError, Service};
use cosell_store::{After, LaneId, Millis, Next, StoreError, Throttle};
use cosell_sync::row::Reason;
use cosell_sync::schedule::{Retry, retry};

/// After an unknown outcome: long enough for a slow service to finish what it may have begun.
const UNKNOWN_MS: Millis = 5_000;
/// A credential that is not accepted is tried again so often; a person has to act, and then it resumes by itself.
const CREDENTIAL_MS: Millis = 60_000;
/// A plugin that says "later" without saying when.
const LATER_MS: Millis = 60_000;

/// Why a run could not end well.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A call to one of the two sides failed.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A plugin gave no answer.
    #[error("{0}")]
    Plugin(Box<Stop>),
    /// The store failed, or the lane was taken over.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be done until a person changes something.
    #[error("{}", sentences(.0))]
    Refused(Vec<Reason>),
    /// A person has to choose first; the card is open.
    #[error("{0}")]
    Asked(String),
    /// The record changed underneath us again and again.
    #[error("the record changed {rounds} times while we worked on it")]
    Restless {
        /// How often we looked.
        rounds: u32,
    },
    /// A recording is played that does not have this: what is asked of it now was not asked then.
    #[error("the recording does not have {0}: it was not asked for then")]
    Unrecorded(String),
    /// Something has to be looked at again at a certain moment; no failure.
    #[error("{reason}")]
    NotYet {
        /// When.
        until: Millis,
        /// For people.
        reason: String,
    },
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Plugin(Box::new(stop))
    }
}

/// What becomes of the lane, and which credential rests.
#[derive(Debug)]
pub struct Verdict {
    /// Where the lane stands now.
    pub next: Next,
    /// The credential that must not be used for a while.
    pub rest: Option<Rest>,
}

/// A credential that must not be used for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// Which, until when, and why.
    pub throttle: Throttle,
    /// For whom.
    pub whose: Whose,
}

/// For whom a credential rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The connection: what it proves itself with is its own, and is not accepted.
    Connection,
    /// Everybody whom the other side counts as the same: it has had enough of all of them.
    Identity,
}

impl Trouble {
    /// Decides. `failures` counts the lane's failures in a row so far, `random` is drawn by the caller.
    #[must_use]
    pub fn verdict(&self, failures: u32, random: u32, now: Millis) -> Verdict {
        let wait = |until: Millis, after: After| Verdict {
            next: Next::Wait {
                until,
                after,
                reason: self.to_string(),
            },
            rest: None,
        };
        match self {
            Self::Remote(error) => remote(error, failures, random, now),
            Self::Plugin(stop) => match &stop.kind {
                StopKind::Refuse(reasons) => parked(reasons.clone()),
                StopKind::Later { seconds, .. } => wait(
                    now + seconds.map_or(LATER_MS, |seconds| Millis::from(seconds) * 1_000),
                    After::Look,
                ),
                StopKind::Fault(fault) => parked(vec![plugin_fault(stop, fault)]),
                // Every question of a run is asked in rounds, and the last one is a fault.
                StopKind::Ask(_) => again(self.to_string(), failures, random, now, None),
            },
            Self::Store(_) | Self::Restless { .. } => {
                again(self.to_string(), failures, random, now, None)
            }
            Self::Asked(reason) => Verdict {
                next: Next::Held {
                    reason: reason.clone(),
                },
                rest: None,
            },
            Self::Refused(reasons) => parked(reasons.clone()),
            Self::NotYet { until, .. } => wait(*until, After::PutOff),
            // Only what is played can lack it, and nothing is written then.
            Self::Unrecorded(_) => wait(now, After::Failure),
        }
    }
}

fn remote(error: &RemoteError, failures: u32, random: u32, now: Millis) -> Verdict {
    let text = error.to_string();
    let resting = |whose: Whose, until: Millis| {
        let throttle = Throttle {
            credential: credential(error.opened()).to_owned(),
            until,
            reason: error.of_credential(),
        };
        Some(Rest { throttle, whose })
    };
    match error.class {
        Class::Transient {
            retry_after,
            throttled,
        } => {
            let asked = retry_after.map(millis);
            let mut verdict = again(text.clone(), failures, random, now, asked);
            if throttled {
                // Also when this deal gives up: the credential rests for all the others.
                let until = match &verdict.next {
                    Next::Wait { until, .. } => *until,
                    _ => now.saturating_add(
                        asked
                            .and_then(|ms| Millis::try_from(ms).ok())
                            .unwrap_or(CREDENTIAL_MS),
                    ),
                };
                verdict.rest = resting(Whose::Identity, until);
            }
            verdict
        }
        Class::Unauthorised => Verdict {
            // The deal is not to blame: it waits for its credential and counts no failure.
            next: Next::Wait {
                until: now + CREDENTIAL_MS,
                after: After::PutOff,
                reason: text.clone(),
            },
            rest: resting(Whose::Connection, now + CREDENTIAL_MS),
        },
        Class::UnknownOutcome => {
            let asked = error.about.retry_after.map(millis);
            let text = format!(
                "{text}; the record is read before anything is done again, and nobody has to do anything"
            );
            let mut verdict = again(text, failures, random, now, asked);
            if let Next::Wait { until, .. } = &mut verdict.next {
                *until = (*until).max(now + UNKNOWN_MS);
            }
            verdict
        }
        Class::Conflict => again(text, failures, random, now, None),
        Class::Forbidden | Class::NotFound | Class::Refused => {
            let mut reasons = error.about.reasons.clone();
            if reasons.is_empty() {
                let advice = error.about.advice.clone();
                reasons.push(Reason {
                    code: error.code().unwrap_or("refused").to_owned(),
                    message: error.without_advice(),
                    about: error.about.field.clone(),
                    hint: advice.or_else(|| Some(remedy(error.class).to_owned())),
                });
            }
            parked(reasons)
        }
    }
}

/// What helps when the other side's own code leads nowhere.
const fn remedy(class: Class) -> &'static str {
    match class {
        Class::Forbidden => {
            "give the account that cosell signs in with the right to do this, then `cosell retry`"
        }
        Class::NotFound => {
            "look whether the record was deleted, and whether cosell may still see it, then `cosell retry`"
        }
        _ => {
            "correct what it names; the deal is tried again when it is saved, or by `cosell retry`"
        }
    }
}

fn again(reason: String, failures: u32, random: u32, now: Millis, asked: Option<u64>) -> Verdict {
    match retry(failures, random, asked) {
        Retry::After(ms) => {
            let until = now.saturating_add(Millis::try_from(ms).unwrap_or(Millis::MAX));
            Verdict {
                next: Next::Wait {
                    until,
                    after: After::Failure,
                    reason,
                },
                rest: None,
            }
        }
        Retry::GiveUp => parked(vec![Reason {
            code: "gave-up".into(),
            message: format!("it failed for about a day, last: {reason}"),
            about: None,
            hint: Some("mend the cause, then retry the deal".into()),
        }]),
    }
}

/// Parks the lane with these reasons. The same reasons are the same failure: marked and told once (S26).
#[must_use]
pub fn parked(reasons: Vec<Reason>) -> Verdict {
    let list: Vec<_> = reasons.iter().map(reason_json).collect();
    Verdict {
        next: Next::Parked {
            reasons: serde_json::Value::from(list).to_string(),
            state: None,
        },
        rest: None,
    }
}

/// The code of the reason that a plugin has broken.
const PLUGIN_FAULT: &str = "plugin-fault";

fn plugin_fault(stop: &Stop, fault: &PluginFault) -> Reason {
    Reason {
        code: PLUGIN_FAULT.into(),
        message: format!("plugin \"{}\" {} failed in {}: {}", stop.plugin.plugin, stop.plugin.version, stop.hook, fault.message),
        about: None,
        hint: Some("put the version before back into the plugin folder, or mend it; the deal is tried again when the set changes".into()),
    }
}

/// The same reasons of a deal whose run was recorded, where a plugin is to blame: exactly this can be asked again.
#[must_use]
pub fn with_replay(reasons: &str, lane: LaneId) -> String {
    let mut list = reasons_of(reasons);
    for reason in list.iter_mut().filter(|one| one.code == PLUGIN_FAULT) {
        let again = format!("`cosell plugin replay {}` asks exactly this again", lane.0);
        reason.hint = Some(match &reason.hint {
            Some(hint) => format!("{hint}; {again}"),
            None => again,
        });
    }
    list.iter()
        .map(reason_json)
        .collect::<serde_json::Value>()
        .to_string()
}

/// A reason with a hint.
#[must_use]
pub fn reason(code: &str, message: &str, hint: &str) -> Reason {
    Reason {
        code: code.to_owned(),
        message: message.to_owned(),
        about: None,
        hint: Some(hint.to_owned()),
    }
}

/// A reason as JSON, for stores and for `--json`.
#[must_use]
pub fn reason_json(reason: &Reason) -> serde_json::Value {
    serde_json::json!({ "code": reason.code, "message": reason.message, "about": reason.about, "hint": reason.hint })
}

/// What [`parked`] and [`reason_json`] wrote, read again.
#[must_use]
pub fn reasons_of(json: &str) -> Vec<Reason> {
    let list: Vec<serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    let one = |value: &serde_json::Value| {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Reason {
            code: text("code").unwrap_or_default(),
            message: text("message").unwrap_or_default(),
            about: text("about"),
            hint: text("hint"),
        }
    };
    list.iter().map(one).collect()
}

/// Reasons as a person reads them, in one line: what is wrong, in which field and by which rule, and what to do.
#[must_use]
pub fn sentences(reasons: &[Reason]) -> String {
    let one = |reason: &Reason| {
        let place = match &reason.about {
            Some(setting) if setting.starts_with("setting ") => format!("{setting}, "),
            Some(field) => format!("field {field}, "),
            None => String::new(),
        };
        let sentence = match reason.code.as_str() {
            "" => reason.message.clone(),
            rule => format!("{} ({place}rule {rule})", reason.message),
        };
        match &reason.hint {
            Some(hint) => format!("{sentence}: {hint}"),
            None => sentence,
        }
    };
    reasons.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Which credential opens a service. Both hosts of Partner Center are opened by one.
#[must_use]
pub const fn credential(service: Service) -> &'static str {
    match service {
        Service::Dataverse => "dataverse",
        Service::Entra
        | Service::PartnerCenter
        | Service::PartnerCenterWebhooks
        | Service::ManagedIdentity => "partner-center",
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

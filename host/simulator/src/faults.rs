//! Faults that control injects: what goes wrong between a client and a service.

mod answer;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::assumptions::Readings;
use crate::ids::Ids;
use crate::wire::{Reply, Request};

/// One of the simulated servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Token endpoint.
    Entra,
    /// Referrals API (`api.partner.microsoft.com`).
    Referrals,
    /// Webhook registration API (`api.partnercenter.microsoft.com`).
    PartnerCenter,
    /// Dataverse Web API.
    Dataverse,
    /// Host of the webhook certificate.
    Certificates,
    /// Where a machine or an app asks for a token of its managed identity.
    Metadata,
    /// Control; never faulted.
    Control,
}

/// A fault on requests to a service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The service it strikes.
    pub service: Service,
    /// Only this HTTP method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths that start so; empty means all. A segment `*` is any one segment.
    #[serde(default)]
    pub path_prefix: String,
    /// How many matching requests pass first.
    #[serde(default)]
    pub skip: u32,
    /// How many requests it strikes; absent means until cleared.
    #[serde(default)]
    pub count: Option<u32>,
    /// What happens.
    pub kind: FaultKind,
}

/// What a fault does to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum FaultKind {
    /// Answers with a status and the service's error body; nothing is committed.
    Answer {
        /// HTTP status.
        status: u16,
        /// Error code in the body; a fitting one when absent.
        #[serde(default)]
        code: Option<String>,
        /// `Retry-After`, seconds.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// Closes the connection before the request is handled.
    DropBefore,
    /// Handles and commits the request, then closes the connection without an answer.
    DropAfter,
    /// Waits before handling.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Handles the request with a clock that is off: stamps, expiry and the `date` of the answer.
    WrongClock {
        /// Milliseconds that the clock is ahead; behind when negative.
        ms: i64,
    },
    /// Answers as Dataverse does when a delta link is too old: 400, `0x80044352`.
    ExpiredDelta,
}

/// Faults on the first so many matching requests, one step each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultScript {
    /// The service it strikes.
    pub service: Service,
    /// Only this HTTP method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths that start so; empty means all. A segment `*` is any one segment.
    #[serde(default)]
    pub path_prefix: String,
    /// What becomes of each matching request in turn; null passes.
    pub steps: Vec<Option<FaultKind>>,
}

/// A fault on webhook deliveries.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookFault {
    /// The sender: `partner-center` or `dataverse`.
    pub service: Service,
    /// How many deliveries it strikes; absent means until cleared.
    #[serde(default)]
    pub count: Option<u32>,
    /// What happens.
    pub kind: WebhookFaultKind,
}

/// What a fault does to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum WebhookFaultKind {
    /// Never sent.
    Drop,
    /// Sent twice.
    Duplicate,
    /// Sent late.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Sent after the next one of the same sender, or after two seconds when none comes.
    Reorder,
    /// Sent with one byte of the body changed after signing.
    Tamper,
    /// Sent with a byte order mark before the body that was signed.
    ByteOrderMark,
    /// Sent without its signature.
    Unsigned,
    /// Sent with `rsa-sha1` as its algorithm.
    WeakAlgorithm,
    /// Sent with a certificate that has run out.
    ExpiredCertificate,
    /// Sent with a certificate that somebody else issued.
    ForeignCertificate,
}

/// What the server does with one request.
#[derive(Debug)]
pub(crate) enum Strike {
    Answer(Reply),
    DropBefore,
    DropAfter,
    Delay(u64),
    WrongClock(i64),
}

/// A fault as it is kept.
#[derive(Debug)]
struct Injected {
    service: Service,
    method: Option<String>,
    path_prefix: String,
    skip: u32,
    count: Option<u32>,
    strikes: Strikes,
}

/// When a fault strikes a request that it is about.
#[derive(Debug)]
enum Strikes {
    Always(FaultKind),
    /// With this probability.
    ByChance(f64, FaultKind),
    InTurn(VecDeque<Option<FaultKind>>),
}

impl Injected {
    fn is_about(&self, service: Service, request: &Request) -> bool {
        let method = self
            .method
            .as_deref()
            .is_none_or(|held| held.eq_ignore_ascii_case(request.method.as_str()));
        self.service == service && method && leads_to(&self.path_prefix, &request.path)
    }

    fn is_spent(&self) -> bool {
        let played = matches!(&self.strikes, Strikes::InTurn(steps) if steps.is_empty());
        self.count == Some(0) || played
    }
}

/// Whether a path starts so; a segment `*` is any one segment.
fn leads_to(prefix: &str, path: &str) -> bool {
    if !prefix.contains('*') {
        return path.starts_with(prefix);
    }
    let mut parts = path.split('/');
    let wanted: Vec<&str> = prefix.split('/').collect();
    let last = wanted.len() - 1;
    wanted.iter().enumerate().all(|(index, wanted)| {
        parts.next().is_some_and(|part| {
            *wanted == "*" || part == *wanted || (index == last && part.starts_with(wanted))
        })
    })
}

#[derive(Debug)]
pub(crate) struct Faults {
    /// Chance is drawn from the world's seed too.
    chance: Mutex<Ids>,
    requests: Mutex<Vec<Injected>>,
    /// And the probability with which each strikes.
    webhooks: Mutex<Vec<(WebhookFault, f64)>>,
    assumptions: Readings,
}

impl Faults {
    pub(crate) fn new(seed: u64, assumptions: Readings) -> Self {
        Self {
            chance: Mutex::new(Ids::new(seed, 0xFA)),
            requests: Mutex::default(),
            webhooks: Mutex::default(),
            assumptions,
        }
    }

    /// A fault that strikes with this probability.
    pub(crate) fn add(&self, fault: Fault, chance: f64) {
        let strikes = if chance >= 1.0 {
            Strikes::Always(fault.kind)
        } else {
            Strikes::ByChance(chance, fault.kind)
        };
        held(&self.requests).push(Injected {
            service: fault.service,
            method: fault.method,
            path_prefix: fault.path_prefix,
            skip: fault.skip,
            count: fault.count,
            strikes,
        });
    }

    pub(crate) fn add_script(&self, script: FaultScript) {
        held(&self.requests).push(Injected {
            service: script.service,
            method: script.method,
            path_prefix: script.path_prefix,
            skip: 0,
            count: None,
            strikes: Strikes::InTurn(script.steps.into()),
        });
    }

    pub(crate) fn add_webhook(&self, fault: WebhookFault, chance: f64) {
        held(&self.webhooks).push((fault, chance));
    }

    pub(crate) fn clear(&self) {
        held(&self.requests).clear();
        held(&self.webhooks).clear();
    }

    /// Whether something of this probability happens now.
    fn happens(&self, chance: f64) -> bool {
        chance >= 1.0 || f64::from(held(&self.chance).word()) < chance * f64::from(u32::MAX)
    }

    /// The first fault that strikes this request, counted down.
    pub(crate) fn strike(&self, service: Service, request: &Request) -> Option<Strike> {
        let mut faults = held(&self.requests);
        let mut struck = None;
        for fault in faults
            .iter_mut()
            .filter(|fault| fault.is_about(service, request))
        {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            let kind = match &mut fault.strikes {
                Strikes::Always(kind) => Some(kind.clone()),
                Strikes::ByChance(chance, kind) => self.happens(*chance).then(|| kind.clone()),
                Strikes::InTurn(steps) => steps.pop_front().flatten(),
            };
            let Some(kind) = kind else { continue };
            if let Some(count) = &mut fault.count {
                *count = count.saturating_sub(1);
            }
            let answers_as = match (service, &kind) {
                (Service::Referrals, FaultKind::Answer { status: 429, .. })
                    if self.assumptions.throttled_referrals_answer_as_the_gateway() =>
                {
                    Service::PartnerCenter
                }
                _ => service,
            };
            struck = Some(answer::strike_of(answers_as, &kind));
            break;
        }
        faults.retain(|fault| !fault.is_spent());
        struck
    }

    pub(crate) fn strike_webhook(&self, service: Service) -> Option<WebhookFaultKind> {
        let mut faults = held(&self.webhooks);
        let mut about = faults
            .iter_mut()
            .filter(|(fault, _)| fault.service == service);
        let (fault, _) = about.find(|(_, chance)| self.happens(*chance))?;
        if let Some(count) = &mut fault.count {
            *count = count.saturating_sub(1);
        }
        let kind = fault.kind;
        faults.retain(|(fault, _)| fault.count != Some(0));
        Some(kind)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::leads_to;

    #[test]
    fn a_star_in_a_route_is_one_segment() {
        let route = "/v1.0/engagements/referrals/*";
        assert!(leads_to(route, "/v1.0/engagements/referrals/7"));
        assert!(!leads_to(route, "/v1.0/engagements/referrals"));
        assert!(leads_to("/*/oauth2/v2", "/tenant/oauth2/v2.0/token"));
        assert!(!leads_to("/*/oauth2/v2", "/tenant/discovery/v2.0/keys"));
        assert!(
            leads_to("", "/x") && leads_to("/api/data/v9.2/opp", "/api/data/v9.2/opportunities")
        );
    }
}

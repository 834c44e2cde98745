//! Faults that control injects: what goes wrong between a client and a service.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;

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
    /// Only paths that start so; empty means all.
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
    /// Sent with one byte of the body changed after signing.
    Tamper,
}

/// What the server does with one request.
#[derive(Debug)]
pub(crate) enum Strike {
    Answer(Reply),
    DropBefore,
    DropAfter,
    Delay(u64),
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    requests: Mutex<Vec<Fault>>,
    webhooks: Mutex<Vec<WebhookFault>>,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fault);
    }

    pub(crate) fn add_webhook(&self, fault: WebhookFault) {
        self.webhooks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fault);
    }

    pub(crate) fn clear(&self) {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.webhooks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The first fault that strikes this request, counted down.
    pub(crate) fn strike(&self, service: Service, request: &Request) -> Option<Strike> {
        let mut faults = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut struck = None;
        for fault in faults.iter_mut().filter(|fault| fault.service == service) {
            let method = fault
                .method
                .as_deref()
                .is_none_or(|m| m.eq_ignore_ascii_case(request.method.as_str()));
            if !method || !request.path.starts_with(&fault.path_prefix) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let Some(count) = &mut fault.count {
                *count = count.saturating_sub(1);
            }
            struck = Some(strike_of(service, &fault.kind));
            break;
        }
        faults.retain(|fault| fault.count != Some(0));
        struck
    }

    pub(crate) fn strike_webhook(&self, service: Service) -> Option<WebhookFaultKind> {
        let mut faults = self.webhooks.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = faults.iter_mut().find(|fault| fault.service == service)?;
        if let Some(count) = &mut fault.count {
            *count = count.saturating_sub(1);
        }
        let kind = fault.kind;
        faults.retain(|fault| fault.count != Some(0));
        Some(kind)
    }
}

fn strike_of(service: Service, kind: &FaultKind) -> Strike {
    match kind {
        FaultKind::DropBefore => Strike::DropBefore,
        FaultKind::DropAfter => Strike::DropAfter,
        FaultKind::Delay { ms } => Strike::Delay(*ms),
        FaultKind::Answer {
            status,
            code,
            retry_after_s,
        } => {
            let reply = Reply::json(
                *status,
                &error_body(service, *status, code.as_deref(), *retry_after_s),
            );
            Strike::Answer(match retry_after_s {
                Some(seconds) => reply.with("retry-after", seconds.to_string()),
                None => reply,
            })
        }
    }
}

/// The error body that each service uses for trouble of its own.
fn error_body(
    service: Service,
    status: u16,
    code: Option<&str>,
    wait_s: Option<u64>,
) -> serde_json::Value {
    let wait = wait_s.unwrap_or(1);
    match service {
        Service::Dataverse => {
            let (default, message) = match status {
                429 => (
                    "0x80072322",
                    "Number of requests exceeded the limit of 6000 over time window of 300 seconds.",
                ),
                401 => ("0x80041d50", "The OAuth token is invalid"),
                403 => ("0x80040220", "Principal user is missing a privilege."),
                404 => ("0x80040217", "The specified object was not found."),
                412 => (
                    "0x80060882",
                    "The version of the existing record doesn't match the RowVersion property provided.",
                ),
                503 => (
                    "0x8004a001",
                    "The server is busy and the request was not completed. Try again later.",
                ),
                _ => ("0x80040216", "An unexpected error occurred."),
            };
            json!({"error": {"code": code.unwrap_or(default), "message": message}})
        }
        // The API gateway in front of Partner Center answers in a shape of its own.
        Service::PartnerCenter if status == 429 => {
            json!({"statusCode": 429, "message": format!("Rate limit is exceeded. Try again in {wait} seconds.")})
        }
        Service::PartnerCenter => {
            json!({"code": code.unwrap_or("900001"), "description": "An injected fault.", "data": [], "source": "PartnerFD"})
        }
        Service::Entra => json!({"error": code.unwrap_or("temporarily_unavailable"),
            "error_description": "AADSTS90033: A transient error has occurred. Please try again.",
            "error_codes": [90033]}),
        Service::Referrals | Service::Certificates | Service::Control => {
            let default = match status {
                401 => "unauthenticated",
                403 => "accessDenied",
                404 => "itemNotFound",
                412 => "preconditionFailed",
                429 | 503 => "serviceNotAvailable",
                400..=499 => "invalidRequest",
                _ => "generalException",
            };
            json!({"error": {"code": code.unwrap_or(default), "message": "An injected fault.", "target": "referral",
                "innerError": null}})
        }
    }
}

//! What a fault answers: the error body of the service that it strikes.

use serde_json::json;

use super::{FaultKind, Service, Strike};
use crate::wire::Reply;

pub(super) fn strike_of(service: Service, kind: &FaultKind) -> Strike {
    match kind {
        FaultKind::DropBefore => Strike::DropBefore,
        FaultKind::DropAfter => Strike::DropAfter,
        FaultKind::Delay { ms } => Strike::Delay(*ms),
        FaultKind::WrongClock { ms } => Strike::WrongClock(*ms),
        FaultKind::ExpiredDelta => {
            let body = json!({"error": {"code": "0x80044352",
                "message": "Version stamp associated with the client has expired. Please perform a full sync."}});
            Strike::Answer(Reply::json(400, &body))
        }
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
        Service::Metadata => {
            json!({"error": code.unwrap_or("unknown"), "error_description": "An injected fault."})
        }
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

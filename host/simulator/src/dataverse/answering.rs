//! What of a refusal depends on doubtful facts, whoever gives it: a rule, a limit, or an injected fault. (dataverse 2.10, 4.1, 5)

use serde_json::Value;

use super::refusal::Refusal;
use crate::assumptions::Readings;
use crate::wire::Reply;

/// Codes of refusals whose status nobody has seen.
const STATUS_UNSEEN: [&str; 22] = [
    "0x8004431a",
    "0x8004432f",
    "0x80044330",
    "0x80040239",
    "0x80048408",
    "0x80100005",
    "0x80040515",
    "0x80040516",
    "0x8004051a",
    "0x80040519",
    "0x80040518",
    "0x80040504",
    "0x80040505",
    "0x8004022d",
    "0x80040517",
    "0x80040230",
    "0x8004022e",
    "0x80048cfb",
    "0x80048cfc",
    "0x80048479",
    "0x80072002",
    "0x80072491",
];
/// The code of a delta link that is too old.
const EXPIRED: &str = "0x80044352";
/// What a gateway says instead of the service.
const GATEWAY_PAGE: &str = "<!DOCTYPE html>\r\n<html><head><title>Service unavailable</title></head><body><h2>Our services aren't available right now</h2></body></html>";

/// A delta link is too old. (dataverse 10)
pub(super) fn expired(readings: &Readings) -> Refusal {
    let statuses = [
        (readings.expired_delta_is_410(), 410),
        (readings.expired_delta_is_412(), 412),
        (readings.expired_delta_is_500(), 500),
    ];
    let status = statuses.iter().find(|(holds, _)| *holds);
    Refusal::new(
        status.map_or(400, |(_, status)| *status),
        if readings.expired_delta_is_unnamed() {
            ""
        } else {
            EXPIRED
        },
        "Version stamp associated with the client has expired. Please perform a full sync.",
    )
}

/// An answer as it leaves. One that is no refusal leaves as it is.
pub(crate) fn outgoing(readings: &Readings, mut reply: Reply) -> Reply {
    if matches!(reply.status, 429 | 503) && readings.throttling_is_html() {
        reply.body = GATEWAY_PAGE.as_bytes().to_vec();
        return reply.with("content-type", "text/html; charset=utf-8");
    }
    let is_json = reply
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"));
    if reply.status < 400 || !is_json {
        return reply;
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else {
        return reply;
    };
    let code = body["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if code.is_empty() {
        return reply;
    }
    if reply.status == 400 && STATUS_UNSEEN.contains(&code.as_str()) && readings.refusals_are_500()
    {
        reply.status = 500;
    }
    if readings.error_codes_are_empty() {
        body["error"]["code"] = Value::from("");
        reply.body = body.to_string().into_bytes();
    }
    reply
}

/// The answer of an injected fault, as this world would give it.
pub(crate) fn injected(readings: &Readings, reply: Reply) -> Reply {
    let body = serde_json::from_slice::<Value>(&reply.body).unwrap_or_default();
    if body["error"]["code"] == EXPIRED {
        return outgoing(readings, expired(readings).reply());
    }
    outgoing(readings, reply)
}

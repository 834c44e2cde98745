//! What an answer that is no success tells: code, words, when to come again, and by which ids it is known.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{HeaderMap, RETRY_AFTER};
use tracing::Span;

use crate::json;

/// Longest wait that we accept from a `Retry-After`: an hour is far beyond what either vendor sends, and a broken date must not stop a credential for a year.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Longest message of the other side that is kept: Partner Center's own limit for `error.message`.
const MESSAGE_CHARS_MAX: usize = 1024;

/// How long the other side wants to be left alone.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    read_retry_after(value)
}

/// Seconds, or a date.
fn read_retry_after(text: &str) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new()
                .parse_timestamp(text)
                .ok()?;
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .ok()?;
            Duration::from_secs(u64::try_from(date.as_second()).ok()?).saturating_sub(now)
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// Request ids that either side put on the exchange.
pub(super) fn request_ids(sent: &HeaderMap, received: &HeaderMap) -> Vec<(String, String)> {
    const SENT: [&str; 3] = [
        "client-request-id",
        "x-ms-client-request-id",
        "ms-correlationid",
    ];
    const RECEIVED: [&str; 6] = [
        "request-id",
        "x-ms-service-request-id",
        "req_id",
        "ms-requestid",
        "x-ms-request-id",
        "x-ms-correlation-id",
    ];
    let pick = |headers: &HeaderMap, name: &str| {
        Some((name.to_owned(), readable(headers.get(name)?.to_str().ok()?)))
    };
    SENT.iter()
        .filter_map(|name| pick(sent, name))
        .chain(RECEIVED.iter().filter_map(|name| pick(received, name)))
        .collect()
}

/// Notes in a trace how a call ended, and under which ids the other side knows it.
pub(super) fn note(span: &Span, sent: &HeaderMap, answer: Option<&Response<Bytes>>) {
    if span.is_disabled() {
        return;
    }
    let nothing = HeaderMap::new();
    let received = answer.map_or(&nothing, Response::headers);
    for (name, id) in request_ids(sent, received) {
        span.record(name.as_str(), id);
    }
    match answer {
        Some(answer) => {
            span.record("http.response.status_code", answer.status().as_u16());
            if answer.status().is_client_error() || answer.status().is_server_error() {
                span.record("otel.status_code", "ERROR");
            }
        }
        None => drop(span.record("otel.status_code", "ERROR")),
    }
}

/// A path without what names a record: ids and keys.
pub(super) fn template(path: &str) -> String {
    let mut told = String::with_capacity(path.len());
    let mut rest = path;
    while !rest.is_empty() {
        if rest
            .get(..36)
            .is_some_and(|id| uuid::Uuid::try_parse(id).is_ok())
        {
            told.push_str("{id}");
            rest = &rest[36..];
        } else if let Some(key) = rest.strip_prefix('\'') {
            told.push_str("'{key}'");
            rest = key.split_once('\'').map_or("", |(_, rest)| rest);
        } else {
            let first = rest.chars().next().map_or(1, char::len_utf8);
            told.push_str(&rest[..first]);
            rest = &rest[first..];
        }
    }
    told
}

/// Code and words of an error body, in any of the shapes that the two vendors and their gateways use.
pub(super) struct Told {
    pub(super) code: Option<String>,
    pub(super) message: String,
}

impl Told {
    /// `{"error":{"code","message","innerError":{…}}}`, `{"code","description"}`, `{"statusCode","message"}`,
    /// `{"error":"…","error_description":"…"}`, or no JSON at all. Names in any case.
    pub(super) fn read(body: &str) -> Self {
        let Some(members) = json::object_any_case(body) else {
            return Self {
                code: None,
                message: readable(&without_tags(body)),
            };
        };
        let text = |members: &json::Object, name: &str| {
            members.get(name).and_then(|raw| json::filled(raw))
        };
        match members
            .get("error")
            .and_then(|raw| json::object_any_case(raw.get()))
        {
            Some(mut error) => {
                let mut code = text(&error, "code");
                let mut message = text(&error, "message").unwrap_or_default();
                // The deeper, the more precise. A server that nests without end is not followed without end.
                for _ in 0..8 {
                    let Some(inner) = error
                        .get("innererror")
                        .and_then(|raw| json::object_any_case(raw.get()))
                    else {
                        break;
                    };
                    code = text(&inner, "code").or(code);
                    match text(&inner, "message") {
                        Some(more) if !message.contains(&more) => {
                            message = format!("{message} ({more})")
                        }
                        _ => {}
                    }
                    error = inner;
                }
                Self {
                    code,
                    message: readable(&message),
                }
            }
            None => {
                let code = text(&members, "code").or_else(|| text(&members, "error"));
                let words = ["description", "error_description", "message"];
                let message = words
                    .iter()
                    .find_map(|name| text(&members, name))
                    .unwrap_or_default();
                Self {
                    code,
                    message: readable(&message),
                }
            }
        }
    }
}

/// Gateways answer in HTML; only its words are worth keeping.
fn without_tags(body: &str) -> String {
    let mut words = String::new();
    let mut inside = false;
    for character in body.chars().take(4 * MESSAGE_CHARS_MAX) {
        match character {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                words.push(' ');
            }
            _ if inside => {}
            other => words.push(other),
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Fit for a log line: short, one line, no control characters.
pub(crate) fn readable(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MESSAGE_CHARS_MAX)
        .collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_a_year() {
        assert_eq!(read_retry_after("57"), Some(Duration::from_secs(57)));
        assert_eq!(
            read_retry_after("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::ZERO)
        );
        assert_eq!(
            read_retry_after("Thu, 06 Nov 2994 08:49:37 GMT"),
            Some(RETRY_AFTER_MAX)
        );
        assert_eq!(read_retry_after("soon"), None);
    }

    #[test]
    fn a_template_names_no_record() {
        for (path, told) in [
            (
                "/v1.0/engagements/referrals/0f8fad5b-d9cb-469f-a165-70867728950e",
                "/v1.0/engagements/referrals/{id}",
            ),
            (
                "/api/data/v9.2/opportunities(0f8fad5b-d9cb-469f-a165-70867728950e)",
                "/api/data/v9.2/opportunities({id})",
            ),
            (
                "/accounts(name='Kovács Kft.')/x",
                "/accounts(name='{key}')/x",
            ),
            ("/api/data/v9.2/$batch", "/api/data/v9.2/$batch"),
        ] {
            assert_eq!(template(path), told);
        }
    }

    #[test]
    fn every_error_shape_gives_its_code_and_words() {
        let shapes = [
            (
                r#"{"error":{"code":"invalidRequest","message":"Bad.","innererror":{"Code":"badStage","message":"No such stage."}}}"#,
                Some("badStage"),
                "Bad. (No such stage.)",
            ),
            (
                r#"{"Code":"2000","Description":"Already there.","data":[]}"#,
                Some("2000"),
                "Already there.",
            ),
            (
                r#"{ "statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds." }"#,
                None,
                "Rate limit is exceeded. Try again in 57 seconds.",
            ),
            (
                "<html><body><h1>502</h1>\n<p>Bad\tGateway</p></body></html>",
                None,
                "502 Bad Gateway",
            ),
            (r#"{"error":{"code":"","message":"m"}}"#, None, "m"),
            ("", None, ""),
        ];
        for (body, code, message) in shapes {
            let told = Told::read(body);
            assert_eq!(
                (told.code.as_deref(), told.message.as_str()),
                (code, message)
            );
        }
    }
}

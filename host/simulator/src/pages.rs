//! Two plain pages for people: "Partner Center" and "Dynamics 365". HTML and forms, no script and no build step.
//!
//! What a form sends goes the way that every act of control goes, so that a wrong edit shows the API's own error. A form that was refused is
//! shown again with what was typed.

mod dynamics;
mod fields;
mod layout;
mod partner_center;
mod referral_fields;

use http::Method;
use serde_json::Value;

use crate::control::{Control, ControlError};
use crate::wire::{Reply, Request, decode_segment, pairs};

/// What a form sent, or a query said.
pub(crate) struct Sent(Vec<(String, String)>);

impl Sent {
    /// A field without the blanks around it; empty when it is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(held, _)| held == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// A field that was sent, even empty: a box that is not ticked is not sent.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(held, _)| held == name)
    }
}

/// What a page answers.
pub(crate) enum Shown {
    Page(u16, String),
    /// Done: go and look.
    See(String),
}

/// Answers a request for a page; none when the path is not one of theirs.
pub(crate) fn answer(control: &Control, request: &Request) -> Option<Reply> {
    let segments: Vec<String> = request
        .path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(decode_segment)
        .collect();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (room, rest) = parts.split_first()?;
    let sent = match request.method {
        Method::GET => Sent(request.pairs()),
        Method::POST => Sent(pairs(&String::from_utf8_lossy(&request.body))),
        _ => return None,
    };
    let is_post = request.method == Method::POST;
    let shown = match *room {
        "partner-center" => partner_center::answer(control, is_post, rest, &sent),
        "dynamics" => dynamics::answer(control, is_post, rest, &sent),
        _ => return None,
    };
    Some(match shown {
        Shown::Page(status, page) => Reply::bytes(
            status,
            "text/html; charset=utf-8",
            page.into_bytes(),
        )
        .with(
            "content-security-policy",
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'",
        )
        .with("cache-control", "no-store"),
        Shown::See(place) => Reply::empty(303).with("location", place),
    })
}

/// The status under which a refusal is shown.
pub(crate) fn status_of(error: &ControlError) -> u16 {
    match error {
        ControlError::Refused { .. } => 422,
        ControlError::Unknown { .. } => 404,
        ControlError::Malformed { .. } => 400,
    }
}

/// A value as it stands in a form.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

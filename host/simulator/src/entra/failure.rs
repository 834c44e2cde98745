//! A refusal of Entra: the documented envelope around an AADSTS code. (dataverse 1.1)

use jiff::Timestamp;
use serde_json::json;

use crate::ids::Ids;
use crate::wire::Reply;

/// Why no token is given.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: u16,
    error: &'static str,
    code: u32,
    message: String,
}

impl Failure {
    pub(super) fn new(status: u16, error: &'static str, code: u32, message: &str) -> Self {
        Self {
            status,
            error,
            code,
            message: message.to_owned(),
        }
    }

    /// The app did not prove who it is.
    pub(super) fn client(code: u32, message: &str) -> Self {
        Self::new(401, "invalid_client", code, message)
    }

    /// What was traded in is worth nothing.
    pub(super) fn grant(code: u32, message: &str) -> Self {
        Self::new(400, "invalid_grant", code, message)
    }

    pub(super) fn is_of_client(&self) -> bool {
        self.error == "invalid_client"
    }

    pub(super) fn reply(self, ids: &mut Ids, now: Timestamp) -> Reply {
        let (trace, correlation) = (ids.guid_text(), ids.guid_text());
        let stamp = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let Self {
            status,
            error,
            code,
            message,
        } = self;
        let body = json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {message}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {stamp}"
            ),
            "error_codes": [code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
        });
        Reply::json(status, &body).with("cache-control", "no-store")
    }
}

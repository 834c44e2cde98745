//! Refusals: what the caller hears, and what the operator's log says, once per reason and pause.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::bell::Source;

/// A reason is logged at most so often: an attacker gets 6 lines a minute and reason, not the disk.
const LOG_PAUSE: Duration = Duration::from_secs(10);
/// Longest detail in a log line: a host name fits, a payload does not.
const DETAIL_CHARS_MAX: usize = 160;
/// For callers that are refused because of load: soon enough not to lose anything, late enough to let the wave pass.
pub(crate) const RETRY_AFTER_S: u32 = 5;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $message:literal, $hint:literal;)*) => {
        /// Why a request was refused. The code is for machines and never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, in the order of the checks.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// `signature-wrong`
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status of the answer.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// One sentence for people: what is wrong. Never holds anything the caller sent.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }

            /// What to do about it.
            #[must_use]
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint,)* }
            }
        }
    };
}

// The list is data: a new refusal is a line here.
reasons! {
    /// The path names no connection, or one that does not listen to this source.
    ConnectionUnknown = "connection-unknown", NOT_FOUND,
        "no connection of this name listens here", "compare the last part of the address with the connection ids in the configuration";
    /// Not POST.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED,
        "webhooks are only taken by POST", "send the event with POST";
    /// Over the limit of the source.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE,
        "the body is larger than any event of this source", "Partner Center events stay under 64 KiB, Dataverse events under 512 KiB";
    /// `Content-Encoding` other than identity.
    BodyEncoded = "body-encoded", UNSUPPORTED_MEDIA_TYPE,
        "the body is compressed", "send it as it is: neither source compresses events";
    /// The body did not arrive in time.
    BodySlow = "body-slow", REQUEST_TIMEOUT,
        "the body did not arrive in time", "send the event again";
    /// The connection broke inside the body.
    BodyBroken = "body-broken", BAD_REQUEST,
        "the body ended early", "send the event again";
    /// Too many unproven requests at once.
    Busy = "busy", TOO_MANY_REQUESTS,
        "too many requests are waiting to be verified", "come again after the time in Retry-After";
    /// Its caller failed to prove itself too often lately.
    CallerFailed = "caller-failed", TOO_MANY_REQUESTS,
        "too many requests from this address could not be verified", "come again after the time in Retry-After; the operator's log named the reasons before";

    /// Neither header carries a signature.
    SignatureMissing = "signature-missing", UNAUTHORIZED,
        "the request carries no signature", "send it as \"Authorization: Signature ...\" or as \"x-ms-signature: Signature ...\"";
    /// Wrong scheme, no base64, or two different ones.
    SignatureMalformed = "signature-malformed", UNAUTHORIZED,
        "the signature is not of the form \"Signature <base64>\"", "if a gateway rewrites Authorization, register the webhook with SignatureTokenToMsSignatureHeader";
    /// No `x-ms-certificate-url`.
    CertificateUrlMissing = "certificate-url-missing", BAD_REQUEST,
        "the header x-ms-certificate-url is missing", "let the gateway pass all x-ms-* headers";
    /// No `x-ms-signature-algorithm`.
    AlgorithmMissing = "algorithm-missing", BAD_REQUEST,
        "the header x-ms-signature-algorithm is missing", "let the gateway pass all x-ms-* headers";
    /// Anything but rsa-sha256.
    AlgorithmRefused = "algorithm-refused", BAD_REQUEST,
        "only the signature algorithm rsa-sha256 is accepted", "nothing to do: a genuine Partner Center event uses it";
    /// Not https, user info, query, fragment, too long, no URL.
    CertificateUrlRefused = "certificate-url-refused", BAD_REQUEST,
        "the certificate url is not a plain https url", "nothing to do: a genuine Partner Center event has one without user, query and fragment";
    /// The host, with its port, is not on the list.
    CertificateHostUnlisted = "certificate-host-unlisted", UNAUTHORIZED,
        "the certificate url points to a host that is not on the list", "if the host is Microsoft's, add it to partner_center.webhook.certificate_hosts";
    /// The host resolves to a private, loopback or otherwise internal address.
    CertificateHostPrivate = "certificate-host-private", UNAUTHORIZED,
        "the certificate host has an internal address", "for a local simulator set partner_center.webhook.allow_private_certificate_hosts";
    /// Too many fetches for urls that never gave a good certificate.
    CertificateFetches = "certificate-fetches", TOO_MANY_REQUESTS,
        "too many unknown certificate urls were presented", "come again after the time in Retry-After";
    /// The host answered with a redirect.
    CertificateRedirected = "certificate-redirected", UNAUTHORIZED,
        "the certificate host answered with a redirect", "redirects are not followed; if Microsoft moved the file, its url will say so";
    /// Larger than any chain.
    CertificateTooLarge = "certificate-too-large", UNAUTHORIZED,
        "the file at the certificate url is too large", "nothing to do: a certificate chain stays under 64 KiB";
    /// The host did not give the file.
    CertificateUnavailable = "certificate-unavailable", SERVICE_UNAVAILABLE,
        "the certificate could not be fetched", "check that this machine reaches the certificate host and trusts its TLS certificate";
    /// Neither DER nor PEM.
    CertificateUnreadable = "certificate-unreadable", UNAUTHORIZED,
        "the file at the certificate url is not a certificate", "nothing to do: a genuine one is DER or PEM";
    /// Expired, or not valid yet.
    CertificateExpired = "certificate-expired", UNAUTHORIZED,
        "the signing certificate is not valid at this time", "check this machine's clock";
    /// The chain does not lead to a pinned root.
    CertificateUntrusted = "certificate-untrusted", UNAUTHORIZED,
        "the signing certificate does not lead to a trusted root", "if Microsoft changed its CA, add the new root to partner_center.webhook.certificate_roots";
    /// The issuer's organisation is another.
    CertificateIssuer = "certificate-issuer", UNAUTHORIZED,
        "the signing certificate was issued by another organisation", "compare with partner_center.webhook.organization";
    /// Issued for another name.
    CertificateSubject = "certificate-subject", UNAUTHORIZED,
        "the signing certificate was issued for another name", "compare with partner_center.webhook.certificate_subject";
    /// Not RSA, or too short.
    CertificateKey = "certificate-key", UNAUTHORIZED,
        "the signing certificate has no RSA key of 2048 bits or more", "nothing to do: a genuine one has";
    /// It does not fit the body.
    SignatureWrong = "signature-wrong", UNAUTHORIZED,
        "the signature does not fit the body", "if the event is genuine, a gateway has changed the body: let it pass the bytes untouched";

    /// Neither header nor query carries it.
    SecretMissing = "secret-missing", UNAUTHORIZED,
        "the request carries no secret", "register the webhook with the secret as a header (authtype 5)";
    /// It is neither the current nor the previous one.
    SecretWrong = "secret-wrong", UNAUTHORIZED,
        "the secret is not the one of this connection", "register the webhook again, or keep the old secret as webhook_secret_previous for a while";

    /// Proven, but no JSON.
    BodyMalformed = "body-malformed", BAD_REQUEST,
        "the body is not JSON", "nothing was stored; the sweep will find the change";
    /// Proven, but a name is missing or has an impossible form.
    EventIncomplete = "event-incomplete", BAD_REQUEST,
        "the event does not say what happened to which kind of record", "nothing was stored; the sweep will find the change";
    /// Proven, but the id is no GUID.
    RecordMalformed = "record-malformed", BAD_REQUEST,
        "the event does not name its record by a GUID", "nothing was stored; the sweep will find the change";
    /// Too much is waiting.
    StoreFull = "store-full", SERVICE_UNAVAILABLE,
        "too many events are waiting", "come again after the time in Retry-After";
    /// It could not be stored.
    StoreBroken = "store-broken", SERVICE_UNAVAILABLE,
        "the event could not be stored", "come again after the time in Retry-After; the operator finds the cause in the log";
}

/// A request that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// Seconds; None: by status.
    pub(crate) retry_after_s: Option<u32>,
    /// For the log only.
    pub(crate) detail: Option<String>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            retry_after_s: None,
            detail: None,
        }
    }
}

impl Refusal {
    pub(crate) fn told(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            retry_after_s: None,
            detail: Some(detail.into()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let reason = self.reason;
        let body = json!({ "error": { "code": reason.code(), "message": reason.message(), "hint": reason.hint() } });
        let mut response = (
            reason.status(),
            [(header::CONTENT_TYPE, "application/json")],
            body.to_string(),
        )
            .into_response();
        let headers = response.headers_mut();
        if matches!(
            reason.status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(self.retry_after_s.unwrap_or(RETRY_AFTER_S)),
            );
        }
        if reason == Reason::MethodNotAllowed {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

/// Writes refusals to the log, each reason at most once per [`LOG_PAUSE`].
#[derive(Debug, Default)]
pub(crate) struct QuietLog {
    last: Mutex<Vec<(Reason, SystemTime, u64)>>,
}

impl QuietLog {
    /// Logs, or counts what it swallowed. `connection` is an id of ours, never what the caller wrote.
    pub(crate) fn write(
        &self,
        source: Option<Source>,
        connection: Option<&str>,
        refusal: &Refusal,
        now: SystemTime,
    ) {
        let Some(suppressed) = self.turn(refusal.reason, now) else {
            return;
        };
        let detail: String = refusal
            .detail
            .as_deref()
            .unwrap_or("")
            .chars()
            .take(DETAIL_CHARS_MAX)
            .collect();
        let reason = refusal.reason;
        tracing::warn!(
            webhook.connection = connection.unwrap_or("unknown"),
            webhook.source = source.map_or("unknown", Source::as_str),
            webhook.reason = reason.code(),
            webhook.status = reason.status().as_u16(),
            webhook.suppressed = suppressed,
            // Debug: what an unproven caller wrote must not break the line.
            webhook.detail = ?detail,
            "refused a webhook: {}; {}", reason.message(), reason.hint(),
        );
    }

    /// How many lines of this reason were swallowed since the last one; None: swallow this one too.
    fn turn(&self, reason: Reason, now: SystemTime) -> Option<u64> {
        let mut last = self
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(entry) = last.iter_mut().find(|entry| entry.0 == reason) else {
            last.push((reason, now, 0));
            return Some(0);
        };
        if within(entry.1, now, LOG_PAUSE) {
            entry.2 += 1;
            return None;
        }
        entry.1 = now;
        Some(std::mem::take(&mut entry.2))
    }
}

/// Less than `pause` lies between the two moments, in whichever order: requests overtake each other, and a clock that is set back must not prolong a
/// pause for long.
pub(crate) fn within(since: SystemTime, now: SystemTime, pause: Duration) -> bool {
    let apart = now
        .duration_since(since)
        .unwrap_or_else(|error| error.duration());
    apart < pause
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_reason_is_one_line_and_does_not_hide_another() {
        let log = QuietLog::default();
        let now = SystemTime::now();
        assert_eq!(log.turn(Reason::SignatureWrong, now), Some(0));
        for _ in 0..1000 {
            assert_eq!(
                log.turn(Reason::SignatureWrong, now + Duration::from_secs(1)),
                None
            );
        }
        assert_eq!(log.turn(Reason::SecretWrong, now), Some(0));
        assert_eq!(
            log.turn(Reason::SignatureWrong, now + LOG_PAUSE),
            Some(1000)
        );
        assert_eq!(log.turn(Reason::SignatureWrong, now - LOG_PAUSE), Some(0));
    }

    #[test]
    fn codes_are_told_apart() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
    }
}

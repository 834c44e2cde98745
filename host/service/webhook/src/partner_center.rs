//! Partner Center: signed events. Nothing but the body is signed, so nothing but the body is believed: not the path, not a header.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use serde_json::{Map, Value};

use crate::bell::{Source, VerifiedBell};
use crate::certificate::{Fault, Fetcher, HostRule, Location, Shelf, Trust};
use crate::event::{dedupe_key, guid, name};
use crate::refusal::{Reason, Refusal};

/// Hosts from which certificates are taken unless configured otherwise: Microsoft's own names, and the storage account of the documented sample.
pub const CERTIFICATE_HOSTS: [&str; 2] =
    ["*.microsoft.com", "3psostorageacct.blob.core.windows.net"];
/// Organisation of the certificate's issuer unless configured otherwise.
pub const ORGANIZATION: &str = "Microsoft Corporation";
/// Name for which the certificate is issued unless configured otherwise.
pub const CERTIFICATE_SUBJECT: &str = "pcnotifications-dispatch.microsoft.com";
/// Events that ring a bell unless configured otherwise. Others share the tenant's one registration; they are acknowledged and counted.
pub const WATCHED_EVENTS: [&str; 4] = [
    "referral-created",
    "referral-updated",
    "related-referral-created",
    "related-referral-updated",
];

/// Largest body. The documented sample has 195 bytes.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Sent when a person presses "validate" at the registration.
const TEST_EVENT: &str = "test-created";
/// Longest signature header: an RSA-8192 signature in base64 takes 1.4 KiB.
const SIGNATURE_BYTES_MAX: usize = 2048;

const SIGNATURE: &str = "x-ms-signature";
const CERTIFICATE_URL: &str = "x-ms-certificate-url";
const ALGORITHM: &str = "x-ms-signature-algorithm";

/// How the events of one connection prove themselves.
#[derive(Debug, Clone)]
pub struct PartnerCenterSettings {
    /// Hosts from which certificates are taken. Default: [`CERTIFICATE_HOSTS`].
    pub certificate_hosts: Vec<HostRule>,
    /// PEM of the roots to which certificates must lead; intermediates may be among them. There is no default.
    pub certificate_roots: String,
    /// Organisation of the certificate's issuer. Default: [`ORGANIZATION`].
    pub organization: String,
    /// Common name or DNS name of the certificate. Default: [`CERTIFICATE_SUBJECT`].
    pub certificate_subject: String,
    /// Take certificates from loopback and private addresses. Only for a local simulator.
    pub allow_private_certificate_hosts: bool,
    /// PEM of roots for the certificate host's own TLS, beside the system's.
    pub tls_roots: Option<String>,
    /// Events that ring a bell. Default: [`WATCHED_EVENTS`].
    pub events: Vec<String>,
}

impl PartnerCenterSettings {
    /// The defaults, with these roots (PEM).
    #[must_use]
    pub fn with_roots(certificate_roots: String) -> Self {
        Self {
            certificate_hosts: CERTIFICATE_HOSTS
                .iter()
                .filter_map(|host| host.parse().ok())
                .collect(),
            certificate_roots,
            organization: ORGANIZATION.to_owned(),
            certificate_subject: CERTIFICATE_SUBJECT.to_owned(),
            allow_private_certificate_hosts: false,
            tls_roots: None,
            events: WATCHED_EVENTS.map(str::to_owned).to_vec(),
        }
    }

    /// Whether a door could be built with these, without building one: for a configuration that tells all its mistakes at once.
    ///
    /// # Errors
    /// One sentence about the roots.
    pub fn check(&self) -> Result<(), String> {
        Trust::new(
            &self.certificate_roots,
            &self.organization,
            &self.certificate_subject,
        )
        .map(|_| ())
    }
}

/// What a proven body says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Bell(Box<VerifiedBell>),
    /// An event that is not watched.
    Unknown(String),
    Test,
}

/// The listening side of one connection.
#[derive(Debug)]
pub(crate) struct Listener {
    hosts: Vec<HostRule>,
    events: Vec<String>,
    shelf: Shelf,
}

/// The headers, checked as far as they can be without the body.
#[derive(Debug)]
pub(crate) struct Claim {
    signature: Vec<u8>,
    location: Location,
}

#[cfg(test)]
impl Claim {
    /// Where the certificate would be fetched.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }
}

impl Listener {
    /// `fetch_time`: for a certificate, as a whole.
    pub(crate) fn new(
        settings: PartnerCenterSettings,
        fetch_time: Duration,
    ) -> Result<Self, String> {
        let trust = Trust::new(
            &settings.certificate_roots,
            &settings.organization,
            &settings.certificate_subject,
        )?;
        let fetcher = Fetcher::new(
            settings.allow_private_certificate_hosts,
            settings.tls_roots.as_deref(),
            fetch_time,
        )?;
        Ok(Self {
            hosts: settings.certificate_hosts,
            events: settings.events,
            shelf: Shelf::new(fetcher, trust),
        })
    }

    pub(crate) fn claim(&self, headers: &HeaderMap) -> Result<Claim, Refusal> {
        let signature = signature(headers)?;
        let url = one(headers, CERTIFICATE_URL).ok_or(Reason::CertificateUrlMissing)?;
        let algorithm = one(headers, ALGORITHM).ok_or(Reason::AlgorithmMissing)?;
        if !algorithm.eq_ignore_ascii_case("rsa-sha256") {
            return Err(Reason::AlgorithmRefused.into());
        }
        let location = Location::check(url, &self.hosts)?;
        Ok(Claim {
            signature,
            location,
        })
    }

    /// Whether the raw body is signed by whom the claim says.
    pub(crate) async fn prove(
        &self,
        claim: &Claim,
        body: &[u8],
        now: SystemTime,
    ) -> Result<(), Fault> {
        let certificate = self.shelf.certificate(&claim.location, now).await?;
        if certificate.signed(body, &claim.signature) {
            return Ok(());
        }
        // Microsoft may have changed the certificate under the same url since it was put on the shelf.
        match self.shelf.newer(&claim.location, &certificate, now).await {
            Some(newer) if newer.signed(body, &claim.signature) => Ok(()),
            _ => Err(Reason::SignatureWrong.into()),
        }
    }

    /// Reads a proven body.
    pub(crate) fn read(
        &self,
        connection: &str,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Event, Refusal> {
        // The signature covers the mark, JSON does not know it.
        let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let Ok(Value::Object(fields)) = serde_json::from_slice(text) else {
            return Err(Reason::BodyMalformed.into());
        };
        let event = field(&fields, "EventName")
            .and_then(name)
            .ok_or(Reason::EventIncomplete)?;
        if event.eq_ignore_ascii_case(TEST_EVENT) {
            return Ok(Event::Test);
        }
        // The documents spell names in one way and keys in two; the watched spelling is the one that goes on.
        let watched = self
            .events
            .iter()
            .find(|watched| watched.eq_ignore_ascii_case(event));
        let Some(event) = watched.map(String::as_str) else {
            return Ok(Event::Unknown(event.to_owned()));
        };
        let kind = field(&fields, "ResourceName")
            .and_then(name)
            .ok_or(Reason::EventIncomplete)?;
        let uri = field(&fields, "ResourceUri").ok_or(Reason::EventIncomplete)?;
        let record = last_segment(uri)
            .and_then(guid)
            .ok_or(Reason::RecordMalformed)?;
        let changed = field(&fields, "ResourceChangeUtcDate");
        Ok(Event::Bell(Box::new(VerifiedBell {
            connection: connection.to_owned(),
            source: Source::PartnerCenter,
            event: event.to_owned(),
            kind: kind.to_ascii_lowercase(),
            record,
            dedupe: changed.map(|changed| dedupe_key(&["partner-center", event, uri, changed])),
            correlation: None,
            tags: Vec::new(),
            organization: None,
            initiator: None,
            received_at: now,
        })))
    }
}

/// `Signature <base64>` from `Authorization`, or from `x-ms-signature` where the registration asks for that. A gateway may have put an `Authorization` of its
/// own in front, so one of another scheme is passed over; two signatures that differ are not.
fn signature(headers: &HeaderMap) -> Result<Vec<u8>, Reason> {
    let mut found: Option<&str> = None;
    let mut foreign = false;
    for value in headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .chain(headers.get_all(SIGNATURE))
    {
        let token = value
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Signature"));
        match (token, found) {
            (None, _) => foreign = true,
            (Some((_, token)), None) => found = Some(token.trim()),
            (Some((_, token)), Some(first)) if token.trim() == first => {}
            _ => return Err(Reason::SignatureMalformed),
        }
    }
    match found {
        Some(token) if token.len() <= SIGNATURE_BYTES_MAX => STANDARD
            .decode(token)
            .ok()
            .filter(|bytes| !bytes.is_empty())
            .ok_or(Reason::SignatureMalformed),
        Some(_) => Err(Reason::SignatureMalformed),
        None if foreign => Err(Reason::SignatureMalformed),
        None => Err(Reason::SignatureMissing),
    }
}

/// The one value of a header; none when it is absent, repeated, empty or no text.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.trim();
    (values.next().is_none() && !value.is_empty()).then_some(value)
}

/// The official description spells keys in camelCase, the wire in PascalCase.
fn field<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(key))
        .and_then(|(_, value)| value.as_str())
}

/// Only the id is taken from the address. Its host and path are never used: what they say differs from the real API, and no token goes where a payload points.
fn last_segment(uri: &str) -> Option<&str> {
    let path = uri.split(['?', '#']).next()?;
    path.trim_end_matches('/').rsplit('/').next()
}

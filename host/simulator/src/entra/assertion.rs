//! Proving an app by a JWT that it signed with the key of a registered certificate. (dataverse 1.1)

use base64::Engine as _;
use jiff::Timestamp;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use x509_parser::pem::Pem;

use super::failure::Failure;
use super::{App, Entra};
use crate::wire::Request;

/// How far the clocks of the two sides may be apart, seconds.
pub(super) const CLOCK_SKEW_S: i64 = 300;
/// Longest life of an assertion, seconds: ten minutes are advised, a day is what is taken.
const LIFE_MAX_S: i64 = 86_400;
/// Assertions are short; what is longer is not looked at.
const BYTES_MAX: usize = 16 * 1024;
pub(super) const ENGINE: base64::engine::GeneralPurpose =
    base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A certificate that an app may sign with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Certificate {
    /// Thumbprints, as `x5t` and `x5t#S256` spell them.
    pub(super) sha1: String,
    pub(super) sha256: String,
    /// PKCS#1 of the public key, hexadecimal.
    key: String,
    /// Seconds since 1970.
    not_before: i64,
    not_after: i64,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn read(pem: &str) -> Result<Self, String> {
        let found = Pem::iter_from_buffer(pem.as_bytes()).flatten();
        let found = found.into_iter().find(|part| part.label == "CERTIFICATE");
        let found = found.ok_or("there is no certificate in the PEM text")?;
        let certificate = found
            .parse_x509()
            .map_err(|error| format!("the certificate cannot be read: {error}"))?;
        let spki = certificate.public_key();
        if !matches!(
            spki.parsed(),
            Ok(x509_parser::public_key::PublicKey::RSA(_))
        ) {
            return Err("the certificate's key is not RSA, and only RSA is taken".to_owned());
        }
        let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &found.contents);
        let sha256 = ring::digest::digest(&ring::digest::SHA256, &found.contents);
        Ok(Self {
            sha1: ENGINE.encode(sha1),
            sha256: ENGINE.encode(sha256),
            key: hex::encode(&spki.subject_public_key.data),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }
}

/// An assertion, taken apart. Nothing of it is believed yet.
pub(super) struct Unverified<'a> {
    pub(super) header: Value,
    claims: Value,
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| -> Option<Value> {
            let raw = ENGINE.decode(part.trim_end_matches('=')).ok()?;
            let value: Value = serde_json::from_slice(&raw).ok()?;
            value.is_object().then_some(value)
        };
        (text.len() <= BYTES_MAX).then_some(())?;
        Some(Self {
            header: json(header)?,
            claims: json(claims)?,
            signed,
            signature: ENGINE.decode(signature.trim_end_matches('=')).ok()?,
        })
    }

    /// A claim that is text; empty when it is none.
    pub(super) fn text(&self, claim: &str) -> &str {
        self.claims[claim].as_str().unwrap_or_default()
    }

    pub(super) fn audiences(&self) -> Vec<&str> {
        match &self.claims["aud"] {
            Value::String(one) => vec![one],
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn time(&self, claim: &str) -> Option<i64> {
        let value = &self.claims[claim];
        value
            .as_i64()
            .or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }
}

/// Whom an assertion names as its app.
pub(super) fn issuer(assertion: &str) -> Option<String> {
    let claims = Unverified::read(assertion)?.claims;
    claims["iss"].as_str().map(str::to_owned)
}

impl Entra {
    /// Checks form, key, signature, app, audience, times and that it was not used before, in this order; of somebody else's, whether the app trusts it.
    pub(super) fn check_assertion(
        &self,
        request: &Request,
        app: &App,
        assertion: &str,
    ) -> Result<(), Failure> {
        let given = Unverified::read(assertion)
            .ok_or_else(|| Failure::client(50_027, "JWT token is invalid or malformed."))?;
        let now = self.clock.now();
        // An app issues its own assertions; whoever else does is known by an address.
        if given.text("iss").contains("://") {
            return self.check_federated(app, &given, now);
        }
        let padding = algorithm(&given)?;
        let key = self.key_of(app, &given, now)?;
        let key = hex::decode(&key.key).unwrap_or_default();
        UnparsedPublicKey::new(padding, key)
            .verify(given.signed.as_bytes(), &given.signature)
            .map_err(|_| {
                unsigned(
                    "The key was found, but use of the key to verify the signature failed.",
                    &given,
                )
            })?;
        claims(&given, request, app, now)?;
        self.once(app, &given, now)
    }

    /// The registered certificate that the header names. Where two thumbprints are given, both must be its own.
    fn key_of(
        &self,
        app: &App,
        given: &Unverified<'_>,
        now: Timestamp,
    ) -> Result<Certificate, Failure> {
        let books = self.books();
        let named = |name: &str| {
            given.header[name]
                .as_str()
                .map(|text| text.trim_end_matches('='))
        };
        let (sha1, sha256) = (named("x5t"), named("x5t#S256"));
        if sha1.is_none() && sha256.is_none() {
            return Err(unsigned(
                "The header names no key: 'x5t#S256' or 'x5t' is expected.",
                given,
            ));
        }
        let found = books.certificates.iter().find(|(client_id, held)| {
            *client_id == app.client_id
                && sha1.is_none_or(|named| named == held.sha1)
                && sha256.is_none_or(|named| named == held.sha256)
        });
        let (_, found) = found.ok_or_else(|| unsigned("The key was not found.", given))?;
        let now = now.as_second();
        if now < found.not_before || now > found.not_after {
            return Err(unsigned(
                "The certificate is not within its valid time range.",
                given,
            ));
        }
        Ok(found.clone())
    }

    fn once(&self, app: &App, given: &Unverified<'_>, now: Timestamp) -> Result<(), Failure> {
        let id = given.claims["jti"].as_str().filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| {
            Failure::client(
                50_027,
                "JWT token is invalid or malformed: the claim 'jti' is missing.",
            )
        })?;
        if !self.assumptions.assertions_work_once() {
            return Ok(());
        }
        let expires = given
            .time("exp")
            .unwrap_or_default()
            .saturating_add(CLOCK_SKEW_S);
        let expires = Timestamp::from_second(expires).unwrap_or(Timestamp::MAX);
        let mut books = self.books();
        books.assertions.retain(|_, until| *until > now);
        match books
            .assertions
            .insert(format!("{} {id}", app.client_id), expires)
        {
            None => Ok(()),
            Some(_) => Err(Failure::client(
                50_013,
                &format!(
                    "Assertion failed validation: an assertion with the 'jti' '{id}' was used before."
                ),
            )),
        }
    }
}

/// The two that are documented; `none`, and what is keyed with a secret, are not among them.
fn algorithm(given: &Unverified<'_>) -> Result<&'static RsaParameters, Failure> {
    match given.header["alg"].as_str() {
        Some("RS256") => Ok(&RSA_PKCS1_2048_8192_SHA256),
        Some("PS256") => Ok(&RSA_PSS_2048_8192_SHA256),
        other => {
            let message = format!(
                "JWT token is invalid or malformed: the algorithm '{}' is not supported, 'PS256' or 'RS256' is expected.",
                other.unwrap_or_default()
            );
            Err(Failure::client(50_027, &message))
        }
    }
}

fn claims(
    given: &Unverified<'_>,
    request: &Request,
    app: &App,
    now: Timestamp,
) -> Result<(), Failure> {
    for claim in ["iss", "sub"] {
        let named = given.claims[claim].as_str().unwrap_or_default();
        if !named.eq_ignore_ascii_case(&app.client_id) {
            let message = format!(
                "Client assertion application identifier doesn't match 'client_id' parameter. The claim '{claim}' is '{named}', expected '{}'.",
                app.client_id
            );
            return Err(Failure::client(700_021, &message));
        }
    }
    let endpoint = format!("{}{}", request.origin, request.path);
    let audiences = given.audiences();
    if !audiences
        .iter()
        .any(|one| one.eq_ignore_ascii_case(&endpoint))
    {
        let message = format!(
            "Client assertion audience claim does not match Realm issuer. The claim 'aud' is '{}', expected '{endpoint}'.",
            audiences.join(" ")
        );
        return Err(Failure::client(700_023, &message));
    }
    let (from, until) = (given.time("nbf"), given.time("exp"));
    let now = now.as_second();
    let fits = until.is_some_and(|until| {
        let from = from.unwrap_or(now);
        now < until.saturating_add(CLOCK_SKEW_S)
            && now >= from.saturating_sub(CLOCK_SKEW_S)
            && until.saturating_sub(from) <= LIFE_MAX_S
    });
    if fits {
        return Ok(());
    }
    let told = |time: Option<i64>| time.map_or("none".to_owned(), |time| time.to_string());
    let message = format!(
        "Client assertion is not within its valid time range. Current time: {now}, 'nbf': {}, 'exp': {}. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials.",
        told(from),
        told(until)
    );
    Err(Failure::client(700_024, &message))
}

fn unsigned(reason: &str, given: &Unverified<'_>) -> Failure {
    let named = ["x5t#S256", "x5t"].iter();
    let named = named.filter_map(|name| given.header[*name].as_str()).next();
    Failure::client(
        700_027,
        &format!(
            "Client assertion contains an invalid signature. [Reason - {reason}, Thumbprint of key used by client: '{}']",
            named.unwrap_or_default()
        ),
    )
}

//! A form body, and how an app says who it is.

use base64::Engine as _;

use super::failure::Failure;
use crate::wire::{Request, decode_segment, pairs};

/// The only kind of assertion that there is.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The fields of a form body.
pub(super) struct Form(Vec<(String, String)>);

impl From<Vec<(String, String)>> for Form {
    fn from(fields: Vec<(String, String)>) -> Self {
        Self(fields)
    }
}

impl Form {
    pub(super) fn of(request: &Request) -> Self {
        Self(pairs(&String::from_utf8_lossy(&request.body)))
    }

    /// A field that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        let (_, value) = fields.find(|(held, value)| held == name && !value.is_empty())?;
        Some(value)
    }

    pub(super) fn need(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| {
            let message =
                format!("The request body must contain the following parameter: '{name}'.");
            Failure::new(400, "invalid_request", 900_144, &message)
        })
    }
}

/// How an app proves who it is.
pub(super) enum Proof {
    /// Not at all, as public clients do.
    None,
    Secret(String),
    /// A JWT that it signed.
    Assertion(String),
}

/// Client id and proof: from the form or from HTTP Basic.
pub(super) fn credentials(request: &Request, form: &Form) -> Result<(String, Proof), Failure> {
    let basic = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Basic "));
    if let Some(basic) = basic
        && let Ok(raw) = base64::engine::general_purpose::STANDARD.decode(basic)
        && let Some((id, secret)) = String::from_utf8_lossy(&raw).split_once(':')
    {
        return Ok((decode_segment(id), Proof::Secret(decode_segment(secret))));
    }
    let proof = match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(secret), _) => Proof::Secret(secret.to_owned()),
        (None, Some(assertion)) => {
            let kind = form.need("client_assertion_type")?;
            if kind != ASSERTION_TYPE {
                let message = format!(
                    "The value '{kind}' of 'client_assertion_type' is not valid: '{ASSERTION_TYPE}' is expected."
                );
                return Err(Failure::new(400, "invalid_request", 900_023, &message));
            }
            Proof::Assertion(assertion.to_owned())
        }
        (None, None) => Proof::None,
    };
    // An assertion names its app; the form need not.
    let named = match (&proof, form.get("client_id")) {
        (Proof::Assertion(assertion), None) => super::assertion::issuer(assertion),
        _ => None,
    };
    match named {
        Some(named) => Ok((named, proof)),
        None => Ok((form.need("client_id")?.to_owned(), proof)),
    }
}

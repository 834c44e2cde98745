//! Addresses: where a service is, and how anything becomes a part of one.

use std::fmt;

use url::Url;

/// Why no client could be built. All of these are mistakes of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A PEM text holds no certificate, or a broken one.
    #[error(
        "extra root certificates, text {number}: no readable certificate; expected PEM, \"-----BEGIN CERTIFICATE-----\""
    )]
    Roots {
        /// Counted from 1.
        number: usize,
        /// From the parser.
        source: Option<reqwest::Error>,
    },
    /// TLS could not be set up.
    #[error("the HTTPS client could not be set up")]
    Client {
        /// From the library.
        source: reqwest::Error,
    },
    /// An address that cannot be called.
    #[error("\"{address}\" is no address to call: {problem}")]
    Address {
        /// As configured.
        address: String,
        /// One sentence.
        problem: String,
    },
}

/// Where a service is, and for whom its tokens are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(crate) base: Url,
    pub(crate) audience: String,
}

impl Endpoint {
    /// `base` with its path, without a query. Tokens are asked for its origin unless [`Endpoint::for_audience`] says otherwise.
    ///
    /// # Errors
    /// [`SetupError::Address`] when it is no address, or not `https` and not on this machine: a token sent in clear text is a lost token.
    pub fn new(base: &str) -> Result<Self, SetupError> {
        let wrong = |problem: &str| SetupError::Address {
            address: base.to_owned(),
            problem: problem.to_owned(),
        };
        let mut url = Url::parse(base).map_err(|error| wrong(&error.to_string()))?;
        let on_this_machine = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => return Err(wrong("it has no host")),
        };
        match url.scheme() {
            "https" => {}
            "http" if on_this_machine => {}
            _ => return Err(wrong("it must begin with https://")),
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(wrong("only scheme, host, port and path belong here"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        let audience = url.origin().ascii_serialization();
        Ok(Self {
            base: url,
            audience,
        })
    }

    /// What tokens are asked for.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Tokens are for this audience, when it differs from the base's origin.
    #[must_use]
    pub fn for_audience(mut self, audience: &str) -> Self {
        audience
            .trim_end_matches('/')
            .clone_into(&mut self.audience);
        self
    }

    /// An address below the base. `path` begins with a slash; `query` is encoded already.
    pub(crate) fn url(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.base)
    }
}

/// Percent-encodes one value of a query. A space is `%20`, never `+`, because OData servers disagree about `+`.
pub(crate) fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'('
            | b')'
            | b','
            | b'/'
            | b':'
            | b'$'
            | b'='
            | b';'
            | b'@'
            | b'*' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// `name=value&name=value`, values encoded, names as they are.
pub(crate) fn query_text(pairs: &[(&str, String)]) -> String {
    pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// A GUID in lower case and with hyphens, or nothing.
pub(crate) fn guid(text: &str) -> Option<String> {
    let trimmed = text.trim().trim_start_matches('{').trim_end_matches('}');
    (trimmed.len() == 36)
        .then(|| uuid::Uuid::parse_str(trimmed).ok())
        .flatten()
        .map(|id| id.to_string())
}

/// A fresh id for one request.
pub(crate) fn fresh_id() -> String {
    uuid::Builder::from_random_bytes(rand::random())
        .into_uuid()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_sent_in_clear_text_beyond_this_machine() {
        assert!(Endpoint::new("http://api.partner.example/v1.0").is_err());
        assert!(Endpoint::new("ftp://localhost/").is_err());
        assert!(Endpoint::new("https://user@org.example/").is_err());
        assert!(Endpoint::new("http://127.0.0.1:8080/v1.0").is_ok());
        let endpoint =
            Endpoint::new("https://api.partner.microsoft.com/v1.0/engagements/").unwrap();
        assert_eq!(endpoint.audience, "https://api.partner.microsoft.com");
        assert_eq!(
            endpoint.url("/referrals", Some("$top=1")).as_str(),
            "https://api.partner.microsoft.com/v1.0/engagements/referrals?$top=1"
        );
    }
}

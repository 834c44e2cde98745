//! Which urls are fetched at all.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use super::Fault;
use crate::refusal::Reason;

/// Longest certificate url. Microsoft's has 86 characters.
const URL_BYTES_MAX: usize = 1024;
/// The port of https; a rule without a port means it.
const HTTPS_PORT: u16 = 443;

/// A host from which certificates are taken: `host`, `host:port`, or `*.domain` for every name below a domain.
///
/// ```
/// use cosell_webhook::HostRule;
/// let rule: HostRule = "*.microsoft.com".parse()?;
/// assert!(rule.allows("pki.microsoft.com", 443));
/// assert!(!rule.allows("microsoft.com.evil.example", 443));
/// # Ok::<(), cosell_webhook::HostRuleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    /// Lower case; without the star.
    host: String,
    below: bool,
    port: u16,
}

/// A host rule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a certificate host: {problem}; write host, host:port or *.domain")]
pub struct HostRuleError {
    /// As written.
    pub text: String,
    /// What is wrong.
    pub problem: &'static str,
}

impl HostRule {
    /// Whether certificates are taken from this host and port.
    #[must_use]
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let named = if self.below {
            host.strip_suffix(&self.host)
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|label| !label.is_empty())
        } else {
            host == self.host
        };
        named && port == self.port
    }
}

impl FromStr for HostRule {
    type Err = HostRuleError;

    fn from_str(text: &str) -> Result<Self, HostRuleError> {
        let error = |problem| HostRuleError {
            text: text.to_owned(),
            problem,
        };
        let (below, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if rest.contains(['/', '@', '?', '#', '*', ' ', '\\']) {
            return Err(error("it holds more than a host and a port"));
        }
        // The url parser knows what a host is, and writes it the way it writes the caller's.
        let url =
            Url::parse(&format!("https://{rest}/")).map_err(|_| error("it is not a host name"))?;
        let host = url
            .host_str()
            .ok_or_else(|| error("it is not a host name"))?
            .to_owned();
        // Written as `%2a`, it is one only now.
        if host.contains('*') {
            return Err(error("a star stands at the beginning or nowhere"));
        }
        if below && (!host.contains('.') || !matches!(url.host(), Some(Host::Domain(_)))) {
            return Err(error(
                "a star stands for names below a domain such as microsoft.com",
            ));
        }
        Ok(Self {
            host,
            below,
            port: url.port().unwrap_or(HTTPS_PORT),
        })
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.below {
            f.write_str("*.")?;
        }
        f.write_str(&self.host)?;
        if self.port != HTTPS_PORT {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

/// A url that may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location(Url);

impl Location {
    /// Checks what the caller wrote. What is fetched later is what was parsed here, so that there is no second reading to disagree with.
    pub(crate) fn check(text: &str, rules: &[HostRule]) -> Result<Self, Fault> {
        if text.len() > URL_BYTES_MAX {
            return Err(Reason::CertificateUrlRefused.into());
        }
        let url = Url::parse(text).map_err(|_| Fault::from(Reason::CertificateUrlRefused))?;
        let plain = url.scheme() == "https"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let Some(host) = url.host_str().filter(|_| plain) else {
            return Err(Reason::CertificateUrlRefused.into());
        };
        let port = url.port_or_known_default().unwrap_or(HTTPS_PORT);
        if !rules.iter().any(|rule| rule.allows(host, port)) {
            return Err(Fault::told(
                Reason::CertificateHostUnlisted,
                format!("{host}:{port}"),
            ));
        }
        Ok(Self(url))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Vec<HostRule> {
        [
            "*.microsoft.com",
            "3psostorageacct.blob.core.windows.net",
            "localhost:8443",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect()
    }

    #[test]
    fn the_documented_url_passes() {
        let url = "https://3psostorageacct.blob.core.windows.net/cert/pcnotifications-dispatch.microsoft.com.cer";
        assert_eq!(Location::check(url, &rules()).unwrap().as_str(), url);
        Location::check("https://localhost:8443/a.cer", &rules()).unwrap();
        Location::check("https://PKI.Microsoft.com/a.cer", &rules()).unwrap();
        Location::check("https://pki.microsoft.com:443/a.cer", &rules()).unwrap();
    }

    #[test]
    fn urls_that_are_never_fetched() {
        use Reason::{CertificateHostUnlisted as Unlisted, CertificateUrlRefused as Refused};
        for (url, reason) in [
            ("http://pki.microsoft.com/a.cer", Refused),
            ("ftp://pki.microsoft.com/a.cer", Refused),
            ("file:///etc/passwd", Refused),
            ("data:,x", Refused),
            ("pki.microsoft.com/a.cer", Refused),
            ("", Refused),
            ("https://pki.microsoft.com@evil.example/a.cer", Refused),
            ("https://user:pw@pki.microsoft.com/a.cer", Refused),
            ("https://pki.microsoft.com/a.cer?x=1", Refused),
            ("https://pki.microsoft.com/a.cer#x", Refused),
            ("https://evil.example/a.cer", Unlisted),
            ("https://@evil.example/pki.microsoft.com", Unlisted),
            ("https://evil.example\\@pki.microsoft.com/a.cer", Unlisted),
            ("https://microsoft.com/a.cer", Unlisted),
            ("https://evilmicrosoft.com/a.cer", Unlisted),
            ("https://pki.microsoft.com.evil.example/a.cer", Unlisted),
            ("https://pki.microsoft.com./a.cer", Unlisted),
            ("https://pki.microsoft.com:8443/a.cer", Unlisted),
            ("https://localhost/a.cer", Unlisted),
            ("https://127.0.0.1/a.cer", Unlisted),
            ("https://[::1]/a.cer", Unlisted),
            ("https://2130706433/a.cer", Unlisted),
        ] {
            assert_eq!(
                Location::check(url, &rules()).unwrap_err().reason,
                reason,
                "{url}"
            );
        }
        let long = format!("https://pki.microsoft.com/{}", "a".repeat(URL_BYTES_MAX));
        assert_eq!(
            Location::check(&long, &rules()).unwrap_err().reason,
            Refused
        );
    }

    #[test]
    fn rules_are_read_and_written_alike() {
        for text in ["*.microsoft.com", "localhost:8443", "a.example"] {
            assert_eq!(text.parse::<HostRule>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "*",
            "*.com",
            "*.",
            "https://a.example",
            "a.example/x",
            "a@b",
            "a b",
            "*.*.com",
            "%2a.microsoft.com",
            "*.10.0.0.1",
        ] {
            assert!(text.parse::<HostRule>().is_err(), "{text}");
        }
    }
}

//! One bounded GET. The host is on the list; where its name leads is checked here, after resolution, so that a name on the list cannot be
//! made to point inside.

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use url::Host;

use super::{Fault, Location};
use crate::refusal::Reason;

/// Largest certificate file. A chain of three takes 6 KiB.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// Fetches certificate files.
#[derive(Debug)]
pub(crate) struct Fetcher {
    client: reqwest::Client,
    allow_private: bool,
}

impl Fetcher {
    /// `tls_roots`: PEM of further roots for the certificate host's own TLS, beside the system's. `time`: for the whole fetch.
    pub(crate) fn new(
        allow_private: bool,
        tls_roots: Option<&str>,
        time: Duration,
    ) -> Result<Self, String> {
        // reqwest is built without a provider of its own; whoever comes first in the process installs the one that everybody uses.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = reqwest::Certificate::from_pem_bundle(tls_roots.unwrap_or_default().as_bytes())
            .map_err(|error| error.to_string())?;
        let client = reqwest::Client::builder()
            .https_only(true)
            .redirect(Policy::none())
            // A proxy would resolve the name itself, behind the address check.
            .no_proxy()
            .timeout(time)
            .dns_resolver(Outside {
                allow_private,
                look_up: |name| Box::pin(look_up(name)),
            })
            .tls_certs_merge(roots)
            .build()
            .map_err(|error| flat(&error))?;
        Ok(Self {
            client,
            allow_private,
        })
    }

    /// Gets the file.
    pub(crate) async fn fetch(&self, location: &Location) -> Result<Vec<u8>, Fault> {
        // A literal address is never resolved, so the resolver does not see it.
        let literal = match location.url().host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        if literal.is_some_and(|address| !self.allow_private && !is_outside(address)) {
            return Err(Reason::CertificateHostPrivate.into());
        }
        let mut response = self
            .client
            .get(location.url().clone())
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(Reason::CertificateRedirected.into());
        }
        if status != http::StatusCode::OK {
            return Err(Fault::told(
                Reason::CertificateUnavailable,
                format!("the host answered {}", status.as_u16()),
            ));
        }
        if response
            .content_length()
            .is_some_and(|length| length > FILE_BYTES_MAX as u64)
        {
            return Err(Reason::CertificateTooLarge.into());
        }
        let mut file = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| unavailable(&error))?
        {
            if file.len() + chunk.len() > FILE_BYTES_MAX {
                return Err(Reason::CertificateTooLarge.into());
            }
            file.extend_from_slice(&chunk);
        }
        Ok(file)
    }
}

type LookUp = fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// A resolver without internal addresses. What it hands out is what is called: nobody asks for the name a second time, so a name that leads outside
/// when it is looked at and inside a moment later gains nothing.
struct Outside {
    allow_private: bool,
    look_up: LookUp,
}

/// The system's.
async fn look_up(name: String) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect())
}

impl Resolve for Outside {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        let found = (self.look_up)(name.as_str().to_owned());
        Box::pin(async move {
            let found = found.await?;
            // One internal address among others is as good as an attack: refuse the name, do not pick.
            if !allow_private && found.iter().any(|address| !is_outside(address.ip())) {
                return Err(Box::new(InternalAddress) as Box<dyn StdError + Send + Sync>);
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the name leads to an internal address")]
struct InternalAddress;

fn unavailable(error: &reqwest::Error) -> Fault {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = cause {
        if current.is::<InternalAddress>() {
            return Reason::CertificateHostPrivate.into();
        }
        cause = current.source();
    }
    Fault::told(Reason::CertificateUnavailable, flat(error))
}

/// The last word of the chain says most; the first says what was tried.
fn flat(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// Addresses of the public internet. What is not known to be public is not.
fn is_outside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_outside_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_outside_v4(mapped),
            None => is_outside_v6(address),
        },
    }
}

fn is_outside_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_outside_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast without documentation, protocol assignments (Teredo and others) and 6to4, which wraps any IPv4 address.
    (0x2000..0x4000).contains(&a)
        && !(a == 0x2001 && (b == 0xdb8 || b < 0x200))
        && a != 0x2002
        && a != 0x3fff
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// What a hostile name server says: another thing each time it is asked.
    fn hostile(name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let first = name == "rebinding.example" && ASKED.fetch_add(1, SeqCst) == 0;
        let addresses: &[&str] = match name.as_str() {
            "rebinding.example" if first => &["20.60.1.1:0"],
            "rebinding.example" => &["127.0.0.1:0"],
            "mixed.example" => &["20.60.1.1:0", "10.0.0.1:0"],
            "mapped.example" => &["[::ffff:169.254.169.254]:0"],
            "translated.example" => &["[64:ff9b::a00:1]:0"],
            _ => &[],
        };
        let found = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Box::pin(async { Ok(found) })
    }

    #[tokio::test]
    async fn a_name_server_of_the_attackers_own_gains_nothing() {
        let outside = Outside {
            allow_private: false,
            look_up: hostile,
        };
        let ask = |name: &str| outside.resolve(name.parse().unwrap());
        let first: Vec<SocketAddr> = ask("rebinding.example").await.unwrap().collect();
        assert_eq!(
            first,
            ["20.60.1.1:0".parse().unwrap()],
            "what was looked at is what is called"
        );
        for name in [
            "rebinding.example",
            "mixed.example",
            "mapped.example",
            "translated.example",
        ] {
            let refused = ask(name).await.err().expect(name);
            assert!(refused.is::<InternalAddress>(), "{name}: {refused}");
        }
    }

    #[test]
    fn internal_addresses_are_inside() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "2001::1",
            "ff02::1",
            "::7f00:1",
        ] {
            assert!(!is_outside(text.parse().unwrap()), "{text}");
        }
        for text in [
            "20.60.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2603:1030::1",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_outside(text.parse().unwrap()), "{text}");
        }
    }
}

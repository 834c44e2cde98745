//! The managed identity of the machine or app on which we run: a token of it, for the exchange, proves the application that trusts it.
//!
//! After Microsoft's documents and client libraries:
//! * the exchange, its audiences, and who can be trusted: entra-docs `workload-identity-federation-config-app-trust-managed-identity`;
//! * the machine's metadata service, its answers and what they mean (404, 429 and 5xx pass, 410 within 70 s, 400 is the identity's): entra-docs
//!   `how-to-use-vm-token`; which identity is taken when none is named: `managed-identities-faq`;
//! * apps, and the variables: azure-docs `app-service/overview-managed-identity`; MSAL `ManagedIdentityClient`, `ImdsManagedIdentitySource`.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::Method;
use secrecy::SecretString;
use serde::Deserialize;
use url::{Host, Url};

use super::usable;
use crate::error::{Class, RemoteError, Service};
use crate::http::{Answer, Call, Endpoint, Http, HttpSettings, SetupError};
use crate::json;

/// Set where an app runs (App Service, Container Apps, Functions): where it asks, and what it shows there.
const APP_ENDPOINT: &str = "IDENTITY_ENDPOINT";
const APP_HEADER: &str = "IDENTITY_HEADER";
/// Set beside the first of them by Azure Arc, whose challenge by files is not spoken here.
const ARC_ENDPOINT: &str = "IMDS_ENDPOINT";
/// Another place for the metadata service, as Microsoft's libraries take it.
const METADATA_HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
/// Where every machine of Azure has it: an address that leaves no machine.
const METADATA: &str = "http://169.254.169.254";
const METADATA_PATH: &str = "/metadata/identity/oauth2/token";
const METADATA_VERSION: &str = "2018-02-01";
const APP_VERSION: &str = "2019-08-01";

/// On this machine or next to it: who does not answer soon is not there.
const CONNECT: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(5);
/// A token is a few KB.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Which identity, and where its tokens are given.
#[derive(Clone)]
pub struct ManagedIdentity {
    /// Of a user-assigned one; None: the one that Azure takes when none is named.
    client_id: Option<String>,
    door: Door,
}

#[derive(Clone)]
enum Door {
    Machine { url: Url },
    App { url: Url, header: SecretString },
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoIdentity {
    /// A variable of the environment holds no address.
    #[error("the environment variable {variable} holds no address that could be asked for a token")]
    Address {
        /// Its name.
        variable: &'static str,
    },
    /// A machine that Azure Arc has given an identity.
    #[error(
        "this machine has its identity of Azure Arc, which gives tokens in a way of its own that cosell does not speak"
    )]
    Arc,
}

impl ManagedIdentity {
    /// `client_id`: of a user-assigned identity; None: the one that Azure takes when none is named, the system-assigned one or else the only one there
    /// is. The environment says whether an app asks or a machine.
    ///
    /// # Errors
    /// [`NoIdentity`] when the environment names something that cannot be asked.
    pub fn new(
        client_id: Option<String>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, NoIdentity> {
        let set = |name| environment(name).filter(|text| !text.trim().is_empty());
        let door = match (set(APP_ENDPOINT), set(APP_HEADER)) {
            (Some(endpoint), Some(header)) => Door::App {
                url: address(APP_ENDPOINT, &endpoint)?,
                header: SecretString::from(header.trim().to_owned()),
            },
            (Some(_), None) if set(ARC_ENDPOINT).is_some() => return Err(NoIdentity::Arc),
            _ => {
                let host = set(METADATA_HOST).unwrap_or_else(|| METADATA.to_owned());
                let mut url = address(METADATA_HOST, &host)?;
                url.set_path(METADATA_PATH);
                url.set_query(None);
                Door::Machine { url }
            }
        };
        Ok(Self { client_id, door })
    }

    fn host(&self) -> String {
        let (Door::Machine { url } | Door::App { url, .. }) = &self.door;
        url.origin().ascii_serialization()
    }

    fn call(&self, resource: &str, doing: &str) -> Call {
        let (url, version) = match &self.door {
            Door::Machine { url } => (url, METADATA_VERSION),
            Door::App { url, .. } => (url, APP_VERSION),
        };
        let mut url = url.clone();
        url.query_pairs_mut()
            .append_pair("api-version", version)
            .append_pair("resource", resource)
            .extend_pairs(self.client_id.iter().map(|id| ("client_id", id)));
        let call = Call::new(Service::ManagedIdentity, Method::GET, url, doing);
        let mut call = match &self.door {
            Door::Machine { .. } => call.header("metadata", "true"),
            Door::App { header, .. } => call.secret_header("x-identity-header", header),
        };
        call = call.header("accept", "application/json");
        call.body_bytes_max = BODY_BYTES_MAX;
        call
    }

    /// 404, 410 and what is the service's own fault pass; everything else is a mistake in how identity and machine were put together.
    fn refusal(&self, call: &Call, answer: &Answer) -> RemoteError {
        let mut error = answer.failure(call);
        let status = answer.status.as_u16();
        error.class = match error.class {
            class @ Class::Transient { .. } => class,
            _ if matches!(status, 404 | 410) => Class::Transient {
                retry_after: error.about.retry_after,
                throttled: false,
            },
            _ => Class::Unauthorised,
        };
        let host = self.host();
        let advice = match (status, &self.client_id, &self.door) {
            (404, _, Door::Machine { .. }) => format!(
                "the metadata service is being updated and comes back by itself; if this machine is not one of Azure's, there is none at {host}: {ELSEWHERE}"
            ),
            (410, ..) => "the metadata service is being updated, and is back within 70 s".to_owned(),
            (400, Some(id), _) => format!(
                "assign the user-assigned identity {id} to this machine or app (Identity > User assigned), or correct its client id in the configuration"
            ),
            (400, None, _) => "assign an identity to this machine or app (Identity > User assigned); if it has several, name one by identity = { managed = \"its client id\" }".to_owned(),
            (401 | 403, _, Door::App { .. }) => {
                "the header of this app is not accepted: restart the app, so that it gets a new one".to_owned()
            }
            (300..=499, ..) if error.class == Class::Unauthorised => format!(
                "it looks as if something else than Azure's service answers at {host}: nothing may stand between it and this host; if this machine is not one of Azure's: {ELSEWHERE}"
            ),
            _ => return error,
        };
        error.with_advice(advice)
    }

    /// Nobody answers: perhaps not now, perhaps never.
    fn away(&self, error: RemoteError) -> RemoteError {
        let host = self.host();
        let advice = match &self.door {
            Door::Machine { .. } => format!(
                "if this is a machine of Azure's, look whether {host} can be reached from this host (containers and firewalls may keep it away); if it is not: {ELSEWHERE}"
            ),
            Door::App { .. } => format!(
                "{host} is where this app was told to ask ({APP_ENDPOINT}): look whether its identity is switched on, and restart it"
            ),
        };
        error.with_advice(advice)
    }
}

/// What to do where there is no managed identity.
const ELSEWHERE: &str = "use identity = { token_file = \"path\" } of an issuer that the application trusts, or a certificate";

impl fmt::Display for ManagedIdentity {
    /// Who, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match &self.door {
            Door::Machine { .. } => "this machine",
            Door::App { .. } => "this app",
        };
        match &self.client_id {
            Some(id) => write!(f, "the managed identity {id} of {whose}")?,
            None => write!(f, "the managed identity of {whose}")?,
        }
        write!(f, ", asked at {}", self.host())
    }
}

impl fmt::Debug for ManagedIdentity {
    /// Says who, never what it shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedIdentity")
            .field("client_id", &self.client_id)
            .field("at", &self.host())
            .finish_non_exhaustive()
    }
}

fn address(variable: &'static str, text: &str) -> Result<Url, NoIdentity> {
    let wrong = NoIdentity::Address { variable };
    let url = Url::parse(text.trim()).map_err(|_| wrong.clone())?;
    let fits = ["http", "https"].contains(&url.scheme())
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none();
    if fits { Ok(url) } else { Err(wrong) }
}

/// What an assertion is asked for, in the cloud of this login address.
fn exchange(login: &Endpoint) -> &'static str {
    match login.base.host() {
        Some(Host::Domain("login.microsoftonline.us")) => "api://AzureADTokenExchangeUSGov",
        Some(Host::Domain("login.partner.microsoftonline.cn" | "login.chinacloudapi.cn")) => {
            "api://AzureADTokenExchangeChina"
        }
        _ => "api://AzureADTokenExchange",
    }
}

/// The assertions of one identity: one at a time, kept in memory until shortly before it ends, asked for by one caller at a time.
pub(super) struct Assertions {
    identity: ManagedIdentity,
    exchange: &'static str,
    /// Past every proxy: a token of the machine is nobody else's to carry.
    http: Http,
    held: tokio::sync::Mutex<Option<Held>>,
}

struct Held {
    assertion: SecretString,
    good_until: Instant,
}

impl Assertions {
    pub(super) fn new(identity: ManagedIdentity, login: &Endpoint) -> Result<Self, SetupError> {
        let http = Http::new(&HttpSettings {
            timeout: TIMEOUT,
            connect_timeout: CONNECT,
            direct: true,
            ..HttpSettings::default()
        })?;
        Ok(Self {
            identity,
            exchange: exchange(login),
            http,
            held: tokio::sync::Mutex::default(),
        })
    }

    /// The one at hand, or a new one. Callers who come while one is being fetched wait for it. `doing` is read after "to" in the error.
    pub(super) async fn get(&self, doing: &str) -> Result<SecretString, RemoteError> {
        let mut held = self.held.lock().await;
        if let Some(Held {
            assertion,
            good_until,
        }) = &*held
            && self.http.now() < *good_until
        {
            return Ok(assertion.clone());
        }
        *held = None;
        let call = self.identity.call(self.exchange, doing);
        let answer = self.http.send(&call, None).await;
        let answer = answer.map_err(|error| self.identity.away(error))?;
        if !answer.status.is_success() {
            return Err(self.identity.refusal(&call, &answer));
        }
        let given: Wire = serde_json::from_slice(&answer.body)
            .map_err(|_| answer.unreadable(&call, "its answer holds no token"))?;
        let lifetime = given.lifetime(SystemTime::now());
        let assertion = SecretString::from(given.access_token);
        *held = Some(Held {
            assertion: assertion.clone(),
            good_until: self.http.now() + usable(lifetime, self.http.chance()),
        });
        Ok(assertion)
    }

    /// Entra did not accept it: the next one is a new one.
    pub(super) async fn forget(&self) {
        *self.held.lock().await = None;
    }
}

/// Numbers come as texts from machines and as either from apps; apps say nothing but when it ends.
#[derive(Deserialize)]
struct Wire {
    access_token: String,
    #[serde(default, deserialize_with = "json::lenient_text")]
    expires_in: Option<String>,
    #[serde(default, deserialize_with = "json::lenient_text")]
    expires_on: Option<String>,
}

impl Wire {
    /// The shorter of what the two say. The service keeps tokens and hands them out again, and `expires_in` may count from their issue.
    fn lifetime(&self, now: SystemTime) -> Duration {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds =
            |text: &Option<String>| text.as_deref()?.parse().ok().map(Duration::from_secs);
        let in_all = seconds(&self.expires_in);
        let left = seconds(&self.expires_on).map(|end| end.saturating_sub(now));
        in_all.into_iter().chain(left).min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(
        client_id: Option<&str>,
        set: &[(&str, &str)],
    ) -> Result<ManagedIdentity, NoIdentity> {
        ManagedIdentity::new(client_id.map(str::to_owned), &|name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn asked(identity: &ManagedIdentity) -> String {
        identity
            .call("api://AzureADTokenExchange", "x")
            .url
            .to_string()
    }

    #[test]
    fn the_environment_says_who_is_asked() {
        assert_eq!(
            asked(&identity(None, &[]).unwrap()),
            "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=api%3A%2F%2FAzureADTokenExchange"
        );
        let elsewhere = [(METADATA_HOST, "http://127.0.0.1:2579/")];
        assert_eq!(
            asked(&identity(Some("id"), &elsewhere).unwrap()),
            "http://127.0.0.1:2579/metadata/identity/oauth2/token?api-version=2018-02-01&resource=api%3A%2F%2FAzureADTokenExchange&client_id=id"
        );
        let app = [
            (APP_ENDPOINT, "http://localhost:42356/msi/token"),
            (APP_HEADER, "the-header"),
        ];
        let app = identity(None, &app).unwrap();
        assert_eq!(
            asked(&app),
            "http://localhost:42356/msi/token?api-version=2019-08-01&resource=api%3A%2F%2FAzureADTokenExchange"
        );
        let printed = format!("{app:?} {app} {:?}", app.call("r", "x"));
        assert!(!printed.contains("the-header"), "{printed}");
        // A header without an endpoint is of something else.
        assert!(asked(&identity(None, &[(APP_HEADER, "x")]).unwrap()).contains("169.254"));
    }

    #[test]
    fn what_cannot_be_asked_is_said_at_once() {
        for (set, wrong) in [
            (vec![(METADATA_HOST, "169.254.169.254")], METADATA_HOST),
            (
                vec![(METADATA_HOST, "ftp://169.254.169.254")],
                METADATA_HOST,
            ),
            (vec![(METADATA_HOST, "http://user@host")], METADATA_HOST),
            (
                vec![(APP_ENDPOINT, "/msi/token"), (APP_HEADER, "x")],
                APP_ENDPOINT,
            ),
        ] {
            let error = identity(None, &set).unwrap_err();
            assert_eq!(error, NoIdentity::Address { variable: wrong });
        }
        let arc = [
            (
                APP_ENDPOINT,
                "http://localhost:40342/metadata/identity/oauth2/token",
            ),
            (ARC_ENDPOINT, "http://localhost:40342"),
        ];
        assert_eq!(identity(None, &arc).unwrap_err(), NoIdentity::Arc);
    }

    #[test]
    fn each_cloud_has_an_audience_of_its_own() {
        for (login, audience) in [
            (
                "https://login.microsoftonline.com",
                "api://AzureADTokenExchange",
            ),
            (
                "https://login.microsoftonline.us",
                "api://AzureADTokenExchangeUSGov",
            ),
            (
                "https://login.partner.microsoftonline.cn",
                "api://AzureADTokenExchangeChina",
            ),
            ("http://127.0.0.1:1", "api://AzureADTokenExchange"),
        ] {
            assert_eq!(exchange(&Endpoint::new(login).unwrap()), audience);
        }
    }

    #[test]
    fn the_shorter_life_counts() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (body, seconds) in [
            (
                r#"{"access_token":"a","expires_in":"3599","expires_on":"1003599"}"#,
                3599,
            ),
            (
                r#"{"access_token":"a","expires_in":86400,"expires_on":1000060}"#,
                60,
            ),
            (r#"{"access_token":"a","expires_on":"1000700"}"#, 700),
            (
                r#"{"access_token":"a","expires_in":"50","expires_on":"soon"}"#,
                50,
            ),
            (r#"{"access_token":"a","expires_on":"999"}"#, 0),
            (r#"{"access_token":"a"}"#, 0),
        ] {
            let wire: Wire = serde_json::from_str(body).unwrap();
            assert_eq!(wire.lifetime(now).as_secs(), seconds, "{body}");
        }
    }
}

//! Tokens of Microsoft Entra: one per audience, asked for ahead of its end, by one caller at a time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::error::{Class, RemoteError, Service};
use crate::http::{Answer, Call, Endpoint, Http, SetupError, fresh_id};
use crate::json;

use claims::Claims;
use managed::Assertions;

pub use credential::Credential;
pub use device::{Polled, SignIn};
pub use keeper::{FileKeeper, KeepError, RefreshTokenKeeper, Stamp};
pub use managed::{ManagedIdentity, NoIdentity};
pub use proof::{NoProof, Proof, ProofFile};

mod advice;
mod claims;
mod credential;
mod device;
mod keeper;
mod managed;
mod proof;

/// A token is replaced this long before it ends: longer than any call, and than any clock that is off by a little.
const AHEAD: Duration = Duration::from_secs(300);

/// Up to this much earlier still, at random, so that many hosts do not ask in the same second.
const AHEAD_JITTER: Duration = Duration::from_secs(60);

/// A failure is answered from memory for this long, or else everybody who waited for the one request would send one of their own.
const FAILURE_KEPT: Duration = Duration::from_secs(2);

/// A refused credential stays refused until a person does something: ask again twice a minute, not at every deal.
const REFUSAL_KEPT: Duration = Duration::from_secs(30);

/// Largest answer of the token endpoint: tokens are a few KB.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Where Entra is, unless the configuration says otherwise.
pub const LOGIN_BASE: &str = "https://login.microsoftonline.com";

/// The tokens of one credential. Cheap to clone; all clones share.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    http: Http,
    login: Endpoint,
    credential: Credential,
    /// Of the managed identity that proves the application; None where something else does.
    assertions: Option<Assertions>,
    /// One slot per audience. The outer lock is held for a look-up only, the inner one while a token is fetched.
    slots: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Slot>>>>,
    /// Two audiences share one refresh token, and each use replaces it.
    rotation: tokio::sync::Mutex<()>,
}

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Token {
        bearer: SecretString,
        good_until: Instant,
    },
    Failed {
        error: RemoteError,
        until: Instant,
        /// Of what failed: something else is tried at once.
        stamps: [Option<Stamp>; 2],
    },
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("credential", &self.0.credential)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// `login_base` is [`LOGIN_BASE`] but for national clouds and simulators.
    ///
    /// # Errors
    /// [`SetupError::Address`] when `login_base` cannot be called; [`SetupError::Client`] when nothing can ask for a managed identity.
    pub fn new(login_base: &str, credential: Credential, http: Http) -> Result<Self, SetupError> {
        let login = Endpoint::new(login_base)?;
        let assertions = match credential.proof().managed() {
            Some(identity) => Some(Assertions::new(identity.clone(), &login)?),
            None => None,
        };
        Ok(Self(Arc::new(Inner {
            http,
            login,
            credential,
            assertions,
            slots: Mutex::default(),
            rotation: tokio::sync::Mutex::default(),
        })))
    }

    /// A token for this audience (`https://ORG.crm4.dynamics.com`): the one at hand, or a new one. Callers who come while one is
    /// being fetched wait for that one.
    ///
    /// # Errors
    /// [`Class::Unauthorised`] when Entra refuses the credential, with what to do; [`Class::Transient`] when it cannot be reached, or when
    /// a new refresh token could not be kept.
    pub async fn bearer(&self, audience: &str) -> Result<SecretString, RemoteError> {
        let slot = self.slot(audience);
        let mut held = slot.lock().await;
        match &*held {
            Slot::Token { bearer, good_until } if self.0.http.now() < *good_until => {
                return Ok(bearer.clone());
            }
            Slot::Failed {
                error,
                until,
                stamps,
            } if self.0.http.now() < *until && *stamps == self.0.credential.stamps() => {
                return Err(error.clone());
            }
            _ => {}
        }
        // On its own task: a caller who stops waiting must not cut off the moment between a new refresh token and its safekeeping.
        let stamps = self.0.credential.stamps();
        let inner = Arc::clone(&self.0);
        let asked_for = audience.to_owned();
        let fetched = tokio::spawn(async move { inner.fetch(&asked_for).await }).await;
        let fetched = fetched.unwrap_or_else(|stopped| {
            let class = Class::Transient {
                retry_after: None,
                throttled: false,
            };
            Err(RemoteError::new(
                class,
                Service::Entra,
                format!("get a token for {audience}"),
                "the request was stopped",
            )
            .with_source(stopped))
        });
        match fetched {
            Ok((bearer, lifetime)) => {
                *held = Slot::Token {
                    bearer: bearer.clone(),
                    good_until: self.0.http.now() + usable(lifetime, self.0.http.chance()),
                };
                Ok(bearer)
            }
            Err(error) => {
                let kept = if matches!(error.class, Class::Transient { .. }) {
                    FAILURE_KEPT
                } else {
                    REFUSAL_KEPT
                };
                *held = Slot::Failed {
                    error: error.clone(),
                    until: self.0.http.now() + kept,
                    stamps,
                };
                Err(error)
            }
        }
    }

    /// Forgets this very token, because a service did not accept it. A newer one that someone else has fetched meanwhile stays.
    pub fn invalidate(&self, audience: &str, refused: &SecretString) {
        let slot = self.slot(audience);
        // Someone who holds the slot is fetching a new token already.
        if let Ok(mut held) = slot.try_lock()
            && matches!(&*held, Slot::Token { bearer, .. } if bearer.expose_secret() == refused.expose_secret())
        {
            *held = Slot::Empty;
        }
    }

    fn slot(&self, audience: &str) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(audience.to_owned()).or_default())
    }
}

/// How long a token is handed out: until five minutes before its end, and at least for half of a very short life.
fn usable(lifetime: Duration, chance: f64) -> Duration {
    let jitter = AHEAD_JITTER.mul_f64(chance);
    lifetime.saturating_sub(AHEAD + jitter).max(lifetime / 2)
}

impl Inner {
    async fn fetch(&self, audience: &str) -> Result<(SecretString, Duration), RemoteError> {
        match &self.credential {
            Credential::ClientCredentials {
                tenant,
                client_id,
                proof,
            } => self.as_itself(tenant, client_id, proof, audience).await,
            Credential::RefreshToken {
                tenant,
                client_id,
                proof,
                keeper,
                also_as_itself,
            } => {
                let _one_at_a_time = self.rotation.lock().await;
                let refresh_token = kept(keeper, audience, |keeper| keeper.load()).await?;
                let mut form = vec![
                    ("grant_type", "refresh_token"),
                    ("client_id", client_id),
                    ("resource", audience),
                    ("scope", "openid"),
                    ("refresh_token", refresh_token.expose_secret()),
                ];
                let path = format!("/{tenant}/oauth2/token");
                let fields = self.prove(proof, client_id, &path, audience).await?;
                form.extend(shown(&fields));
                let given = match self.ask(&path, audience, &form).await {
                    // A refresh token may be good for the audience alone that it was issued for.
                    Err(error)
                        if error.class == Class::Unauthorised
                            && proof.is_something()
                            && also_as_itself.as_deref() == Some(audience) =>
                    {
                        // What is wrong with the refresh token is the news, if this fails as well.
                        return self
                            .as_itself(tenant, client_id, proof, audience)
                            .await
                            .map_err(|_| error);
                    }
                    given => given?,
                };
                if let Some(next) = given.refresh_token
                    && next.expose_secret() != refresh_token.expose_secret()
                {
                    // Before the access token is used: whatever happens after this line, the newest refresh token is safe.
                    kept(keeper, audience, move |keeper| keeper.keep(&next)).await?;
                }
                Ok((given.access_token, given.lifetime))
            }
        }
    }

    async fn as_itself(
        &self,
        tenant: &str,
        client_id: &str,
        proof: &Proof,
        audience: &str,
    ) -> Result<(SecretString, Duration), RemoteError> {
        let path = format!("/{tenant}/oauth2/v2.0/token");
        let scope = format!("{audience}/.default");
        let fields = self.prove(proof, client_id, &path, audience).await?;
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("scope", &scope),
        ];
        form.extend(shown(&fields));
        let given = self.ask(&path, audience, &form).await?;
        Ok((given.access_token, given.lifetime))
    }

    /// What proves the application, read where it may block.
    async fn prove(
        &self,
        proof: &Proof,
        client_id: &str,
        path: &str,
        audience: &str,
    ) -> Result<Vec<(&'static str, SecretString)>, RemoteError> {
        if let Some(assertions) = &self.assertions {
            let assertion = assertions
                .get(&format!("get a token for {audience}"))
                .await?;
            return Ok(proof::asserted(assertion));
        }
        let (proof, client_id) = (proof.clone(), client_id.to_owned());
        let endpoint = self.login.url(path, None).to_string();
        let work = move || proof.fields(&client_id, &endpoint);
        let failed = |class, why: String| {
            RemoteError::new(
                class,
                Service::Entra,
                format!("get a token for {audience}"),
                why,
            )
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(fields)) => Ok(fields),
            Ok(Err(why)) => Err(failed(Class::Unauthorised, why.to_string())),
            Err(stopped) => {
                let class = Class::Transient {
                    retry_after: None,
                    throttled: false,
                };
                Err(failed(class, "reading the secret was stopped".to_owned()).with_source(stopped))
            }
        }
    }

    async fn ask(
        &self,
        path: &str,
        audience: &str,
        form: &[(&str, &str)],
    ) -> Result<Given, RemoteError> {
        let doing = format!("get a token for {audience}");
        let (call, answer) = self.post(path, doing, form).await?;
        if !answer.status.is_success() {
            let error = self.refusal(&call, &answer, form);
            // 401 is about the application, 400 about what it asks; and some of its codes come with either.
            let is_of_assertion = answer.status == StatusCode::UNAUTHORIZED
                || error.code().is_some_and(advice::is_of_assertion);
            if let (true, Some(assertions)) = (is_of_assertion, &self.assertions) {
                assertions.forget().await;
            }
            return Err(error);
        }
        let given: Wire = serde_json::from_slice(&answer.body).map_err(|_| {
            answer.unreadable(&call, "the answer of the token endpoint holds no token")
        })?;
        let seconds = given
            .expires_in
            .as_deref()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        Ok(Given {
            access_token: SecretString::from(given.access_token),
            refresh_token: given.refresh_token.map(SecretString::from),
            lifetime: Duration::from_secs(seconds),
        })
    }

    /// A form to Entra. Whatever the status, the answer is returned.
    async fn post(
        &self,
        path: &str,
        doing: String,
        form: &[(&str, &str)],
    ) -> Result<(Call, Answer), RemoteError> {
        let url: Url = self.login.url(path, None);
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut call = Call::new(Service::Entra, Method::POST, url, doing)
            .header("accept", "application/json")
            .header("client-request-id", &fresh_id())
            .body("application/x-www-form-urlencoded", body);
        // Asking twice does no harm, so the outcome is never "unknown".
        call.writes = false;
        call.body_bytes_max = BODY_BYTES_MAX;
        let answer = self.http.send(&call, None).await?;
        Ok((call, answer))
    }

    /// 400 and 401 are about the credential, whatever HTTP calls them.
    fn refusal(&self, call: &Call, answer: &Answer, form: &[(&str, &str)]) -> RemoteError {
        let mut error = answer.failure(call);
        if matches!(
            error.class,
            Class::Refused | Class::Forbidden | Class::NotFound
        ) {
            error.class = Class::Unauthorised;
        }
        let code = advice::code_in(&error.about.message);
        // The first line is the sentence; trace and correlation ids follow it.
        if let Some(end) = error.about.message.find("Trace ID:") {
            error.about.message.truncate(end);
            error.about.message = error.about.message.trim_end().to_owned();
        }
        if let Some(code) = code {
            let client = self.credential.client_id();
            let asserted = || {
                let (_, assertion) = form.iter().find(|(name, _)| *name == "client_assertion")?;
                let claims = Claims::read(assertion)?;
                advice::of_assertion(&code, client, &claims)
            };
            let advice = Some(())
                .filter(|()| self.credential.proof().is_federated())
                .and_then(|()| asserted())
                .or_else(|| Some(advice::of(&code)?.replace("{client}", client)));
            error.about.advice = advice.or(error.about.advice.take());
            // The code begins the message; once is enough.
            if let Some(rest) = error.about.message.strip_prefix(&format!("{code}:")) {
                error.about.message = rest.trim_start().to_owned();
            }
            error.about.code = Some(code);
        } else if error.has_code("invalid_grant") {
            error.about.advice = Some(advice::SIGN_IN_AGAIN.to_owned());
        }
        error
    }
}

fn shown<'a>(
    fields: &'a [(&'static str, SecretString)],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    fields
        .iter()
        .map(|(name, value)| (*name, value.expose_secret()))
}

struct Given {
    access_token: SecretString,
    refresh_token: Option<SecretString>,
    lifetime: Duration,
}

#[derive(Deserialize)]
struct Wire {
    access_token: String,
    #[serde(default, deserialize_with = "json::lenient_text")]
    refresh_token: Option<String>,
    /// A number in v2, a string in v1.
    #[serde(default, deserialize_with = "json::lenient_text")]
    expires_in: Option<String>,
}

/// Runs a keeper where it may block.
async fn kept<T: Send + 'static>(
    keeper: &Arc<dyn RefreshTokenKeeper>,
    audience: &str,
    work: impl FnOnce(&dyn RefreshTokenKeeper) -> Result<T, KeepError> + Send + 'static,
) -> Result<T, RemoteError> {
    let failed = |error: KeepError| {
        let class = match error {
            KeepError::Io { .. } => Class::Transient {
                retry_after: None,
                throttled: false,
            },
            KeepError::Exposed { .. } | KeepError::Missing { .. } => Class::Unauthorised,
        };
        RemoteError::new(
            class,
            Service::Entra,
            format!("get a token for {audience}"),
            error.to_string(),
        )
        .with_source(error)
    };
    let keeper = Arc::clone(keeper);
    match tokio::task::spawn_blocking(move || work(&*keeper)).await {
        Ok(done) => done.map_err(failed),
        Err(stopped) => {
            let class = Class::Transient {
                retry_after: None,
                throttled: false,
            };
            Err(RemoteError::new(
                class,
                Service::Entra,
                format!("get a token for {audience}"),
                "the keeper of the refresh token stopped",
            )
            .with_source(stopped))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_five_minutes_ahead_and_a_short_one_at_half_its_life() {
        let hour = Duration::from_secs(3600);
        assert_eq!(usable(hour, 0.0), Duration::from_secs(55 * 60));
        assert_eq!(usable(hour, 0.5), Duration::from_secs(55 * 60 - 30));
        assert_eq!(
            usable(Duration::from_secs(60), 0.9),
            Duration::from_secs(30)
        );
        assert_eq!(usable(Duration::ZERO, 0.9), Duration::ZERO);
    }
}

//! Entra: token endpoints v1 and v2, device codes, discovery, and the check of the tokens that were given out.
//!
//! Apps prove themselves by a secret, by a signed assertion, or by a token of somebody whom they trust. Tokens are bound to one audience and run out by the simulated clock. Numbers are
//! strings in v1 and numbers in v2. (partner-center 1.2, dataverse 1.1)
//!
//! Reading order: this file knows the paths and the tokens, [`grants`] what can be traded for a token, [`assertion`] and [`device`] the two
//! longer ways to prove who one is, [`federated`] whose word stands for an app's own, [`machine`] where such a word is given, [`discovery`] what clients look up first, [`books`] what is remembered.

mod assertion;
mod authorize;
mod books;
mod device;
mod discovery;
mod failure;
mod federated;
mod form;
mod grants;
mod machine;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::assumptions::Readings;
use crate::clock::Clock;
use crate::ids::Ids;
use crate::ledger::Caller;
use crate::signing::WebhookSigner;
use crate::wire::{Reply, Request, decode_segment};
use assertion::Certificate;
use books::AccessToken;
pub(crate) use books::Books;
pub use device::DeviceCode;
use failure::Failure;
pub(crate) use federated::Issuers;
pub use federated::{ManagedIdentity, Trusted};
use form::Form;

/// Life of an access token, seconds: what the documented answers say.
const ACCESS_TOKEN_S: i64 = 3599;

/// What a token may be shown to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Audience {
    Referrals,
    PartnerCenter,
    Dataverse,
}

/// A registered app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct App {
    pub(crate) client_id: String,
    pub(crate) secret: String,
    pub(crate) tenant: String,
}

/// Whom a valid access token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) tenant: String,
    pub(crate) client_id: String,
    /// Mail of the signed-in user; none for app-only tokens.
    pub(crate) user: Option<String>,
}

impl Identity {
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            client_id: self.client_id.clone(),
            user: self.user.clone(),
        }
    }
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    Missing,
    Unknown,
    Expired,
    WrongAudience,
}

/// Which of the two generations of endpoints is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// What there is from the start, and how doubtful facts are read.
pub(crate) struct Directory {
    pub(crate) apps: Vec<App>,
    /// Client ids and certificates (PEM) that their apps may prove themselves with.
    pub(crate) certificates: Vec<(String, String)>,
    /// Names under which each audience may be asked for, without trailing slash.
    pub(crate) audiences: Vec<(String, Audience)>,
    pub(crate) assumptions: Readings,
    pub(crate) issuers: Issuers,
    /// Who signs id tokens; where nobody looks at signatures, nobody.
    pub(crate) signer: Option<Arc<WebhookSigner>>,
}

/// A CRM environment of another world, to which people and apps of this one sign in.
#[derive(Clone)]
pub(crate) struct Further {
    /// The app of that CRM.
    pub(crate) app: App,
    /// As [`Directory::audiences`].
    pub(crate) audiences: Vec<(String, Audience)>,
}

/// The identity platform of this world.
pub(crate) struct Entra {
    clock: Arc<Clock>,
    apps: Vec<App>,
    audiences: Vec<(String, Audience)>,
    further: OnceLock<Further>,
    assumptions: Readings,
    issuers: Issuers,
    signer: Option<Arc<WebhookSigner>>,
    books: Mutex<Books>,
}

impl Entra {
    /// # Errors
    /// A certificate cannot be read, in words.
    pub(crate) fn new(clock: Arc<Clock>, seed: u64, directory: Directory) -> Result<Self, String> {
        let mut books = Books::new(Ids::new(seed, 0xE7));
        for (client_id, pem) in &directory.certificates {
            let certificate = Certificate::read(pem)?;
            books.certificates.push((client_id.clone(), certificate));
        }
        Ok(Self {
            clock,
            apps: directory.apps,
            audiences: directory.audiences,
            further: OnceLock::new(),
            assumptions: directory.assumptions,
            issuers: directory.issuers,
            signer: directory.signer,
            books: Mutex::new(books),
        })
    }

    /// The same apps, and the tokens that were given out so far, in another world.
    pub(crate) fn copied(&self, clock: Arc<Clock>, seed: u64, assumptions: Readings) -> Self {
        let mut books = self.books().clone();
        books.ids = Ids::new(seed, 0xE7);
        Self {
            clock,
            apps: self.apps.clone(),
            audiences: self.audiences.clone(),
            further: self.further.clone(),
            assumptions,
            issuers: self.issuers.clone(),
            signer: None,
            books: Mutex::new(books),
        }
    }

    /// What is remembered: for acts of control, and to be written down.
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on tokens are given for that CRM, too.
    ///
    /// # Errors
    /// When there is one already, in words.
    pub(crate) fn also_open(&self, further: Further) -> Result<(), String> {
        let set = self.further.set(further);
        set.map_err(|_| "a world has one further CRM environment, and this one has it".to_owned())
    }

    /// The tenant of the first partner organisation.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.apps.first().map(|app| app.tenant.as_str())
    }

    fn apps(&self) -> impl Iterator<Item = &App> {
        self.apps
            .iter()
            .chain(self.further.get().map(|further| &further.app))
    }

    fn audiences(&self) -> impl Iterator<Item = &(String, Audience)> {
        let further = self.further.get().into_iter();
        self.audiences
            .iter()
            .chain(further.flat_map(|further| &further.audiences))
    }

    /// The app of that client id.
    pub(crate) fn app(&self, client_id: &str) -> Option<&App> {
        self.apps()
            .find(|app| app.client_id.eq_ignore_ascii_case(client_id))
    }

    /// A refresh token as if `user` had consented to the app just now.
    pub(crate) fn consent(&self, app: &App, user: &str) -> String {
        let now = self.clock.now();
        // People consent to what the app is for.
        self.books()
            .refresh_token(app, user, Audience::Referrals, now, false)
    }

    /// A new refresh token for a user that consented before.
    pub(crate) fn consent_again(&self, user: &str) -> Option<String> {
        let client_id = self.books().consented_app(user)?;
        Some(self.consent(self.app(&client_id)?, user))
    }

    /// Registers a further certificate of an app; the answer is its SHA-256 thumbprint as `x5t#S256` spells it.
    ///
    /// # Errors
    /// Says what is wrong with the client id or the PEM text.
    pub(crate) fn add_certificate(&self, client_id: &str, pem: &str) -> Result<String, String> {
        let app = self
            .app(client_id)
            .ok_or_else(|| format!("there is no app '{client_id}'"))?;
        let certificate = Certificate::read(pem)?;
        let thumbprint = certificate.sha256.clone();
        let held = (app.client_id.clone(), certificate);
        self.books().certificates.push(held);
        Ok(thumbprint)
    }

    /// Checks the bearer token of a request to a service.
    pub(crate) fn check(
        &self,
        bearer: Option<&str>,
        audience: Audience,
    ) -> Result<Identity, Denied> {
        let books = self.books();
        let token = books
            .access
            .get(bearer.ok_or(Denied::Missing)?)
            .ok_or(Denied::Unknown)?;
        if token.expires <= self.clock.now() {
            return Err(Denied::Expired);
        }
        if token.audience != audience {
            return Err(Denied::WrongAudience);
        }
        Ok(token.identity.clone())
    }

    /// Answers a request to the Entra host.
    pub(crate) fn handle(&self, request: &Request) -> Reply {
        let segments: Vec<String> = request
            .path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(decode_segment)
            .collect();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let is_post = request.method == http::Method::POST;
        let answer = match parts.as_slice() {
            [tenant, "oauth2", "token"] if is_post => self.token(request, tenant, Version::V1),
            [tenant, "oauth2", "v2.0", "token"] if is_post => {
                self.token(request, tenant, Version::V2)
            }
            [tenant, "oauth2", "devicecode"] if is_post => {
                self.device_code(request, tenant, Version::V1)
            }
            [tenant, "oauth2", "v2.0", "devicecode"] if is_post => {
                self.device_code(request, tenant, Version::V2)
            }
            [tenant, "oauth2", "authorize"] | [tenant, "oauth2", "v2.0", "authorize"] => {
                self.authorize_page(request, tenant)
            }
            [_, "oauth2", "deviceauth"] => Ok(self.sign_in_page(request)),
            [_, "oauth2", "token" | "devicecode"]
            | [_, "oauth2", "v2.0", "token" | "devicecode"] => Err(Failure::new(
                405,
                "invalid_request",
                900_561,
                "The endpoint only accepts POST requests. Received a different request.",
            )),
            _ => self.discovery(request, &parts),
        };
        answer.unwrap_or_else(|mut failure| {
            if failure.is_of_client() && self.assumptions.unproven_app_is_400() {
                failure.status = 400;
            }
            let mut books = self.books();
            failure.reply(&mut books.ids, self.clock.now())
        })
    }

    /// Whether a path's tenant is one of this world's, or one of the names that stand for any.
    fn known_tenant(&self, tenant: &str) -> bool {
        is_shared(tenant) || self.apps().any(|app| app.tenant == tenant)
    }

    /// The audience asked for: `resource` in v1, `scope` in v2 (which must be `…/.default` for client credentials).
    fn audience(
        &self,
        form: &Form,
        version: Version,
        app_only: bool,
    ) -> Result<(Audience, String), Failure> {
        let asked = match version {
            Version::V1 => form.need("resource")?.to_owned(),
            Version::V2 => resource_of(form.need("scope")?, app_only)?,
        };
        let wanted = asked.trim_end_matches('/').to_ascii_lowercase();
        match self.audiences().find(|(name, _)| *name == wanted) {
            Some((_, audience)) => Ok((*audience, asked)),
            None => Err(Failure::new(
                400,
                "invalid_resource",
                500_011,
                &format!(
                    "The resource principal named {asked} was not found in the tenant. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."
                ),
            )),
        }
    }

    fn issue(
        &self,
        identity: Identity,
        audience: Audience,
        resource: &str,
        version: Version,
        refresh: Option<String>,
    ) -> Reply {
        let now = self.clock.now();
        let expires = after(now, ACCESS_TOKEN_S);
        let mut books = self.books();
        let token = self.jwt(&mut books.ids, &identity, resource, (now, expires), false);
        books.access.retain(|_, held| held.expires > now);
        let id_token = identity.user.is_some().then(|| {
            let audience = identity.client_id.clone();
            self.jwt(&mut books.ids, &identity, &audience, (now, expires), true)
        });
        books.access.insert(
            token.clone(),
            AccessToken {
                identity,
                audience,
                expires,
            },
        );
        drop(books);
        let mut body = match version {
            Version::V1 => json!({
                "token_type": "Bearer",
                "expires_in": ACCESS_TOKEN_S.to_string(),
                "ext_expires_in": ACCESS_TOKEN_S.to_string(),
                "expires_on": expires.as_second().to_string(),
                "not_before": now.as_second().to_string(),
                "resource": resource,
                "access_token": token,
            }),
            Version::V2 => json!({
                "token_type": "Bearer",
                "expires_in": ACCESS_TOKEN_S,
                "ext_expires_in": ACCESS_TOKEN_S,
                "access_token": token,
            }),
        };
        if let Some(id_token) = id_token {
            body["scope"] = match version {
                Version::V1 => json!("user_impersonation"),
                Version::V2 => json!(format!("{resource}/user_impersonation")),
            };
            body["id_token"] = Value::String(id_token);
        }
        if let Some(refresh) = refresh {
            body["refresh_token"] = Value::String(refresh);
        }
        Reply::json(200, &body).with("cache-control", "no-store")
    }

    /// A JWT. An id token is signed with the key that discovery tells of; an access token is nobody's to read but the service's, and the
    /// services look it up, so that its signature only looks like one.
    fn jwt(
        &self,
        ids: &mut Ids,
        identity: &Identity,
        audience: &str,
        (now, expires): (Timestamp, Timestamp),
        signed: bool,
    ) -> String {
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": discovery::KEY_ID});
        let mut claims = json!({
            "aud": audience, "iss": format!("https://sts.windows.net/{}/", identity.tenant), "tid": identity.tenant,
            "iat": now.as_second(), "nbf": now.as_second(), "exp": expires.as_second(), "appid": identity.client_id,
            "ver": "1.0",
        });
        if let Some(user) = &identity.user {
            claims["upn"] = Value::String(user.clone());
        }
        let signed_text = format!(
            "{}.{}",
            engine.encode(header.to_string()),
            engine.encode(claims.to_string())
        );
        let random = ids.secret(32);
        let signature = match (&self.signer, signed) {
            (Some(signer), true) => signer.sign(signed_text.as_bytes()).ok(),
            _ => None,
        };
        // Every token differs, or one of the same second would take another's place.
        let signature = signature.map_or(random, |raw| engine.encode(raw));
        format!("{signed_text}.{signature}")
    }
}

impl std::fmt::Debug for Entra {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Entra").finish_non_exhaustive()
    }
}

/// Tenants of a path that stand for whichever tenant the user is of.
fn is_shared(tenant: &str) -> bool {
    matches!(tenant, "common" | "organizations")
}

fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

/// The one resource among the scopes; those of OpenID ask for no resource.
fn resource_of(scope: &str, app_only: bool) -> Result<String, Failure> {
    let resources: Vec<&str> = scope
        .split_whitespace()
        .filter(|part| !matches!(*part, "openid" | "profile" | "email" | "offline_access"))
        .collect();
    let bad = || {
        let message = format!(
            "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
        );
        Failure::new(400, "invalid_scope", 70_011, &message)
    };
    let [one] = resources.as_slice() else {
        return Err(bad());
    };
    match one.strip_suffix("/.default") {
        Some(resource) => Ok(resource.to_owned()),
        None if app_only => Err(bad()),
        None => one
            .rsplit_once('/')
            .map(|(resource, _)| resource.to_owned())
            .ok_or_else(bad),
    }
}

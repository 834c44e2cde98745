//! Entra: token endpoints v1 and v2, and the check of the tokens they gave out.
//!
//! Client credentials with a secret, and refresh tokens with rotation. Tokens are bound to one audience and run out by
//! the simulated clock. Numbers are strings in v1 and numbers in v2. (partner-center 1.2, dataverse 1.1)

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::ids::Ids;
use crate::ledger::Caller;
use crate::wire::{Reply, Request, decode_segment, pairs};

/// Life of an access token, seconds: what the documented answers say.
const ACCESS_TOKEN_S: i64 = 3599;
/// A refresh token that was not used for so long is dead, days.
const REFRESH_TOKEN_IDLE_DAYS: i64 = 90;

/// What a token may be shown to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Referrals,
    PartnerCenter,
    Dataverse,
}

/// A registered app.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) client_id: String,
    pub(crate) secret: String,
    pub(crate) tenant: String,
}

/// Whom a valid access token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
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

#[derive(Clone, Debug)]
struct AccessToken {
    identity: Identity,
    audience: Audience,
    expires: Timestamp,
}

#[derive(Clone, Debug)]
struct RefreshToken {
    client_id: String,
    tenant: String,
    user: String,
    used: Timestamp,
    revoked: bool,
}

#[derive(Debug)]
struct Books {
    ids: Ids,
    access: BTreeMap<String, AccessToken>,
    refresh: BTreeMap<String, RefreshToken>,
}

/// The identity platform of this world.
#[derive(Debug)]
pub(crate) struct Entra {
    clock: Arc<Clock>,
    apps: Vec<App>,
    /// Names under which each audience may be asked for, without trailing slash.
    audiences: Vec<(String, Audience)>,
    old_refresh_tokens_keep_working: bool,
    books: Mutex<Books>,
}

impl Entra {
    pub(crate) fn new(
        clock: Arc<Clock>,
        seed: u64,
        apps: Vec<App>,
        audiences: Vec<(String, Audience)>,
        old_refresh_tokens_keep_working: bool,
    ) -> Self {
        let books = Books {
            ids: Ids::new(seed, 0xE7),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
        };
        Self {
            clock,
            apps,
            audiences,
            old_refresh_tokens_keep_working,
            books: Mutex::new(books),
        }
    }

    /// The same apps, and the tokens that were given out so far, in another world.
    pub(crate) fn copied(&self, clock: Arc<Clock>, seed: u64) -> Self {
        let held = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let books = Books {
            ids: Ids::new(seed, 0xE7),
            access: held.access.clone(),
            refresh: held.refresh.clone(),
        };
        Self {
            clock,
            apps: self.apps.clone(),
            audiences: self.audiences.clone(),
            old_refresh_tokens_keep_working: self.old_refresh_tokens_keep_working,
            books: Mutex::new(books),
        }
    }

    /// A refresh token as if `user` had consented to the app just now.
    pub(crate) fn consent(&self, app: &App, user: &str) -> String {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let token = format!("1.{}", books.ids.secret(48));
        books.refresh.insert(
            token.clone(),
            RefreshToken {
                client_id: app.client_id.clone(),
                tenant: app.tenant.clone(),
                user: user.to_owned(),
                used: self.clock.now(),
                revoked: false,
            },
        );
        token
    }

    /// Revokes every refresh token, as a changed password does.
    pub(crate) fn revoke_refresh_tokens(&self) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        for token in books.refresh.values_mut() {
            token.revoked = true;
        }
    }

    /// Revokes the refresh tokens of one user; false when nobody of that mail consented.
    pub(crate) fn expire_password(&self, user: &str) -> bool {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = books.refresh.values_mut();
        let mut found = false;
        for token in tokens.filter(|token| token.user.eq_ignore_ascii_case(user)) {
            (token.revoked, found) = (true, true);
        }
        found
    }

    /// A new refresh token for a user that consented before.
    pub(crate) fn consent_again(&self, user: &str) -> Option<String> {
        let client_id = {
            let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
            let mut tokens = books.refresh.values();
            let held = tokens.find(|token| token.user.eq_ignore_ascii_case(user))?;
            held.client_id.clone()
        };
        let app = self.apps.iter().find(|app| app.client_id == client_id)?;
        Some(self.consent(app, user))
    }

    /// Makes every access token given out so far invalid.
    pub(crate) fn revoke_access_tokens(&self) {
        self.books
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .access
            .clear();
    }

    /// Checks the bearer token of a request to a service.
    pub(crate) fn check(
        &self,
        bearer: Option<&str>,
        audience: Audience,
    ) -> Result<Identity, Denied> {
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
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
        match parts.as_slice() {
            [tenant, "oauth2", "token"] if request.method == http::Method::POST => self
                .token(request, tenant, Version::V1)
                .unwrap_or_else(|failure| self.failure(failure)),
            [tenant, "oauth2", "v2.0", "token"] if request.method == http::Method::POST => self
                .token(request, tenant, Version::V2)
                .unwrap_or_else(|failure| self.failure(failure)),
            [tenant, "v2.0", ".well-known", "openid-configuration"]
            | [tenant, ".well-known", "openid-configuration"] => Reply::json(
                200,
                &json!({
                    "token_endpoint": format!("{}/{tenant}/oauth2/v2.0/token", request.origin),
                    "authorization_endpoint": format!("{}/{tenant}/oauth2/v2.0/authorize", request.origin),
                    "device_authorization_endpoint": format!("{}/{tenant}/oauth2/v2.0/devicecode", request.origin),
                    "issuer": format!("{}/{tenant}/v2.0", request.origin),
                    "jwks_uri": format!("{}/{tenant}/discovery/v2.0/keys", request.origin),
                    "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                    "response_types_supported": ["code", "id_token"],
                    "subject_types_supported": ["pairwise"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }),
            ),
            [_, "oauth2", "token"] | [_, "oauth2", "v2.0", "token"] => self.failure(Failure::new(
                405,
                "invalid_request",
                900_561,
                "The endpoint only accepts POST requests. Received a different request.",
            )),
            _ => self.failure(Failure::new(
                404,
                "invalid_request",
                90_015,
                "Requested endpoint does not exist.",
            )),
        }
    }

    fn token(&self, request: &Request, tenant: &str, version: Version) -> Result<Reply, Failure> {
        let form = Form(pairs(&String::from_utf8_lossy(&request.body)));
        let grant = form.need("grant_type")?;
        let (client_id, secret) = credentials(request, &form)?;
        let known_tenant = self.apps.iter().any(|app| app.tenant == tenant);
        let shared_tenant = matches!(tenant, "common" | "organizations");
        let at_common = shared_tenant && grant == "refresh_token";
        if !known_tenant && !at_common {
            return Err(Failure::new(
                400,
                "invalid_request",
                90_002,
                &format!("Tenant '{tenant}' not found."),
            ));
        }
        let app = self.apps.iter().find(|app| {
            app.client_id.eq_ignore_ascii_case(&client_id)
                && (shared_tenant || app.tenant == tenant)
        });
        let Some(app) = app else {
            let message = format!(
                "Application with identifier '{client_id}' was not found in the directory '{tenant}'."
            );
            return Err(Failure::new(400, "unauthorized_client", 700_016, &message));
        };
        if secret.as_deref() != Some(app.secret.as_str()) {
            let (code, message) = match secret {
                None => (7_000_218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.".to_owned()),
                Some(_) => (7_000_215, format!("Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client_id}'.")),
            };
            return Err(Failure::new(401, "invalid_client", code, &message));
        }
        match grant {
            "client_credentials" => {
                let (audience, resource) = self.audience(&form, version, true)?;
                let identity = Identity {
                    tenant: app.tenant.clone(),
                    client_id: app.client_id.clone(),
                    user: None,
                };
                Ok(self.issue(identity, audience, &resource, version, None))
            }
            "refresh_token" => self.refresh(&form, app, version),
            other => Err(Failure::new(
                400,
                "unsupported_grant_type",
                70_003,
                &format!("The app requested an unsupported grant type '{other}'."),
            )),
        }
    }

    fn refresh(&self, form: &Form, app: &App, version: Version) -> Result<Reply, Failure> {
        let given = form.need("refresh_token")?;
        let (audience, resource) = self.audience(form, version, false)?;
        let now = self.clock.now();
        let (user, next) = {
            let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(held) = books
                .refresh
                .get_mut(given)
                .filter(|held| held.client_id == app.client_id)
            else {
                return Err(Failure::new(
                    400,
                    "invalid_grant",
                    9_002_313,
                    "Invalid request. Request is malformed or invalid.",
                ));
            };
            if held.revoked {
                return Err(Failure::new(
                    400,
                    "invalid_grant",
                    50_173,
                    "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.",
                ));
            }
            if now.duration_since(held.used)
                > SignedDuration::from_hours(24 * REFRESH_TOKEN_IDLE_DAYS)
            {
                return Err(Failure::new(
                    400,
                    "invalid_grant",
                    700_082,
                    "The refresh token has expired due to inactivity. The token was issued earlier and was inactive for 90.00:00:00.",
                ));
            }
            held.used = now;
            held.revoked = !self.old_refresh_tokens_keep_working;
            let (user, tenant) = (held.user.clone(), held.tenant.clone());
            let next = format!("1.{}", books.ids.secret(48));
            books.refresh.insert(
                next.clone(),
                RefreshToken {
                    client_id: app.client_id.clone(),
                    tenant,
                    user: user.clone(),
                    used: now,
                    revoked: false,
                },
            );
            (user, next)
        };
        let identity = Identity {
            tenant: app.tenant.clone(),
            client_id: app.client_id.clone(),
            user: Some(user),
        };
        Ok(self.issue(identity, audience, &resource, version, Some(next)))
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
            Version::V2 => {
                let scope = form.need("scope")?;
                let resources: Vec<&str> = scope
                    .split_whitespace()
                    .filter(|part| {
                        !matches!(*part, "openid" | "profile" | "email" | "offline_access")
                    })
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
                    Some(resource) => resource.to_owned(),
                    None if app_only => return Err(bad()),
                    None => one
                        .rsplit_once('/')
                        .map(|(resource, _)| resource.to_owned())
                        .ok_or_else(bad)?,
                }
            }
        };
        let wanted = asked.trim_end_matches('/').to_ascii_lowercase();
        match self.audiences.iter().find(|(name, _)| *name == wanted) {
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
        let expires = now
            .saturating_add(SignedDuration::from_secs(ACCESS_TOKEN_S))
            .unwrap_or(Timestamp::MAX);
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let token = jwt(&mut books.ids, &identity, resource, now, expires);
        books.access.retain(|_, held| held.expires > now);
        let with_user = identity.user.is_some();
        let id_token =
            with_user.then(|| jwt(&mut books.ids, &identity, &identity.client_id, now, expires));
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
        if with_user {
            body["scope"] = match version {
                Version::V1 => json!("user_impersonation"),
                Version::V2 => json!(format!("{resource}/user_impersonation")),
            };
        }
        if let Some(refresh) = refresh {
            body["refresh_token"] = Value::String(refresh);
        }
        if let Some(id_token) = id_token {
            body["id_token"] = Value::String(id_token);
        }
        Reply::json(200, &body).with("cache-control", "no-store")
    }

    fn failure(&self, failure: Failure) -> Reply {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let (trace, correlation) = (books.ids.guid_text(), books.ids.guid_text());
        drop(books);
        let stamp = self.clock.now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let Failure {
            status,
            error,
            code,
            message,
        } = failure;
        Reply::json(
            status,
            &json!({
                "error": error,
                "error_description": format!(
                    "AADSTS{code}: {message}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {stamp}"
                ),
                "error_codes": [code],
                "timestamp": stamp,
                "trace_id": trace,
                "correlation_id": correlation,
            }),
        )
    }
}

#[derive(Clone, Copy)]
enum Version {
    V1,
    V2,
}

struct Failure {
    status: u16,
    error: &'static str,
    code: u32,
    message: String,
}

impl Failure {
    fn new(status: u16, error: &'static str, code: u32, message: &str) -> Self {
        Self {
            status,
            error,
            code,
            message: message.to_owned(),
        }
    }
}

struct Form(Vec<(String, String)>);

impl Form {
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(held, _)| held == name)
            .map(|(_, value)| value.as_str())
    }

    fn need(&self, name: &str) -> Result<&str, Failure> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| {
                let message =
                    format!("The request body must contain the following parameter: '{name}'.");
                Failure::new(400, "invalid_request", 900_144, &message)
            })
    }
}

/// Client id and secret from the form or from HTTP Basic.
fn credentials(request: &Request, form: &Form) -> Result<(String, Option<String>), Failure> {
    let basic = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Basic "));
    if let Some(basic) = basic
        && let Ok(raw) = base64::engine::general_purpose::STANDARD.decode(basic)
        && let Some((id, secret)) = String::from_utf8_lossy(&raw).split_once(':')
    {
        return Ok((decode_segment(id), Some(decode_segment(secret))));
    }
    Ok((
        form.need("client_id")?.to_owned(),
        form.get("client_secret").map(str::to_owned),
    ))
}

/// Text that looks like a JWT. Clients must not read access tokens, but some log their claims.
fn jwt(
    ids: &mut Ids,
    identity: &Identity,
    audience: &str,
    now: Timestamp,
    expires: Timestamp,
) -> String {
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header =
        engine.encode(json!({"typ": "JWT", "alg": "RS256", "kid": "simulator"}).to_string());
    let mut claims = json!({
        "aud": audience, "iss": format!("https://sts.windows.net/{}/", identity.tenant), "tid": identity.tenant,
        "iat": now.as_second(), "nbf": now.as_second(), "exp": expires.as_second(), "appid": identity.client_id,
        "ver": "1.0",
    });
    if let Some(user) = &identity.user {
        claims["upn"] = Value::String(user.clone());
    }
    format!(
        "{header}.{}.{}",
        engine.encode(claims.to_string()),
        ids.secret(32)
    )
}

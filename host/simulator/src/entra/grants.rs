//! What can be traded for a token: an app's own proof, a refresh token, a device code, an authorization code.

use jiff::SignedDuration;

use super::books::AuthorizationCode;
use super::device::DEVICE_GRANTS;
use super::failure::Failure;
use super::form::{Form, Proof, credentials};
use super::{App, Entra, Identity, Version, after, is_shared};
use crate::wire::{Reply, Request};

/// A refresh token that was not used for so long is dead, days.
const REFRESH_TOKEN_IDLE_DAYS: i64 = 90;
/// Life of an authorization code, seconds.
const AUTHORIZATION_CODE_S: i64 = 600;

impl Entra {
    pub(super) fn token(
        &self,
        request: &Request,
        tenant: &str,
        version: Version,
    ) -> Result<Reply, Failure> {
        let form = Form::of(request);
        let grant = form.need("grant_type")?;
        let (client_id, proof) = credentials(request, &form)?;
        // A name that stands for any tenant needs a user, whose tenant it then is.
        if !self.known_tenant(tenant) || (is_shared(tenant) && grant == "client_credentials") {
            return Err(no_tenant(tenant));
        }
        let app = self.app_of(&client_id, tenant)?;
        self.prove(request, app, &proof)?;
        match grant {
            "client_credentials" => {
                if matches!(proof, Proof::None) {
                    return Err(no_proof());
                }
                let (audience, resource) = self.audience(&form, version, true)?;
                let identity = Identity {
                    tenant: app.tenant.clone(),
                    client_id: app.client_id.clone(),
                    user: None,
                };
                Ok(self.issue(identity, audience, &resource, version, None))
            }
            "refresh_token" => self.refresh(&form, app, version, &proof),
            "authorization_code" => self.redeem(&form, app, version, &proof),
            other if DEVICE_GRANTS.contains(&other) => self.redeem_device(&form, app, version),
            other => Err(Failure::new(
                400,
                "unsupported_grant_type",
                70_003,
                &format!("The app requested an unsupported grant type '{other}'."),
            )),
        }
    }

    pub(super) fn app_of(&self, client_id: &str, tenant: &str) -> Result<&App, Failure> {
        let app = self.app(client_id);
        app.filter(|app| is_shared(tenant) || app.tenant == tenant).ok_or_else(|| {
            let message = format!(
                "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."
            );
            Failure::new(400, "unauthorized_client", 700_016, &message)
        })
    }

    fn secret_of(&self, app: &App) -> String {
        let replaced = self
            .books()
            .secrets
            .get(&app.client_id.to_lowercase())
            .cloned();
        replaced.unwrap_or_else(|| app.secret.clone())
    }

    /// A proof that is given must hold; whether one is needed is for the grant to say.
    fn prove(&self, request: &Request, app: &App, proof: &Proof) -> Result<(), Failure> {
        match proof {
            Proof::None => Ok(()),
            Proof::Assertion(assertion) => self.check_assertion(request, app, assertion),
            Proof::Secret(secret) if *secret != self.secret_of(app) => Err(Failure::client(
                7_000_215,
                &format!(
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{}'.",
                    app.client_id
                ),
            )),
            Proof::Secret(_) => {
                let expired = self
                    .books()
                    .expired_secrets
                    .contains(&app.client_id.to_lowercase());
                if !expired {
                    return Ok(());
                }
                let message = format!(
                    "The provided client secret keys for app '{}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.",
                    app.client_id
                );
                Err(Failure::client(7_000_222, &message))
            }
        }
    }

    fn refresh(
        &self,
        form: &Form,
        app: &App,
        version: Version,
        proof: &Proof,
    ) -> Result<Reply, Failure> {
        let given = form.need("refresh_token")?;
        let (audience, resource) = self.audience(form, version, false)?;
        let now = self.clock.now();
        let mut books = self.books();
        let held = books.refresh.get_mut(given);
        let Some(held) = held.filter(|held| held.client_id == app.client_id) else {
            return Err(Failure::grant(
                9_002_313,
                "Invalid request. Request is malformed or invalid.",
            ));
        };
        if matches!(proof, Proof::None) && !held.public {
            return Err(no_proof());
        }
        if held.revoked {
            return Err(Failure::grant(
                50_173,
                "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.",
            ));
        }
        if now.duration_since(held.used) > SignedDuration::from_hours(24 * REFRESH_TOKEN_IDLE_DAYS)
        {
            return Err(Failure::grant(
                700_082,
                "The refresh token has expired due to inactivity. The token was issued earlier and was inactive for 90.00:00:00.",
            ));
        }
        if held.audience != audience && self.assumptions.refresh_token_is_bound_to_audience() {
            return Err(Failure::grant(
                70_000,
                "The provided value for the input parameter 'refresh_token' or 'assertion' is not valid: it was issued for another resource.",
            ));
        }
        held.used = now;
        held.revoked = !self.assumptions.old_refresh_tokens_keep_working();
        let (user, public) = (held.user.clone(), held.public);
        let next = books.refresh_token(app, &user, audience, now, public);
        drop(books);
        Ok(self.issue(
            as_user(app, &user),
            audience,
            &resource,
            version,
            Some(next),
        ))
    }

    /// A code as if `user` had signed in at the authorize endpoint and consented.
    pub(crate) fn authorize(&self, app: &App, user: &str) -> String {
        let now = self.clock.now();
        let mut books = self.books();
        let code = format!("0.{}", books.ids.secret(48));
        let held = AuthorizationCode {
            client_id: app.client_id.clone(),
            user: user.to_owned(),
            expires: after(now, AUTHORIZATION_CODE_S),
            redeemed: false,
        };
        books.authorizations.insert(code.clone(), held);
        code
    }

    fn redeem(
        &self,
        form: &Form,
        app: &App,
        version: Version,
        proof: &Proof,
    ) -> Result<Reply, Failure> {
        let code = form.need("code")?;
        if matches!(proof, Proof::None) {
            return Err(no_proof());
        }
        let (audience, resource) = self.audience(form, version, false)?;
        let now = self.clock.now();
        let mut books = self.books();
        let held = books.authorizations.get_mut(code);
        let Some(held) = held.filter(|held| held.client_id == app.client_id) else {
            return Err(Failure::grant(
                9_002_313,
                "Invalid request. Request is malformed or invalid.",
            ));
        };
        if held.redeemed {
            return Err(Failure::grant(
                54_005,
                "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
            ));
        }
        if held.expires <= now {
            return Err(Failure::grant(
                70_008,
                "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
            ));
        }
        held.redeemed = true;
        let user = held.user.clone();
        let refresh = books.refresh_token(app, &user, audience, now, false);
        drop(books);
        Ok(self.issue(
            as_user(app, &user),
            audience,
            &resource,
            version,
            Some(refresh),
        ))
    }
}

pub(super) fn as_user(app: &App, user: &str) -> Identity {
    Identity {
        tenant: app.tenant.clone(),
        client_id: app.client_id.clone(),
        user: Some(user.to_owned()),
    }
}

pub(super) fn no_tenant(tenant: &str) -> Failure {
    let message = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
    );
    Failure::new(400, "invalid_request", 90_002, &message)
}

fn no_proof() -> Failure {
    Failure::client(
        7_000_218,
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    )
}

//! What Entra remembers: tokens, codes, certificates and used assertions.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::assertion::Certificate;
use super::device::Pending;
use super::federated::Federation;
use super::{App, Audience, Identity};
use crate::ids::Ids;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AccessToken {
    pub(super) identity: Identity,
    pub(super) audience: Audience,
    pub(super) expires: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RefreshToken {
    pub(super) client_id: String,
    pub(super) tenant: String,
    pub(super) user: String,
    pub(super) used: Timestamp,
    pub(super) revoked: bool,
    /// What it was issued for.
    pub(super) audience: Audience,
    /// It came of a device code: who redeems it need not prove to be the app.
    pub(super) public: bool,
}

/// Somebody signed in, and the app has not fetched its tokens yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AuthorizationCode {
    pub(super) client_id: String,
    pub(super) user: String,
    pub(super) expires: Timestamp,
    pub(super) redeemed: bool,
}

/// All of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Books {
    pub(super) ids: Ids,
    pub(super) access: BTreeMap<String, AccessToken>,
    pub(super) refresh: BTreeMap<String, RefreshToken>,
    pub(super) authorizations: BTreeMap<String, AuthorizationCode>,
    /// By device code.
    pub(super) devices: BTreeMap<String, Pending>,
    /// Client ids and the certificates that they may sign with.
    pub(super) certificates: Vec<(String, Certificate)>,
    /// Ids of assertions that were taken, and when each runs out.
    pub(super) assertions: BTreeMap<String, Timestamp>,
    /// Client ids whose secret has expired.
    pub(super) expired_secrets: BTreeSet<String>,
    /// Client ids whose secret was replaced, and the new one.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    /// Whom apps trust, and whose identities there are.
    #[serde(default)]
    pub(super) federation: Federation,
}

impl Books {
    pub(super) fn new(ids: Ids) -> Self {
        Self {
            ids,
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            authorizations: BTreeMap::new(),
            devices: BTreeMap::new(),
            certificates: Vec::new(),
            assertions: BTreeMap::new(),
            expired_secrets: BTreeSet::new(),
            secrets: BTreeMap::new(),
            federation: Federation::default(),
        }
    }

    pub(super) fn refresh_token(
        &mut self,
        app: &App,
        user: &str,
        audience: Audience,
        now: Timestamp,
        public: bool,
    ) -> String {
        let token = format!("1.{}", self.ids.secret(48));
        let held = RefreshToken {
            client_id: app.client_id.clone(),
            tenant: app.tenant.clone(),
            user: user.to_owned(),
            used: now,
            revoked: false,
            audience,
            public,
        };
        self.refresh.insert(token.clone(), held);
        token
    }

    /// The app that a user consented to.
    pub(super) fn consented_app(&self, user: &str) -> Option<String> {
        let mut tokens = self.refresh.values();
        let held = tokens.find(|token| token.user.eq_ignore_ascii_case(user))?;
        Some(held.client_id.clone())
    }

    /// Revokes every refresh token, as a changed password does.
    pub(crate) fn revoke_refresh_tokens(&mut self) {
        for token in self.refresh.values_mut() {
            token.revoked = true;
        }
    }

    /// Revokes the refresh tokens of one user; false when nobody of that mail consented.
    pub(crate) fn expire_password(&mut self, user: &str) -> bool {
        let tokens = self.refresh.values_mut();
        let mut found = false;
        for token in tokens.filter(|token| token.user.eq_ignore_ascii_case(user)) {
            (token.revoked, found) = (true, true);
        }
        found
    }

    /// Makes every access token given out so far invalid.
    pub(crate) fn revoke_access_tokens(&mut self) {
        self.access.clear();
    }

    /// Another secret for an app; the one before is good for nothing any more.
    pub(crate) fn replace_secret(&mut self, client_id: &str, secret: &str) {
        let client_id = client_id.to_lowercase();
        self.secrets.insert(client_id, secret.to_owned());
    }

    /// Lets the secret of an app expire, or renews it.
    pub(crate) fn expire_secret(&mut self, client_id: &str, expired: bool) {
        let client_id = client_id.to_lowercase();
        if expired {
            self.expired_secrets.insert(client_id);
        } else {
            self.expired_secrets.remove(&client_id);
        }
    }
}

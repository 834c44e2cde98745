//! Where a machine and an app ask for a token of their managed identity: the metadata service (IMDS), and App Service's endpoint. Both give tokens for
//! the exchange and for nothing else. (Microsoft: how-to-use-vm-token, app-service/overview-managed-identity, managed-identities-faq)

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Entra;
use super::federated::{EXCHANGE, ManagedIdentity};
use crate::wire::{Reply, Request};

const MACHINE: &str = "/metadata/identity/oauth2/token";
const APP: &str = "/msi/token";
/// The first version of the metadata service that gives tokens.
const MACHINE_VERSION: &str = "2018-02-01";
const APP_VERSION: &str = "2019-08-01";

/// What is asked.
struct Asked {
    version: String,
    resource: String,
    client_id: Option<String>,
}

impl Asked {
    fn read(request: &Request) -> Self {
        let pairs = request.pairs();
        let get = |name: &str| {
            let found = pairs.iter().find(|(held, _)| held == name);
            found.map(|(_, value)| value.clone())
        };
        Self {
            version: get("api-version").unwrap_or_default(),
            resource: get("resource").unwrap_or_default(),
            client_id: get("client_id"),
        }
    }
}

impl Entra {
    /// Answers a request that a machine makes to itself.
    pub(crate) fn machine(&self, request: &Request) -> Reply {
        let is_get = request.method == http::Method::GET;
        match request.path.trim_end_matches('/') {
            MACHINE | APP if !is_get => Reply::empty(405),
            MACHINE => self.metadata(request),
            APP => self.app_service(request),
            _ => Reply::empty(404),
        }
    }

    fn metadata(&self, request: &Request) -> Reply {
        let no = |code: &str, words: &str| {
            Reply::json(400, &json!({"error": code, "error_description": words}))
        };
        // Against requests that somebody else makes a program send on.
        if request.header("metadata") != Some("true") {
            return no("bad_request_102", "Required metadata header not specified");
        }
        if request.header("x-forwarded-for").is_some() {
            return no(
                "invalid_request",
                "The request holds the header X-Forwarded-For, which is not allowed",
            );
        }
        let asked = Asked::read(request);
        if asked.version.as_str() < MACHINE_VERSION {
            return no(
                "bad_request_101",
                "Required query variable 'api-version' is missing or not supported",
            );
        }
        if asked.resource != EXCHANGE {
            let words = format!(
                "AADSTS500011: The resource principal named {} was not found in the tenant.",
                asked.resource
            );
            return no("invalid_resource", &words);
        }
        let identity = match self.identity(asked.client_id.as_deref()) {
            Ok(identity) => identity,
            Err(words) => return no("invalid_request", words),
        };
        // Numbers are texts here.
        self.given_token(&identity, |token, now, ends| {
            let left = (ends.as_second() - now.as_second() - 1).to_string();
            json!({
                "access_token": token, "client_id": identity.client_id, "refresh_token": "",
                "expires_in": left, "ext_expires_in": left,
                "expires_on": ends.as_second().to_string(), "not_before": now.as_second().to_string(),
                "resource": asked.resource, "token_type": "Bearer",
            })
        })
    }

    fn app_service(&self, request: &Request) -> Reply {
        let no = |status: u16, words: &str| {
            Reply::json(status, &json!({"statusCode": status, "message": words}))
        };
        let shown = request.header("x-identity-header").unwrap_or_default();
        if !self.is_identity_header(shown) {
            return no(401, "The header X-IDENTITY-HEADER is missing or wrong.");
        }
        let asked = Asked::read(request);
        if asked.version != APP_VERSION || asked.resource != EXCHANGE {
            return no(
                400,
                "api-version 2019-08-01 and a known resource are expected.",
            );
        }
        let Ok(identity) = self.identity(asked.client_id.as_deref()) else {
            return no(
                400,
                "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
            );
        };
        self.given_token(&identity, |token, _, ends| {
            json!({
                "access_token": token, "client_id": identity.client_id, "expires_on": ends.as_second().to_string(),
                "resource": asked.resource, "token_type": "Bearer",
            })
        })
    }

    fn given_token(
        &self,
        identity: &ManagedIdentity,
        body: impl FnOnce(String, Timestamp, Timestamp) -> Value,
    ) -> Reply {
        let now = self.clock.now();
        match self.managed_token(identity) {
            Some((token, ends)) => {
                Reply::json(200, &body(token, now, ends)).with("cache-control", "no-store")
            }
            None => Reply::empty(500),
        }
    }

    /// The one that is named; or that of the machine itself, or the only one.
    fn identity(&self, client_id: Option<&str>) -> Result<ManagedIdentity, &'static str> {
        let books = self.books();
        let all = &books.federation.identities;
        if let Some(client_id) = client_id {
            let named = all.iter().find(|one| one.client_id == client_id);
            return named.cloned().ok_or("Identity not found");
        }
        match (all.iter().find(|one| one.is_system), &all[..]) {
            (Some(system), _) => Ok(system.clone()),
            (None, [one]) => Ok(one.clone()),
            (None, []) => Err("Identity not found"),
            (None, _) => Err(
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
            ),
        }
    }
}

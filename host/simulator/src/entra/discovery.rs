//! What clients look up before they ask for a token: OpenID configuration, keys, and which authorities there are.

use base64::Engine as _;
use serde_json::json;

use super::failure::Failure;
use super::grants::no_tenant;
use super::{Entra, is_shared};
use crate::wire::{Reply, Request};

/// Name of the one key that signs id tokens.
pub(super) const KEY_ID: &str = "simulator";

impl Entra {
    pub(super) fn discovery(&self, request: &Request, parts: &[&str]) -> Result<Reply, Failure> {
        match parts {
            [tenant, "v2.0", ".well-known", "openid-configuration"] => {
                self.configuration(request, tenant, "v2.0/")
            }
            [tenant, ".well-known", "openid-configuration"] => {
                self.configuration(request, tenant, "")
            }
            [tenant, "discovery", "keys"] | [tenant, "discovery", "v2.0", "keys"] => {
                self.exists(tenant)?;
                Ok(Reply::json(200, &self.keys()))
            }
            // Clients ask it about every authority that they do not know.
            [_, "discovery", "instance"] => {
                let host = request
                    .origin
                    .split_once("://")
                    .map_or("", |(_, host)| host);
                Ok(Reply::json(
                    200,
                    &json!({
                        "tenant_discovery_endpoint": format!("{}/common/v2.0/.well-known/openid-configuration", request.origin),
                        "api-version": "1.1",
                        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
                    }),
                ))
            }
            _ => Err(Failure::new(
                404,
                "invalid_request",
                90_015,
                "Requested endpoint does not exist.",
            )),
        }
    }

    fn configuration(
        &self,
        request: &Request,
        tenant: &str,
        generation: &str,
    ) -> Result<Reply, Failure> {
        self.exists(tenant)?;
        let root = format!("{}/{tenant}", request.origin);
        // At the real one the issuer of a shared name is a pattern.
        let issuer = if is_shared(tenant) {
            "{tenantid}"
        } else {
            tenant
        };
        Ok(Reply::json(
            200,
            &json!({
                "token_endpoint": format!("{root}/oauth2/{generation}token"),
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
                "jwks_uri": format!("{root}/discovery/{generation}keys"),
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": format!("https://sts.windows.net/{issuer}/"),
                "request_uri_parameter_supported": false,
                "authorization_endpoint": format!("{root}/oauth2/{generation}authorize"),
                "device_authorization_endpoint": format!("{root}/oauth2/{generation}devicecode"),
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "tid", "ver", "upn"],
            }),
        ))
    }

    fn exists(&self, tenant: &str) -> Result<(), Failure> {
        if self.known_tenant(tenant) {
            Ok(())
        } else {
            Err(no_tenant(tenant))
        }
    }

    fn keys(&self) -> serde_json::Value {
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let keys = self
            .signer
            .iter()
            .filter_map(|signer| signer.public_key().ok());
        let keys = keys.map(|(modulus, exponent)| {
            json!({
                "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "x5t": KEY_ID,
                "n": engine.encode(modulus), "e": engine.encode(exponent),
            })
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }
}

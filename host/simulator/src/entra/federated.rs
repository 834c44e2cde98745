//! Apps that trust somebody else's word about themselves: which issuer, subject and audience each trusts, the tokens of the two issuers that this world
//! knows (managed identities, and a cluster), and what becomes of a token that is shown as an assertion. (dataverse 1.1; Microsoft:
//! workload-identity-federation, workload-identity-federation-config-app-trust-managed-identity)

use base64::Engine as _;
use jiff::Timestamp;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::assertion::{CLOCK_SKEW_S, ENGINE, Unverified};
use super::failure::Failure;
use super::{App, Entra, after, discovery};

/// What tokens for the exchange are asked for, and what an app's trust names as their audience.
pub(super) const EXCHANGE: &str = "api://AzureADTokenExchange";
/// How the audience of a managed identity's token spells that: the id of the exchange, the same in every tenant.
const EXCHANGE_ID: &str = "fb60f99c-7a34-4190-8149-302f77469936";
/// Issuer of Entra's tokens of the first version: those of apps and users.
const FIRST_VERSION: &str = "https://sts.windows.net/";
/// Life of a managed identity's token, seconds.
const MANAGED_S: i64 = 86_400;
/// Life of a cluster's token, seconds, unless it is said otherwise.
const CLUSTER_S: i64 = 3_600;
/// Most that an app may trust.
const TRUSTED_MAX: usize = 20;
const HELP: &str = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation";

/// A federated credential of an app: whose word about whom it takes for its own. Compared letter by letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// `iss` of the token.
    pub issuer: String,
    /// `sub` of the token.
    pub subject: String,
    /// `aud` of the token.
    #[serde(default = "exchange")]
    pub audience: String,
}

fn exchange() -> String {
    EXCHANGE.to_owned()
}

/// An identity that is assigned to the machine, or the app, on which a host runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedIdentity {
    /// By which one of several is asked for.
    pub client_id: String,
    /// Of its service principal: the subject of its tokens.
    pub principal_id: String,
    /// It came with the machine and goes with it; else it is assigned by a person.
    pub is_system: bool,
}

/// Who issues tokens beside Entra's ordinary ones.
#[derive(Clone, Debug)]
pub(crate) struct Issuers {
    /// Of managed identities: the authority of their tenant.
    pub(crate) managed: String,
    /// Of service accounts.
    pub(crate) cluster: String,
    /// Tenant of the managed identities.
    pub(crate) tenant: String,
}

/// What is remembered of all that.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Federation {
    /// Client ids, and what their apps trust.
    trusted: Vec<(String, Trusted)>,
    pub(super) identities: Vec<ManagedIdentity>,
    /// What an app shows when it asks for a token of its identity; none until it is needed.
    header: Option<String>,
    /// Every token that was given.
    given: Vec<String>,
}

impl Entra {
    /// Assigns one more identity to machine and app; there is one that came with them at most.
    pub(crate) fn assign_identity(&self, is_system: bool) -> ManagedIdentity {
        let mut books = self.books();
        let there = books.federation.identities.iter();
        if let Some(there) = there.clone().find(|one| is_system && one.is_system) {
            return there.clone();
        }
        let identity = ManagedIdentity {
            client_id: books.ids.guid_text(),
            principal_id: books.ids.guid_text(),
            is_system,
        };
        books.federation.identities.push(identity.clone());
        identity
    }

    /// Takes all identities off machine and app.
    pub(crate) fn unassign_identities(&self) {
        self.books().federation.identities.clear();
    }

    /// What an app shows when it asks.
    pub(crate) fn identity_header(&self) -> String {
        let mut books = self.books();
        let fresh = books.ids.secret(24);
        books.federation.header.get_or_insert(fresh).clone()
    }

    /// The trust in an identity, as the admin centre fills it in.
    pub(crate) fn trust_in(&self, identity: &ManagedIdentity) -> Trusted {
        Trusted {
            issuer: self.issuers.managed.clone(),
            subject: identity.principal_id.clone(),
            audience: exchange(),
        }
    }

    /// The trust in a service account of the cluster.
    pub(crate) fn trust_in_account(&self, subject: &str) -> Trusted {
        Trusted {
            issuer: self.issuers.cluster.clone(),
            subject: subject.to_owned(),
            audience: exchange(),
        }
    }

    /// # Errors
    /// An app trusts so many at most.
    pub(crate) fn trust(&self, app: &App, trusted: Trusted) -> Result<(), String> {
        let mut books = self.books();
        let held = books.federation.trusted.iter();
        if held.filter(|(of, _)| *of == app.client_id).count() >= TRUSTED_MAX {
            return Err(format!(
                "an app has {TRUSTED_MAX} federated credentials at most"
            ));
        }
        let client_id = app.client_id.clone();
        books.federation.trusted.push((client_id, trusted));
        Ok(())
    }

    /// The app trusts nobody any more.
    pub(crate) fn trust_nobody(&self, app: &App) {
        let trusted = &mut self.books().federation.trusted;
        trusted.retain(|(of, _)| *of != app.client_id);
    }

    /// A token of the cluster for the exchange, for an hour; what `claims` says replaces what it would say. None in a world where nobody signs.
    pub(crate) fn cluster_token(&self, claims: &Value) -> Option<String> {
        let now = self.clock.now();
        let id = self.books().ids.guid_text();
        let mut told = json!({
            "iss": self.issuers.cluster, "sub": "system:serviceaccount:default:cosell", "aud": [EXCHANGE],
            "iat": now.as_second(), "nbf": now.as_second(), "exp": after(now, CLUSTER_S).as_second(),
            "jti": id,
        });
        for (name, value) in claims.as_object().into_iter().flatten() {
            told[name] = value.clone();
        }
        self.given(&told)
    }

    /// A token of a managed identity for the exchange, and when it ends.
    pub(super) fn managed_token(&self, identity: &ManagedIdentity) -> Option<(String, Timestamp)> {
        let now = self.clock.now();
        let ends = after(now, MANAGED_S);
        let id = self.books().ids.secret(16);
        let kind = if identity.is_system {
            "Microsoft.Compute/virtualMachines/host"
        } else {
            "Microsoft.ManagedIdentity/userAssignedIdentities/cosell"
        };
        let token = self.given(&json!({
            "iss": self.issuers.managed, "sub": identity.principal_id, "oid": identity.principal_id, "aud": EXCHANGE_ID,
            "azp": identity.client_id, "tid": self.issuers.tenant, "ver": "2.0",
            "iat": now.as_second(), "nbf": now.as_second(), "exp": ends.as_second(),
            "xms_mirid": format!("/subscriptions/0/resourcegroups/cosell/providers/{kind}"),
            "uti": id,
        }))?;
        Some((token, ends))
    }

    fn given(&self, claims: &Value) -> Option<String> {
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": discovery::KEY_ID});
        let text = format!(
            "{}.{}",
            ENGINE.encode(header.to_string()),
            ENGINE.encode(claims.to_string())
        );
        let signature = self.signer.as_ref()?.sign(text.as_bytes()).ok()?;
        let token = format!("{text}.{}", ENGINE.encode(signature));
        self.books().federation.given.push(token.clone());
        Some(token)
    }

    /// Checks that the app trusts exactly this issuer, audience and subject, then signature and times.
    pub(super) fn check_federated(
        &self,
        app: &App,
        given: &Unverified<'_>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        self.is_trusted(app, given)?;
        if given.header["alg"].as_str() != Some("RS256") {
            return Err(Failure::client(
                50_027,
                "JWT token is invalid or malformed: the algorithm of a federated assertion is 'RS256'.",
            ));
        }
        let issuer = given.text("iss");
        let is_managed = issuer == self.issuers.managed;
        let (modulus, exponent) = Some(&self.signer)
            .filter(|_| is_managed || issuer == self.issuers.cluster)
            .and_then(|signer| signer.as_ref()?.public_key().ok())
            .ok_or_else(|| invalid_signature("The key was not found."))?;
        RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        }
        .verify(
            &RSA_PKCS1_2048_8192_SHA256,
            given.signed.as_bytes(),
            &given.signature,
        )
        .map_err(|_| {
            invalid_signature(
                "The key was found, but use of the key to verify the signature failed.",
            )
        })?;
        let (from, until) = (given.time("nbf"), given.time("exp"));
        let seconds = now.as_second();
        let fits = until.is_some_and(|until| seconds < until.saturating_add(CLOCK_SKEW_S))
            && from.is_none_or(|from| seconds >= from.saturating_sub(CLOCK_SKEW_S));
        if !fits {
            let told = |time: Option<i64>| {
                let time = time.and_then(|time| Timestamp::from_second(time).ok());
                time.map_or("none".to_owned(), |time| time.to_string())
            };
            let message = format!(
                "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {}, expiry time of assertion {}. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
                told(from),
                told(until)
            );
            return Err(Failure::client(700_024, &message));
        }
        if is_managed {
            self.may_vouch(given)?;
        }
        Ok(())
    }

    fn is_trusted(&self, app: &App, given: &Unverified<'_>) -> Result<(), Failure> {
        let issuer = given.text("iss");
        // Apps and users are nobody's credential, whatever is trusted.
        if issuer.starts_with(FIRST_VERSION) {
            return Err(no_identity_of_ours());
        }
        let books = self.books();
        let mut trusted: Vec<&Trusted> = books
            .federation
            .trusted
            .iter()
            .filter(|(of, _)| *of == app.client_id)
            .map(|(_, trusted)| trusted)
            .collect();
        if trusted.is_empty() {
            let message = format!(
                "The client '{}' has no configured federated identity credentials.",
                app.client_id
            );
            return Err(Failure::client(70_025, &message));
        }
        let audiences = given.audiences();
        let subject = given.text("sub");
        trusted.retain(|one| one.issuer == issuer);
        if trusted.is_empty() {
            return Err(no_match(700_211, "issuer", issuer));
        }
        trusted.retain(|one| {
            audiences.iter().any(|audience| {
                *audience == one.audience || (*audience == EXCHANGE_ID && one.audience == EXCHANGE)
            })
        });
        if trusted.is_empty() {
            return Err(no_match(700_212, "audience", &audiences.join(" ")));
        }
        trusted.retain(|one| one.subject == subject);
        if trusted.is_empty() {
            return Err(no_match(700_213, "subject", subject));
        }
        Ok(())
    }

    /// Of Entra's own tokens only those of managed identities, and perhaps not of every kind.
    fn may_vouch(&self, given: &Unverified<'_>) -> Result<(), Failure> {
        if given.text("xms_mirid").is_empty() {
            return Err(no_identity_of_ours());
        }
        let is_system = !given.text("xms_mirid").contains("userAssignedIdentities");
        if is_system && self.assumptions.system_identities_are_no_credentials() {
            return Err(no_identity_of_ours());
        }
        Ok(())
    }

    /// Whether this is what the app shows.
    pub(super) fn is_identity_header(&self, shown: &str) -> bool {
        self.books().federation.header.as_deref() == Some(shown)
    }
}

fn no_match(code: u32, what: &str, shown: &str) -> Failure {
    let message = format!(
        "No matching federated identity record found for presented assertion {what} '{shown}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. {HELP}"
    );
    Failure::client(code, &message)
}

fn no_identity_of_ours() -> Failure {
    Failure::client(
        700_222,
        "AAD-issued tokens may not be used for federated identity flows.",
    )
}

fn invalid_signature(reason: &str) -> Failure {
    let message = format!("Client assertion contains an invalid signature. [Reason - {reason}]");
    Failure::client(700_027, &message)
}

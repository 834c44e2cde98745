//! Who asks for tokens: an application as itself, or for a user who has signed in.

use std::fmt;
use std::sync::Arc;

use super::{Proof, RefreshTokenKeeper, Stamp};

/// What opens the services.
#[derive(Clone)]
pub enum Credential {
    /// The application as itself. Good for Dataverse and for webhook registration; the referrals API wants a user.
    ClientCredentials {
        /// GUID or verified domain.
        tenant: String,
        /// GUID of the application.
        client_id: String,
        /// How the application proves itself.
        proof: Proof,
    },
    /// The application for a user who has signed in once, with MFA (Microsoft's Secure Application Model).
    RefreshToken {
        /// GUID or verified domain.
        tenant: String,
        /// GUID of the application.
        client_id: String,
        /// How the application proves itself.
        proof: Proof,
        /// Where the refresh token is kept. It changes at every use.
        keeper: Arc<dyn RefreshTokenKeeper>,
        /// The one audience that takes the application as itself too: asked so when the refresh token is refused for it. Needs a proof.
        also_as_itself: Option<String>,
    },
}

impl Credential {
    pub(super) fn tenant(&self) -> &str {
        match self {
            Self::ClientCredentials { tenant, .. } | Self::RefreshToken { tenant, .. } => tenant,
        }
    }

    pub(super) fn proof(&self) -> &Proof {
        match self {
            Self::ClientCredentials { proof, .. } | Self::RefreshToken { proof, .. } => proof,
        }
    }

    /// Of everything that a person may replace: a refusal is about these, and no others.
    pub(super) fn stamps(&self) -> [Option<Stamp>; 2] {
        let token = match self {
            Self::ClientCredentials { .. } => None,
            Self::RefreshToken { keeper, .. } => keeper.stamp(),
        };
        [self.proof().stamp(), token]
    }

    pub(super) fn client_id(&self) -> &str {
        match self {
            Self::ClientCredentials { client_id, .. } | Self::RefreshToken { client_id, .. } => {
                client_id
            }
        }
    }
}

impl fmt::Debug for Credential {
    /// Says who, never how.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::ClientCredentials { .. } => "ClientCredentials",
            Self::RefreshToken { .. } => "RefreshToken",
        };
        f.debug_struct(kind)
            .field("tenant", &self.tenant())
            .field("client_id", &self.client_id())
            .finish_non_exhaustive()
    }
}

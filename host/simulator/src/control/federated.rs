//! Identities that others give: of the machine and the app on which a host runs, of a cluster's service accounts, and which apps trust them.

use serde_json::Value;

use super::{Control, ControlError};
use crate::entra::{ManagedIdentity, Trusted};
use crate::ledger::Act;

impl Control {
    /// Assigns one more user-assigned identity to the machine and the app on which a host runs.
    pub fn assign_identity(&self) -> ManagedIdentity {
        self.assign(false)
    }

    /// Switches the system-assigned identity of machine and app on.
    pub fn assign_system_identity(&self) -> ManagedIdentity {
        self.assign(true)
    }

    fn assign(&self, is_system: bool) -> ManagedIdentity {
        let at = self.world.ledger.now_ms();
        let identity = self.world.entra.assign_identity(is_system);
        let ledger = &self.world.ledger;
        ledger.act(at, "administrator", "assign identity", &identity.client_id);
        identity
    }

    /// Takes all identities off machine and app.
    pub fn unassign_identities(&self) -> Act {
        let at = self.world.ledger.now_ms();
        self.world.entra.unassign_identities();
        let ledger = &self.world.ledger;
        ledger.act(at, "administrator", "unassign identities", "")
    }

    /// What an app shows as `X-IDENTITY-HEADER` when it asks for a token of its identity.
    pub fn identity_header(&self) -> String {
        self.world.entra.identity_header()
    }

    /// The trust in a managed identity, as the admin centre fills it in.
    pub fn trust_in(&self, identity: &ManagedIdentity) -> Trusted {
        self.world.entra.trust_in(identity)
    }

    /// The trust in a service account of the cluster, such as `system:serviceaccount:default:cosell`.
    pub fn trust_in_account(&self, subject: &str) -> Trusted {
        self.world.entra.trust_in_account(subject)
    }

    /// An administrator adds a federated credential to an app.
    pub fn trust(&self, client_id: &str, trusted: Trusted) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        let app = self.known_app(client_id)?;
        let added = self.world.entra.trust(app, trusted);
        added.map_err(|reason| ControlError::Malformed { reason })?;
        let ledger = &self.world.ledger;
        Ok(ledger.act(at, "administrator", "add federated credential", client_id))
    }

    /// An administrator takes all federated credentials off an app.
    pub fn trust_nobody(&self, client_id: &str) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        self.world.entra.trust_nobody(self.known_app(client_id)?);
        let ledger = &self.world.ledger;
        Ok(ledger.act(
            at,
            "administrator",
            "remove federated credentials",
            client_id,
        ))
    }

    /// A token of the cluster's issuer, for the exchange and for an hour; what `claims` says replaces what it would say.
    pub fn cluster_token(&self, claims: &Value) -> Result<String, ControlError> {
        let token = self.world.entra.cluster_token(claims);
        token.ok_or_else(|| ControlError::Unknown {
            what: "key in a world without listeners".to_owned(),
        })
    }
}

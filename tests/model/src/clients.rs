//! The host's real clients, over the wire of a history.

use std::sync::{Arc, Mutex};

use cosell_remote::auth::{KeepError, RefreshTokenKeeper};
use cosell_remote::partner_center::PartnerCenterSettings;
use cosell_remote::{Credential, Dataverse, Endpoint, Http, PartnerCenter, SetupError, Tokens};
use cosell_simulator::Inside;
use secrecy::SecretString;

use super::wire::{Wire, lock};

/// Clients without a token yet, as those of a host that has just started.
///
/// # Errors
/// When an address is wrong.
pub(super) fn clients(
    world: &Inside,
    wire: &Arc<Wire>,
    wise: Option<&Dataverse>,
) -> Result<(PartnerCenter, Dataverse), SetupError> {
    let http = Http::over(Arc::clone(wire) as Arc<dyn cosell_remote::Carrier>);
    let partner = &world.organizations()[0];
    let crm = world.crm();
    let partner_center = Tokens::new(
        &world.urls.entra,
        Credential::RefreshToken {
            also_as_itself: None,
            tenant: partner.tenant_id.clone(),
            client_id: partner.client_id.clone(),
            proof: SecretString::from(partner.client_secret.clone()).into(),
            keeper: Arc::new(InMemory(Mutex::new(partner.refresh_token.clone().into()))),
        },
        http.clone(),
    )?;
    let dataverse = Tokens::new(
        &world.urls.entra,
        Credential::ClientCredentials {
            tenant: crm.tenant_id.clone(),
            client_id: crm.client_id.clone(),
            proof: SecretString::from(crm.client_secret.clone()).into(),
        },
        http.clone(),
    )?;
    let endpoints = PartnerCenterSettings {
        referrals: Endpoint::new(&format!("{}/v1.0/engagements", world.urls.referrals))?,
        webhooks: Endpoint::new(&format!("{}/webhooks/v1", world.urls.partner_center))?,
    };
    let organisation = Endpoint::new(&world.urls.dataverse)?;
    let crm = Dataverse::new(organisation, dataverse, http.clone());
    let crm = match wise {
        Some(wise) => crm.knowing(wise),
        None => crm,
    };
    Ok((PartnerCenter::new(endpoints, partner_center, http), crm))
}

/// Every start of a host finds the same token: the simulator's old ones keep working, as Microsoft's do.
struct InMemory(Mutex<SecretString>);

impl RefreshTokenKeeper for InMemory {
    fn load(&self) -> Result<SecretString, KeepError> {
        Ok(lock(&self.0).clone())
    }

    fn keep(&self, token: &SecretString) -> Result<(), KeepError> {
        *lock(&self.0) = token.clone();
        Ok(())
    }
}

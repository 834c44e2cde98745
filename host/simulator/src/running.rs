//! Starting a world, and what a caller is told about it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::assumptions::Readings;
use crate::clock::Clock;
use crate::config::{OrganizationConfig, SimulatorConfig};
use crate::control::Control;
use crate::dataverse::{CrmUsers, Dataverse};
use crate::deliveries::Deliveries;
use crate::entra::{App, Audience, Directory, Entra, Further, Issuers};
use crate::faults::{Faults, Service};
use crate::ids::Ids;
use crate::ledger::Ledger;
use crate::referrals::registration::Registrations;
use crate::referrals::{Organization, Referrals};
use crate::requests::Requests;
use crate::saved::{SavedError, SavedWorld};
use crate::signing::{KeyError, SavedIdentity, TlsIdentity, WebhookSigner};
use crate::tls::{acceptor, keys_failed, webhook_client};
use crate::world::{Shared, World};

/// Name under which the webhook certificate is served.
pub(crate) const CERTIFICATE_PATH: &str = "/cert/pcnotifications-dispatch.microsoft.com.cer";
/// The listeners in the order of their ports.
const SERVICES: [Service; 7] = [
    Service::Entra,
    Service::Referrals,
    Service::PartnerCenter,
    Service::Dataverse,
    Service::Certificates,
    Service::Control,
    Service::Metadata,
];

/// Where worlds are started.
#[derive(Debug)]
pub struct Simulator;

/// Why a world could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// A port is taken, or there is none.
    #[error("port {port} on 127.0.0.1 cannot be listened on; choose another base port")]
    Bind {
        /// The port asked for; 0 means any.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// Keys or certificates could not be made.
    #[error("keys and certificates could not be made")]
    Keys {
        /// What the key library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The configuration describes certificates, tables or rows that cannot be.
    #[error("the configuration does not fit: {reason}")]
    Config {
        /// Which certificate, table, column or row, and why.
        reason: String,
    },
    /// The file of a saved world is not taken.
    #[error(transparent)]
    Saved(#[from] SavedError),
}

impl From<KeyError> for SimulatorError {
    fn from(source: KeyError) -> Self {
        Self::Keys {
            source: Box::new(source),
        }
    }
}

/// Roots of the listeners, without trailing slash.
#[derive(Clone, Debug, Serialize)]
pub struct Urls {
    /// Token endpoints: `{entra}/{tenant}/oauth2/token` and `…/oauth2/v2.0/token`.
    pub entra: String,
    /// Referrals API; the collection is at `/v1.0/engagements/referrals`.
    pub referrals: String,
    /// Webhook registration API; at `/webhooks/v1/registration`.
    pub partner_center: String,
    /// Dataverse; the Web API is at `/api/data/v9.2/`.
    pub dataverse: String,
    /// Host of the webhook certificate.
    pub certificates: String,
    /// Control; `GET /` lists its routes.
    pub control: String,
    /// What a machine asks about itself, always in plain HTTP: `/metadata/identity/oauth2/token`, and `/msi/token` for apps.
    pub metadata: String,
}

/// A partner organisation and how to sign in for it.
#[derive(Clone, Debug, Serialize)]
pub struct OrganizationAccess {
    /// Organisation id at Partner Center.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Entra tenant.
    pub tenant_id: String,
    /// Client id of the app for Partner Center.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// A refresh token of the user that consented; good for both Partner Center audiences.
    pub refresh_token: String,
    /// That user's mail.
    pub user_mail: String,
}

/// The CRM organisation and how to sign in to it.
#[derive(Clone, Debug, Serialize)]
pub struct CrmAccess {
    /// Entra tenant: that of the first organisation.
    pub tenant_id: String,
    /// Client id of the app for Dataverse.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// `OrganizationId` as `WhoAmI` tells it.
    pub organization_id: String,
    /// systemuserid of the app's user.
    pub app_user_id: String,
    /// systemuserid of the seller that control acts as.
    pub seller_id: String,
    /// Mail of that seller.
    pub seller_mail: String,
}

/// A running world. Dropping it stops it.
pub struct Running {
    /// Where the services listen.
    pub urls: Urls,
    /// The authority (PEM) that clients of the listeners have to trust; none without TLS.
    pub ca_pem: Option<String>,
    /// What a webhook receiver pins for Partner Center's notifications (PEM): the root, then the intermediate, because a
    /// DER certificate file holds the leaf alone.
    pub webhook_root_pem: String,
    /// Where notifications say their certificate is.
    pub certificate_url: String,
    /// Partner organisations.
    pub organizations: Vec<OrganizationAccess>,
    /// The CRM.
    pub crm: CrmAccess,
    control: Control,
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Running")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// The hands on this world.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Stops listening and closes all connections.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

impl Simulator {
    /// Starts a world on loopback. Must be called inside a tokio runtime, which then runs the listeners.
    pub async fn start(config: SimulatorConfig) -> Result<Running, SimulatorError> {
        let listeners = listeners(&config).await?;
        // An RSA key takes a while: not on the runtime's threads.
        let keys = tokio::task::spawn_blocking(|| {
            Ok::<_, KeyError>((TlsIdentity::generate()?, WebhookSigner::generate()?))
        });
        let (identity, signer) = keys.await.map_err(keys_failed)??;
        Self::listen(config, listeners, identity, Arc::new(signer), None)
    }

    /// Starts a further CRM environment in the tenant of a world that runs, as organisations have one for each country or subsidiary: a Dataverse
    /// with people, ledger and control of its own. Its app signs in at that world's Entra, and whoever trusts that world's listeners trusts these.
    /// Partner Center is that world's; here nobody is its partner. The seeds have to differ, or both have the same ids.
    ///
    /// # Errors
    /// [`SimulatorError::Config`] when that world has a further environment already, beside those of [`Simulator::start`].
    pub async fn start_beside(
        first: &Running,
        config: SimulatorConfig,
    ) -> Result<Running, SimulatorError> {
        let listeners = listeners(&config).await?;
        let first = first.control.world();
        let identity = match &first.identity {
            Some(identity) => TlsIdentity::read(identity.clone()),
            None => TlsIdentity::generate()?,
        };
        let signer = Arc::clone(&first.signer);
        Self::listen(config, listeners, identity, signer, Some(Arc::clone(first)))
    }

    /// Starts the world that a file holds, with the keys and secrets that it had: who worked with it goes on working with it. `adjust` may say
    /// where it listens and how slow it is.
    ///
    /// # Errors
    /// [`SimulatorError::Saved`] when the file is none of ours, beside those of [`Simulator::start`].
    pub async fn resume(
        file: &[u8],
        adjust: impl FnOnce(&mut SimulatorConfig),
    ) -> Result<Running, SimulatorError> {
        let saved = SavedWorld::read(file)?;
        let mut config = saved.config.clone();
        adjust(&mut config);
        let listeners = listeners(&config).await?;
        let signer = Arc::new(WebhookSigner::read(saved.signer.clone())?);
        let identity = match &saved.identity {
            Some(identity) => TlsIdentity::read(identity.clone()),
            None => TlsIdentity::generate()?,
        };
        let running = Self::listen(config, listeners, identity, signer, None)?;
        running.control.become_saved(saved)?;
        Ok(running)
    }

    fn listen(
        config: SimulatorConfig,
        listeners: Vec<TcpListener>,
        identity: TlsIdentity,
        signer: Arc<WebhookSigner>,
        beside: Option<Arc<World>>,
    ) -> Result<Running, SimulatorError> {
        let urls = urls(&config, &listeners)?;
        let assumptions = Readings::new(config.assumptions.clone());
        let faults = Arc::new(Faults::new(config.seed, assumptions.clone()));
        let circumstances = Circumstances {
            clock: config
                .clock_stands_at
                .map_or_else(Clock::default, Clock::standing),
            deliveries: Deliveries::new(
                webhook_client(&config, &identity.ca_der)?,
                tokio::runtime::Handle::current(),
                Duration::from_millis(config.webhook_answer_ms),
                Arc::clone(&faults),
            ),
            faults,
            signer,
            identity: config.tls.then(|| identity.saved()),
            assumptions,
            beside,
        };
        let (world, access) = world(&config, &urls, circumstances)?;
        let tls = if config.tls {
            Some(acceptor(&identity)?)
        } else {
            None
        };
        let (stop, stopped) = watch::channel(false);
        for (listener, service) in listeners.into_iter().zip(SERVICES) {
            // A machine asks itself, and no authority could certify that address.
            let tls = tls.clone().filter(|_| service != Service::Metadata);
            let (world, stopped) = (Arc::clone(&world), stopped.clone());
            tokio::spawn(crate::server::serve(listener, tls, service, world, stopped));
        }
        Ok(Running {
            certificate_url: format!("{}{CERTIFICATE_PATH}", urls.certificates),
            urls,
            ca_pem: config.tls.then(|| identity.ca_pem.clone()),
            webhook_root_pem: world.signer.anchors_pem(),
            organizations: access.organizations,
            crm: access.crm,
            control: Control::over(&world),
            stop,
        })
    }
}

async fn listeners(config: &SimulatorConfig) -> Result<Vec<TcpListener>, SimulatorError> {
    let mut listeners = Vec::new();
    for (index, _) in SERVICES.iter().enumerate() {
        let offset = u16::try_from(index).unwrap_or(u16::MAX);
        let port = config
            .base_port
            .map_or(0, |base| base.saturating_add(offset));
        let bound = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
        listeners.push(bound.map_err(|source| SimulatorError::Bind { port, source })?);
    }
    Ok(listeners)
}

fn urls(config: &SimulatorConfig, listeners: &[TcpListener]) -> Result<Urls, SimulatorError> {
    let scheme = if config.tls { "https" } else { "http" };
    let mut roots = Vec::new();
    for listener in listeners {
        let address = listener
            .local_addr()
            .map_err(|source| SimulatorError::Bind { port: 0, source })?;
        roots.push((scheme, address));
    }
    let mut roots = roots.into_iter();
    let mut next = |scheme: Option<&str>| {
        let root = roots.next();
        root.map_or_else(String::new, |(usual, address)| {
            format!("{}://{address}", scheme.unwrap_or(usual))
        })
    };
    Ok(Urls {
        entra: next(None),
        referrals: next(None),
        partner_center: next(None),
        dataverse: next(None),
        certificates: next(None),
        control: next(None),
        metadata: next(Some("http")),
    })
}

/// Who there is, and how each signs in.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) organizations: Vec<OrganizationAccess>,
    pub(crate) crm: CrmAccess,
}

/// What differs between a world with listeners and one without.
pub(crate) struct Circumstances {
    pub(crate) clock: Clock,
    pub(crate) faults: Arc<Faults>,
    pub(crate) deliveries: Deliveries,
    pub(crate) signer: Arc<WebhookSigner>,
    /// Of the listeners, where they speak TLS.
    pub(crate) identity: Option<SavedIdentity>,
    pub(crate) assumptions: Readings,
    /// The world in whose tenant this one is a further CRM environment.
    pub(crate) beside: Option<Arc<World>>,
}

/// Makes a world and everybody in it.
pub(crate) fn world(
    config: &SimulatorConfig,
    urls: &Urls,
    circumstances: Circumstances,
) -> Result<(Arc<World>, Access), SimulatorError> {
    let Circumstances {
        clock,
        faults,
        deliveries,
        signer,
        identity,
        assumptions,
        beside,
    } = circumstances;
    let mut ids = Ids::new(config.seed, 0xAA);
    let clock = Arc::new(clock);
    let configured = if beside.is_some() {
        Vec::new()
    } else if config.organizations.is_empty() {
        vec![OrganizationConfig {
            name: "Contoso Partner".to_owned(),
            mpn_id: "4567890".to_owned(),
            user_mail: "cosell@contoso.example".to_owned(),
            certificates_pem: Vec::new(),
        }]
    } else {
        config.organizations.clone()
    };
    let mut organizations = Vec::new();
    let mut apps = Vec::new();
    for held in &configured {
        let tenant = ids.guid_text();
        organizations.push(Organization {
            id: ids.guid_text(),
            name: held.name.clone(),
            tenant: tenant.clone(),
            mpn_id: held.mpn_id.clone(),
        });
        apps.push(App {
            client_id: ids.guid_text(),
            secret: ids.secret(30),
            tenant,
        });
    }
    let tenant = match beside.as_ref().and_then(|first| first.entra.tenant()) {
        Some(tenant) => tenant,
        None => &apps[0].tenant,
    };
    let crm_app = App {
        client_id: ids.guid_text(),
        secret: ids.secret(30),
        tenant: tenant.to_owned(),
    };
    let mut all_apps = apps.clone();
    all_apps.push(crm_app.clone());
    let own = configured.iter().zip(&apps).flat_map(|(held, app)| {
        let certificates = held.certificates_pem.iter();
        certificates.map(|pem| (app.client_id.clone(), pem.clone()))
    });
    let of_crm = config.crm_certificates_pem.iter();
    let of_crm = of_crm.map(|pem| (crm_app.client_id.clone(), pem.clone()));
    let directory = Directory {
        apps: all_apps,
        certificates: own.chain(of_crm).collect(),
        audiences: audiences(urls),
        assumptions: assumptions.clone(),
        issuers: Issuers {
            managed: format!("{}/{}/v2.0", urls.entra, crm_app.tenant),
            cluster: format!("{}/cluster/", urls.metadata),
            tenant: crm_app.tenant.clone(),
        },
        signer: deliveries.are_posted().then(|| Arc::clone(&signer)),
    };
    let unfit = |reason| SimulatorError::Config { reason };
    let entra = match &beside {
        Some(first) => {
            let further = Further {
                app: crm_app.clone(),
                audiences: directory.audiences,
            };
            first.entra.also_open(further).map_err(unfit)?;
            for pem in &config.crm_certificates_pem {
                let added = first.entra.add_certificate(&crm_app.client_id, pem);
                added.map_err(unfit)?;
            }
            Arc::clone(&first.entra)
        }
        None => Arc::new(Entra::new(Arc::clone(&clock), config.seed, directory).map_err(unfit)?),
    };
    let access: Vec<OrganizationAccess> = organizations
        .iter()
        .zip(&apps)
        .zip(&configured)
        .map(|((organization, app), held)| OrganizationAccess {
            id: organization.id.clone(),
            name: organization.name.clone(),
            tenant_id: organization.tenant.clone(),
            client_id: app.client_id.clone(),
            client_secret: app.secret.clone(),
            refresh_token: entra.consent(app, &held.user_mail),
            user_mail: held.user_mail.clone(),
        })
        .collect();
    let shared = Shared {
        ledger: Arc::new(Ledger::new(Arc::clone(&clock))),
        clock,
        entra,
        deliveries,
        assumptions: assumptions.clone(),
        seed: config.seed,
    };
    let certificate_url = format!("{}{CERTIFICATE_PATH}", urls.certificates);
    let registrations = Registrations::new(
        &shared,
        Arc::clone(&signer),
        certificate_url.clone(),
        config.webhook_retry_ms,
    );
    let page_size = config.referral_page_size.max(1);
    let referrals = Referrals::new(
        &shared,
        Arc::clone(&registrations),
        organizations,
        page_size,
    );
    let users = CrmUsers {
        organization: ids.guid(),
        business_unit: ids.guid(),
        app_user: ids.guid(),
        seller: ids.guid(),
        app_client_id: crm_app.client_id.clone(),
        seller_mail: "sally.seller@contoso.example".to_owned(),
    };
    let crm = CrmAccess {
        tenant_id: crm_app.tenant.clone(),
        client_id: crm_app.client_id.clone(),
        client_secret: crm_app.secret.clone(),
        organization_id: users.organization.to_string(),
        app_user_id: users.app_user.to_string(),
        seller_id: users.seller.to_string(),
        seller_mail: users.seller_mail.clone(),
    };
    let authority = match &beside {
        Some(first) => first.dataverse.authority().to_owned(),
        None => format!("{}/{}", urls.entra, crm_app.tenant),
    };
    let dataverse =
        Dataverse::new(&shared, config, users, authority, urls.dataverse.clone()).map_err(unfit)?;
    let about = json!({
        "urls": urls,
        "certificate_url": certificate_url,
        "ca_pem": identity.as_ref().map(SavedIdentity::ca_pem),
        "webhook_root_pem": signer.anchors_pem(),
        "organizations": access,
        "crm": crm,
    });
    let world = World {
        clock: shared.clock,
        ledger: shared.ledger,
        faults,
        deliveries: shared.deliveries,
        entra: shared.entra,
        referrals,
        registrations,
        dataverse,
        signer,
        config: config.clone(),
        identity,
        assumptions,
        latency_ms: AtomicU64::new(config.latency_ms),
        requests: Requests::default(),
        about,
    };
    Ok((
        Arc::new(world),
        Access {
            organizations: access,
            crm,
        },
    ))
}

/// The names of the real services, and the local addresses under both names of this machine.
fn audiences(urls: &Urls) -> Vec<(String, Audience)> {
    let mut out = vec![
        (
            "https://api.partner.microsoft.com".to_owned(),
            Audience::Referrals,
        ),
        (
            "https://api.partnercenter.microsoft.com".to_owned(),
            Audience::PartnerCenter,
        ),
    ];
    for (url, audience) in [
        (&urls.referrals, Audience::Referrals),
        (&urls.partner_center, Audience::PartnerCenter),
        (&urls.dataverse, Audience::Dataverse),
    ] {
        out.push((url.to_ascii_lowercase(), audience));
        out.push((
            url.replace("127.0.0.1", "localhost").to_ascii_lowercase(),
            audience,
        ));
    }
    out
}

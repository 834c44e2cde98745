//! A world without listeners: whoever holds it is the network. For histories by the thousand, in one process and without a socket.
//!
//! The services are the very ones that the listeners serve; what is left out is TLS, latency, and the posting of webhooks, which wait in
//! an outbox instead. The clock stands until it is moved.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use jiff::Timestamp;

use crate::assumptions::Readings;
use crate::clock::Clock;
use crate::config::SimulatorConfig;
use crate::control::Control;
use crate::deliveries::{Deliveries, Undelivered};
use crate::faults::{Faults, Service, Strike};
use crate::running::{
    Access, CERTIFICATE_PATH, Circumstances, CrmAccess, OrganizationAccess, SimulatorError, Urls,
    world,
};
use crate::signing::WebhookSigner;
use crate::wire::{Reply, Request};
use crate::world::World;

/// The hosts of the services: names that no resolver knows.
const HOSTS: [(&str, Service); 7] = [
    ("entra.simulated", Service::Entra),
    ("referrals.simulated", Service::Referrals),
    ("partner-center.simulated", Service::PartnerCenter),
    ("dataverse.simulated", Service::Dataverse),
    ("certificates.simulated", Service::Certificates),
    ("control.simulated", Service::Control),
    ("metadata.simulated", Service::Metadata),
];

/// A world that is called and not connected to.
pub struct Inside {
    /// Where clients have to believe that the services are.
    pub urls: Urls,
    access: Access,
    config: SimulatorConfig,
    control: Control,
    world: Arc<World>,
}

/// What became of a request.
#[derive(Debug)]
pub enum Carried {
    /// The service answered.
    Answered(http::Response<Bytes>),
    /// No such host, or the connection broke before the service heard of it.
    Lost,
    /// The service has handled it, and its answer was lost on the way.
    Unanswered,
}

impl std::fmt::Debug for Inside {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Inside")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

impl Inside {
    /// Makes a world in which it is `now`. Latency is none; keys are made once in a process.
    ///
    /// # Errors
    /// [`SimulatorError::Config`], or that there are no keys.
    pub fn new(config: SimulatorConfig, now: Timestamp) -> Result<Self, SimulatorError> {
        let [
            entra,
            referrals,
            partner_center,
            dataverse,
            certificates,
            control,
            metadata,
        ] = HOSTS.map(|(host, _)| format!("https://{host}"));
        let urls = Urls {
            entra,
            referrals,
            partner_center,
            dataverse,
            certificates,
            control,
            metadata,
        };
        let assumptions = Readings::new(config.assumptions.clone());
        let faults = Arc::new(Faults::new(config.seed, assumptions.clone()));
        let circumstances = Circumstances {
            clock: Clock::standing(now),
            deliveries: Deliveries::into_outbox(Arc::clone(&faults)),
            faults,
            signer: signer()?,
            identity: None,
            assumptions,
            beside: None,
        };
        let (world, access) = world(&config, &urls, circumstances)?;
        Ok(Self {
            urls,
            access,
            config,
            control: Control::over(&world),
            world,
        })
    }

    /// Everything as it stands (records, tokens, registrations, the time), from here on by itself: what is done in one is not done in the
    /// other. Ids come from `seed` from now on. Ledger, acts and outbox begin empty, and no fault is under way.
    #[must_use]
    pub fn copied(&self, seed: u64) -> Self {
        // Never the stream of the world that is copied: its ids are taken.
        let seed = self.config.seed.rotate_left(32) ^ seed.wrapping_add(0xC0_5E11);
        let world = self.world.copied(seed);
        Self {
            urls: self.urls.clone(),
            access: self.access.clone(),
            config: self.config.clone(),
            control: Control::over(&world),
            world,
        }
    }

    /// Partner organisations.
    #[must_use]
    pub fn organizations(&self) -> &[OrganizationAccess] {
        &self.access.organizations
    }

    /// The CRM.
    #[must_use]
    pub fn crm(&self) -> &CrmAccess {
        &self.access.crm
    }

    /// Where notifications say their certificate is.
    #[must_use]
    pub fn certificate_url(&self) -> String {
        format!("{}{CERTIFICATE_PATH}", self.urls.certificates)
    }

    /// The hands on this world.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Which service an address belongs to.
    #[must_use]
    pub fn service(host: &str) -> Option<Service> {
        HOSTS
            .iter()
            .find(|(name, _)| *name == host)
            .map(|(_, service)| *service)
    }

    /// Hands a request with an absolute address to its service. Injected faults strike, but nobody waits: a delay takes no time.
    #[must_use]
    pub fn handle(&self, request: http::Request<Bytes>) -> Carried {
        let (head, body) = request.into_parts();
        let host = head.uri.host().unwrap_or_default();
        let Some(service) = Self::service(host) else {
            return Carried::Lost;
        };
        let request = Request {
            origin: format!("https://{host}"),
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body,
        };
        match self.world.strike(service, &request) {
            None | Some(Strike::Delay(_)) => answered(self.world.handle(service, &request)),
            Some(Strike::WrongClock(ms)) => answered(crate::clock::skewed(ms, || {
                self.world.handle(service, &request)
            })),
            Some(Strike::Answer(reply)) => answered(reply),
            Some(Strike::DropBefore) => Carried::Lost,
            Some(Strike::DropAfter) => {
                let _lost = self.world.handle(service, &request);
                Carried::Unanswered
            }
        }
    }

    /// Empties the outbox: the webhooks since the last time, oldest first.
    #[must_use]
    pub fn outbox(&self) -> Vec<Undelivered> {
        self.world.deliveries.drain()
    }
}

fn answered(reply: Reply) -> Carried {
    Carried::Answered(crate::server::respond(reply))
}

/// An RSA key takes a while, and no world without listeners signs anything with it: one serves them all.
fn signer() -> Result<Arc<WebhookSigner>, SimulatorError> {
    static SIGNER: OnceLock<Arc<WebhookSigner>> = OnceLock::new();
    if let Some(signer) = SIGNER.get() {
        return Ok(Arc::clone(signer));
    }
    let made = Arc::new(WebhookSigner::generate()?);
    Ok(Arc::clone(SIGNER.get_or_init(|| made)))
}

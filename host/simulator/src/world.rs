//! One simulated world: its services, and what they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::assumptions::Readings;
use crate::clock::Clock;
use crate::config::SimulatorConfig;
use crate::control::Control;
use crate::dataverse::Dataverse;
use crate::deliveries::Deliveries;
use crate::entra::Entra;
use crate::faults::{Faults, Service, Strike};
use crate::ledger::Ledger;
use crate::referrals::Referrals;
use crate::referrals::registration::Registrations;
use crate::requests::Requests;
use crate::signing::{Leaf, SavedIdentity, WebhookSigner, pem};
use crate::wire::{Reply, Request};

/// Files beside the good certificate, for receivers that have to refuse them.
pub(crate) const EXPIRED_CERTIFICATE: &str = "expired.cer";
pub(crate) const FOREIGN_CERTIFICATE: &str = "foreign.cer";

/// What every service is given.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<Clock>,
    pub(crate) entra: Arc<Entra>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) deliveries: Deliveries,
    pub(crate) assumptions: Readings,
    pub(crate) seed: u64,
}

/// Everything that runs behind the listeners.
pub(crate) struct World {
    pub(crate) clock: Arc<Clock>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) deliveries: Deliveries,
    pub(crate) entra: Arc<Entra>,
    pub(crate) referrals: Referrals,
    pub(crate) registrations: Arc<Registrations>,
    pub(crate) dataverse: Dataverse,
    pub(crate) signer: Arc<WebhookSigner>,
    /// What this world began with.
    pub(crate) config: SimulatorConfig,
    /// Keys of the listeners; none of a world without.
    pub(crate) identity: Option<SavedIdentity>,
    pub(crate) assumptions: Readings,
    pub(crate) latency_ms: AtomicU64,
    pub(crate) requests: Requests,
    /// What `GET /` of control tells: addresses and seeded ids.
    pub(crate) about: serde_json::Value,
}

impl World {
    /// Everything as it stands, from here on by itself: what is done in one is not done in the other. Ids that are drawn from now on come
    /// from `seed`. Acts, writes and refusals so far are left behind.
    pub(crate) fn copied(&self, seed: u64) -> Arc<Self> {
        let clock = Arc::new(self.clock.copied());
        let assumptions = self.assumptions.afresh();
        let entra = self
            .entra
            .copied(Arc::clone(&clock), seed, assumptions.clone());
        let entra = Arc::new(entra);
        let faults = Arc::new(Faults::new(seed, assumptions.clone()));
        let shared = Shared {
            ledger: Arc::new(Ledger::new(Arc::clone(&clock))),
            clock,
            entra,
            deliveries: Deliveries::into_outbox(Arc::clone(&faults)),
            assumptions,
            seed,
        };
        let registrations = self.registrations.copied(&shared);
        Arc::new(Self {
            faults,
            referrals: self.referrals.copied(&shared, Arc::clone(&registrations)),
            registrations,
            dataverse: self.dataverse.copied(&shared),
            signer: Arc::clone(&self.signer),
            config: self.config.clone(),
            identity: None,
            assumptions: shared.assumptions,
            latency_ms: AtomicU64::new(self.latency_ms()),
            requests: Requests::default(),
            about: self.about.clone(),
            clock: shared.clock,
            ledger: shared.ledger,
            deliveries: shared.deliveries,
            entra: shared.entra,
        })
    }

    /// The fault that strikes a request, with the answer that this world would give.
    pub(crate) fn strike(&self, service: Service, request: &Request) -> Option<Strike> {
        match (service, self.faults.strike(service, request)?) {
            (Service::Dataverse, Strike::Answer(reply)) => Some(Strike::Answer(
                crate::dataverse::injected(&self.assumptions, reply),
            )),
            (_, strike) => Some(strike),
        }
    }

    pub(crate) fn latency_ms(&self) -> u64 {
        self.latency_ms.load(Ordering::Relaxed)
    }

    /// A request has come: what is returned is held until it is answered. A service that has too much to do already refuses it.
    pub(crate) fn begin(
        &self,
        service: Service,
        request: &Request,
    ) -> Result<impl Send + use<>, Reply> {
        match service {
            Service::Dataverse => self.dataverse.begin(request),
            _ => Ok(None),
        }
    }

    pub(crate) fn handle(self: &Arc<Self>, service: Service, request: &Request) -> Reply {
        match service {
            Service::Entra => self.entra.handle(request),
            Service::Referrals => self.referrals.handle(request),
            Service::PartnerCenter => self.registrations.handle(request),
            Service::Dataverse => self.dataverse.handle(request),
            Service::Certificates => self.certificate(request),
            Service::Metadata => self.entra.machine(request),
            Service::Control => Control::over(self).answer(request),
        }
    }

    /// A certificate of the key that signs notifications: DER, or PEM or bare base64 when the world assumes so. (partner-center 5.4 step 3)
    fn certificate(&self, request: &Request) -> Reply {
        let which = match request.path.as_str() {
            path if path.ends_with(EXPIRED_CERTIFICATE) => Leaf::Expired,
            path if path.ends_with(FOREIGN_CERTIFICATE) => Leaf::Foreign,
            path if path.ends_with(".cer") => {
                if self.assumptions.certificate_subject_is_other() {
                    Leaf::Renamed
                } else {
                    Leaf::Good
                }
            }
            _ => return Reply::empty(404),
        };
        let Ok(der) = self.signer.certificate(which) else {
            return Reply::empty(500);
        };
        if self.assumptions.certificate_as_base64() {
            let text = STANDARD.encode(&der).into_bytes();
            return Reply::bytes(200, "application/pkix-cert", text);
        }
        let body = match (
            self.assumptions.certificate_as_pem(),
            self.assumptions.certificate_with_chain(),
        ) {
            (false, false) => der,
            (false, true) => [der, self.signer.intermediate_der()].concat(),
            (true, false) => pem(&der).into_bytes(),
            (true, true) => format!("{}{}", pem(&der), self.signer.intermediate_pem).into_bytes(),
        };
        Reply::bytes(200, "application/pkix-cert", body)
    }
}

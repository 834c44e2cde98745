//! Certificates that passed, kept by url: at most a day, never longer than they are valid, one fetch at a time for each url.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use super::chain::SigningCertificate;
use super::{Fault, Fetcher, Location, Trust};
use crate::refusal::{Reason, within};

/// Microsoft can change its certificate under the same url; a day is how long we may not notice without a failing signature.
const KEEP_MAX: Duration = Duration::from_secs(24 * 3600);
/// A wrong signature may mean a rotated certificate. Forgers must not make us fetch it more often than this.
const REFETCH_PAUSE: Duration = Duration::from_secs(60);
/// A failure is remembered so long: everybody who asks meanwhile hears the same answer.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);
/// Urls remembered. Microsoft uses one; a forger on a listed host could invent any number.
const URLS_MAX: usize = 32;
/// Fetches per minute for urls that never gave a good certificate.
const STRANGERS_PER_MINUTE_MAX: u32 = 20;

/// The shelf of one connection.
#[derive(Debug)]
pub(crate) struct Shelf {
    fetcher: Fetcher,
    trust: Trust,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    strangers: Mutex<Option<(SystemTime, u32)>>,
}

#[derive(Debug, Default)]
struct Slot {
    known: RwLock<Option<Known>>,
    /// Held while fetching; the last failure.
    turn: tokio::sync::Mutex<Option<(SystemTime, Fault)>>,
}

#[derive(Debug, Clone)]
struct Known {
    certificate: Arc<SigningCertificate>,
    fetched_at: SystemTime,
    keep_until: SystemTime,
}

impl Shelf {
    pub(crate) fn new(fetcher: Fetcher, trust: Trust) -> Self {
        Self {
            fetcher,
            trust,
            slots: Mutex::default(),
            strangers: Mutex::default(),
        }
    }

    /// The certificate of a url, from the shelf or fetched.
    pub(crate) async fn certificate(
        &self,
        location: &Location,
        now: SystemTime,
    ) -> Result<Arc<SigningCertificate>, Fault> {
        let slot = self.slot(location);
        if let Some(fresh) = slot.fresh(now) {
            return Ok(fresh.certificate);
        }
        let mut turn = slot.turn.lock().await;
        if let Some(fresh) = slot.fresh(now) {
            return Ok(fresh.certificate);
        }
        if let Some((_, fault)) = turn
            .as_ref()
            .filter(|(at, _)| within(*at, now, FAILURE_PAUSE))
        {
            return Err(fault.clone());
        }
        if slot.known().is_none() && !self.admit_stranger(now) {
            return Err(Reason::CertificateFetches.into());
        }
        match self.fetch(location, now).await {
            Ok(known) => {
                *turn = None;
                slot.put(known.clone());
                Ok(known.certificate)
            }
            Err(fault) => {
                *turn = Some((now, fault.clone()));
                Err(fault)
            }
        }
    }

    /// After a signature did not fit `tried`: another certificate of the same url, if there is one by now. None: `tried` is what there is.
    pub(crate) async fn newer(
        &self,
        location: &Location,
        tried: &SigningCertificate,
        now: SystemTime,
    ) -> Option<Arc<SigningCertificate>> {
        let slot = self.slot(location);
        let _turn = slot.turn.lock().await;
        let known = slot.known()?;
        if !std::ptr::eq(Arc::as_ptr(&known.certificate), tried) {
            return Some(known.certificate);
        }
        if within(known.fetched_at, now, REFETCH_PAUSE) {
            return None;
        }
        match self.fetch(location, now).await {
            Ok(newer) => {
                slot.put(newer.clone());
                Some(newer.certificate)
            }
            // The one we have is still good; only the pause starts anew.
            Err(_) => {
                slot.put(Known {
                    fetched_at: now,
                    ..known
                });
                None
            }
        }
    }

    async fn fetch(&self, location: &Location, now: SystemTime) -> Result<Known, Fault> {
        let file = self.fetcher.fetch(location).await?;
        let certificate = Arc::new(self.trust.check(&file, now)?);
        Ok(Known {
            fetched_at: now,
            keep_until: certificate.not_after.min(now + KEEP_MAX),
            certificate,
        })
    }

    fn slot(&self, location: &Location) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(location.as_str()) {
            return Arc::clone(slot);
        }
        if slots.len() >= URLS_MAX {
            // Strangers go before urls that gave a good certificate; among those, the one fetched longest ago.
            let oldest = slots
                .iter()
                .min_by_key(|(_, slot)| slot.known().map(|known| known.fetched_at))
                .map(|(url, _)| url.clone());
            if let Some(url) = oldest {
                slots.remove(&url);
            }
        }
        Arc::clone(slots.entry(location.as_str().to_owned()).or_default())
    }

    fn admit_stranger(&self, now: SystemTime) -> bool {
        let mut window = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match window
            .as_mut()
            .filter(|(since, _)| within(*since, now, Duration::from_secs(60)))
        {
            Some((_, count)) if *count >= STRANGERS_PER_MINUTE_MAX => false,
            Some((_, count)) => {
                *count += 1;
                true
            }
            None => {
                *window = Some((now, 1));
                true
            }
        }
    }
}

impl Slot {
    fn known(&self) -> Option<Known> {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fresh(&self, now: SystemTime) -> Option<Known> {
        self.known().filter(|known| now < known.keep_until)
    }

    fn put(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

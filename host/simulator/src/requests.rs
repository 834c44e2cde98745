//! Which requests have come, for whoever measures how soon a client begins to ask.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::faults::Service;

/// Older requests are forgotten.
const KEPT: usize = 10_000;

/// A request that reached a service, before anything was decided about it.
#[derive(Debug, Clone)]
pub struct Requested {
    /// When its head was read, by the machine's own clock: the world's can be turned.
    pub at: Instant,
    /// Which service.
    pub service: Service,
    /// With which method.
    pub method: http::Method,
    /// Path and query.
    pub target: String,
}

/// The last requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Requests(Mutex<VecDeque<Requested>>);

impl Requests {
    pub(crate) fn came(
        &self,
        at: Instant,
        service: Service,
        method: &http::Method,
        target: &http::Uri,
    ) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Requested {
            at,
            service,
            method: method.clone(),
            target: target.to_string(),
        });
    }

    pub(crate) fn since(&self, moment: Instant) -> Vec<Requested> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let late = kept.iter().rev().take_while(|one| one.at >= moment);
        let mut late: Vec<Requested> = late.cloned().collect();
        late.reverse();
        late
    }
}

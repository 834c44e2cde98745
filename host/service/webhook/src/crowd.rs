//! How many sockets one address has open: all of them may be as many as the server takes, one address's only a part, so that a caller who opens sockets
//! and says nothing leaves room for others.
//!
//! Off unless the operator says a number. Before a host that speaks plain HTTP stands a gateway, and from behind it everybody calls from one address: there
//! a number would be one for all senders together. Where the gateway passes the sender's own address on (a balancer that works on connections), it is of use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::caller::Caller;

/// Told at most so often: an attacker gets six lines a minute, not the disk.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// Who has sockets open.
#[derive(Debug)]
pub(crate) struct Crowd {
    most: Option<usize>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// As many entries as sockets at most: an address without one is forgotten.
    callers: HashMap<Caller, usize>,
    turned_away: u64,
    told: Option<Instant>,
}

/// A socket's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Arc<Crowd>,
    caller: Caller,
}

impl Crowd {
    /// `most`: sockets of one address; None: as many as there are.
    pub(crate) fn new(most: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
        })
    }

    /// A place for one more socket of this caller. None: it has all that it may have.
    pub(crate) fn enter(self: &Arc<Self>, caller: Caller) -> Option<Place> {
        let mut open = self.open();
        let count = open.callers.get(&caller).copied().unwrap_or_default();
        if self.most.is_some_and(|most| count >= most) {
            open.turned_away += 1;
            return None;
        }
        open.callers.insert(caller, count + 1);
        Some(Place {
            crowd: Arc::clone(self),
            caller,
        })
    }

    /// How many sockets were turned away so far, when it is time to tell that again.
    pub(crate) fn news(&self, now: Instant) -> Option<u64> {
        let mut open = self.open();
        if open
            .told
            .is_some_and(|told| now.saturating_duration_since(told) < LOG_PAUSE)
        {
            return None;
        }
        open.told = Some(now);
        Some(open.turned_away)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.crowd.open();
        match open.callers.get_mut(&self.caller) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.callers.remove(&self.caller)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn caller(address: &str) -> Caller {
        Caller::from(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn an_address_has_its_part_and_gives_it_back() {
        let crowd = Crowd::new(Some(2));
        let one = caller("192.0.2.1");
        let first = crowd.enter(one);
        let second = crowd.enter(one);
        assert!(first.is_some() && second.is_some());
        assert!(crowd.enter(one).is_none());
        assert!(crowd.enter(caller("192.0.2.2")).is_some());
        drop(first);
        assert!(crowd.enter(one).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let crowd = Crowd::new(Some(1));
        let _first = crowd.enter(caller("2001:db8::1")).unwrap();
        assert!(crowd.enter(caller("2001:db8::ffff")).is_none());
        assert!(crowd.enter(caller("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn nothing_is_remembered_of_who_is_gone() {
        let crowd = Crowd::new(None);
        let places: Vec<_> = (0..50)
            .map(|last| crowd.enter(caller(&format!("192.0.2.{last}"))))
            .collect();
        assert_eq!(crowd.open().callers.len(), 50);
        drop(places);
        assert!(crowd.open().callers.is_empty());
    }

    #[test]
    fn what_was_turned_away_is_told_once_in_a_pause() {
        let crowd = Crowd::new(Some(1));
        let one = caller("192.0.2.1");
        let _place = crowd.enter(one);
        assert!(crowd.enter(one).is_none() && crowd.enter(one).is_none());
        let now = Instant::now();
        assert_eq!(crowd.news(now), Some(2));
        assert_eq!(crowd.news(now), None);
        assert_eq!(crowd.news(now + LOG_PAUSE), Some(2));
    }
}

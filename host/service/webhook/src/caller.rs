//! Who failed to prove itself lately, by the address it calls from. Such a caller hears 429, and its proofs wait for no turn; but each is still tried where
//! there is room, because behind a gateway everybody calls from one address, and a genuine event must not be lost to a stranger's flood.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::refusal::within;

/// What is remembered of a caller's failures.
const WINDOW: Duration = Duration::from_secs(60);
/// Callers remembered at once, in about 300 KiB. A flood from more addresses than that is one of the whole door ([`crate::DoorLimits::proofs`]).
const CALLERS_MAX: usize = 4096;

/// Who sent a request. [`crate::serve`] puts it into the request's extensions; what a header says about it is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller(IpAddr);

impl From<IpAddr> for Caller {
    /// One IPv6 subscriber has a whole /64, so that is who calls.
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            address => address,
        })
    }
}

/// Failures of each caller, the first of them and how many within [`WINDOW`] after it.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<Caller, (SystemTime, u32)>>);

impl Failures {
    /// One more.
    pub(crate) fn add(&self, caller: Caller, now: SystemTime) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS_MAX && !callers.contains_key(&caller) {
            callers.retain(|_, (since, _)| within(*since, now, WINDOW));
            if callers.len() >= CALLERS_MAX {
                return;
            }
        }
        let (since, count) = callers.entry(caller).or_insert((now, 0));
        if !within(*since, now, WINDOW) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
    }

    /// Those of the last minute.
    pub(crate) fn of(&self, caller: Caller, now: SystemTime) -> u32 {
        let callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callers
            .get(&caller)
            .filter(|(since, _)| within(*since, now, WINDOW))
            .map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(address: &str) -> Caller {
        Caller::from(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn failures_are_counted_by_caller_and_forgotten_after_a_minute() {
        let (failures, now) = (Failures::default(), SystemTime::now());
        let (one, other) = (caller("192.0.2.1"), caller("192.0.2.2"));
        for _ in 0..3 {
            failures.add(one, now);
        }
        assert_eq!((failures.of(one, now), failures.of(other, now)), (3, 0));
        assert_eq!(failures.of(one, now + WINDOW), 0);
        failures.add(one, now + WINDOW);
        assert_eq!(failures.of(one, now + WINDOW), 1);
    }

    #[test]
    fn a_subscriber_is_one_caller_and_so_is_an_address_written_in_two_ways() {
        assert_eq!(caller("2001:db8::1"), caller("2001:db8::ffff:1"));
        assert_ne!(caller("2001:db8::1"), caller("2001:db8:0:1::1"));
        assert_eq!(caller("::ffff:192.0.2.1"), caller("192.0.2.1"));
    }

    #[test]
    fn more_callers_than_are_remembered_push_out_only_those_that_rest() {
        let (failures, now) = (Failures::default(), SystemTime::now());
        let numbered = |number: u32| Caller::from(IpAddr::from(number.to_be_bytes()));
        for number in 0..5_000 {
            failures.add(numbered(number), now);
        }
        assert_eq!(failures.0.lock().unwrap().len(), CALLERS_MAX);
        assert_eq!(failures.of(numbered(0), now), 1, "a flood hides nobody");
        failures.add(numbered(9_000), now + WINDOW);
        assert_eq!(failures.0.lock().unwrap().len(), 1);
    }
}

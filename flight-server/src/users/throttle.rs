//! Wrong credentials are answered late, later each time, by address: others are not slowed, and
//! nobody is locked out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Wrong credentials answered at once: people mistype.
const FREE: u32 = 3;
/// The first wait; each further one doubles.
const WAIT_FIRST: Duration = Duration::from_millis(100);
/// Doublings: the longest wait is 1.6 s.
const DOUBLINGS_MAX: u32 = 4;
/// After so long without one an address begins anew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Addresses remembered at a time.
const ADDRESSES_MAX: usize = 4_096;
/// Answers to one address that may wait at the same time before no more passwords are tried.
const WAITING_MAX: u32 = 16;

/// Counts wrong credentials by address.
#[derive(Debug, Default)]
pub(super) struct Throttle(Arc<Mutex<HashMap<IpAddr, Record>>>);

#[derive(Debug)]
struct Record {
    wrong: u32,
    waiting: u32,
    last: Instant,
}

/// An answer that waits.
struct Waiting(Arc<Mutex<HashMap<IpAddr, Record>>>, IpAddr);

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut records = lock(&self.0);
        if let Some(record) = records.get_mut(&self.1) {
            record.waiting = record.waiting.saturating_sub(1);
        }
    }
}

impl Throttle {
    /// Counts one from `address`, and waits as long as it is to wait.
    pub(super) async fn refused(&self, address: IpAddr) {
        let address = network(address);
        let wait = self.count(address);
        let _waiting = Waiting(Arc::clone(&self.0), address);
        tokio::time::sleep(wait).await;
    }

    /// Whether too many answers to `address` wait.
    pub(super) fn guessing(&self, address: IpAddr) -> bool {
        let records = lock(&self.0);
        let record = records.get(&network(address));
        record.is_some_and(|record| record.waiting >= WAITING_MAX)
    }

    fn count(&self, address: IpAddr) -> Duration {
        let mut records = lock(&self.0);
        if records.len() >= ADDRESSES_MAX && !records.contains_key(&address) {
            records
                .retain(|_, record| record.waiting > 0 || record.last.elapsed() < FORGOTTEN_AFTER);
            let oldest = records.iter().min_by_key(|(_, record)| record.last);
            let oldest = oldest.map(|(address, _)| *address);
            if records.len() >= ADDRESSES_MAX {
                oldest.and_then(|oldest| records.remove(&oldest));
            }
        }
        let record = records.entry(address).or_insert_with(|| Record {
            wrong: 0,
            waiting: 0,
            last: Instant::now(),
        });
        if record.last.elapsed() >= FORGOTTEN_AFTER {
            record.wrong = 0;
        }
        record.wrong = record.wrong.saturating_add(1);
        record.waiting += 1;
        record.last = Instant::now();
        match record.wrong.checked_sub(FREE + 1) {
            Some(more) => WAIT_FIRST * (1 << more.min(DOUBLINGS_MAX)),
            None => Duration::ZERO,
        }
    }
}

fn lock(records: &Mutex<HashMap<IpAddr, Record>>) -> MutexGuard<'_, HashMap<IpAddr, Record>> {
    records.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one guesser has: an IPv4 address, or an IPv6 network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_by_address_and_have_an_end() {
        let throttle = Throttle::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let waits: Vec<u128> = (0..10).map(|_| throttle.count(one).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 400, 800, 1_600, 1_600, 1_600]);
        assert_eq!(throttle.count(other), Duration::ZERO);
        assert!(!throttle.guessing(one));
        for _ in 0..WAITING_MAX {
            throttle.count(one);
        }
        assert!(throttle.guessing(one) && !throttle.guessing(other));
    }

    #[tokio::test]
    async fn an_answer_that_was_given_waits_no_more() {
        let throttle = Throttle::default();
        let address = "2001:db8::1".parse().unwrap();
        throttle.refused(address).await;
        let neighbour = network("2001:db8::2".parse().unwrap());
        assert_eq!(lock(&throttle.0)[&neighbour].waiting, 0);
        assert_eq!(lock(&throttle.0)[&neighbour].wrong, 1);
    }

    #[test]
    fn addresses_are_bounded() {
        let throttle = Throttle::default();
        for number in 0..ADDRESSES_MAX as u32 + 10 {
            throttle.count(IpAddr::V4(number.into()));
        }
        assert_eq!(lock(&throttle.0).len(), ADDRESSES_MAX);
    }
}

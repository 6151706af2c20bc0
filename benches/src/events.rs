//! JSON log events of ten fields and about 320 bytes, the same for the same seed.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The columns of the events, as a table definition lists them.
pub const COLUMNS: &str = "timestamp TIMESTAMP, severity VARCHAR, source VARCHAR, message VARCHAR, \
                           host VARCHAR, service_version VARCHAR, trace_id VARCHAR, \
                           user_id VARCHAR, latency_ms DOUBLE, status BIGINT";

/// The names of the columns, as a query lists them.
pub const NAMES: &str = "timestamp, severity, source, message, host, service_version, trace_id, \
                         user_id, latency_ms, status";

/// An endless row of events.
#[derive(Debug)]
pub struct Events {
    random: StdRng,
    number: u64,
}

impl Events {
    /// The events of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            number: 0,
        }
    }
}

impl Iterator for Events {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let random = &mut self.random;
        self.number += 1;
        let (number, milli) = (self.number, self.number % 1_000);
        let second = self.number / 1_000 % 60;
        let severity =
            ["DEBUG", "INFO", "INFO", "INFO", "WARN", "ERROR"][random.random_range(0..6)];
        let source = ["auth", "payment", "order", "inventory", "user"][random.random_range(0..5)];
        let (host, order) = (random.random_range(1..64), random.random::<u32>());
        let (trace, user) = (random.random::<u128>(), random.random_range(0..100_000));
        let latency = f64::from(random.random_range(1..200_000_u32)) / 100.0;
        let status = [200, 200, 200, 201, 404, 500][random.random_range(0..6)];
        // Few records come late, so that tables partitioned by day get more than one file a flush.
        let day = if random.random_range(0..50) == 0 {
            4
        } else {
            5
        };
        Some(format!(
            "{{\"timestamp\":\"2026-02-0{day}T10:00:{second:02}.{milli:03}Z\",\
             \"severity\":\"{severity}\",\"source\":\"{source}\",\
             \"message\":\"handled order {order} step {number} for cart with {host} items in \
             region eu-west-1, cache miss, retry 0\",\"host\":\"node-{host:02}\",\
             \"service_version\":\"2.14.{host}\",\"trace_id\":\"{trace:032x}\",\
             \"user_id\":\"user-{user}\",\"latency_ms\":{latency},\"status\":{status}}}"
        ))
    }
}

//! The incident: the connection pool of the payment database runs dry, stays so and recovers.

use std::time::Duration;

/// A demo of at least this length has its incident after one minute.
const LONG: Duration = Duration::from_secs(180);
const LONG_FROM: Duration = Duration::from_secs(60);
const LONG_LASTS: Duration = Duration::from_secs(45);

/// The part of the incident in which the pool drains, and the part in which it fills again.
const SLOPE: f64 = 0.25;

/// When it happens, counted from the first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incident {
    /// The first sign.
    pub(crate) from: Duration,
    /// The last.
    pub(crate) to: Duration,
}

impl Incident {
    /// For a demo of `length`, without one until it is stopped: a minute in, or a third into a
    /// short one.
    pub(crate) fn within(length: Option<Duration>) -> Self {
        match length {
            Some(length) if length < LONG => Self {
                from: length / 3,
                to: length * 2 / 3,
            },
            _ => Self {
                from: LONG_FROM,
                to: LONG_FROM + LONG_LASTS,
            },
        }
    }

    /// How dry the pool is: 0 when all is well, 1 when no connection is left.
    pub(crate) fn pressure(&self, at: Duration) -> f64 {
        if at <= self.from || at >= self.to {
            return 0.0;
        }
        let passed = (at - self.from).as_secs_f64() / (self.to - self.from).as_secs_f64();
        (passed / SLOPE).min((1.0 - passed) / SLOPE).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_a_minute_in_or_a_third_into_a_short_demo() {
        let from = |seconds| {
            Incident::within(Some(Duration::from_secs(seconds)))
                .from
                .as_secs()
        };
        assert_eq!([from(30), from(90), from(180), from(900)], [10, 30, 60, 60]);
        assert_eq!(Incident::within(None).from.as_secs(), 60);
    }

    #[test]
    fn the_pool_drains_stays_dry_and_fills_again() {
        let incident = Incident::within(None);
        let pressure = |seconds: u64| incident.pressure(Duration::from_secs(seconds));
        assert_eq!(
            [pressure(0), pressure(60), pressure(105), pressure(200)],
            [0.0; 4]
        );
        assert!(pressure(64) > 0.0 && pressure(64) < pressure(68));
        assert_eq!(pressure(80), 1.0);
        assert!(pressure(98) < 1.0 && pressure(104) < pressure(98));
    }
}

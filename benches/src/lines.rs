//! Log lines as micro-services write them, the same for the same seed.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// `count` lines of which `dirty` in a hundred hold personal data or a secret.
#[must_use]
pub fn generate(seed: u64, count: usize, dirty: u32) -> Vec<String> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            if random.random_range(0..100) < dirty {
                dirty_line(&mut random)
            } else {
                clean_line(&mut random)
            }
        })
        .collect()
}

fn prefix(random: &mut StdRng) -> String {
    let (minute, second, milli) = (
        random.random_range(0..60),
        random.random_range(0..60),
        random.random_range(0..1000),
    );
    let level = ["INFO", "WARN", "DEBUG", "ERROR"][random.random_range(0..4)];
    format!("2026-02-05T10:{minute:02}:{second:02}.{milli:03}Z {level}")
}

fn clean_line(random: &mut StdRng) -> String {
    let prefix = prefix(random);
    let (id, size) = (random.random::<u64>(), random.random_range(0..100_000_000));
    let host = random.random_range(1..255);
    match random.random_range(0..5) {
        0 => format!(
            "{prefix} order-service request_id={id:016x} GET /api/orders/{size} 200 in {host} ms \
             from 10.20.{host}.7:50010"
        ),
        1 => format!(
            "{prefix} dfs.DataNode$PacketResponder: Received block blk_-{id} of size {size} \
             from /10.251.{host}.191"
        ),
        2 => format!(
            r#"{{"ts":"{prefix}","unit":"payment","trace":"{id:032x}","n":{host},"bytes":{size}}}"#
        ),
        3 => format!(
            "{prefix} sshd[{size}]: Failed password for root from 173.234.{host}.197 port 41124"
        ),
        _ => format!(
            "{prefix} connection pool at {host} of 256, waiting threads {size}, retry with backoff"
        ),
    }
}

fn dirty_line(random: &mut StdRng) -> String {
    let prefix = prefix(random);
    let number = random.random_range(1000..10_000);
    match random.random_range(0..5) {
        0 => format!(
            "{prefix} payment-service charge card=4111-1111-1111-1111 order={number} approved"
        ),
        1 => format!("{prefix} user-service verified ssn 536-90-{number} of the applicant"),
        2 => format!("{prefix} notification-service mail to user{number}@example.com queued"),
        3 => format!("{prefix} call-center dialled (212) 555-{number} from the queue"),
        _ => format!(
            r#"{{"ts":"{prefix}","event":"login","user":"u{number}","password":"s3cret-{number}"}}"#
        ),
    }
}

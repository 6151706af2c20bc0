//! Random faults and random hands over partitions, by seed: in the end every record is there once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::memory::{Change, Fault, World};
use crate::statements::{run, values};

use super::{COPY, PATIENCE, open, set_up, verdicts};

const PARTITIONS: usize = 3;

/// Numbers from a seed, the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn partition(&mut self) -> usize {
        usize::try_from(self.below(PARTITIONS as u64)).unwrap()
    }
}

fn faults(world: &World, random: &mut Random) {
    for table in ["t", "t__dlq"] {
        for number in 0..60 {
            let fault = match random.below(12) {
                0 => Fault::Before,
                1 => Fault::After,
                2 => Fault::Slow(Duration::from_millis(random.below(30))),
                3 => Fault::Full,
                _ => continue,
            };
            world.faults(table).lock().unwrap().push((number, fault));
        }
    }
}

async fn survives(seed: u64) {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let mut random = Random(seed);
    faults(&world, &mut random);
    for partition in 0..PARTITIONS {
        topic.push(partition, &["0"]);
    }
    topic.scripted.store(true, Ordering::SeqCst);
    let sql = COPY.replace("'5ms'", "'5ms', max_rows = 4");
    let (first, session) = set_up(&world, &sql).await;
    let (second, other) = open(&world).await;
    run(&other, &sql).await.unwrap();
    first.start_pipelines();
    second.start_pipelines();
    let mut pushed = vec![1_u64; PARTITIONS];
    for _ in 0..60 {
        let partition = random.partition();
        let record = match random.below(8) {
            0 => "!bad".to_owned(),
            _ => pushed[partition].to_string(),
        };
        topic.push(partition, &[&record]);
        pushed[partition] += 1;
        let readers = topic.readers() as u64;
        if readers > 0 {
            // Any reader, living or dead, of either process; both may believe to own a partition.
            let reader = usize::try_from(random.below(readers)).unwrap();
            let partition = vec![random.partition()];
            topic.change(
                reader,
                match random.below(3) {
                    0 => Change::Lose(partition),
                    1 => Change::Revoke(partition),
                    _ => Change::Assign(partition),
                },
            );
        }
        tokio::time::sleep(Duration::from_millis(random.below(6))).await;
    }
    // Whoever comes next reads everything: the last readers of both processes.
    topic.scripted.store(false, Ordering::SeqCst);
    for engine in [&first, &second] {
        engine.shutdown().await;
        engine.start_pipelines();
    }
    let total: u64 = pushed.iter().sum();
    until_committed(&world, &pushed).await;
    let all = "SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM t__dlq)";
    assert_eq!(values(&session, all).await, [total.to_string()]);
    first.shutdown().await;
    second.shutdown().await;
    let distinct = "SELECT count(DISTINCT _partition * 100000 + _offset) FROM \
                    (SELECT _partition, _offset FROM t \
                     UNION ALL SELECT _partition, _offset FROM t__dlq)";
    assert_eq!(values(&session, distinct).await, [total.to_string()]);
    let verdicts = verdicts(&session).await;
    assert!(
        verdicts.iter().all(|verdict| verdict == "ok"),
        "{verdicts:?}"
    );
}

/// Waits until the offsets stored are the ends of the partitions.
async fn until_committed(world: &World, ends: &[u64]) {
    let table = world.table("t");
    let stored = |index: usize| table.offset("p", "events", i32::try_from(index).unwrap());
    let done = async {
        while (0..ends.len()).any(|index| stored(index) != i64::try_from(ends[index]).ok()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, done).await;
    let stored: Vec<_> = (0..ends.len()).map(stored).collect();
    assert!(waited.is_ok(), "{stored:?} of {ends:?}");
}

#[tokio::test]
async fn every_record_survives_random_faults_and_hands_once() {
    for seed in 1..=12 {
        println!("seed {seed}");
        survives(seed).await;
    }
}

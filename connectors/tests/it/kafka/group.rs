//! Several readers of one group, and partitions that change hands between them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sluice_engine::source::{Event, Member, Offered, Partition, Reader, Wanted};
use tokio::time::timeout;

use super::{Broker, PATIENCE, rows};

/// One of several readers in a group, keeping the contract the engine keeps.
struct Peer {
    reader: Box<dyn Reader>,
    held: BTreeSet<Partition>,
}

/// What is stored: the next offset of each partition, and every record.
#[derive(Default)]
struct Store {
    next: BTreeMap<Partition, i64>,
    records: Vec<(i32, i64)>,
}

impl Peer {
    async fn step(&mut self, store: &mut Store) {
        let Ok(next) = timeout(Duration::from_millis(50), self.reader.next()).await else {
            return;
        };
        match next
            .expect("a stream that can be read")
            .expect("a stream without end")
        {
            Event::Assigned(assigned) => {
                let offered = assigned.offered.iter();
                let at = |of: &Offered| store.next.get(&of.partition).copied().unwrap_or(of.start);
                assigned
                    .reply
                    .send(Ok(offered.map(at).collect()))
                    .expect("a reader that waits");
                self.held
                    .extend(assigned.offered.into_iter().map(|of| of.partition));
            }
            Event::Revoked(revoked) => {
                self.held.retain(|of| !revoked.partitions.contains(of));
                revoked.reply.send(()).expect("a reader that waits");
            }
            Event::Batch(batch) => {
                for range in &batch.ranges {
                    assert!(
                        self.held.contains(&range.partition),
                        "read without being held"
                    );
                    let next = store.next.insert(range.partition.clone(), range.to);
                    assert_eq!(next.unwrap_or(0), range.from, "ranges join across readers");
                }
                let rows = rows(&[batch]);
                store.records.extend(
                    rows.into_iter()
                        .map(|(partition, offset, _)| (partition, offset)),
                );
            }
        }
    }
}

#[tokio::test]
async fn two_readers_share_the_partitions_of_a_group() {
    let broker = Broker::with_topic("events", 4);
    let source = broker.source("events", &[]).await;
    let mut store = Store::default();
    let mut members = Vec::new();
    let mut sent = 0;
    let shared = async {
        for wanted in [vec![4], vec![2, 2]] {
            let reader = source
                .follow(&Member::of("g"), Wanted::default())
                .await
                .expect("a topic");
            members.push(Peer {
                reader,
                held: BTreeSet::new(),
            });
            while members.iter().map(|of| of.held.len()).collect::<Vec<_>>() != wanted {
                for partition in 0..4 {
                    broker.send_numbers("events", partition, sent..sent + 1);
                }
                sent += 1;
                for member in &mut members {
                    member.step(&mut store).await;
                }
            }
        }
        // One leaves, and the other takes over.
        members.remove(0);
        while members[0].held.len() < 4 || store.records.len() < 4 * sent as usize {
            members[0].step(&mut store).await;
        }
    };
    timeout(PATIENCE, shared)
        .await
        .expect("a group that settles");
    store.records.sort_unstable();
    let wanted: Vec<_> = (0..4)
        .flat_map(|of| (0..sent).map(move |at| (of, at)))
        .collect();
    assert_eq!(store.records, wanted, "every record once");
}

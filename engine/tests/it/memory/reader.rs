//! A reader of a topic in memory, which settles each change of its partitions with the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use sluice_engine::error::{Error, Result};
use sluice_engine::source::{
    Assigned, Event, Member, Partition, Reader, Redecoded, Revoked, Source, Wanted,
};
use tokio::sync::oneshot;

use super::topic::{Change, Topic, schema};

#[derive(Debug)]
pub(super) struct MemorySource {
    pub(super) name: String,
    pub(super) topic: Arc<Topic>,
    pub(super) evolves: bool,
}

struct MemoryReader {
    number: usize,
    name: String,
    topic: Arc<Topic>,
    extra: bool,
    owned: BTreeMap<usize, usize>,
    ends: Option<Vec<usize>>,
    waits: Option<Waits>,
    begun: bool,
}

/// For what the reader waits before it goes on.
enum Waits {
    Positions(Vec<usize>, oneshot::Receiver<Result<Vec<i64>>>),
    GivenUp(Vec<usize>, oneshot::Receiver<()>),
}

#[async_trait]
impl Source for MemorySource {
    fn schema(&self) -> SchemaRef {
        schema(self.evolves)
    }

    fn evolves(&self) -> bool {
        self.evolves
    }

    fn settings(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("topics".to_owned(), self.name.clone())])
    }

    async fn follow(&self, _member: &Member, _wanted: Wanted) -> Result<Box<dyn Reader>> {
        Ok(Box::new(self.reader(false)))
    }

    async fn scan(&self, _wanted: Wanted) -> Result<Box<dyn Reader>> {
        Ok(Box::new(self.reader(true)))
    }

    fn decode(&self, records: &[&[u8]]) -> Result<Redecoded> {
        let texts = records
            .iter()
            .map(|text| std::str::from_utf8(text).unwrap());
        let texts = StringArray::from_iter_values(texts);
        let rows = RecordBatch::try_from_iter([("value", Arc::new(texts) as ArrayRef)]);
        Ok(Redecoded {
            rows: rows.unwrap(),
            faults: vec![None; records.len()],
        })
    }
}

impl MemorySource {
    fn reader(&self, bounded: bool) -> MemoryReader {
        let ends = self.topic.ends();
        let from_start = (0..ends.len()).map(|index| (index, 0));
        MemoryReader {
            number: if bounded {
                usize::MAX
            } else {
                self.topic.next_reader()
            },
            name: self.name.clone(),
            topic: Arc::clone(&self.topic),
            extra: self.evolves,
            owned: if bounded {
                from_start.collect()
            } else {
                BTreeMap::new()
            },
            ends: bounded.then_some(ends),
            waits: None,
            begun: bounded,
        }
    }
}

impl MemoryReader {
    fn assign(&mut self, indexes: Vec<usize>) -> Event {
        let offered = indexes
            .iter()
            .map(|index| self.topic.offer(&self.name, *index));
        let offered = offered.collect();
        let (reply, asked) = oneshot::channel();
        self.waits = Some(Waits::Positions(indexes, asked));
        Event::Assigned(Assigned { offered, reply })
    }

    fn revoke(&mut self, indexes: Vec<usize>, lost: bool) -> Event {
        let partitions = indexes
            .iter()
            .map(|index| self.topic.partition(&self.name, *index));
        let partitions = partitions.collect();
        let (reply, asked) = oneshot::channel();
        self.waits = Some(Waits::GivenUp(indexes, asked));
        Event::Revoked(Revoked {
            partitions,
            lost,
            reply,
        })
    }

    async fn settle(&mut self) -> Result<()> {
        match &mut self.waits {
            None => return Ok(()),
            Some(Waits::Positions(indexes, asked)) => {
                let positions = asked.await.map_err(|_| Error::internal("no reply"))?;
                for (index, position) in indexes.iter().zip(positions?) {
                    self.owned
                        .insert(*index, usize::try_from(position).unwrap());
                }
            }
            Some(Waits::GivenUp(indexes, asked)) => {
                asked.await.map_err(|_| Error::internal("no reply"))?;
                self.owned.retain(|index, _| !indexes.contains(index));
            }
        }
        self.waits = None;
        Ok(())
    }

    fn change(&mut self, change: Change) -> Event {
        match change {
            Change::Assign(indexes) => self.assign(indexes),
            Change::Revoke(indexes) => self.revoke(indexes, false),
            Change::Lose(indexes) => self.revoke(indexes, true),
            Change::Stray(index) => {
                let batch = self.topic.read(&self.name, index, 0, self.extra);
                Event::Batch(batch.unwrap())
            }
        }
    }
}

#[async_trait]
impl Reader for MemoryReader {
    async fn next(&mut self) -> Result<Option<Event>> {
        self.settle().await?;
        if !self.begun {
            self.begun = true;
            let all = match self.topic.scripted.load(Ordering::SeqCst) {
                true => Vec::new(),
                false => (0..self.topic.ends().len()).collect(),
            };
            return Ok(Some(self.assign(all)));
        }
        loop {
            let topic = Arc::clone(&self.topic);
            let grown = topic.grown.notified();
            tokio::pin!(grown);
            grown.as_mut().enable();
            if let Some(change) = topic.take_change(self.number) {
                return Ok(Some(self.change(change)));
            }
            for (partition, from) in &mut self.owned {
                if let Some(batch) = topic.read(&self.name, *partition, *from, self.extra) {
                    *from = usize::try_from(batch.ranges[0].to).unwrap();
                    return Ok(Some(Event::Batch(batch)));
                }
            }
            if self.ends.is_some() {
                return Ok(None);
            }
            grown.await;
        }
    }

    fn acknowledge(&mut self, _next: &[(Partition, i64)]) {}

    fn high_watermarks(&self) -> Vec<(Partition, i64)> {
        let ends = self.topic.ends();
        let owned = self.owned.keys();
        owned
            .map(|index| {
                let end = i64::try_from(ends[*index]).unwrap();
                (self.topic.partition(&self.name, *index), end)
            })
            .collect()
    }
}

//! A pipeline that is open: what it is, what it reads and what it writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config;
use crate::error::Error;
use crate::maintenance::{Caretaker, Ward};
use crate::pipeline::commit::Committer;
use crate::pipeline::dead_letters::SUFFIX;
use crate::pipeline::definition::PipelineDefinition;
use crate::pipeline::positions::Taker;
use crate::pipeline::status::SharedProgress;
use crate::runtime::{self, AbortOnDrop};
use crate::source::{Member, Source};
use crate::table::Table;

/// One pipeline, opened.
#[derive(Debug)]
pub struct Runner {
    /// What it is.
    pub definition: PipelineDefinition,
    /// What it reads.
    pub source: Arc<dyn Source>,
    /// What tells this process from others that run the same pipeline.
    pub instance: String,
    /// What it writes.
    pub committer: Arc<Committer>,
    /// How many pipelines of this process share the memory.
    pub running: Arc<AtomicUsize>,
    /// How its tables are looked after, if at all.
    pub care: Option<Care>,
}

/// How the tables of a pipeline are looked after.
#[derive(Debug, Clone)]
pub struct Care {
    /// What is done when.
    pub settings: config::Maintenance,
    /// How long a query may read a file.
    pub query_timeout: Duration,
}

/// The pipeline as those see it who look after its tables.
struct Figures(SharedProgress);

impl Ward for Figures {
    fn leads(&self) -> bool {
        self.0.reads_first()
    }

    fn lag(&self) -> u64 {
        self.0.get().lag
    }

    fn failed(&self, table: &str, error: &Error) {
        self.0.update(|progress| {
            progress.last_error = Some(format!("maintenance of \"{table}\": {error}"));
        });
    }
}

/// Counts a pipeline among those that run for as long as it lives.
#[derive(Debug)]
pub struct Share(Arc<AtomicUsize>);

impl Drop for Share {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Runner {
    /// Takes its share of the memory.
    #[must_use]
    pub fn share(&self) -> Share {
        self.running.fetch_add(1, Ordering::Relaxed);
        Share(Arc::clone(&self.running))
    }

    /// Looks after its tables in tasks that end with the value returned.
    #[must_use]
    pub fn look_after(&self) -> Vec<AbortOnDrop<()>> {
        let Some(Care {
            settings,
            query_timeout,
        }) = &self.care
        else {
            return Vec::new();
        };
        let Committer {
            table,
            dead_letters,
            status,
            ..
        } = self.committer.as_ref();
        let target = &self.definition.insert.table;
        let tables = [
            (target.clone(), table),
            (format!("{target}{SUFFIX}"), dead_letters),
        ];
        let start = |(name, table): (String, &Arc<dyn Table>)| {
            let caretaker = Caretaker {
                name,
                table: Arc::clone(table),
                ward: Arc::new(Figures(status.clone())),
                settings: settings.clone(),
                query_timeout: *query_timeout,
            };
            let care = async move { caretaker.run(&CancellationToken::new()).await };
            AbortOnDrop(runtime::spawn(care))
        };
        tables.map(start).into()
    }

    /// How many pipelines of this process share the memory.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Who it is among the readers of the stream. Two tables fed by pipelines of one name do not
    /// share the stream's partitions.
    #[must_use]
    pub fn member(&self) -> Member {
        let Committer { writer, table, .. } = self.committer.as_ref();
        let group = format!("sluice-{writer}-{}", table.identity());
        Member {
            group,
            instance: Some(self.instance.clone()),
        }
    }

    /// How it takes partitions over.
    #[must_use]
    pub fn taker(&self) -> Taker<'_> {
        Taker {
            writer: &self.committer.writer,
            table: self.committer.table.as_ref(),
            dead_letters: self.committer.dead_letters.as_ref(),
            start: self.definition.start,
            on_gap: self.definition.on_gap,
        }
    }
}

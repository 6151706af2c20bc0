//! What a pipeline says of itself while it runs: read by `SHOW PIPELINES` and live lines.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;

/// Where a pipeline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Defined, and not started by this process.
    #[default]
    Stopped,
    /// Opening its stream.
    Starting,
    /// Reading and committing.
    Running,
    /// Waiting to try again after an error.
    Retrying,
    /// Told to pause.
    Paused,
}

impl State {
    /// The word shown to users.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Paused => "paused",
        }
    }
}

/// A pipeline's figures since this process started it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineProgress {
    /// The pipeline.
    pub pipeline: String,
    /// Where it stands.
    pub state: State,
    /// Records read and committed.
    pub events: u64,
    /// Rows committed.
    pub rows: u64,
    /// Records in the dead letters.
    pub rejected: u64,
    /// Records in the stream that are not committed, of the partitions this process reads.
    pub lag: u64,
    /// Age of the oldest row of the newest commit when it became visible, milliseconds.
    pub freshness_ms: Option<u64>,
    /// The newest version of the target that the pipeline made.
    pub version: Option<u64>,
    /// The error it is waiting after.
    pub error: Option<String>,
}

/// A shared [`PipelineProgress`].
#[derive(Debug, Clone, Default)]
pub struct SharedProgress(Arc<Mutex<PipelineProgress>>);

impl SharedProgress {
    /// Figures of `pipeline`, all zero.
    #[must_use]
    pub fn new(pipeline: &str) -> Self {
        let status = Self::default();
        status.update(|progress| pipeline.clone_into(&mut progress.pipeline));
        status
    }

    /// The figures at this moment.
    #[must_use]
    pub fn get(&self) -> PipelineProgress {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes the figures.
    pub fn update(&self, change: impl FnOnce(&mut PipelineProgress)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Sets the state; an error is forgotten with it unless `error` says another.
    pub fn set(&self, state: State, error: Option<&Error>) {
        self.update(|progress| {
            progress.state = state;
            progress.error = error.map(ToString::to_string);
        });
    }
}

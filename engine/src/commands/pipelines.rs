//! Pipelines: made, changed, dropped.

use std::sync::atomic::Ordering;

use tracing::warn;

use super::Commands;
use crate::catalog::Relation;
use crate::error::{Error, Result};
use crate::insert::take_apart;
use crate::pipeline::status::SharedProgress;
use crate::statement::{self, CreatePipeline, PipelineAction, Statement, quote};
use crate::store::StoredPipeline;

impl Commands {
    pub(super) async fn create_pipeline(&self, create: CreatePipeline) -> Result<()> {
        let name = create.name.clone();
        let before = self.catalog.pipelines().get(&name).cloned();
        let sql = statement::pipeline_sql(&create);
        if let Some(before) = &before
            && !create.or_replace
        {
            if !create.if_not_exists {
                return Err(Error::exists(format!("pipeline \"{name}\" exists already"))
                    .hint("say OR REPLACE to give it this body, or IF NOT EXISTS to leave it"));
            }
            if before.sql != sql {
                let there = &before.sql;
                warn!(
                    pipeline = name,
                    there,
                    given = sql,
                    "the pipeline exists with another body"
                );
            }
            return Ok(());
        }
        self.refuse_stream(&create).await?;
        let runner = self
            .pipelines
            .open(&create, SharedProgress::new(&name))
            .await?;
        let paused = before.is_some_and(|before| before.paused);
        let stored = StoredPipeline {
            sql: sql.clone(),
            paused,
        };
        self.catalog.set_pipeline(&name, Some(stored)).await?;
        if !paused && self.runs_pipelines() {
            self.pipelines.stop(&name).await;
            self.pipelines.start(&name, &sql, Some(runner));
        }
        Ok(())
    }

    /// A pipeline keeps its offsets with its rows, which a stream cannot.
    async fn refuse_stream(&self, create: &CreatePipeline) -> Result<()> {
        let Ok(Statement::Sql(body)) = statement::parse(&create.body) else {
            return Ok(());
        };
        let Some(insert) = take_apart(&body)? else {
            return Ok(());
        };
        match self.catalog.relation(&insert.table).await {
            Ok(Relation::Stream(_)) => {
                let (name, target) = (&create.name, &insert.table);
                Err(Error::unsupported(format!(
                    "pipeline \"{name}\" writes \"{target}\", which is a stream"
                ))
                .hint(format!(
                    "a pipeline writes a table; run INSERT INTO {} SELECT ... on a schedule, each \
                     run is one transaction",
                    quote(target)
                )))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn alter_pipeline(&self, name: &str, action: PipelineAction) -> Result<()> {
        let stored = self.pipeline(name)?;
        let paused = match action {
            PipelineAction::Pause => true,
            PipelineAction::Resume => false,
            PipelineAction::Rewind(_) => stored.paused,
        };
        let stored = StoredPipeline { paused, ..stored };
        self.catalog
            .set_pipeline(name, Some(stored.clone()))
            .await?;
        self.pipelines.stop(name).await;
        let rewound = match action {
            PipelineAction::Rewind(to) => self.pipelines.rewind(&stored.sql, &to).await,
            PipelineAction::Pause | PipelineAction::Resume => Ok(()),
        };
        if !paused && self.runs_pipelines() {
            self.pipelines.start(name, &stored.sql, None);
        }
        rewound
    }

    pub(super) async fn drop_pipeline(&self, name: &str, if_exists: bool) -> Result<()> {
        match self.pipeline(name) {
            Err(_) if if_exists => Ok(()),
            Err(error) => Err(error),
            Ok(stored) => {
                self.pipelines.stop(name).await;
                self.catalog.set_pipeline(name, None).await?;
                self.pipelines.dropped(&stored.sql).await;
                Ok(())
            }
        }
    }

    fn pipeline(&self, name: &str) -> Result<StoredPipeline> {
        let all = self.catalog.pipelines();
        all.get(name).cloned().ok_or_else(|| {
            let names: Vec<String> = all.keys().map(|name| format!("\"{name}\"")).collect();
            let error = Error::not_found(format!("pipeline \"{name}\" does not exist"));
            match names.len() {
                0 => error.hint("no pipelines are defined yet"),
                _ => error.hint(format!("there are {}", names.join(", "))),
            }
        })
    }

    fn runs_pipelines(&self) -> bool {
        self.runs_pipelines.load(Ordering::Acquire)
    }
}

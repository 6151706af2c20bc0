//! What sqllogictest sees of an engine: SQL in, rows of text or an error out.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Result};
use sluice_engine::session::Session;
use sluice_flight_server::compose;
use sqllogictest::{DBOutput, DefaultColumnType, Normalizer};
use tempfile::TempDir;

/// Said when the folder of test files cannot be listed.
pub(crate) const FOLDERS_ERROR: &str = "cannot list the folder of .slt files";

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/slt/fixtures");

/// An engine in memory with every plugin, a session on it and a folder for its files.
pub(crate) struct Memory {
    engine: Arc<Engine>,
    session: Session,
    temp: TempDir,
}

/// An engine's error as sqllogictest compares it: the message and, on a line of its own, the hint.
#[derive(Debug)]
pub(crate) struct Shown(String);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Shown {}

impl Memory {
    pub(crate) async fn open() -> Result<Self, Shown> {
        Self::open_with(config()).await
    }

    pub(crate) async fn open_with(config: Config) -> Result<Self, Shown> {
        let temp = TempDir::new().map_err(|error| Shown(error.to_string()))?;
        let engine = Engine::open(config, compose::plugin(), None)
            .await
            .map_err(|error| Shown(error.to_string()))?;
        let session = engine.session(Authority::Owner);
        Ok(Self {
            engine,
            session,
            temp,
        })
    }

    /// Runs one statement to its end: its columns, its rows and the rows it inserted.
    pub(crate) async fn execute(
        &self,
        sql: &str,
    ) -> Result<(SchemaRef, Vec<RecordBatch>, Option<u64>)> {
        let prepared = self.session.prepare(sql).await?;
        let mut answer = self.session.execute(&prepared).await?;
        let mut batches = Vec::new();
        while let Some(batch) = answer.rows.next().await {
            batches.push(batch?);
        }
        Ok((answer.rows.schema(), batches, answer.affected))
    }

    /// Starts the pipelines.
    pub(crate) fn start(&self) {
        self.engine.start_pipelines();
    }

    /// Records that pipelines have committed.
    pub(crate) fn events(&self) -> u64 {
        let progress = self.engine.progress();
        progress.iter().map(|pipeline| pipeline.events).sum()
    }

    /// The rows that a query gives, with commas between their cells.
    pub(crate) async fn value(&self, sql: &str) -> Vec<String> {
        let (_, batches, _) = match self.execute(sql).await {
            Ok(answer) => answer,
            Err(error) => panic!("{sql}\n{error}"),
        };
        let rows = batches.iter().flat_map(|batch| text_rows(batch).unwrap());
        let row = |row: Vec<String>| match row.join(",") {
            empty if empty == "(empty)" => String::new(),
            row => row,
        };
        rows.map(row).collect()
    }

    fn temp(&self) -> &str {
        self.temp.path().to_str().unwrap_or_default()
    }

    /// Puts paths in the place of their names.
    fn fill(&self, sql: &str) -> String {
        sql.replace("${FIXTURES}", FIXTURES)
            .replace("${TEMP}", self.temp())
    }

    /// The other way round, so that answers are the same on every machine.
    fn hide(&self, text: &str) -> String {
        text.replace(FIXTURES, "${FIXTURES}")
            .replace(self.temp(), "${TEMP}")
    }
}

#[async_trait]
impl sqllogictest::AsyncDB for Memory {
    type Error = Shown;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Shown> {
        let (schema, batches, affected) = self
            .execute(&self.fill(sql))
            .await
            .map_err(|error| Shown(self.hide(&error.to_string())))?;
        if schema.fields().is_empty() || affected.is_some() {
            return Ok(DBOutput::StatementComplete(affected.unwrap_or(0)));
        }
        let types = schema
            .fields()
            .iter()
            .map(|field| column_type(field.data_type()))
            .collect();
        let mut rows = Vec::new();
        for batch in &batches {
            rows.extend(text_rows(batch).map_err(|error| Shown(error.to_string()))?);
        }
        for cell in rows.iter_mut().flatten() {
            *cell = self.hide(cell);
        }
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {
        self.engine.shutdown().await;
    }
}

/// Compares row by row, blanks at the ends apart; the crate's own comparison folds all blanks.
pub(crate) fn exact(_: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    let actual: Vec<String> = actual
        .iter()
        .map(|row| row.join(" ").trim().to_owned())
        .collect();
    actual
        .iter()
        .map(String::as_str)
        .eq(expected.iter().map(|line| line.trim()))
}

/// The defaults, with a policy of redaction.
fn config() -> Config {
    let mut config = Config::default();
    let modes = [
        ("credit_card", "mask"),
        ("email", "label"),
        ("password", "remove"),
    ];
    let modes = modes.map(|(category, mode)| (category.to_owned(), mode.to_owned()));
    let policies = &mut config.redaction.policies;
    policies.insert("bank".to_owned(), modes.into());
    config
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            DefaultColumnType::FloatingPoint
        }
        data_type if data_type.is_integer() => DefaultColumnType::Integer,
        _ => DefaultColumnType::Text,
    }
}

fn text_rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| Error::internal(error.to_string()))?;
    let cell = |column: &ArrayFormatter<'_>, row: usize| match column.value(row).to_string() {
        text if text.is_empty() => "(empty)".to_owned(),
        text => text,
    };
    Ok((0..batch.num_rows())
        .map(|row| columns.iter().map(|column| cell(column, row)).collect())
        .collect())
}

//! A pipeline as its statement defines it, checked but not yet opened.

use std::time::Duration;

use crate::config;
use crate::error::{Error, Result};
use crate::insert::{InsertInto, take_apart};
use crate::statement::{self, CreatePipeline, Statement};

/// The bounds at which a cut is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows.
    pub rows_max: usize,
    /// Bytes as read from the stream.
    pub bytes_max: usize,
}

/// Where a pipeline begins in partitions it has no position for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record.
    Earliest,
    /// After the newest record.
    Latest,
}

/// A pipeline's definition.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineDefinition {
    /// The name; offsets are kept under it.
    pub name: String,
    /// The continuous INSERT, as written.
    pub body: String,
    /// The same, taken apart.
    pub insert: InsertInto,
    /// When a cut is committed for its size.
    pub limits: Limits,
    /// When a cut is committed for its age.
    pub max_latency: Duration,
    /// Where to begin; `None` leaves it to the stream's own option.
    pub start: Option<Start>,
}

impl PipelineDefinition {
    /// Checks what `create` says; options it does not set come from `defaults`.
    ///
    /// # Errors
    /// [`crate::error::Kind::User`] for an unknown option, a wrong value, or a body that is no
    /// INSERT.
    pub fn new(create: &CreatePipeline, defaults: &config::Pipeline) -> Result<Self> {
        let CreatePipeline {
            name,
            options,
            body,
            ..
        } = create;
        let mut limits = Limits {
            rows_max: defaults.max_rows,
            bytes_max: usize::try_from(defaults.max_bytes.as_u64()).unwrap_or(usize::MAX),
        };
        let (mut max_latency, mut start) = (defaults.max_latency, None);
        for (key, value) in options {
            let wrong = |error: Error| error.context(format!("option \"{key}\" of \"{name}\""));
            match key.as_str() {
                "max_latency" => max_latency = config::parse_duration(value).map_err(wrong)?,
                "max_rows" => limits.rows_max = positive(value).map_err(wrong)?,
                "max_bytes" => {
                    let size = config::parse_size(value).map_err(wrong)?.as_u64();
                    limits.bytes_max = usize::try_from(size).unwrap_or(usize::MAX);
                }
                "start" => start = Some(beginning(value).map_err(wrong)?),
                _ => {
                    return Err(Error::user(format!(
                        "pipeline \"{name}\" has no option \"{key}\""
                    ))
                    .hint("valid options are max_latency, max_rows, max_bytes, start"));
                }
            }
        }
        let insert = match statement::parse(body)? {
            Statement::Sql(parsed) => take_apart(&parsed)?,
            _ => None,
        };
        let insert = insert.ok_or_else(|| {
            Error::user(format!("the body of pipeline \"{name}\" is not an INSERT"))
                .hint("write CREATE PIPELINE name AS INSERT INTO table SELECT ... FROM stream")
        })?;
        let (name, body) = (name.clone(), body.clone());
        Ok(Self {
            name,
            body,
            insert,
            limits,
            max_latency,
            start,
        })
    }
}

fn positive(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Error::user(format!("\"{text}\" is not a number above 0"))),
    }
}

fn beginning(text: &str) -> Result<Start> {
    match text.to_lowercase().as_str() {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        _ => Err(Error::user(format!("\"{text}\" is no place to start"))
            .hint("use 'earliest' or 'latest'")),
    }
}

//! An engine in this process, over a data directory or over nothing, on behalf of the owner of the
//! machine.

use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Result};
use sluice_engine::session::Session;
use tempfile::TempDir;

use super::reply::Reply;
use crate::compose;

/// The data directory unless another is named.
pub(crate) const DATA: &str = "./sluice-data";

/// A session on an engine of its own. Pipelines are not started.
#[derive(Debug)]
pub(crate) struct Local {
    session: Session,
    _engine: Arc<Engine>,
    /// Goes last, whatever a query that was cut off still holds.
    _folder: Option<TempDir>,
}

impl Local {
    /// Opens the data directory `data`, or with `None` a temporary one that leaves nothing behind;
    /// settings come from the file `config`, where one is named, and the environment.
    ///
    /// # Errors
    /// When another process owns the directory, or a setting is wrong.
    pub(crate) async fn open(data: Option<&Path>, config: Option<&Path>) -> Result<Self> {
        let config = Config::load(config, Config::environment(), toml::Table::new())?;
        let folder = match data {
            Some(_) => None,
            None => Some(temporary()?),
        };
        let path = data.or_else(|| folder.as_ref().map(TempDir::path));
        let engine = compose::engine(config, path).await?;
        Ok(Self {
            session: engine.session(Authority::Owner),
            _engine: engine,
            _folder: folder,
        })
    }

    /// Runs one statement: effects to their end, queries up to their first rows.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) async fn run(&self, sql: &str) -> Result<Reply> {
        let prepared = self.session.prepare(sql).await?;
        let answer = self.session.execute(&prepared).await?;
        Ok(Reply {
            affected: answer.affected,
            schema: prepared.schema(),
            batches: answer.rows.boxed(),
        })
    }
}

fn temporary() -> Result<TempDir> {
    TempDir::with_prefix("sluice-").map_err(|error| {
        Error::unavailable(format!("cannot make a temporary directory: {error}")).source(error)
    })
}

//! [`Enrichment`]: what the functions of this family read beside their arguments, as an option of a
//! query's configuration. It never changes: new data is a new snapshot, for the next query.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use arrow::error::ArrowError;
use datafusion::common::config_err;
use datafusion::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::error::{DataFusionError, Result};

use crate::enrich::database::Database;
use crate::enrich::feed::Feed;
use crate::enrich::table::ReferenceTable;
use crate::enrich::threats::Threats;

/// A thing that the configuration names: there, or not there for a reason.
pub type Loaded<T> = std::result::Result<Arc<T>, String>;

/// What goes into a snapshot, by name. What has a path for its name, which is told by a slash,
/// answers only whoever asks for it by that name.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// Databases for `geoip`.
    pub databases: BTreeMap<String, Loaded<Database>>,
    /// Feeds for `threat_lookup`.
    pub feeds: BTreeMap<String, Loaded<Feed>>,
    /// Tables for `lookup`.
    pub tables: BTreeMap<String, Loaded<ReferenceTable>>,
}

/// A snapshot. Clones share it.
///
/// ```
/// use datafusion::prelude::{SessionConfig, SessionContext};
/// use sluice_udfs::enrich::snapshot::{Enrichment, Parts};
///
/// let mut config = SessionConfig::new();
/// config.options_mut().extensions.insert(Enrichment::new(Parts::default())?);
/// let context = SessionContext::new_with_config(config);
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Enrichment(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    /// The databases that are there, those that know most first.
    ranked: Vec<Arc<Database>>,
    /// All feeds together; `None` without one.
    threats: Option<Threats>,
    /// Each feed alone, made when it is first asked for.
    alone: BTreeMap<String, OnceLock<Threats>>,
    /// What planning needs to know; shared by what was planned, which may outlive the data.
    names: Arc<Names>,
}

/// Names and types, without the data.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Names {
    pub(crate) databases: BTreeSet<String>,
    pub(crate) languages: BTreeSet<String>,
    pub(crate) feeds: BTreeSet<String>,
    pub(crate) tables: BTreeMap<String, std::result::Result<arrow::datatypes::Fields, String>>,
}

impl Enrichment {
    /// Puts `parts` together.
    ///
    /// # Errors
    /// When the feeds are too large to be combined.
    pub fn new(parts: Parts) -> Result<Self> {
        let databases = || parts.databases.values().flatten();
        let mut ranked: Vec<Arc<Database>> = named(&parts.databases);
        ranked.sort_by_key(|database| database.rank());
        let feeds: Vec<Arc<Feed>> = named(&parts.feeds);
        let threats = match feeds.is_empty() {
            true => None,
            false => Some(Threats::new(&feeds).map_err(from_arrow)?),
        };
        let languages = databases().flat_map(|database| database.languages());
        let fields = |table: &Loaded<ReferenceTable>| match table {
            Ok(table) => Ok(table.fields().clone()),
            Err(reason) => Err(reason.clone()),
        };
        let tables = parts.tables.iter();
        let names = Names {
            databases: parts.databases.keys().cloned().collect(),
            languages: languages.map(str::to_owned).collect(),
            feeds: parts.feeds.keys().cloned().collect(),
            tables: tables
                .map(|(name, table)| (name.clone(), fields(table)))
                .collect(),
        };
        let alone = parts.feeds.keys();
        let alone = alone.map(|name| (name.clone(), OnceLock::new())).collect();
        Ok(Self(Arc::new(Inner {
            parts,
            ranked,
            threats,
            alone,
            names: Arc::new(names),
        })))
    }

    /// The snapshot of a query.
    pub(crate) fn of(options: &ConfigOptions) -> Option<&Self> {
        options.extensions.get::<Self>()
    }

    pub(crate) fn names(&self) -> Arc<Names> {
        Arc::clone(&self.0.names)
    }

    /// The databases to ask, all of them or the one of this name, in order.
    pub(crate) fn databases(&self, name: Option<&str>) -> Vec<&Database> {
        match name {
            None => self.0.ranked.iter().map(AsRef::as_ref).collect(),
            Some(name) => {
                let named = self.0.parts.databases.get(name);
                named.into_iter().flatten().map(AsRef::as_ref).collect()
            }
        }
    }

    /// What the feeds say, all of them or the one of this name; `None` where there is none.
    ///
    /// # Errors
    /// When the feed is too large.
    pub(crate) fn threats(&self, name: Option<&str>) -> Result<Option<&Threats>> {
        let Some(name) = name else {
            return Ok(self.0.threats.as_ref());
        };
        let (Some(Ok(feed)), Some(alone)) = (self.0.parts.feeds.get(name), self.0.alone.get(name))
        else {
            return Ok(None);
        };
        if let Some(threats) = alone.get() {
            return Ok(Some(threats));
        }
        let threats = Threats::new(&[Arc::clone(feed)]).map_err(from_arrow)?;
        Ok(Some(alone.get_or_init(|| threats)))
    }

    pub(crate) fn table(&self, name: &str) -> Option<&ReferenceTable> {
        self.0.parts.tables.get(name)?.as_deref().ok()
    }
}

/// The parts that are there and have a name and no path.
fn named<T>(parts: &BTreeMap<String, Loaded<T>>) -> Vec<Arc<T>> {
    let named = parts.iter().filter(|(name, _)| !name.contains('/'));
    named
        .filter_map(|(_, part)| part.as_ref().ok().cloned())
        .collect()
}

/// An error of Arrow's as one of a query.
pub(crate) fn from_arrow(error: ArrowError) -> DataFusionError {
    DataFusionError::ArrowError(Box::new(error), None)
}

impl ConfigExtension for Enrichment {
    const PREFIX: &'static str = "sluice_enrichment";
}

impl ExtensionOptions for Enrichment {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _value: &str) -> Result<()> {
        config_err!("\"{key}\" of enrichment is no setting of a session")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

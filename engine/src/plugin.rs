//! What a composition hands to the engine: functions, and the kinds of streams and tables it can
//! open. A [`Plugin`] is a plain value; several are merged by adding them up.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

use crate::config::{GeoDatabase, KeyedTable, TableRows, ThreatFeed};
use crate::error::Result;
use crate::redaction::Redaction;
use crate::source::SourceFormat;
use crate::table::TableFormat;

/// Functions and formats, keyed by the word after `STORED AS` in upper case.
#[derive(Debug, Clone, Default)]
pub struct Plugin {
    /// Scalar functions.
    pub scalars: Vec<Arc<ScalarUDF>>,
    /// Aggregate functions.
    pub aggregates: Vec<Arc<AggregateUDF>>,
    /// Window functions.
    pub windows: Vec<Arc<WindowUDF>>,
    /// What plans operators that stand for functions.
    pub planners: Vec<Arc<dyn ExprPlanner>>,
    /// Kinds of streams.
    pub sources: BTreeMap<&'static str, Arc<dyn SourceFormat>>,
    /// Kinds of tables.
    pub tables: BTreeMap<&'static str, Arc<dyn TableFormat>>,
    /// What redacts text, where functions do.
    pub redaction: Option<Arc<dyn Redaction>>,
    /// The kind that `CREATE TABLE` without `STORED AS` makes.
    pub default_table: Option<&'static str>,
    /// What makes enrichment data of files; `None` where no function reads any.
    pub enricher: Option<Arc<dyn Enricher>>,
}

/// A file or stored table that functions read beside their arguments, as the configuration
/// describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrichmentFile {
    /// Places and networks of addresses.
    Database(GeoDatabase),
    /// Indicators.
    Feed(ThreatFeed),
    /// Rows by key.
    Table(KeyedTable),
}

impl EnrichmentFile {
    /// The word for its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Database(_) => "database",
            Self::Feed(_) => "feed",
            Self::Table(_) => "table",
        }
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        match self {
            Self::Database(database) => Place::File(&database.path),
            Self::Feed(feed) => Place::File(&feed.path),
            Self::Table(table) => match &table.rows {
                TableRows::File(path) => Place::File(path),
                TableRows::Stored(table) => Place::Stored(table),
            },
        }
    }
}

/// Where enrichment data comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A file on the machine's disk.
    File(&'a Path),
    /// A table of the catalog.
    Stored(&'a str),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stored(table) => f.write_str(table),
        }
    }
}

/// What is loaded.
#[derive(Debug)]
pub enum Content {
    /// The bytes of a file.
    Bytes(Vec<u8>),
    /// The rows of a stored table.
    Rows(RecordBatch),
}

/// The data of one file.
#[derive(Debug, Clone)]
pub struct Enriching {
    /// What the [`Enricher`] made of it.
    pub data: Arc<dyn Any + Send + Sync>,
    /// Networks, indicators or rows.
    pub rows: u64,
    /// Which edition it says it is.
    pub version: Option<String>,
    /// When the same content is next to be loaded again, because some of it begins or ends to hold:
    /// microseconds since 1970.
    pub changes_us: Option<i64>,
}

/// A file of the configuration, with its data or the reason why there is none.
#[derive(Debug, Clone)]
pub struct EnrichmentPart {
    /// Its name in the configuration.
    pub name: String,
    /// What the configuration says of it.
    pub file: EnrichmentFile,
    /// Its data, or what is wrong with it.
    pub data: Result<Enriching, String>,
}

/// Makes data of the content of files, and snapshots of the data. It reads no files itself.
pub trait Enricher: fmt::Debug + Send + Sync {
    /// Checks `content` throughout and makes data of it; `before` is what it takes the place of.
    ///
    /// # Errors
    /// What is wrong with the content, without the file's name, and the way out.
    fn load(
        &self,
        name: &str,
        file: &EnrichmentFile,
        content: Content,
        before: Option<&Enriching>,
    ) -> Result<Enriching>;

    /// What queries that begin from here on read.
    ///
    /// # Errors
    /// When the parts do not fit together; queries then read what they read before.
    fn snapshot(&self, parts: &[EnrichmentPart]) -> Result<Arc<dyn Snapshot>>;

    /// The argument by which `function` names what it reads; `None` for functions without one.
    fn argument(&self, function: &str) -> Option<PathArgument>;
}

/// A literal argument that may be a path in the place of a configured name.
#[derive(Debug, Clone, Copy)]
pub struct PathArgument {
    /// Its position, from 0.
    pub position: usize,
    /// Its name.
    pub name: &'static str,
    /// What to load from the path.
    pub file: fn(&Path) -> EnrichmentFile,
}

/// What functions read beside their arguments, as it was at one moment.
pub trait Snapshot: fmt::Debug + Send + Sync {
    /// Puts it where the functions of a query look for it.
    fn install(&self, options: &mut ConfigOptions);
}

impl Plugin {
    /// This and `other` together; on the same word the other wins.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.scalars.extend(other.scalars);
        self.aggregates.extend(other.aggregates);
        self.windows.extend(other.windows);
        self.planners.extend(other.planners);
        self.sources.extend(other.sources);
        self.tables.extend(other.tables);
        self.redaction = other.redaction.or(self.redaction);
        self.default_table = other.default_table.or(self.default_table);
        self.enricher = other.enricher.or(self.enricher);
        self
    }
}

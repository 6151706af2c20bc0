//! Enrichment for the engine: its settings as those of the functions, and their data as its.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::config::ConfigOptions;
use sluice_engine::config::{
    FeedFormat as ConfigFeedFormat, GeoDatabase, KeyedTable, TableFormat as ConfigTableFormat,
    TableRows, ThreatFeed,
};
use sluice_engine::error::{Error, Result};
use sluice_engine::plugin::{
    Content, Enricher, Enriching, EnrichmentFile, EnrichmentPart, PathArgument, Snapshot,
};
use sluice_udfs::enrich::database::Database;
use sluice_udfs::enrich::fault::Fault;
use sluice_udfs::enrich::feed::{Feed, FeedFormat, FeedOptions};
use sluice_udfs::enrich::snapshot::{Enrichment, Loaded, Parts};
use sluice_udfs::enrich::table::{ReferenceTable, TableFormat};

/// Makes the functions' data of the engine's files.
#[derive(Debug)]
pub(super) struct Functions;

#[derive(Debug)]
struct Present(Enrichment);

impl Snapshot for Present {
    fn install(&self, options: &mut ConfigOptions) {
        options.extensions.insert(self.0.clone());
    }
}

impl Enricher for Functions {
    fn load(
        &self,
        name: &str,
        file: &EnrichmentFile,
        content: Content,
        before: Option<&Enriching>,
    ) -> Result<Enriching> {
        let content = match content {
            Content::Bytes(bytes) => bytes,
            Content::Rows(rows) => return stored(&rows, file, before),
        };
        match file {
            EnrichmentFile::Database(_) => {
                let database = Database::parse(content).map_err(error)?;
                let (kind, built) = (database.kind(), database.built());
                let built = built.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
                let version = match built {
                    Some(built) => format!("{kind} {}", built.format("%Y-%m-%dT%H:%M:%SZ")),
                    None => kind.to_owned(),
                };
                Ok(Enriching {
                    rows: database.networks(),
                    version: Some(version),
                    changes_us: None,
                    data: Arc::new(database),
                })
            }
            EnrichmentFile::Feed(settings) => {
                let feed = Feed::parse(name, &content, feed_options(settings, &content));
                let feed = feed.map_err(error)?;
                Ok(Enriching {
                    rows: feed.indicators(),
                    version: feed.version().map(str::to_owned),
                    changes_us: feed.changes_at(),
                    data: Arc::new(feed),
                })
            }
            EnrichmentFile::Table(KeyedTable { format, key, .. }) => {
                let format = match format {
                    Some(ConfigTableFormat::Csv) => TableFormat::Csv,
                    Some(ConfigTableFormat::Ndjson) => TableFormat::NdJson,
                    Some(ConfigTableFormat::Parquet) => TableFormat::Parquet,
                    None => TableFormat::of_file(&file.place().to_string()),
                };
                let before = before.and_then(|before| before.data.downcast_ref());
                let table = ReferenceTable::parse(content, format, key.as_deref(), before)
                    .map_err(error)?;
                Ok(of_table(table))
            }
        }
    }

    fn snapshot(&self, parts: &[EnrichmentPart]) -> Result<Arc<dyn Snapshot>> {
        let mut all = Parts::default();
        for part in parts {
            let name = part.name.clone();
            match part.file {
                EnrichmentFile::Database(_) => {
                    all.databases.insert(name, loaded(part)?);
                }
                EnrichmentFile::Feed(_) => {
                    all.feeds.insert(name, loaded(part)?);
                }
                EnrichmentFile::Table(_) => {
                    all.tables.insert(name, loaded(part)?);
                }
            }
        }
        Ok(Arc::new(Present(Enrichment::new(all)?)))
    }

    fn argument(&self, function: &str) -> Option<PathArgument> {
        match function {
            "geoip" => Some(PathArgument {
                position: 1,
                name: "database",
                file: |path| {
                    EnrichmentFile::Database(GeoDatabase {
                        path: path.to_owned(),
                    })
                },
            }),
            "lookup" => Some(PathArgument {
                position: 0,
                name: "table",
                file: |path: &Path| {
                    EnrichmentFile::Table(KeyedTable {
                        rows: TableRows::File(path.to_owned()),
                        format: None,
                        key: None,
                    })
                },
            }),
            "threat_lookup" => Some(PathArgument {
                position: 1,
                name: "feed",
                file: |path| {
                    EnrichmentFile::Feed(ThreatFeed {
                        path: path.to_owned(),
                        format: None,
                        score: 100,
                        weight: 100,
                        categories: Vec::new(),
                        reserved: false,
                        column: None,
                    })
                },
            }),
            _ => None,
        }
    }
}

/// The rows of a stored table as a reference table.
fn stored(
    rows: &RecordBatch,
    file: &EnrichmentFile,
    before: Option<&Enriching>,
) -> Result<Enriching> {
    let EnrichmentFile::Table(KeyedTable { key, .. }) = file else {
        return Err(Error::internal("only a reference table has rows"));
    };
    let before = before.and_then(|before| before.data.downcast_ref());
    let table = ReferenceTable::of_rows(rows, key.as_deref(), before).map_err(error)?;
    Ok(of_table(table))
}

fn of_table(table: ReferenceTable) -> Enriching {
    Enriching {
        rows: table.rows(),
        version: None,
        changes_us: None,
        data: Arc::new(table),
    }
}

fn feed_options(settings: &ThreatFeed, content: &[u8]) -> FeedOptions {
    let format = match settings.format {
        Some(ConfigFeedFormat::List) => FeedFormat::List,
        Some(ConfigFeedFormat::Csv) => FeedFormat::Csv,
        Some(ConfigFeedFormat::Abuseipdb) => FeedFormat::AbuseIpDb,
        Some(ConfigFeedFormat::SpamhausDrop) => FeedFormat::SpamhausDrop,
        Some(ConfigFeedFormat::Stix) => FeedFormat::Stix,
        Some(ConfigFeedFormat::Misp) => FeedFormat::Misp,
        Some(ConfigFeedFormat::Otx) => FeedFormat::Otx,
        None => FeedFormat::of(&settings.path.to_string_lossy(), content),
    };
    FeedOptions {
        format,
        score: f64::from(settings.score),
        weight: f64::from(settings.weight) / 100.0,
        categories: settings.categories.clone(),
        reserved: settings.reserved,
        column: settings.column.clone(),
        now: Some(chrono::Utc::now().timestamp_micros()),
    }
}

/// The data of `part` in its own type.
fn loaded<T: Send + Sync + 'static>(part: &EnrichmentPart) -> Result<Loaded<T>> {
    match &part.data {
        Ok(data) => match Arc::clone(&data.data).downcast() {
            Ok(data) => Ok(Ok(data)),
            Err(_) => Err(Error::internal(format!(
                "\"{}\" holds the data of another kind",
                part.name
            ))),
        },
        Err(reason) => Ok(Err(reason.clone())),
    }
}

fn error(Fault { message, hint }: Fault) -> Error {
    Error::user(message).hint(hint)
}

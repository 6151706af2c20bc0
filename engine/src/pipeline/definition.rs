//! A pipeline as its statement defines it, checked but not yet opened.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::config;
use crate::error::{Error, Result};
use crate::insert::{InsertInto, take_apart};
use crate::lineage;
use crate::source::Source;
use crate::statement::{self, CreatePipeline, Statement, quote};

/// The bounds at which a cut is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows.
    pub rows_max: usize,
    /// Bytes in memory.
    pub bytes_max: usize,
    /// Pipelines that say nothing of their own share the bytes.
    pub shared: bool,
}

impl Limits {
    /// The bytes for each of `running` pipelines.
    #[must_use]
    pub fn bytes_for(self, running: usize) -> usize {
        match self.shared {
            true => (self.bytes_max / running.max(1)).max(BYTES_MIN.min(self.bytes_max)),
            false => self.bytes_max,
        }
    }
}

/// What sharing leaves to a pipeline at least.
const BYTES_MIN: usize = 8 << 20;

/// Where a pipeline begins in partitions it has no position for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record.
    Earliest,
    /// After the newest record.
    Latest,
}

/// What a pipeline does when the stream has given up records before they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnGap {
    /// It stops and says so.
    #[default]
    Stop,
    /// It records the gap in a commit and goes on behind it.
    Record,
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
    /// What to do about records that are gone.
    pub on_gap: OnGap,
    /// The column of the target that says when something happened.
    pub event_time: Option<String>,
    /// The policy of each column of the target that is redacted by default.
    pub redact: BTreeMap<String, String>,
    /// What is left out because it is stored already.
    pub repeats: Option<Repeats>,
    /// The options that change what is stored, as written.
    options: BTreeMap<String, String>,
}

/// The options that change what is stored; another value is another definition.
const DEFINING: [&str; 5] = ["dedup_key", "dedup_window", "event_time", "on_gap", "start"];
/// What the name of an option begins with that gives a column its policy.
const REDACT: &str = "redact.";
/// How far apart repeats may be where nothing is said.
const WINDOW: Duration = Duration::from_secs(600);

/// What a pipeline leaves out because it is stored already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeats {
    /// The columns of the target that tell what repeats what.
    pub key: Vec<String>,
    /// How far apart in event time repeats are.
    pub window: Duration,
}

/// What the options of a pipeline say.
struct Settings {
    limits: Limits,
    max_latency: Duration,
    start: Option<Start>,
    on_gap: OnGap,
    event_time: Option<String>,
    redact: BTreeMap<String, String>,
    dedup_key: Vec<String>,
    dedup_window: Option<Duration>,
}

impl Settings {
    fn new(defaults: &config::Pipeline) -> Self {
        Self {
            limits: Limits {
                rows_max: defaults.max_rows,
                bytes_max: usize::try_from(defaults.max_bytes.as_u64()).unwrap_or(usize::MAX),
                shared: true,
            },
            max_latency: defaults.max_latency,
            start: None,
            on_gap: OnGap::default(),
            event_time: None,
            redact: BTreeMap::new(),
            dedup_key: Vec::new(),
            dedup_window: None,
        }
    }

    /// Takes in the option `key` of the pipeline `name`.
    fn set(&mut self, name: &str, key: &str, value: &str) -> Result<()> {
        let wrong = |error: Error| error.context(format!("option \"{key}\" of \"{name}\""));
        match key {
            "max_latency" => self.max_latency = config::parse_duration(value).map_err(wrong)?,
            "max_rows" => self.limits.rows_max = positive(value).map_err(wrong)?,
            "max_bytes" => {
                let size = config::parse_size(value).map_err(wrong)?.as_u64();
                self.limits.bytes_max = usize::try_from(size).unwrap_or(usize::MAX);
                self.limits.shared = false;
            }
            "start" => self.start = Some(beginning(value).map_err(wrong)?),
            "on_gap" => self.on_gap = gap(value).map_err(wrong)?,
            "event_time" => self.event_time = Some(value.to_owned()),
            "dedup_key" => self.dedup_key = columns(value).map_err(wrong)?,
            "dedup_window" => {
                let window = config::parse_duration(value).map_err(wrong)?;
                if window.is_zero() {
                    return Err(wrong(Error::user("repeats are some time apart")));
                }
                self.dedup_window = Some(window);
            }
            _ => {
                let column = key.strip_prefix(REDACT).filter(|name| !name.is_empty());
                let Some(column) = column else {
                    return Err(Error::user(format!(
                        "pipeline \"{name}\" has no option \"{key}\""
                    ))
                    .hint(VALID));
                };
                self.redact.insert(column.to_owned(), value.to_owned());
            }
        }
        Ok(())
    }

    fn repeats(&self, name: &str) -> Result<Option<Repeats>> {
        match (self.dedup_key.is_empty(), self.dedup_window) {
            (true, None) => Ok(None),
            (true, Some(_)) => Err(Error::user(format!(
                "option \"dedup_window\" of \"{name}\" says nothing without \"dedup_key\""
            ))
            .hint("name the columns that tell repeats: dedup_key = 'trace_id, message'")),
            (false, window) => Ok(Some(Repeats {
                key: self.dedup_key.clone(),
                window: window.unwrap_or(WINDOW),
            })),
        }
    }
}

const VALID: &str = "valid options are max_latency, max_rows, max_bytes, start, on_gap, \
                     event_time, dedup_key, dedup_window, redact.<column>";

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
        let mut settings = Settings::new(defaults);
        for (key, value) in options {
            settings.set(name, key, value)?;
        }
        let repeats = settings.repeats(name)?;
        let insert = match statement::parse(body)? {
            Statement::Sql(parsed) => take_apart(&parsed)?,
            _ => None,
        };
        let insert = insert.ok_or_else(|| {
            Error::user(format!("the body of pipeline \"{name}\" is not an INSERT"))
                .hint("write CREATE PIPELINE name AS INSERT INTO table SELECT ... FROM stream")
        })?;
        let (name, body) = (name.clone(), body.clone());
        let options = options
            .iter()
            .filter(|(key, _)| DEFINING.contains(&key.as_str()) || key.starts_with(REDACT))
            .map(|(key, value)| (key.clone(), spelled(key, value)))
            .collect();
        let Settings {
            limits,
            max_latency,
            start,
            on_gap,
            event_time,
            redact,
            ..
        } = settings;
        Ok(Self {
            name,
            body,
            insert,
            limits,
            max_latency,
            start,
            on_gap,
            event_time,
            redact,
            repeats,
            options,
        })
    }

    /// The definition in the one form that is kept with the table and compared: the body as the
    /// parser prints it, so that white space, comments and the case of keywords make no difference,
    /// the options that change what is stored, a hash of both, and beside them what `stream` is, if
    /// it is known: its columns and settings.
    ///
    /// # Errors
    /// When the body cannot be parsed, which would be a fault here.
    pub fn registered(&self, stream: Option<&dyn Source>) -> Result<String> {
        let body = match statement::parse(&self.body)? {
            Statement::Sql(parsed) => parsed.to_string(),
            _ => return Err(Error::internal("the body of a pipeline is no SQL")),
        };
        let defining = json!({ "body": body, "options": self.options });
        let hash = Sha256::digest(defining.to_string().as_bytes());
        let mut value = json!({
            "sha256": format!("{hash:x}"),
            "body": body,
            "options": self.options,
        });
        if let Some(stream) = stream {
            value["stream"] = json!(described(stream));
        }
        Ok(value.to_string())
    }
}

/// What decides which rows the records of `stream` become.
fn described(stream: &dyn Source) -> BTreeMap<String, String> {
    let schema = stream.schema();
    // Every stream has these.
    let beside =
        |name: &str| lineage::is_lineage(name) || [lineage::KEY, lineage::HEADERS].contains(&name);
    let declared = schema.fields().iter().filter(|field| !beside(field.name()));
    let columns: Vec<String> = declared
        .map(|field| {
            let needed = if field.is_nullable() { "" } else { " NOT NULL" };
            format!("{} {}{needed}", quote(field.name()), field.data_type())
        })
        .collect();
    let mut described = stream.settings();
    described.insert("columns".to_owned(), columns.join(", "));
    described
}

fn positive(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Error::user(format!("\"{text}\" is not a number above 0"))),
    }
}

/// An option's value as it is compared: words in lower case, names of columns as they are.
fn spelled(key: &str, value: &str) -> String {
    match key {
        "on_gap" | "start" => value.to_lowercase(),
        _ => value.to_owned(),
    }
}

/// Names of columns, between commas.
fn columns(text: &str) -> Result<Vec<String>> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().any(String::is_empty) {
        true => Err(Error::user(format!("\"{text}\" is no list of columns"))
            .hint("write it like 'trace_id, message'")),
        false => Ok(names),
    }
}

fn gap(text: &str) -> Result<OnGap> {
    match text.to_lowercase().as_str() {
        "stop" => Ok(OnGap::Stop),
        "record" => Ok(OnGap::Record),
        _ => Err(
            Error::user(format!("\"{text}\" says nothing of records that are gone"))
                .hint("use 'stop' or 'record'"),
        ),
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

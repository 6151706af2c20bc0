//! Everything the demo prints: what is where, the live line, answers, how to connect.
//!
//! On a terminal the live line is rewritten in place on standard error; elsewhere it is a plain
//! line on standard output every few seconds.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::time::Duration;

use sluice_engine::error::{Error, Result};

use super::broker::TOPIC;

/// How often the live line changes on a terminal, and how often it is printed elsewhere.
const REWRITE_EVERY: Duration = Duration::from_secs(1);
const PRINT_EVERY: Duration = Duration::from_secs(5);

/// Blanks that hide what is left of a longer live line.
const LIVE_WIDTH: usize = 110;

/// What the live line says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Live {
    /// Since the first record.
    pub(crate) at: Duration,
    /// Records a second since the last line.
    pub(crate) rate: f64,
    /// Records read and committed.
    pub(crate) events: u64,
    /// Rows committed.
    pub(crate) rows: u64,
    /// Records in the topic that are not committed.
    pub(crate) lag: u64,
    /// How old the oldest row of the newest commit was when it could be queried, in milliseconds.
    pub(crate) freshness_ms: Option<u64>,
    /// Records in the dead letters.
    pub(crate) rejected: u64,
    /// What the pipeline stumbles over.
    pub(crate) error: Option<String>,
}

/// Where the demo's output goes.
pub(crate) struct Report {
    out: Box<dyn Write + Send>,
    live: Option<Box<dyn Write + Send>>,
    live_shown: bool,
}

impl Report {
    /// Writes to standard output, the live line to standard error where that is a terminal.
    pub(crate) fn new() -> Self {
        let live: Option<Box<dyn Write + Send>> = match stderr().is_terminal() {
            true => Some(Box::new(stderr())),
            false => None,
        };
        Self {
            out: Box::new(stdout()),
            live,
            live_shown: false,
        }
    }

    /// How often [`Report::live`] is worth a call.
    pub(crate) fn live_every(&self) -> Duration {
        if self.live.is_some() {
            REWRITE_EVERY
        } else {
            PRINT_EVERY
        }
    }

    /// Prints `text` as it is.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(crate) fn print(&mut self, text: &str) -> Result<()> {
        self.clear_live()?;
        write(&mut self.out, text)
    }

    /// Prints one answer under its title.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(crate) fn answer(&mut self, title: &str, table: &str) -> Result<()> {
        let indented: String = table.lines().map(|line| format!("  {line}\n")).collect();
        self.print(&format!("\n{title}\n\n{indented}"))
    }

    /// Shows where things stand.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(crate) fn live(&mut self, live: &Live) -> Result<()> {
        let text = live_line(live);
        match &mut self.live {
            None => write(&mut self.out, &format!("{text}\n")),
            Some(terminal) => {
                self.live_shown = true;
                write(terminal, &format!("\r{text:<LIVE_WIDTH$}"))
            }
        }
    }

    fn clear_live(&mut self) -> Result<()> {
        match &mut self.live {
            Some(terminal) if self.live_shown => {
                self.live_shown = false;
                write(terminal, &format!("\r{:<LIVE_WIDTH$}\r", ""))
            }
            _ => Ok(()),
        }
    }
}

/// What is where, printed before the first record.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    /// The broker's `HOST:PORT`.
    pub(crate) broker: &'a str,
    /// Whether it is the embedded one.
    pub(crate) embedded: bool,
    /// Where the tables are.
    pub(crate) folder: &'a Path,
    /// The configuration that the pipeline needs.
    pub(crate) config: &'a Path,
    /// Whether the folder is removed at the end.
    pub(crate) temporary: bool,
    /// When the incident begins, in seconds.
    pub(crate) incident_s: u64,
    /// Where the server listens, as clients write it.
    pub(crate) url: &'a str,
}

impl Opening<'_> {
    /// As it is printed. The last line is the one that `sluice serve` prints.
    pub(crate) fn text(&self) -> String {
        let Self {
            broker,
            incident_s,
            url,
            ..
        } = self;
        let folder = self.folder.display();
        let mut rows = vec![("broker", format!("{broker}, a real one"))];
        if self.embedded {
            rows = vec![
                (
                    "broker",
                    format!("{broker}, embedded, for demos and tests only: it"),
                ),
                (
                    "",
                    "keeps the newest 5 MB and 100,000 messages of each partition".to_owned(),
                ),
            ];
        }
        let fixed = [
            (
                "logs",
                format!("seven services write to the topic \"{TOPIC}\"; some records"),
            ),
            (
                "",
                "hold access lines, logfmt or JSON, and some are sent twice".to_owned(),
            ),
            (
                "pipeline",
                "log_events -> logs, a Delta table (sql/pipelines/logs_enriched.sql)".to_owned(),
            ),
            (
                "  parse",
                "severity, status, trace and client out of the lines in messages".to_owned(),
            ),
            (
                "  filter",
                "DEBUG lines of one request in ten stay; repeats are left out".to_owned(),
            ),
            (
                "  enrich",
                "client: country and threats; host: tier; user: customer tier".to_owned(),
            ),
            (
                "  redact",
                "messages, what they held and attributes, by the policy \"default\"".to_owned(),
            ),
        ];
        rows.extend(fixed);
        match self.temporary {
            true => rows.push((
                "data",
                format!("{folder} (removed at the end; --data DIR keeps it)"),
            )),
            false => {
                let config = self.config.display();
                let again = format!("sluice serve --data {folder} --config {config}");
                rows.extend([("data", folder.to_string()), ("", again)]);
            }
        }
        let incident =
            format!("in {incident_s} s the database pool of the payment service runs dry");
        rows.push(("incident", incident));
        let lines = rows
            .iter()
            .map(|(name, text)| format!("{name:<10}  {text}\n"));
        format!("{}\nready flight={url}\n\n", lines.collect::<String>())
    }
}

/// How to reach the server at `url` from elsewhere.
pub(crate) fn connections(url: &str) -> String {
    let address = url.rsplit('/').next().unwrap_or(url);
    format!(
        r#"
Connect to the demo while it runs

  CLI     sluice sql --url {url} -c "SELECT source, count(*) FROM logs GROUP BY source"
  Python  pip install adbc-driver-flightsql adbc-driver-manager pyarrow

          import adbc_driver_flightsql.dbapi as flightsql
          with flightsql.connect("{url}", autocommit=True) as db, db.cursor() as cursor:
              cursor.execute("SELECT source, count(*) FROM logs GROUP BY source")
              print(cursor.fetch_arrow_table())

  JDBC    jdbc:arrow-flight-sql://{address}/?useEncryption=false
"#
    )
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn live_line(live: &Live) -> String {
    // The rate is never negative, and a fraction of an event says nothing.
    let rate = grouped(live.rate.round() as u64);
    let freshness = match live.freshness_ms {
        Some(ms) => format!("{:.1} s", Duration::from_millis(ms).as_secs_f64()),
        None => "-".to_owned(),
    };
    let mut text = format!(
        "{:>5} s | {rate:>6} events/s | {:>10} rows committed | lag {:>6} | \
         freshness {freshness:>6}",
        live.at.as_secs(),
        grouped(live.rows),
        grouped(live.lag),
    );
    if live.rejected > 0 {
        text += &format!(" | {} dead letters", grouped(live.rejected));
    }
    if let Some(error) = &live.error {
        text += &format!(" | {}", error.lines().next().unwrap_or_default());
    }
    text
}

fn write(to: &mut Box<dyn Write + Send>, text: &str) -> Result<()> {
    to.write_all(text.as_bytes())
        .and_then(|()| to.flush())
        .map_err(|error| {
            Error::cancelled(format!("cannot write the output: {error}")).source(error)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let text: Vec<String> = [0, 999, 1000, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(text, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_live_line_says_rate_rows_lag_and_freshness() {
        let live = Live {
            at: Duration::from_secs(12),
            rate: 1003.4,
            events: 11_256,
            rows: 11_245,
            lag: 120,
            freshness_ms: Some(420),
            rejected: 11,
            error: None,
        };
        let want = "   12 s |  1,003 events/s |     11,245 rows committed | lag    120 | \
                    freshness  0.4 s | 11 dead letters";
        assert_eq!(live_line(&live), want);
        assert!(live_line(&Live::default()).ends_with("freshness      -"));
    }
}

//! The command: its arguments, and everything it opens and closes again in turn.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use sluice_engine::authority::Authority;
use sluice_engine::config::parse_duration;
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Result};
use sluice_engine::statement::split;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::broker::Broker;
use super::course::Course;
use super::feed::Feed;
use super::incident::Incident;
use super::reference;
use super::report::{Opening, Report};
use super::simulator::Settings;
use crate::compose;
use crate::server::{ServerOptions, serve};

/// Shorter ones end before the first commit.
const LENGTH_MIN: Duration = Duration::from_secs(2);
/// Where the server listens when nothing else is said and nobody else does.
const PORT: u16 = 50051;

/// Arguments of `sluice demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// End by itself after this long, such as 30s or 15m; without it, Ctrl-C ends the demo
    #[arg(long = "for", value_name = "DURATION", value_parser = length)]
    length: Option<Duration>,

    /// Send the logs through this Kafka broker instead of an embedded one
    #[arg(long, value_name = "HOST:PORT", value_parser = broker_address)]
    kafka: Option<String>,

    /// Log records a second
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    rate: u32,

    /// Keep the tables in this folder instead of a temporary one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Where the Flight SQL server listens [default: 127.0.0.1:50051, or a free port if taken]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,

    /// Same seed, same logs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the demo to its end.
///
/// # Errors
/// When the broker, the data folder or the address cannot be had, when the shipped SQL fails, or
/// when nobody reads the output any more.
pub async fn run(args: DemoArgs) -> Result<()> {
    let broker = Broker::open(args.kafka.as_deref()).await?;
    let folder = Folder::open(args.data.as_deref(), &broker)?;
    let made_s = u64::try_from(Utc::now().timestamp()).unwrap_or(0);
    let config = reference::write(folder.path(), made_s)?;
    let engine = compose::engine(config, Some(folder.path())).await?;
    let shutdown = CancellationToken::new();
    let options = ServerOptions {
        listen: usable_address(args.listen),
        ..ServerOptions::default()
    };
    let server = serve(Arc::clone(&engine), options, shutdown.clone()).await?;
    let url = server.url();
    engine.announce(&url)?;
    let outcome = tokio::select! {
        outcome = play(&args, (&broker, &folder), (&engine, &url)) => outcome,
        outcome = interrupted() => outcome,
    };
    shutdown.cancel();
    let served = server.finished().await;
    engine.shutdown().await;
    outcome.and(served)
}

/// Sets everything up, sends and asks until the time is over, and answers a last time.
async fn play(
    args: &DemoArgs,
    (broker, folder): (&Broker, &Folder),
    (engine, url): (&Arc<Engine>, &str),
) -> Result<()> {
    let mut report = Report::new();
    let incident = Incident::within(args.length);
    set_up(engine, broker.address()).await?;
    let opening = Opening {
        broker: broker.address(),
        embedded: matches!(broker, Broker::Embedded(_)),
        folder: folder.path(),
        config: &reference::config_path(folder.path()),
        temporary: matches!(folder, Folder::Temporary(_)),
        incident_s: incident.from.as_secs(),
        url,
    };
    report.print(&opening.text())?;
    let settings = Settings {
        seed: args.seed,
        rate: args.rate,
        start: Utc::now(),
        incident,
    };
    let feed = Feed::start(broker.address(), settings)?;
    let mut course = Course::new((engine, url), incident, args.length);
    course.run(&mut report).await?;
    let sent = feed.stop().await;
    course.drain(sent, &mut report).await?;
    course.answer_all(&mut report).await
}

/// Makes the shipped tables and pipelines, and starts the pipelines.
async fn set_up(engine: &Arc<Engine>, broker: &str) -> Result<()> {
    let session = engine.session(Authority::Owner);
    let pipeline = sluice_sql::at_broker(sluice_sql::PIPELINE_ENRICHED, broker);
    for script in [sluice_sql::SCHEMA.to_owned(), pipeline] {
        for sql in split(&script)? {
            let prepared = session.prepare(&sql).await?;
            session.execute(&prepared).await?;
        }
    }
    engine.start_pipelines();
    Ok(())
}

/// Where the tables are.
enum Folder {
    /// Where the user wants them.
    Kept(PathBuf),
    /// Removed when this is dropped.
    Temporary(TempDir),
}

impl Folder {
    fn open(wanted: Option<&Path>, broker: &Broker) -> Result<Self> {
        let Some(path) = wanted else {
            let made = TempDir::with_prefix("sluice-demo-").map_err(|error| {
                Error::unavailable(format!("cannot make a temporary folder: {error}"))
            })?;
            return Ok(Self::Temporary(made));
        };
        // Offsets of the embedded broker begin at zero each time it starts, so rows of two brokers
        // would carry the same positions.
        let used = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if used && matches!(broker, Broker::Embedded(_)) {
            let shown = path.display();
            return Err(
                Error::exists(format!("the folder \"{shown}\" is not empty")).hint(
                    "the embedded broker starts anew each time: name a new folder after --data",
                ),
            );
        }
        Ok(Self::Kept(path.to_owned()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(made) => made.path(),
        }
    }
}

/// The address that is wanted; without one the usual, or a free port where that is taken.
fn usable_address(wanted: Option<SocketAddr>) -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    match wanted {
        Some(address) => address,
        None => match TcpListener::bind(usual) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
            }
            // Any other trouble with it is the server's to report.
            _ => usual,
        },
    }
}

/// Ends with Ctrl-C or SIGTERM.
async fn interrupted() -> Result<()> {
    let failed = |error| Error::unavailable(format!("cannot wait for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome.map_err(failed),
        _ = terminate.recv() => Ok(()),
    }
}

fn length(text: &str) -> Result<Duration> {
    match parse_duration(text)? {
        length if length < LENGTH_MIN => {
            Err(Error::user("a demo of less than two seconds shows nothing"))
        }
        length => Ok(length),
    }
}

/// Takes `HOST:PORT`, or several with commas between them.
fn broker_address(text: &str) -> Result<String> {
    let valid = |broker: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        broker.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && host.chars().all(plain) && port.parse::<u16>().is_ok()
        })
    };
    if text.split(',').all(valid) {
        return Ok(text.to_owned());
    }
    Err(
        Error::user(format!("\"{text}\" is not the address of a broker"))
            .hint("write it like 'localhost:9092'"),
    )
}

//! `sluice serve`: the server, from its settings to its orderly end.

use std::collections::BTreeMap;
use std::future::ready;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::TryStreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::config::{Config, Server};
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Result};
use sluice_engine::secret;
use sluice_engine::session::Session;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use toml::{Table, Value};
use tracing::{info, warn};

use super::local::DATA;
use super::output::print;
use super::script::{self, Statement};
use super::signals::Signals;
use super::target::read_token;
use crate::compose;
use crate::server::{self, Running, ServerOptions};

/// What pipelines and calls get to finish; whoever sent SIGTERM may kill after ten seconds.
const END_MAX: Duration = Duration::from_secs(9);

/// Characters of the shortest key of tickets; shorter ones are guessed.
const TICKET_KEY_MIN: usize = 32;

const EXAMPLES: &str = "\
Examples:
  sluice serve --init init.sql
  sluice serve --data /var/lib/sluice --listen 127.0.0.1:50051 --config sluice.toml

Standard output gets one line, \"ready flight=grpc://HOST:PORT\", when the server answers; with
--postgres-listen \" postgres=postgresql://HOST:PORT\" follows, with --metrics-listen
\" metrics=http://HOST:PORT\". Ctrl-C and SIGTERM end it within ten seconds, after its pipelines
have committed what they have read. Any address beyond loopback, but for metrics, needs a token,
users or client certificates, and TLS or --insecure-listen.";

/// Arguments of `sluice serve`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Where definitions and tables are kept; made where it is missing
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,

    /// SQL to run at every start; its statements say IF NOT EXISTS
    #[arg(long, value_name = "FILE.sql")]
    init: Option<PathBuf>,

    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,

    /// Settings to read; the environment (SLUICE__SECTION__KEY) and flags go over them
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,

    /// A file that holds the token which clients must present
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// PEM file of the certificate chain
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// PEM file of the certificate's key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// PEM file of the certificates that sign those of clients, which then must present one
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,

    /// Where to serve PostgreSQL clients; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    postgres_listen: Option<SocketAddr>,

    /// Where to serve /healthz, /readyz, /livez and /metrics over HTTP; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    metrics_listen: Option<SocketAddr>,

    /// Listen beyond loopback without TLS, because a proxy in front does it
    #[arg(long)]
    insecure_listen: bool,
}

impl ServeArgs {
    /// Serves until a signal says to end.
    ///
    /// # Errors
    /// When a setting or a statement of the init file is wrong, the data directory is in use, or
    /// the address is taken.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let mut signals = Signals::listen()?;
        let config = Config::load(self.config.as_deref(), Config::environment(), self.flags())?;
        let options = options(&config.server)?;
        let engine = compose::engine(config, Some(&self.data)).await?;
        let shutdown = CancellationToken::new();
        let start = start(&engine, self.init.as_deref(), options, shutdown.clone());
        let running = tokio::select! {
            running = start => running?,
            _ = signals.next() => {
                finish(&engine, ready(Ok(()))).await;
                return Ok(ExitCode::SUCCESS);
            }
        };
        let mut server = Box::pin(running.finished());
        tokio::select! {
            ended = &mut server => {
                finish(&engine, ready(Ok(()))).await;
                ended?;
            }
            _ = signals.next() => {
                info!("ending");
                shutdown.cancel();
                finish(&engine, server).await;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What the flags set, as a layer over the other settings.
    fn flags(&self) -> Table {
        let path = |path: &Option<PathBuf>| Some(path.as_ref()?.display().to_string());
        let address = |address: Option<SocketAddr>| Some(address?.to_string());
        let texts = [
            ("listen", address(self.listen)),
            ("token_file", path(&self.token_file)),
            ("tls_cert", path(&self.tls_cert)),
            ("tls_key", path(&self.tls_key)),
            ("tls_client_ca", path(&self.tls_client_ca)),
            ("postgres_listen", address(self.postgres_listen)),
            ("metrics_listen", address(self.metrics_listen)),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(key, text)| Some((key, Value::String(text?))));
        let insecure = self
            .insecure_listen
            .then_some(("insecure_listen", Value::Boolean(true)));
        let server: Table = texts
            .chain(insecure)
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        Table::from_iter([("server".to_owned(), Value::Table(server))])
    }
}

/// Runs the init file, listens, starts the pipelines and says so.
async fn start(
    engine: &Arc<Engine>,
    init: Option<&Path>,
    options: ServerOptions,
    shutdown: CancellationToken,
) -> Result<Running> {
    if let Some(file) = init {
        let session = engine.session(Authority::Owner);
        for statement in script::read(file)? {
            run(&session, &statement)
                .await
                .map_err(|error| statement.locate(error))?;
        }
    }
    let running = server::serve(Arc::clone(engine), options, shutdown).await?;
    engine.announce(&running.url())?;
    engine.start_pipelines();
    let line = format!("ready {}\n", running.doors());
    if let Err(error) = print(line.into_bytes()).await {
        // Whoever closed standard output does not wait for the line, and clients may still come.
        warn!(%error, "nobody reads that the server is ready");
    }
    Ok(running)
}

/// Runs one statement to its end; rows are nobody's business here.
async fn run(session: &Session, statement: &Statement) -> Result<()> {
    let prepared = session.prepare(&statement.sql).await?;
    let answer = session.execute(&prepared).await?;
    answer.rows.try_for_each(|_| async { Ok(()) }).await
}

/// Lets pipelines commit and calls finish.
async fn finish(engine: &Engine, server: impl Future<Output = Result<()>>) {
    let server = async {
        if let Err(error) = server.await {
            warn!(%error, "the server ended with an error");
        }
    };
    if timeout(END_MAX, async { tokio::join!(engine.shutdown(), server) })
        .await
        .is_err()
    {
        // Rows and positions are one commit, so the next start reads again what was not committed.
        warn!("ending before everything had finished");
    }
}

/// What the settings say about listening.
fn options(server: &Server) -> Result<ServerOptions> {
    let given = |path: &PathBuf| (!path.as_os_str().is_empty()).then(|| path.clone());
    let token = match (server.token.as_str(), given(&server.token_file)) {
        ("", None) => None,
        ("", Some(path)) => Some(read_token(&path)?),
        (token, None) => Some(token.to_owned()),
        (_, Some(_)) => {
            return Err(
                Error::user("both `server.token` and `server.token_file` are set")
                    .hint("keep one of them"),
            );
        }
    };
    let tls = match (given(&server.tls_cert), given(&server.tls_key)) {
        (None, None) => None,
        (Some(cert), Some(key)) => Some((cert, key)),
        _ => {
            return Err(
                Error::user("only one of `server.tls_cert` and `server.tls_key` is set")
                    .hint("TLS needs both"),
            );
        }
    };
    Ok(ServerOptions {
        listen: server.listen,
        token,
        tls,
        insecure_listen: server.insecure_listen,
        users: resolved("server.users", &server.users)?,
        api_keys: resolved("server.api_keys", &server.api_keys)?,
        tls_client_ca: given(&server.tls_client_ca),
        tls_client_users: server.tls_client_users,
        ticket_key: ticket_key(&server.ticket_key)?,
        postgres_listen: server.postgres_listen,
        metrics_listen: server.metrics_listen,
    })
}

/// Entries of a section with what their references refer to.
fn resolved(section: &str, entries: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let resolved = entries.iter().map(|(name, text)| {
        let text = secret::resolve(&format!("{section}.{name}"), text)?;
        Ok((name.clone(), text))
    });
    resolved.collect()
}

/// The key of tickets that `reference` refers to; `None` for an empty reference.
fn ticket_key(reference: &str) -> Result<Option<String>> {
    const OPTION: &str = "server.ticket_key";
    if reference.is_empty() {
        return Ok(None);
    }
    secret::check(OPTION, reference)?;
    let key = secret::resolve(OPTION, reference)?;
    if key.chars().count() < TICKET_KEY_MIN {
        let text = format!("`{OPTION}` has less than {TICKET_KEY_MIN} characters");
        return Err(Error::user(text).hint("`openssl rand -base64 48` makes one"));
    }
    Ok(Some(key))
}

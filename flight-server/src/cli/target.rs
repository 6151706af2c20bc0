//! Where statements run: on a server, or on an engine in this process.

use std::path::PathBuf;

use clap::Args;
use sluice_engine::error::{Error, Result};

use super::local::Local;
use super::remote::{Access, Address, Remote};
use super::reply::Reply;

/// The arguments that say where statements run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// The server to ask, as grpc://HOST:PORT or grpc+tls://HOST:PORT
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub(crate) url: Option<Address>,

    /// The data directory to open in this process; no server may be using it
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// The server's token
    #[arg(
        long,
        env = "SLUICE_TOKEN",
        hide_env_values = true,
        conflicts_with = "token_file"
    )]
    token: Option<String>,

    /// A file that holds the server's token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// PEM file of the certificates to trust instead of the system's
    #[arg(long, value_name = "FILE", env = "SSL_CERT_FILE", hide_env = true)]
    tls_ca: Option<PathBuf>,
}

/// Where statements run.
#[derive(Debug)]
pub(crate) enum Place {
    /// In this process.
    Local(Local),
    /// On a server.
    Remote(Box<Remote>),
}

impl Target {
    /// Opens the engine or the connection.
    ///
    /// # Errors
    /// When another process owns the data directory, or the server cannot be reached.
    pub(crate) async fn open(self) -> Result<Place> {
        let Some(address) = self.url else {
            return Ok(Place::Local(Local::open(self.data.as_deref()).await?));
        };
        let token = match self.token_file {
            Some(path) => Some(read_token(&path)?),
            None => self.token,
        };
        let access = Access {
            address,
            token,
            certificates: self.tls_ca,
        };
        Ok(Place::Remote(Box::new(Remote::connect(access).await?)))
    }
}

impl Place {
    /// Runs one statement: effects to their end, queries up to their first rows.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<Reply> {
        match self {
            Self::Local(local) => local.run(sql).await,
            Self::Remote(remote) => remote.run(sql).await,
        }
    }
}

/// The token in a file, without the line's end.
///
/// # Errors
/// When the file cannot be read or is empty.
pub(crate) fn read_token(path: &std::path::Path) -> Result<String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::not_found(format!("cannot read the token file \"{shown}\": {error}")).source(error)
    })?;
    match text.trim() {
        "" => Err(Error::user(format!("the token file \"{shown}\" is empty"))),
        token => Ok(token.to_owned()),
    }
}

//! Where statements run: on a server, or on an engine in this process.

use std::path::PathBuf;

use clap::Args;
use sluice_engine::error::{Error, Result};

use super::local::{DATA, Local};
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

    /// Settings to read; the environment (SLUICE__SECTION__KEY) goes over them
    #[arg(long, value_name = "FILE.toml", conflicts_with = "url")]
    config: Option<PathBuf>,

    /// The user whose password --token or --token-file gives
    #[arg(long, value_name = "NAME", requires = "url")]
    user: Option<String>,

    /// The server's token, an API key, or the password of --user
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

    /// PEM file of this client's own certificate, for a server that wants one
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// PEM file of the certificate's key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
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
    /// The same with the usual data directory where neither a server nor another one is named. It
    /// must be there: a wrong path would make a new one, without the table.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn existing(mut self) -> Result<Self> {
        if self.url.is_some() {
            return Ok(self);
        }
        let data = self.data.get_or_insert_with(|| DATA.into());
        if data.is_dir() {
            return Ok(self);
        }
        let shown = data.display();
        Err(
            Error::not_found(format!("there is no data directory \"{shown}\""))
                .hint("name it after --data, or ask the server that has it by --url"),
        )
    }

    /// Opens the engine or the connection.
    ///
    /// # Errors
    /// When another process owns the data directory, or the server cannot be reached.
    pub(crate) async fn open(self) -> Result<Place> {
        let Some(address) = self.url else {
            let local = Local::open(self.data.as_deref(), self.config.as_deref());
            return Ok(Place::Local(local.await?));
        };
        let token = match self.token_file {
            Some(path) => Some(read_token(&path)?),
            None => self.token,
        };
        let access = Access {
            address,
            user: self.user,
            token,
            certificates: self.tls_ca,
            identity: self.tls_cert.zip(self.tls_key),
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

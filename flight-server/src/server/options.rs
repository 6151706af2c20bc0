//! How the server listens, and where it refuses to.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use sluice_engine::error::{Error, Result};

use crate::tls::{Files, Tls};
use crate::users::Users;

/// How the server listens.
#[derive(Clone)]
pub struct ServerOptions {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What callers may present, of whatever name.
    pub token: Option<String>,
    /// Verifiers of passwords by user, as `sluice hash-password` makes them.
    pub users: BTreeMap<String, String>,
    /// Hashes of API keys by name, as `sluice hash-password` makes them.
    pub api_keys: BTreeMap<String, String>,
    /// PEM files of the certificate chain and of its key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// PEM file of the certificates that sign those which clients then must present.
    pub tls_client_ca: Option<PathBuf>,
    /// Every name in a client's certificate is a user's, not only those in `users`.
    pub tls_client_users: bool,
    /// A proxy in front does TLS, so that an address beyond loopback needs none here.
    pub insecure_listen: bool,
    /// The key of tickets and sessions, which replicas share; `None` makes a new one.
    pub ticket_key: Option<String>,
    /// Where PostgreSQL clients are served.
    pub postgres_listen: Option<SocketAddr>,
    /// Where health and metrics are served.
    pub metrics_listen: Option<SocketAddr>,
}

impl Default for ServerOptions {
    /// A free port of loopback, open to every program of the machine.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: None,
            users: BTreeMap::new(),
            api_keys: BTreeMap::new(),
            tls: None,
            tls_client_ca: None,
            tls_client_users: false,
            insecure_listen: false,
            ticket_key: None,
            postgres_listen: None,
            metrics_listen: None,
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("listen", &self.listen)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl ServerOptions {
    /// Beyond loopback everyone in reach may call, so there it takes credentials, and TLS to keep
    /// them secret. What is watched is no secret, and may be had anywhere.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::Denied`] with what is missing, and when options contradict
    /// each other.
    pub(super) fn check(&self) -> Result<()> {
        if self.tls_client_ca.is_some() && self.tls.is_none() {
            return Err(Error::user("`server.tls_client_ca` is set without TLS")
                .hint("set `server.tls_cert` and `server.tls_key` too"));
        }
        if self.tls_client_users && self.tls_client_ca.is_none() {
            return Err(Error::user(
                "`server.tls_client_users` is set, and no client presents a certificate",
            )
            .hint("set `server.tls_client_ca` too"));
        }
        let addresses = [Some(self.listen), self.postgres_listen];
        addresses
            .into_iter()
            .flatten()
            .try_for_each(|address| self.check_address(address))
    }

    fn check_address(&self, address: SocketAddr) -> Result<()> {
        let encrypted = self.tls.is_some() || self.insecure_listen;
        let credentials = self.passwords() || self.tls_client_ca.is_some();
        if address.ip().is_loopback() || (credentials && encrypted) {
            return Ok(());
        }
        let missing = match (credentials, encrypted) {
            (true, _) => "TLS",
            (false, true) => "credentials",
            (false, false) => "credentials and TLS",
        };
        let text = format!("refusing to listen on {address} without {missing}");
        Err(Error::denied(text).hint(
            "set `server.token`, users in `server.users` or `server.tls_client_ca`; and \
             `server.tls_cert` with `server.tls_key`, or `server.insecure_listen` when a proxy in \
             front does TLS; or listen on 127.0.0.1",
        ))
    }

    /// Whether clients may present something else than a certificate.
    fn passwords(&self) -> bool {
        self.token.is_some() || !self.users.is_empty() || !self.api_keys.is_empty()
    }

    /// Who may connect. Where certificates are the only credentials, each is good.
    ///
    /// # Errors
    /// When an entry is malformed.
    pub(super) fn users(&self) -> Result<Users> {
        let only_certificates = self.tls_client_ca.is_some() && !self.passwords();
        Users::new(
            self.token.as_deref(),
            &self.users,
            &self.api_keys,
            self.tls_client_users || only_certificates,
            self.ticket_key.as_deref(),
        )
    }

    /// TLS, where it is spoken.
    ///
    /// # Errors
    /// When the files cannot be used.
    pub(super) fn tls(&self) -> Result<Option<Arc<Tls>>> {
        let files = self.tls.as_ref().map(|(certificate, key)| Files {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: self.tls_client_ca.clone(),
        });
        files.map(Tls::load).transpose()
    }
}

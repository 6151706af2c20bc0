//! TLS: the server's certificate, those of clients, and their renewal. The files are read again
//! while the server runs, so that a renewed certificate takes no restart; new connections get it.

mod name;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use sluice_engine::error::{Error, Result};
use tracing::{info, warn};

pub(crate) use name::of_client;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The protocol of gRPC, agreed on in the handshake.
const HTTP2: &[u8] = b"h2";

/// The certificates in use.
pub(crate) struct Tls {
    files: Files,
    loaded: RwLock<Loaded>,
}

/// Where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// PEM file of the certificate chain.
    pub(crate) certificate: PathBuf,
    /// PEM file of its key.
    pub(crate) key: PathBuf,
    /// PEM file of the certificates that sign those of clients.
    pub(crate) client_ca: Option<PathBuf>,
}

struct Loaded {
    content: Content,
    flight: Arc<ServerConfig>,
    postgres: Arc<ServerConfig>,
}

/// What the files hold.
#[derive(Clone, PartialEq, Eq)]
struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content")
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish()
    }
}

impl Tls {
    /// Loads `files`.
    ///
    /// # Errors
    /// When one cannot be read, or they do not fit each other.
    pub(crate) fn load(files: Files) -> Result<Arc<Self>> {
        let loaded = RwLock::new(Loaded::new(Content::read(&files)?)?);
        Ok(Arc::new(Self { files, loaded }))
    }

    /// For connections that speak gRPC.
    pub(crate) fn flight(&self) -> Arc<ServerConfig> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&loaded.flight)
    }

    /// For connections that speak PostgreSQL's protocol: the same, without a protocol to agree on.
    pub(crate) fn postgres(&self) -> Arc<ServerConfig> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&loaded.postgres)
    }

    /// Follows the files for ever. Files that cannot be used are told of once, and what was loaded
    /// before stays.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut refused = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let tls = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || tls.look()).await;
            let Ok(Err((content, error))) = looked else {
                refused = None;
                continue;
            };
            if refused.as_ref() != Some(&content) {
                warn!(%error, "the new TLS files are not used; the former stay");
                refused = Some(content);
            }
        }
    }

    /// Takes the files if they have changed. `None` stands for files that cannot be read.
    fn look(&self) -> Result<(), (Option<Content>, Error)> {
        let content = Content::read(&self.files).map_err(|error| (None, error))?;
        {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            if loaded.content == content {
                return Ok(());
            }
        }
        let new = Loaded::new(content.clone()).map_err(|error| (Some(content), error))?;
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = new;
        info!(certificate = %self.files.certificate.display(), "TLS certificates renewed");
        Ok(())
    }
}

impl Content {
    fn read(files: &Files) -> Result<Self> {
        let authority = files.client_ca.as_deref();
        Ok(Self {
            certificate: read(&files.certificate, "certificate")?,
            key: read(&files.key, "key")?,
            client_ca: authority.map(|path| read(path, "client CA")).transpose()?,
        })
    }
}

impl Loaded {
    fn new(content: Content) -> Result<Self> {
        let chain = certificates(&content.certificate, "`server.tls_cert`")?;
        let key = PrivateKeyDer::from_pem_slice(&content.key)
            .map_err(|error| unusable("`server.tls_key` holds no private key").source(error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("TLS has no version").source(error))?;
        let builder = match &content.client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(pem, "`server.tls_client_ca`")? {
                    roots.add(authority).map_err(|error| {
                        unusable("a certificate of `server.tls_client_ca` signs nothing")
                            .source(error)
                    })?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| {
                    unusable("`server.tls_client_ca` cannot be used").source(error)
                })?)
            }
        };
        let postgres = builder.with_single_cert(chain, key).map_err(|error| {
            unusable("the TLS certificate and key cannot be used").source(error)
        })?;
        let mut flight = postgres.clone();
        flight.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(Self {
            content,
            flight: Arc::new(flight),
            postgres: Arc::new(postgres),
        })
    }
}

fn certificates(pem: &[u8], setting: &str) -> Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| unusable(&format!("{setting} is not PEM")).source(error))?;
    if found.is_empty() {
        return Err(unusable(&format!("{setting} holds no certificate")));
    }
    Ok(found)
}

fn unusable(text: &str) -> Error {
    Error::user(text).hint("all are PEM files, and the key belongs to the first certificate")
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let shown = path.display();
        Error::not_found(format!("cannot read the TLS {what} \"{shown}\": {error}")).source(error)
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn write(files: &Files, names: &str) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec![names.to_owned()]).unwrap();
        std::fs::write(&files.certificate, cert.pem()).unwrap();
        std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
    }

    #[test]
    fn new_files_are_taken_and_bad_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
            client_ca: None,
        };
        assert!(Tls::load(files.clone()).is_err());
        write(&files, "one");
        let tls = Tls::load(files.clone()).unwrap();
        let first = tls.flight();
        assert_eq!(first.alpn_protocols, [HTTP2]);
        assert!(tls.postgres().alpn_protocols.is_empty());
        tls.look().unwrap();
        assert!(Arc::ptr_eq(&first, &tls.flight()), "nothing has changed");

        std::fs::write(&files.certificate, "half a file").unwrap();
        assert!(tls.look().is_err());
        assert!(Arc::ptr_eq(&first, &tls.flight()));
        let key = std::fs::read(&files.key).unwrap();
        write(&files, "two");
        let new_key = std::fs::read(&files.key).unwrap();
        std::fs::write(&files.key, key).unwrap();
        let (_, error) = tls.look().unwrap_err();
        assert!(error.to_string().contains("certificate and key"), "{error}");
        std::fs::write(&files.key, new_key).unwrap();
        tls.look().unwrap();
        assert!(!Arc::ptr_eq(&first, &tls.flight()));
    }
}

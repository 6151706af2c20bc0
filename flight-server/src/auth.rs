//! Who is calling, found in the headers of each call: a bearer that a handshake gave, the server's
//! token or an API key, a user with a password, or the name in the client's certificate. The same
//! look finds the caller's session: by the handshake's bearer, else by cookie, else by connection.

mod presented;

mod admission;

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sluice_engine::error::Error;
use sluice_engine::metrics::Metrics;
use tokio::sync::Semaphore;
use tonic::Request;
use tonic::codegen::http::HeaderMap;
use uuid::Uuid;

use self::presented::{Presented, cookies};
use crate::status::{Refusal, Result};
use crate::ticket::{Purpose, Signer, seconds};
use crate::users::{Principal, Users};

pub(crate) use self::admission::Admission;

/// The cookie that names a session.
const COOKIE: &str = "sluice_session";
/// Seconds a handshake's bearer is good for: drivers shake hands once for each connection and keep
/// connections in pools.
const BEARER_SECONDS: u64 = 30 * 24 * 3_600;
/// Passwords that are verified at the same time; each occupies a core for milliseconds.
const VERIFIED_AT_A_TIME: usize = 2;

/// The connection of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Names the connection; also the id of the session that begins with it.
    pub(crate) connection: Uuid,
    /// Where it comes from.
    pub(crate) address: IpAddr,
    /// The name in the client's certificate, which was verified.
    pub(crate) certificate: Option<Arc<str>>,
}

/// Decides who may call. Clones share all state.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    users: Arc<Users>,
    signer: Signer,
    /// Whether cookies are kept from connections without TLS.
    secure: bool,
    verifying: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// A caller who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Who he is.
    pub(crate) principal: Principal,
    /// His session.
    pub(crate) session: Uuid,
    /// How the session was found.
    pub(crate) found: Found,
}

/// How a caller's session was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// By what the client presented, which it may present on other connections too.
    Presented,
    /// By the connection.
    Connection,
}

/// What one of our own bearers or cookies says.
enum Sealed {
    Good(Principal, Uuid),
    Expired,
    Foreign,
}

impl Gate {
    /// A gate for `users`; `secure` where all connections have TLS.
    pub(crate) fn new(users: Arc<Users>, signer: Signer, secure: bool) -> Self {
        Self {
            users,
            signer,
            secure,
            verifying: Arc::new(Semaphore::new(VERIFIED_AT_A_TIME)),
            metrics: Arc::default(),
        }
    }

    /// The same gate, whose refusals count in `metrics`.
    pub(crate) fn with_metrics(mut self, metrics: &Arc<Metrics>) -> Self {
        self.metrics = Arc::clone(metrics);
        self
    }

    /// The caller that [`Admission`] found for `request`.
    ///
    /// # Errors
    /// When the call came past it.
    pub(crate) fn caller<T>(&self, request: &Request<T>) -> Result<Caller> {
        match request.extensions().get::<admission::Found>() {
            Some(found) => Ok(found.0.clone()),
            None => Err(Error::internal("a call came past the gate").into()),
        }
    }

    /// What a handshake is answered with: a bearer for a session of its own.
    ///
    /// # Errors
    /// As [`Gate::caller`].
    pub(crate) fn handshake<T>(&self, request: &Request<T>) -> Result<String> {
        let caller = self.caller(request)?;
        let expires = seconds() + BEARER_SECONDS;
        Ok(self.sealed(Purpose::Bearer, Uuid::new_v4(), &caller.principal, expires))
    }

    /// The `set-cookie` header that gives the session of `owner` to its client.
    pub(crate) fn set_cookie(&self, session: Uuid, owner: &Principal) -> String {
        let value = self.sealed(Purpose::Cookie, session, owner, u64::MAX);
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{COOKIE}={value}; Path=/; HttpOnly{secure}")
    }

    /// Finds the caller behind the headers of a call.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`] when credentials are wanted and none, or wrong ones, are there.
    async fn admit(&self, headers: &HeaderMap, peer: &Peer) -> Result<Caller> {
        let presented = Presented::read(headers);
        let mut expired = false;
        for text in &presented.bearers {
            match self.opened(Purpose::Bearer, text) {
                Sealed::Good(principal, session) => {
                    return Ok(Caller {
                        principal,
                        session,
                        found: Found::Presented,
                    });
                }
                Sealed::Expired => expired = true,
                Sealed::Foreign => {}
            }
        }
        let principal = self.principal(&presented, expired, peer).await?;
        let session =
            cookies(headers, COOKIE).find_map(|text| match self.opened(Purpose::Cookie, text) {
                Sealed::Good(owner, session) if owner == principal => Some(session),
                _ => None,
            });
        Ok(Caller {
            principal,
            session: session.unwrap_or(peer.connection),
            found: session.map_or(Found::Connection, |_| Found::Presented),
        })
    }

    async fn principal(
        &self,
        presented: &Presented<'_>,
        expired: bool,
        peer: &Peer,
    ) -> Result<Principal> {
        if self.users.open() {
            return Ok(Principal::anonymous());
        }
        let mut tokens = presented.bearers.iter().chain(&presented.keys);
        if let Some(principal) = tokens.find_map(|text| self.users.bearer(text)) {
            return Ok(principal);
        }
        // One of them: a call is one attempt.
        if let Some((user, password)) = presented.passwords.first()
            && let Some(principal) = self.password(user, password, peer).await?
        {
            return Ok(principal);
        }
        let certificate = peer.certificate.as_deref();
        let certified = certificate.and_then(|name| self.users.certificate(name));
        match (presented.wrong(expired), certified) {
            (None, Some(principal)) => Ok(principal),
            (None, None) => {
                self.metrics.login_refused();
                Err(wanted(certificate.is_some()))
            }
            (Some(wrong), _) => {
                self.metrics.login_refused();
                // Whoever guesses waits; an honest program whose bearer ran out does not.
                if !expired || !presented.passwords.is_empty() {
                    self.users.refused(peer.address).await;
                }
                Err(Refusal::Unauthenticated(wrong.to_owned()))
            }
        }
    }

    /// Verifies a password where that costs computing on a thread of its own, few at a time.
    async fn password(&self, user: &str, password: &str, peer: &Peer) -> Result<Option<Principal>> {
        if let Some(known) = self.users.recall(user, password) {
            return Ok(known);
        }
        self.unless_guessing(peer)?;
        let verifying = Arc::clone(&self.verifying).acquire_owned().await;
        // Others of its address may have been found wrong while this one waited.
        self.unless_guessing(peer)?;
        let (users, user, password) = (
            Arc::clone(&self.users),
            user.to_owned(),
            password.to_owned(),
        );
        let verified = tokio::task::spawn_blocking(move || {
            let _few = verifying;
            users.password(&user, &password)
        });
        let fault = |error| Error::internal("a password could not be verified").source(error);
        Ok(verified.await.map_err(fault)?)
    }

    fn unless_guessing(&self, peer: &Peer) -> Result<()> {
        if !self.users.guessing(peer.address) {
            return Ok(());
        }
        self.metrics.login_refused();
        Err(
            Error::limit("too many wrong passwords come from this address")
                .hint("try again in a few seconds")
                .into(),
        )
    }

    fn sealed(&self, purpose: Purpose, session: Uuid, owner: &Principal, expires: u64) -> String {
        let mut payload = session.as_bytes().to_vec();
        payload.extend_from_slice(&expires.to_be_bytes());
        payload.extend_from_slice(&self.users.fingerprint(owner.name()).unwrap_or_default());
        payload.extend_from_slice(owner.name().as_bytes());
        URL_SAFE_NO_PAD.encode(self.signer.seal(purpose, &payload))
    }

    /// What `text` says, if we made it for `purpose` and its owner's credentials are the same.
    fn opened(&self, purpose: Purpose, text: &str) -> Sealed {
        self.read(purpose, text).unwrap_or(Sealed::Foreign)
    }

    fn read(&self, purpose: Purpose, text: &str) -> Option<Sealed> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let payload = self.signer.open(purpose, &sealed)?;
        let (session, rest) = payload.split_first_chunk::<16>()?;
        let (expires, rest) = rest.split_first_chunk::<8>()?;
        let (fingerprint, name) = rest.split_first_chunk::<8>()?;
        let name = std::str::from_utf8(name).ok()?;
        if u64::from_be_bytes(*expires) < seconds()
            || self.users.fingerprint(name) != Some(*fingerprint)
        {
            return Some(Sealed::Expired);
        }
        Some(Sealed::Good(
            Principal::of(name),
            Uuid::from_bytes(*session),
        ))
    }
}

/// What a client that presents nothing is told.
fn wanted(certified: bool) -> Refusal {
    let text = if certified {
        "the name in the client's certificate is no user of this server\n\
         hint: it takes an entry in `server.users`, or a password, token or API key beside it"
    } else {
        "this server wants credentials\n\
         hint: connect with a user and password (the server's token is the password of any user), \
         or send the header \"authorization: Bearer <token or API key>\""
    };
    Refusal::Unauthenticated(text.to_owned())
}

#[cfg(test)]
mod tests;

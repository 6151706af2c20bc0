//! Who may connect: the server's token, users with passwords, API keys and the names in client
//! certificates. What is kept of a password or key is a hash; comparing takes the same time
//! whatever is presented, and a name that nobody has costs as much as one that somebody has.

mod throttle;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgwire::api::auth::sasl::scram::gen_salted_password;
use ring::{digest, hmac};
use sluice_engine::error::{Error, Result};
use subtle::{Choice, ConstantTimeEq};
use uuid::Uuid;

use self::throttle::Throttle;

/// The caller of a server that wants no credentials.
const ANONYMOUS: &str = "anonymous";
/// The caller who presented the server's token, which proves no name.
const TOKEN: &str = "token";
/// In the place of a verifier: no password, only a certificate with the name.
const CERTIFICATE_ONLY: &str = "certificate";
/// What a verifier in PostgreSQL's form begins with.
const SCRAM: &str = "SCRAM-SHA-256$";
/// What the hash of an API key begins with.
const SHA256: &str = "sha256:";

/// Iterations of a new verifier. A verified password is remembered, so that the cost is paid once.
pub(crate) const ITERATIONS: u32 = 65_536;
/// Iterations over the server's token: PostgreSQL's number, for a secret that is long.
const TOKEN_ITERATIONS: u32 = 4_096;
/// Verifiers with fewer are guessed too fast; RFC 7677 asks for so many.
const ITERATIONS_MIN: u32 = 4_096;
/// Verifiers with more would make each login a burden.
const ITERATIONS_MAX: u32 = 10_000_000;
/// Bytes of salt in a new verifier.
const SALT_BYTES: usize = 16;

/// Passwords remembered at a time.
const REMEMBERED_MAX: usize = 4_096;
/// How long a verified password is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// A caller with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    name: Arc<str>,
}

impl Principal {
    /// The caller who was found to be `name`.
    pub(crate) fn of(name: &str) -> Self {
        Self { name: name.into() }
    }

    /// The caller of a server that wants no credentials.
    pub(crate) fn anonymous() -> Self {
        Self::of(ANONYMOUS)
    }

    /// The id of a session of this caller's own in the place of `id`, which is another's.
    pub(crate) fn own(&self, id: Uuid) -> Uuid {
        let hash = sha256(&[id.as_bytes(), self.name.as_bytes()].concat());
        Uuid::from_slice(&hash[..16]).unwrap_or(id)
    }

    /// The name, as audit trails and `current_user` show it.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }
}

/// What is kept of a password (RFC 5802): it verifies one, and gives none away.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ScramVerifier {
    /// Who has logged in when a client proves the password.
    pub(crate) principal: Principal,
    /// Rounds of PBKDF2.
    pub(crate) iterations: u32,
    /// The salt.
    pub(crate) salt: Vec<u8>,
    /// The hash of the key that the client proves.
    pub(crate) stored_key: [u8; 32],
    /// The key with which the server proves that it has the verifier.
    pub(crate) server_key: [u8; 32],
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramVerifier")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

impl ScramVerifier {
    /// The verifier of `password`, in PostgreSQL's form for the configuration.
    pub(crate) fn make(password: &str) -> String {
        let salt: [u8; SALT_BYTES] = rand::random();
        let (stored, server) = keys(password, &salt, ITERATIONS);
        format!(
            "{SCRAM}{ITERATIONS}:{}${}:{}",
            STANDARD.encode(salt),
            STANDARD.encode(stored),
            STANDARD.encode(server),
        )
    }

    fn read(name: &str, text: &str) -> Option<Self> {
        let (cost, keys) = text.strip_prefix(SCRAM)?.split_once('$')?;
        let (iterations, salt) = cost.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let key = |text: &str| <[u8; 32]>::try_from(STANDARD.decode(text).ok()?).ok();
        let iterations = u32::from_str(iterations).ok()?;
        let salt = STANDARD.decode(salt).ok()?;
        let usable = (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) && !salt.is_empty();
        usable.then_some(Self {
            principal: Principal::of(name),
            iterations,
            salt,
            stored_key: key(stored)?,
            server_key: key(server)?,
        })
    }

    /// Whether `password` is the one. Takes as long as the iterations do.
    fn verify(&self, password: &str) -> bool {
        let (stored, _) = keys(password, &self.salt, self.iterations);
        stored.ct_eq(&self.stored_key).into()
    }
}

/// StoredKey and ServerKey of RFC 5802.
fn keys(password: &str, salt: &[u8], iterations: u32) -> ([u8; 32], [u8; 32]) {
    let iterations = NonZeroU32::new(iterations).map_or(1, NonZeroU32::get);
    let salted = gen_salted_password(password, salt, iterations as usize);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let client = hmac::sign(&key, b"Client Key");
    let server = hmac::sign(&key, b"Server Key");
    (sha256(client.as_ref()), bytes(server.as_ref()))
}

fn sha256(data: &[u8]) -> [u8; 32] {
    bytes(digest::digest(&digest::SHA256, data).as_ref())
}

fn bytes(data: &[u8]) -> [u8; 32] {
    let mut all = [0; 32];
    all.iter_mut().zip(data).for_each(|(to, from)| *to = *from);
    all
}

/// The hash of an API key, in the form of the configuration.
pub(crate) fn hash_key(key: &str) -> String {
    let hash = sha256(key.as_bytes());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{SHA256}{hex}")
}

fn read_hash(text: &str) -> Option<[u8; 32]> {
    let hex = text.strip_prefix(SHA256)?;
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(hash)
}

/// All who may connect: a snapshot of the configuration.
pub(crate) struct Users {
    token: Option<Token>,
    /// `None`: a user who has no password.
    passwords: HashMap<String, Option<ScramVerifier>>,
    api_keys: Vec<(Principal, [u8; 32])>,
    any_certificate: bool,
    /// Of this process: keys the memory of passwords, and makes up verifiers of unknown users.
    secret: hmac::Key,
    remembered: Mutex<HashMap<[u8; 32], (Principal, Instant)>>,
    throttle: Throttle,
}

struct Token {
    hash: [u8; 32],
    verifier: ScramVerifier,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("passwords", &self.passwords.len())
            .field("api_keys", &self.api_keys.len())
            .finish_non_exhaustive()
    }
}

impl Users {
    /// Reads what the configuration says. `users` have verifiers as [`ScramVerifier::make`] writes
    /// them, or "certificate"; `api_keys` hashes as [`hash_key`] writes them. With
    /// `any_certificate` every name in a client's certificate is good, not only those in `users`.
    /// `secret` is a secret that replicas share, where they have one.
    ///
    /// # Errors
    /// When a verifier or hash is malformed; the message names whose, never what.
    pub(crate) fn new(
        token: Option<&str>,
        users: &BTreeMap<String, String>,
        api_keys: &BTreeMap<String, String>,
        any_certificate: bool,
        secret: Option<&str>,
    ) -> Result<Self> {
        let secret = secret.map_or_else(rand::random, |secret| sha256(secret.as_bytes()));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let passwords = users.iter().map(|(name, text)| {
            let name = free(name)?;
            let verifier = match text.as_str() {
                CERTIFICATE_ONLY => None,
                text => Some(ScramVerifier::read(name, text).ok_or_else(|| {
                    Error::user(format!(
                        "the entry of \"{name}\" in `server.users` is no verifier of a password"
                    ))
                    .hint(
                        "`sluice hash-password` makes one; \"certificate\" is a user without \
                         password",
                    )
                })?),
            };
            Ok((name.to_owned(), verifier))
        });
        let keys = api_keys.iter().map(|(name, text)| {
            let hash = read_hash(text).ok_or_else(|| {
                Error::user(format!(
                    "the entry of \"{name}\" in `server.api_keys` is no hash of a key"
                ))
                .hint("`sluice hash-password --api-key` makes a key and its hash")
            })?;
            Ok((Principal::of(free(name)?), hash))
        });
        Ok(Self {
            token: token.map(Token::new),
            passwords: passwords.collect::<Result<_>>()?,
            api_keys: keys.collect::<Result<_>>()?,
            any_certificate,
            secret,
            remembered: Mutex::default(),
            throttle: Throttle::default(),
        })
    }

    /// Whether no credentials are configured: everyone is let in, as "anonymous".
    pub(crate) fn open(&self) -> bool {
        self.token.is_none()
            && self.passwords.is_empty()
            && self.api_keys.is_empty()
            && !self.any_certificate
    }

    /// Whose user and password these are. The server's token and API keys are passwords too, of
    /// any user name that has none of its own. Takes milliseconds of computing the first time, so
    /// a thread that serves connections does not call it.
    pub(crate) fn password(&self, user: &str, password: &str) -> Option<Principal> {
        if let Some(known) = self.recall(user, password) {
            return known;
        }
        let own = self.passwords.get(user);
        let verifier = match own {
            Some(Some(verifier)) => verifier,
            _ => &self.made_up(user),
        };
        let right = verifier.verify(password) && matches!(own, Some(Some(_)));
        right.then(|| self.remember(self.mark(user, password), &verifier.principal))
    }

    /// What [`Users::password`] gives, where that takes no computing.
    pub(crate) fn recall(&self, user: &str, password: &str) -> Option<Option<Principal>> {
        if let Some(principal) = self.remembered(&self.mark(user, password)) {
            return Some(Some(principal));
        }
        if !self.passwords.contains_key(user)
            && let Some(principal) = self.bearer(password)
        {
            return Some(Some(principal));
        }
        self.passwords.is_empty().then_some(None)
    }

    /// Whose token or API key this is.
    pub(crate) fn bearer(&self, token: &str) -> Option<Principal> {
        let hash = sha256(token.as_bytes());
        let mut found = None;
        for (principal, key) in &self.api_keys {
            if bool::from(key.ct_eq(&hash)) {
                found = Some(principal);
            }
        }
        let of_server = self.token.as_ref();
        let same = of_server.map_or_else(|| Choice::from(0), |token| token.hash.ct_eq(&hash));
        if same.into() {
            return of_server.map(|token| token.verifier.principal.clone());
        }
        found.cloned()
    }

    /// What a client that logs in as `user` has to prove; `None` when the server is open or has no
    /// passwords. A user who is not there gets a verifier that nothing proves.
    pub(crate) fn scram(&self, user: &str) -> Option<ScramVerifier> {
        match (self.passwords.get(user), &self.token) {
            (Some(Some(verifier)), _) => Some(verifier.clone()),
            (None, Some(token)) => Some(token.verifier.clone()),
            _ if self.passwords.is_empty() => None,
            _ => Some(self.made_up(user)),
        }
    }

    /// The caller whose verified certificate has the name `common_name`; `None` when it has to
    /// present something else too.
    pub(crate) fn certificate(&self, common_name: &str) -> Option<Principal> {
        let known = self.any_certificate || self.passwords.contains_key(common_name);
        let reserved = [ANONYMOUS, TOKEN].contains(&common_name);
        (known && !reserved && !common_name.is_empty()).then(|| Principal::of(common_name))
    }

    /// Stands for all credentials under `name`, and changes with them; `None` when nobody has the
    /// name.
    pub(crate) fn fingerprint(&self, name: &str) -> Option<[u8; 8]> {
        let mut all = digest::Context::new(&digest::SHA256);
        let mut known = false;
        let mut add = |kind: &[u8], secret: &[u8]| {
            known = true;
            all.update(kind);
            all.update(secret);
        };
        match (self.passwords.get(name), &self.token) {
            (Some(Some(verifier)), _) => add(b"p", &verifier.stored_key),
            (Some(None), _) => add(b"c", b""),
            (None, Some(token)) if name == TOKEN => add(b"t", &token.hash),
            (None, _) if name == ANONYMOUS && self.open() => add(b"o", b""),
            (None, _) if self.any_certificate => add(b"c", b""),
            (None, _) => {}
        }
        let keys = self.api_keys.iter();
        keys.filter(|(key, _)| &**key.name() == name)
            .for_each(|(_, hash)| add(b"k", hash));
        let hash = all.finish();
        known
            .then(|| hash.as_ref().first_chunk().copied())
            .flatten()
    }

    /// Waits before a wrong credential from `address` is answered, longer each time.
    pub(crate) async fn refused(&self, address: IpAddr) {
        self.throttle.refused(address).await;
    }

    /// Whether so many wrong credentials from `address` wait for their answer that no more are
    /// looked at.
    pub(crate) fn guessing(&self, address: IpAddr) -> bool {
        self.throttle.guessing(address)
    }

    /// A verifier as `user` could have one, always the same.
    fn made_up(&self, user: &str) -> ScramVerifier {
        let part = |what: &str| {
            let mut context = hmac::Context::with_key(&self.secret);
            context.update(what.as_bytes());
            context.update(user.as_bytes());
            bytes(context.sign().as_ref())
        };
        // As costly as that of one of the users.
        let mut costs: Vec<u32> = self.verifiers().map(|known| known.iterations).collect();
        costs.sort_unstable();
        let pick = part("cost")
            .iter()
            .map(|byte| usize::from(*byte))
            .sum::<usize>();
        ScramVerifier {
            principal: Principal::anonymous(),
            iterations: costs
                .get(pick % costs.len().max(1))
                .copied()
                .unwrap_or(ITERATIONS),
            salt: part("salt").iter().copied().take(SALT_BYTES).collect(),
            stored_key: part("stored"),
            server_key: part("server"),
        }
    }

    fn verifiers(&self) -> impl Iterator<Item = &ScramVerifier> {
        self.passwords.values().flatten()
    }

    fn mark(&self, user: &str, password: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.secret);
        context.update(b"mark");
        context.update(&sha256(user.as_bytes()));
        context.update(password.as_bytes());
        bytes(context.sign().as_ref())
    }

    fn remembered(&self, mark: &[u8; 32]) -> Option<Principal> {
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (principal, since) = remembered.get(mark)?;
        (since.elapsed() < REMEMBERED_FOR).then(|| principal.clone())
    }

    fn remember(&self, mark: [u8; 32], principal: &Principal) -> Principal {
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, (_, since)| since.elapsed() < REMEMBERED_FOR);
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(mark, (principal.clone(), Instant::now()));
        }
        principal.clone()
    }
}

impl Token {
    fn new(token: &str) -> Self {
        let salt: [u8; SALT_BYTES] = rand::random();
        let (stored_key, server_key) = keys(token, &salt, TOKEN_ITERATIONS);
        Self {
            hash: sha256(token.as_bytes()),
            verifier: ScramVerifier {
                principal: Principal::of(TOKEN),
                iterations: TOKEN_ITERATIONS,
                salt: salt.to_vec(),
                stored_key,
                server_key,
            },
        }
    }
}

/// `name`, if a user or key may have it.
fn free(name: &str) -> Result<&str> {
    match name {
        ANONYMOUS | TOKEN | "" => Err(Error::user(format!(
            "the name \"{name}\" in `server.users` or `server.api_keys` is taken by the server"
        ))
        .hint("choose another name")),
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests;

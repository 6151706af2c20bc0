//! Who may connect: users with SCRAM verifiers, and the exchange that proves a password without
//! sending it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use ring::{hmac, pbkdf2};
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;
use subtle::ConstantTimeEq;

use super::fault::{Fault, Refusal, Result};
use super::frame::{Fields, Message};
use super::wire::Wire;
use crate::users::Users;

const MECHANISM: &str = "SCRAM-SHA-256";
const ITERATIONS: u32 = 4_096;
/// Bytes of randomness in a nonce.
const NONCE_BYTES: usize = 18;

/// What is kept of a password.
#[derive(Clone)]
pub(crate) struct ScramVerifier {
    /// Rounds of hashing.
    pub(crate) iterations: u32,
    /// What was hashed with the password.
    pub(crate) salt: Vec<u8>,
    /// Recognises the client.
    pub(crate) stored_key: [u8; 32],
    /// Shows the client that the server knows it.
    pub(crate) server_key: [u8; 32],
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramVerifier").finish_non_exhaustive()
    }
}

/// Who may connect.
pub(crate) trait Accounts: fmt::Debug + Send + Sync {
    /// Whether everyone may.
    fn open(&self) -> bool;
    /// What is kept of the password of `user`; `None` when there is no such user.
    fn scram(&self, user: &str) -> Option<ScramVerifier>;
}

/// One password, the server's token, for users of any name; without one everyone may connect.
#[derive(Debug)]
pub(crate) struct Token(Option<ScramVerifier>);

impl Token {
    /// Accounts that take `token` for a password.
    pub(crate) fn new(token: Option<&str>) -> Self {
        Self(token.map(|token| verifier(token, &rand::random::<[u8; 16]>())))
    }
}

impl Accounts for Users {
    fn open(&self) -> bool {
        Self::open(self)
    }

    fn scram(&self, user: &str) -> Option<ScramVerifier> {
        let known = Self::scram(self, user)?;
        Some(ScramVerifier {
            iterations: known.iterations,
            salt: known.salt,
            stored_key: known.stored_key,
            server_key: known.server_key,
        })
    }
}

impl Accounts for Token {
    fn open(&self) -> bool {
        self.0.is_none()
    }

    fn scram(&self, _: &str) -> Option<ScramVerifier> {
        self.0.clone()
    }
}

/// What is kept of `password`.
fn verifier(password: &str, salt: &[u8]) -> ScramVerifier {
    let mut salted = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        NonZeroU32::new(ITERATIONS).unwrap_or(NonZeroU32::MIN),
        salt,
        password.as_bytes(),
        &mut salted,
    );
    ScramVerifier {
        iterations: ITERATIONS,
        salt: salt.to_vec(),
        stored_key: Sha256::digest(sign(&salted, b"Client Key")).into(),
        server_key: sign(&salted, b"Server Key"),
    }
}

fn sign(key: &[u8], text: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, text);
    tag.as_ref().try_into().unwrap_or_default()
}

/// Lets `user` in when the client proves that it knows the password.
///
/// # Errors
/// When it does not, or breaks the rules of the exchange.
pub(super) async fn authenticate(
    wire: &mut Wire,
    accounts: &dyn Accounts,
    user: &str,
) -> Result<()> {
    if accounts.open() {
        wire.output.authentication(0, &[]);
        return Ok(());
    }
    wire.output
        .authentication(10, format!("{MECHANISM}\0\0").as_bytes());
    wire.flush().await?;
    let known = accounts.scram(user);
    // A name that nobody has takes as many steps as a wrong password.
    let verifier = known.clone().unwrap_or_else(|| nobody(user));
    let first = first_step(password(wire).await?)?;
    let nonce = BASE64.encode(rand::random::<[u8; NONCE_BYTES]>());
    let exchange = Exchange::begin(&first, &verifier, &nonce)?;
    wire.output.authentication(11, exchange.answer.as_bytes());
    wire.flush().await?;
    let last = password(wire).await?;
    let proof = exchange.finish(&last, &verifier);
    match (proof, known) {
        (Some(signature), Some(_)) => {
            wire.output.authentication(12, signature.as_bytes());
            wire.output.authentication(0, &[]);
            Ok(())
        }
        _ => {
            let text = format!("password authentication failed for user \"{user}\"");
            Err(Refusal::fatal("28P01", text).into())
        }
    }
}

/// A verifier that no password fits; the same for a name each time.
fn nobody(user: &str) -> ScramVerifier {
    let salt = Sha256::digest(user.as_bytes());
    ScramVerifier {
        iterations: ITERATIONS,
        salt: salt.iter().take(16).copied().collect(),
        stored_key: rand::random(),
        server_key: rand::random(),
    }
}

async fn password(wire: &mut Wire) -> Result<Bytes> {
    let (kind, body) = wire.next().await?;
    match Message::read(kind, body)? {
        Message::Password(data) => Ok(data),
        _ => Err(Refusal::fatal("08P01", "expected a step of the authentication").into()),
    }
}

/// What the client sends first, behind the name of the mechanism.
fn first_step(body: Bytes) -> Result<String> {
    let mut fields = Fields(body);
    let mechanism = fields.text()?;
    if mechanism != MECHANISM {
        let text = format!("the client chose \"{mechanism}\" where only {MECHANISM} is offered");
        return Err(Refusal::fatal("28000", text).into());
    }
    let length = usize::try_from(fields.u32()?).unwrap_or(usize::MAX);
    let data = fields.bytes(length)?;
    String::from_utf8(data.to_vec()).map_err(|_| malformed())
}

fn malformed() -> Fault {
    Refusal::fatal("08P01", "malformed SCRAM message").into()
}

/// One exchange between its steps.
struct Exchange {
    header: String,
    bare: String,
    nonce: String,
    answer: String,
}

impl Exchange {
    fn begin(first: &str, verifier: &ScramVerifier, nonce: &str) -> Result<Self> {
        let mut parts = first.splitn(3, ',');
        let (flag, name) = (parts.next(), parts.next());
        let (Some(flag @ ("n" | "y")), Some(name)) = (flag, name) else {
            return Err(malformed());
        };
        let bare = parts.next().ok_or_else(malformed)?.to_owned();
        let theirs = bare.split(',').find_map(|part| part.strip_prefix("r="));
        let theirs = theirs.filter(|nonce| !nonce.is_empty());
        let nonce = format!("{}{nonce}", theirs.ok_or_else(malformed)?);
        let salt = BASE64.encode(&verifier.salt);
        Ok(Self {
            header: BASE64.encode(format!("{flag},{name},")),
            answer: format!("r={nonce},s={salt},i={}", verifier.iterations),
            bare,
            nonce,
        })
    }

    /// The server's own proof, when the client's is right.
    fn finish(&self, last: &[u8], verifier: &ScramVerifier) -> Option<String> {
        let last = std::str::from_utf8(last).ok()?;
        let (without, proof) = last.rsplit_once(",p=")?;
        let expected = format!("c={},r={}", self.header, self.nonce);
        if without != expected && !without.starts_with(&format!("{expected},")) {
            return None;
        }
        let signed = format!("{},{},{without}", self.bare, self.answer);
        let signature = sign(&verifier.stored_key, signed.as_bytes());
        let proof: [u8; 32] = BASE64.decode(proof).ok()?.try_into().ok()?;
        let mut key = [0; 32];
        for (place, (a, b)) in key.iter_mut().zip(proof.iter().zip(signature)) {
            *place = a ^ b;
        }
        let stored: [u8; 32] = Sha256::digest(key).into();
        let right = bool::from(stored.ct_eq(&verifier.stored_key));
        let signature = sign(&verifier.server_key, signed.as_bytes());
        right.then(|| format!("v={}", BASE64.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_exchange_is_that_of_the_standard() {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = verifier("pencil", &salt);
        let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
        let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let exchange = Exchange::begin(first, &verifier, nonce).unwrap();
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let want = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(
            exchange.finish(last.as_bytes(), &verifier).as_deref(),
            Some(want)
        );
        let wrong = last.replace("dHzb", "dHzc");
        assert_eq!(exchange.finish(wrong.as_bytes(), &verifier), None);
        for last in ["", "p=", ",p=", "c=biws,p=!!"] {
            assert_eq!(exchange.finish(last.as_bytes(), &verifier), None);
        }
        for first in ["", "n", "n,", "n,,", "p=tls-unique,,n=,r=x", "n,,n=,r="] {
            assert!(Exchange::begin(first, &verifier, nonce).is_err(), "{first}");
        }
    }
}

//! Who is calling. Without a token the server is open (and listens on loopback only); with one,
//! each call presents it, or the bearer that a handshake gave for it. The same look at the headers
//! finds the caller's session: by the handshake's bearer, else by cookie, else by connection.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use crate::status::{Refusal, Result};
use crate::ticket::{Purpose, Signer, seconds};

/// The cookie that names a session.
const COOKIE: &str = "sluice_session";
/// Seconds a handshake's bearer is good for: drivers shake hands once for each connection and keep
/// connections in pools.
const BEARER_SECONDS: u64 = 30 * 24 * 3_600;

/// Some clients send base64 without padding, others with it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decides who may call.
#[derive(Debug)]
pub(crate) struct Gate {
    token: Option<String>,
    signer: Signer,
}

/// A caller who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
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

enum Proof<'a> {
    Bearer(&'a str),
    Basic(&'a str),
}

impl Gate {
    /// A gate that wants `token`; with `None` an open one.
    pub(crate) fn new(token: Option<String>, signer: Signer) -> Self {
        Self { token, signer }
    }

    /// The caller behind the headers of a call that came over `connection`.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`] when a token is wanted and none, or a wrong one, is presented.
    pub(crate) fn caller(&self, headers: &MetadataMap, connection: Uuid) -> Result<Caller> {
        let proof = proof(headers)?;
        let bearer = match proof {
            Some(Proof::Bearer(text)) => self.opened(Purpose::Bearer, text),
            _ => None,
        };
        if let Some(session) = bearer {
            return Ok(Caller {
                session,
                found: Found::Presented,
            });
        }
        self.check(proof.as_ref())?;
        Ok(
            match cookies(headers).find_map(|text| self.opened(Purpose::Cookie, text)) {
                Some(session) => Caller {
                    session,
                    found: Found::Presented,
                },
                None => Caller {
                    session: connection,
                    found: Found::Connection,
                },
            },
        )
    }

    /// What a handshake with these headers is answered with: a bearer for a session of its own.
    ///
    /// # Errors
    /// As [`Gate::caller`].
    pub(crate) fn handshake(&self, headers: &MetadataMap) -> Result<String> {
        // The connection gives no session here, so any id will do.
        self.caller(headers, Uuid::nil())?;
        let expires = seconds() + BEARER_SECONDS;
        Ok(self.sealed(Purpose::Bearer, Uuid::new_v4(), expires))
    }

    /// The `set-cookie` header that gives `session` to its client.
    pub(crate) fn set_cookie(&self, session: Uuid) -> String {
        let value = self.sealed(Purpose::Cookie, session, u64::MAX);
        format!("{COOKIE}={value}; Path=/; HttpOnly")
    }

    fn check(&self, proof: Option<&Proof<'_>>) -> Result<()> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let refused = |text: &str| Err(Refusal::Unauthenticated(text.to_owned()));
        match proof {
            Some(Proof::Bearer(text)) if same(text, token) => Ok(()),
            Some(Proof::Bearer(_)) => refused(
                "the bearer token is wrong or has expired\n\
                 hint: send the server's token, or connect again with it as the password",
            ),
            Some(Proof::Basic(password)) if same(&basic_password(password), token) => Ok(()),
            Some(Proof::Basic(_)) => {
                refused("the password is wrong\nhint: the password is the server's token")
            }
            None => refused(
                "this server wants a token\n\
                 hint: connect with it as the password of any user, or send the header \
                 \"authorization: Bearer <token>\"",
            ),
        }
    }

    fn sealed(&self, purpose: Purpose, session: Uuid, expires: u64) -> String {
        let mut payload = session.as_bytes().to_vec();
        payload.extend_from_slice(&expires.to_be_bytes());
        URL_SAFE_NO_PAD.encode(self.signer.seal(purpose, &payload))
    }

    /// The session in `text`, if we made it for `purpose` and it has not expired.
    fn opened(&self, purpose: Purpose, text: &str) -> Option<Uuid> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (session, expires) = self
            .signer
            .open(purpose, &sealed)?
            .split_first_chunk::<16>()?;
        let expires = u64::from_be_bytes(expires.try_into().ok()?);
        (expires >= seconds()).then(|| Uuid::from_bytes(*session))
    }
}

fn proof(headers: &MetadataMap) -> Result<Option<Proof<'_>>> {
    let Some(value) = headers.get("authorization") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(Proof::Bearer(rest.trim()))),
        _ if scheme.eq_ignore_ascii_case("basic") => Ok(Some(Proof::Basic(rest.trim()))),
        _ => Err(Refusal::Unauthenticated(
            "the authorization header is neither Basic nor Bearer".to_owned(),
        )),
    }
}

/// The password in the value of a Basic header; empty when it cannot be read.
fn basic_password(text: &str) -> String {
    let decoded = LENIENT
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let password = decoded
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .map(|(_, p)| p);
    password.unwrap_or_default().to_owned()
}

fn cookies(headers: &MetadataMap) -> impl Iterator<Item = &str> {
    let lines = headers
        .get_all("cookie")
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| value.trim_matches('"'))
    })
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "s3cret:with:colons";

    fn gate(token: Option<&str>) -> Gate {
        Gate::new(token.map(str::to_owned), Signer::new())
    }

    fn headers(pairs: &[(&'static str, &str)]) -> MetadataMap {
        let mut map = MetadataMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    fn allowed(gate: &Gate, authorization: &str) -> bool {
        gate.caller(&headers(&[("authorization", authorization)]), Uuid::nil())
            .is_ok()
    }

    #[test]
    fn an_open_gate_lets_everyone_in_by_connection() {
        let connection = Uuid::new_v4();
        let caller = gate(None).caller(&headers(&[]), connection).unwrap();
        assert_eq!(
            caller,
            Caller {
                session: connection,
                found: Found::Connection
            }
        );
        assert!(allowed(&gate(None), "Bearer of nothing"));
    }

    #[test]
    fn a_token_is_accepted_in_every_shape_drivers_send() {
        let gate = gate(Some(TOKEN));
        assert!(allowed(&gate, &format!("Bearer {TOKEN}")));
        assert!(allowed(&gate, &format!("bearer  {TOKEN}")));
        for user in ["", "a", "ab", "abc"] {
            let padded = LENIENT.encode(format!("{user}:{TOKEN}"));
            assert!(allowed(&gate, &format!("Basic {padded}")), "{padded}");
            assert!(allowed(
                &gate,
                &format!("Basic {}", padded.trim_end_matches('='))
            ));
        }
    }

    #[test]
    fn whatever_is_not_the_token_is_refused() {
        let gate = gate(Some(TOKEN));
        assert!(gate.caller(&headers(&[]), Uuid::nil()).is_err());
        for wrong in [
            "Bearer",
            "Bearer s3cret",
            "Basic",
            "Basic ???",
            "Basic YWI6Yw",
            "Digest x",
        ] {
            assert!(!allowed(&gate, wrong), "{wrong}");
        }
    }

    #[test]
    fn a_handshake_gives_each_client_a_bearer_and_a_session_of_its_own() {
        let gate = gate(Some(TOKEN));
        let token = headers(&[("authorization", &format!("Bearer {TOKEN}"))]);
        let session = |bearer: &str| {
            let headers = headers(&[("authorization", &format!("Bearer {bearer}"))]);
            gate.caller(&headers, Uuid::nil()).unwrap()
        };
        let (one, two) = (
            gate.handshake(&token).unwrap(),
            gate.handshake(&token).unwrap(),
        );
        assert_eq!(session(&one).found, Found::Presented);
        assert_eq!(session(&one), session(&one));
        assert_ne!(session(&one), session(&two));
        assert!(gate.handshake(&headers(&[])).is_err());
        let expired = gate.sealed(Purpose::Bearer, Uuid::new_v4(), seconds() - 1);
        assert!(!allowed(&gate, &format!("Bearer {expired}")));
    }

    #[test]
    fn a_cookie_brings_the_session_back_and_a_forged_one_does_not() {
        let gate = gate(None);
        let session = Uuid::new_v4();
        let set = gate.set_cookie(session);
        let sent = format!("other=1; {}", set.split(';').next().unwrap());
        let caller = gate
            .caller(&headers(&[("cookie", &sent)]), Uuid::nil())
            .unwrap();
        assert_eq!(
            caller,
            Caller {
                session,
                found: Found::Presented
            }
        );
        let forged = sent.replace("sluice_session=", "sluice_session=A");
        let caller = gate
            .caller(&headers(&[("cookie", &forged)]), Uuid::nil())
            .unwrap();
        assert_eq!(caller.found, Found::Connection);
    }
}

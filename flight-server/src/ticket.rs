//! What a ticket carries and why it can be trusted. A ticket holds all that is needed to answer it:
//! the statement and its parameters, the settings and the versions of tables that it was planned
//! with, the types it leaves in; or the count of a statement that ran already. So it outlives the
//! connection that asked for it, and every server with the same key and tables redeems it. The
//! signature keeps clients from writing their own.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow_flight::sql::{ProstMessageExt, TicketStatementQuery};
use hmac::{Hmac, Mac};
use prost::Message;
use rand::RngCore;
use sha2::Sha256;
use sluice_engine::error::{Error, Result};
use sluice_engine::session::Pins;
use uuid::Uuid;

use crate::schema::Profile;

/// How long a ticket can be redeemed.
pub(crate) const TICKET_LIFE: Duration = Duration::from_secs(3_600);
/// Bytes of an HMAC-SHA256.
const SIGNATURE_BYTES: usize = 32;

/// What a signature is good for; one made for a ticket is worth nothing as a bearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A ticket.
    Ticket,
    /// What a handshake gives.
    Bearer,
    /// A session's cookie.
    Cookie,
}

/// Tells the keys of signatures from whatever else may be made of a server's key.
const KEY_USE: &[u8] = b"sluice signatures, version 1";

/// Signs and verifies what the server hands out, with a key that never leaves it.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// A signer whose key is made of `key`, so that servers that share one know each other's
    /// signatures; without, of a random one.
    pub(crate) fn new(key: Option<&[u8]>) -> Self {
        let mut random = [0; 64];
        let key = key.unwrap_or_else(|| {
            rand::rng().fill_bytes(&mut random);
            &random
        });
        // Keys of any length are taken: a long one is hashed, a short one padded.
        let mut derived = keyed(key);
        derived.update(KEY_USE);
        Self(keyed(&derived.finalize().into_bytes()))
    }

    /// `payload` with its signature.
    pub(crate) fn seal(&self, purpose: Purpose, payload: &[u8]) -> Vec<u8> {
        let mut sealed = payload.to_vec();
        sealed.extend_from_slice(&self.mac(purpose, payload).finalize().into_bytes());
        sealed
    }

    /// The payload of `sealed`, if its signature is ours and made for `purpose`.
    pub(crate) fn open<'a>(&self, purpose: Purpose, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (payload, signature) =
            sealed.split_at_checked(sealed.len().checked_sub(SIGNATURE_BYTES)?)?;
        self.mac(purpose, payload)
            .verify_slice(signature)
            .ok()
            .map(|()| payload)
    }

    fn mac(&self, purpose: Purpose, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(&[purpose as u8]);
        mac.update(payload);
        mac
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    if key.len() > block.len() {
        let hash = <Sha256 as sha2::Digest>::digest(key);
        block[..hash.len()].copy_from_slice(&hash);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into())
}

/// What a statement's ticket carries.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Ticket {
    /// Names the plan that this process may still hold.
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    /// The session that asked.
    #[prost(bytes = "vec", tag = "2")]
    session: Vec<u8>,
    /// Seconds since 1970 after which it is worth nothing.
    #[prost(uint64, tag = "3")]
    expires: u64,
    /// The statement.
    #[prost(string, tag = "4")]
    pub(crate) sql: String,
    /// The statement's parameters: an IPC stream of one row; empty for none.
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) parameters: Vec<u8>,
    /// Set when the statement had an effect and has run: the rows it touched.
    #[prost(int64, optional, tag = "6")]
    pub(crate) affected: Option<i64>,
    /// Who may redeem it.
    #[prost(string, tag = "7")]
    principal: String,
    /// The name of the profile of types that was announced.
    #[prost(string, tag = "8")]
    profile: String,
    /// The settings that the statement was planned with.
    #[prost(btree_map = "string, string", tag = "9")]
    settings: BTreeMap<String, String>,
    /// The versions of the tables that it was planned over.
    #[prost(btree_map = "string, uint64", tag = "10")]
    versions: BTreeMap<String, u64>,
}

impl Ticket {
    /// A ticket for `sql`, which `principal` asked for in `session`.
    pub(crate) fn new((principal, session): (&str, Uuid), sql: &str, profile: Profile) -> Self {
        Self {
            id: Uuid::new_v4().as_bytes().to_vec(),
            session: session.as_bytes().to_vec(),
            expires: seconds() + TICKET_LIFE.as_secs(),
            sql: sql.to_owned(),
            principal: principal.to_owned(),
            profile: profile.name().to_owned(),
            ..Self::default()
        }
    }

    /// The ticket of a statement that was planned with `pins`.
    pub(crate) fn pinned(mut self, pins: Pins) -> Self {
        (self.settings, self.versions) = (pins.settings, pins.versions);
        self
    }

    /// What the statement is to be planned with again.
    pub(crate) fn pins(&self) -> Pins {
        Pins {
            settings: self.settings.clone(),
            versions: self.versions.clone(),
        }
    }

    /// The types that were announced.
    pub(crate) fn profile(&self) -> Profile {
        Profile::named(&self.profile).unwrap_or_default()
    }

    /// The same ticket with a life that begins now.
    pub(crate) fn renewed(mut self) -> Self {
        self.expires = seconds() + TICKET_LIFE.as_secs();
        self
    }

    /// Refuses everybody but the one who asked for it.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::Denied`] when `principal` is somebody else.
    pub(crate) fn check(&self, principal: &str) -> Result<()> {
        if self.principal == principal {
            return Ok(());
        }
        Err(Error::denied("the ticket belongs to somebody else")
            .hint("ask for the statement's flight info yourself"))
    }

    /// The name of the plan.
    pub(crate) fn id(&self) -> Uuid {
        Uuid::from_slice(&self.id).unwrap_or_default()
    }

    /// The session that asked.
    pub(crate) fn session(&self) -> Uuid {
        Uuid::from_slice(&self.session).unwrap_or_default()
    }

    /// Seconds since 1970 after which it is worth nothing.
    pub(crate) fn expires(&self) -> u64 {
        self.expires
    }

    /// The ticket as clients hold it: the message of a Flight SQL statement, signed.
    pub(crate) fn encode(&self, signer: &Signer) -> Vec<u8> {
        let statement_handle = signer.seal(Purpose::Ticket, &self.encode_to_vec()).into();
        TicketStatementQuery { statement_handle }
            .as_any()
            .encode_to_vec()
    }

    /// Reads the handle inside a client's ticket.
    ///
    /// # Errors
    /// When this server did not sign it, or it has expired.
    pub(crate) fn decode(signer: &Signer, handle: &[u8]) -> Result<Self> {
        let payload = signer.open(Purpose::Ticket, handle).ok_or_else(foreign)?;
        let ticket = Self::decode_payload(payload)?;
        if ticket.expires < seconds() {
            return Err(Error::user("the ticket has expired").hint("run the statement again"));
        }
        Ok(ticket)
    }

    fn decode_payload(payload: &[u8]) -> Result<Self> {
        <Self as Message>::decode(payload)
            .map_err(|error| Error::internal(format!("a signed ticket is unreadable: {error}")))
    }
}

/// What is said of a ticket that is none of ours.
pub(crate) fn foreign() -> Error {
    Error::user("the ticket was not issued by this server")
        .hint("ask for the statement's flight info again and redeem its ticket unchanged")
}

/// Seconds since 1970.
pub(crate) fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket::new(("me", Uuid::new_v4()), "SELECT 1", Profile::Jdbc).pinned(Pins {
            settings: [("a".to_owned(), "b".to_owned())].into(),
            versions: [("t".to_owned(), 7)].into(),
        })
    }

    fn handle(ticket: &Ticket, signer: &Signer) -> Vec<u8> {
        signer.seal(Purpose::Ticket, &ticket.encode_to_vec())
    }

    #[test]
    fn a_ticket_comes_back_as_it_was() {
        let signer = Signer::new(None);
        let ticket = ticket();
        let back = Ticket::decode(&signer, &handle(&ticket, &signer)).unwrap();
        assert_eq!(back, ticket);
        assert_eq!(back.profile(), Profile::Jdbc);
        assert_eq!(back.pins().versions["t"], 7);
        assert!(back.check("me").is_ok() && back.check("you").is_err());
    }

    #[test]
    fn servers_with_one_key_take_each_others_tickets() {
        for key in [&b"short"[..], &[7; 64], &[7; 65], b""] {
            let good = handle(&ticket(), &Signer::new(Some(key)));
            assert!(Ticket::decode(&Signer::new(Some(key)), &good).is_ok());
            assert!(Ticket::decode(&Signer::new(Some(b"another")), &good).is_err());
            assert!(Ticket::decode(&Signer::new(None), &good).is_err());
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let signer = Signer::new(None);
        let good = handle(&ticket(), &signer);
        for index in 0..good.len() * 8 {
            let mut forged = good.clone();
            forged[index / 8] ^= 1 << (index % 8);
            assert!(Ticket::decode(&signer, &forged).is_err(), "bit {index}");
        }
        for end in 0..good.len() {
            assert!(
                Ticket::decode(&signer, &good[..end]).is_err(),
                "cut at {end}"
            );
        }
    }

    #[test]
    fn another_key_or_purpose_is_worth_nothing() {
        let signer = Signer::new(None);
        let good = handle(&ticket(), &signer);
        assert!(Ticket::decode(&Signer::new(None), &good).is_err());
        assert!(signer.open(Purpose::Bearer, &good).is_none());
    }

    #[test]
    fn an_expired_ticket_says_so() {
        let signer = Signer::new(None);
        let mut ticket = ticket();
        ticket.expires = seconds() - 1;
        let error = Ticket::decode(&signer, &handle(&ticket, &signer)).unwrap_err();
        assert_eq!(error.message(), "the ticket has expired");
    }
}

//! The name in a client's certificate: its common name, else the first URI, DNS name or mail
//! address among its alternative names (RFC 5280). The certificate was verified before, but is
//! read as if it were not.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
/// The tag of the version, which comes first where it is given.
const VERSION: u8 = 0xa0;
/// The tag of the extensions.
const EXTENSIONS: u8 = 0xa3;
/// UTF8String, PrintableString, IA5String.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];
/// Alternative names that are texts: URI, DNS name, mail address; in the order of preference.
const ALTERNATIVES: [u8; 3] = [0x86, 0x82, 0x81];

/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The name in the first of `certificates`, which is the client's own.
pub(crate) fn of_client(certificates: &[CertificateDer<'_>]) -> Option<Arc<str>> {
    let certificate = inner(SEQUENCE, certificates.first()?)?;
    let mut fields = Elements(inner(SEQUENCE, certificate)?);
    // Version, serial number, algorithm, issuer, validity, subject.
    let after_serial = if fields.0.first() == Some(&VERSION) {
        2
    } else {
        1
    };
    let (tag, subject) = fields.nth(after_serial + 3)?;
    if tag != SEQUENCE {
        return None;
    }
    let name = match common_names(subject).as_slice() {
        [one] => (*one).to_owned(),
        // Which of several is meant nobody knows.
        [_, _, ..] => return None,
        [] => alternative(fields)?.to_owned(),
    };
    let plain = !name.trim().is_empty() && !name.chars().any(char::is_control);
    plain.then(|| name.into())
}

fn common_names(subject: &[u8]) -> Vec<&str> {
    let sets = Elements(subject).filter(|(tag, _)| *tag == SET);
    let attributes = sets.flat_map(|(_, set)| Elements(set));
    let values = attributes.filter_map(|(_, attribute)| {
        let mut parts = Elements(attribute);
        let (tag, kind) = parts.next()?;
        let (form, text) = parts.next()?;
        let common = (tag, kind) == (OID, COMMON_NAME) && TEXTS.contains(&form);
        common.then(|| std::str::from_utf8(text).ok()).flatten()
    });
    values.collect()
}

fn alternative(mut fields: Elements<'_>) -> Option<&str> {
    let (_, extensions) = fields.find(|(tag, _)| *tag == EXTENSIONS)?;
    let names = Elements(inner(SEQUENCE, extensions)?).find_map(|(_, extension)| {
        let mut parts = Elements(extension);
        let named = parts.next()? == (OID, SUBJECT_ALT_NAME);
        let (_, names) = parts.find(|(tag, _)| *tag == OCTETS)?;
        named.then_some(names)
    })?;
    let names = inner(SEQUENCE, names)?;
    let first = |kind: &u8| Elements(names).find(|(tag, _)| tag == kind);
    let (_, name) = ALTERNATIVES.iter().find_map(first)?;
    std::str::from_utf8(name).ok()
}

/// The content of the element that `bytes` begin with, if it has `tag`.
fn inner(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (found, content) = Elements(bytes).next()?;
    (found == tag).then_some(content)
}

/// The elements of a DER encoding, each as tag and content; ends where it is malformed.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
                let length = digits
                    .iter()
                    .fold(0, |sum, digit| (sum << 8) | usize::from(*digit));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(common: Option<&str>, alternatives: Vec<SanType>) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "alice");
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        params.subject_alt_names = alternatives;
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn the_common_name_goes_before_alternative_names() {
        let dns = || SanType::DnsName("host.example".try_into().unwrap());
        let uri = || SanType::URI("spiffe://bank/etl".try_into().unwrap());
        let name = |common, alternatives| of_client(&[certificate(common, alternatives)]);
        assert_eq!(name(Some("Zoë"), vec![dns()]).as_deref(), Some("Zoë"));
        let both = vec![dns(), uri()];
        assert_eq!(name(None, both).as_deref(), Some("spiffe://bank/etl"));
        assert_eq!(name(None, vec![dns()]).as_deref(), Some("host.example"));
        assert_eq!(name(None, Vec::new()), None);
        assert_eq!(name(Some("a\0b"), Vec::new()), None);
        assert_eq!(of_client(&[]), None);
    }

    #[test]
    fn whatever_is_cut_or_flipped_is_read_without_a_fault() {
        let good = certificate(Some("alice"), Vec::new());
        for end in 0..good.len() {
            of_client(&[CertificateDer::from(&good[..end])]);
        }
        for index in 0..good.len() {
            let mut bad = good.to_vec();
            bad[index] ^= 0xff;
            of_client(&[CertificateDer::from(bad)]);
        }
    }
}

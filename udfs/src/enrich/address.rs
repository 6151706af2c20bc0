//! Addresses and networks as numbers, read from text without allocating.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest text of an IPv6 address, with an IPv4 tail.
const V6_TEXT_MAX: usize = 45;
/// `::ffff:0:0`, under which IPv6 sockets show IPv4 peers.
const V4_MAPPED: u128 = 0xffff_0000_0000;
/// Bits before the IPv4 address there.
const V4_MAPPED_BITS: u32 = 96;

/// An IP address as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    V4(u32),
    V6(u128),
}

/// All addresses from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    V4(u32, u32),
    V6(u128, u128),
}

impl Address {
    /// Reads an address, with blanks around it, brackets around IPv6 and a zone after it left out.
    /// An IPv4 address in IPv6 form is the IPv4 address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        if let Some(v4) = parse_v4(text.as_bytes()) {
            return Some(Self::V4(v4));
        }
        let inner = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let text = inner.unwrap_or(text);
        let text = text.split_once('%').map_or(text, |(address, _)| address);
        if text.len() > V6_TEXT_MAX || !text.contains(':') {
            return None;
        }
        let v6 = u128::from(text.parse::<Ipv6Addr>().ok()?);
        Some(Self::from_v6(v6))
    }

    fn from_v6(v6: u128) -> Self {
        match (v6 >> 32 == V4_MAPPED >> 32, u32::try_from(v6 & 0xffff_ffff)) {
            (true, Ok(v4)) => Self::V4(v4),
            _ => Self::V6(v6),
        }
    }

    /// The network of the first `bits` bits; longer than the address is the address.
    pub(crate) fn network(self, bits: u32) -> Network {
        match self {
            Self::V4(v4) => {
                let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
                Network::V4(v4 & !rest, v4 | rest)
            }
            Self::V6(v6) => {
                let rest = u128::MAX.checked_shr(bits).unwrap_or(0);
                Network::V6(v6 & !rest, v6 | rest)
            }
        }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        match address {
            Address::V4(v4) => Self::V4(Ipv4Addr::from(v4)),
            Address::V6(v6) => Self::V6(Ipv6Addr::from(v6)),
        }
    }
}

impl Network {
    /// Reads `10.0.0.0/8`, `10.0.0.1`, `10.0.0.1-10.0.0.9` and their IPv6 forms. Bits of the host
    /// are left out: `10.1.2.3/8` is `10.0.0.0/8`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        if let Some((first, last)) = text.split_once('-') {
            return match (Address::parse(first)?, Address::parse(last)?) {
                (Address::V4(first), Address::V4(last)) if first <= last => {
                    Some(Self::V4(first, last))
                }
                (Address::V6(first), Address::V6(last)) if first <= last => {
                    Some(Self::V6(first, last))
                }
                _ => None,
            };
        }
        let Some((address, bits)) = text.split_once('/') else {
            return Some(Address::parse(text)?.network(u32::MAX));
        };
        let digits =
            !bits.is_empty() && bits.len() <= 3 && bits.bytes().all(|b| b.is_ascii_digit());
        let bits = bits.parse::<u32>().ok().filter(|_| digits)?;
        match Address::parse(address)? {
            Address::V4(_) if address.contains(':') => {
                let bits = bits.checked_sub(V4_MAPPED_BITS)?;
                (bits <= 32).then(|| Address::parse(address).map(|a| a.network(bits)))?
            }
            v4 @ Address::V4(_) => (bits <= 32).then(|| v4.network(bits)),
            v6 @ Address::V6(_) => (bits <= 128).then(|| v6.network(bits)),
        }
    }

    /// Whether `address` is in it.
    pub(crate) fn contains(self, address: Address) -> bool {
        match (self, address) {
            (Self::V4(first, last), Address::V4(address)) => (first..=last).contains(&address),
            (Self::V6(first, last), Address::V6(address)) => (first..=last).contains(&address),
            _ => false,
        }
    }
}

/// Four decimal numbers between dots, none above 255 or with a zero before it.
fn parse_v4(text: &[u8]) -> Option<u32> {
    if text.len() < 7 || text.len() > 15 {
        return None;
    }
    let (mut address, mut part, mut digits, mut dots) = (0_u32, 0_u32, 0, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits == 0 || (digits < 3 && part > 0) => {
                part = part * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && part <= 255 => {
                address = address << 8 | part;
                (part, digits) = (0, 0);
                dots += 1;
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0 && part <= 255).then_some(address << 8 | part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_standard_library_reads_them() {
        let texts = [
            "1.2.3.4",
            "0.0.0.0",
            "255.255.255.255",
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1..3.4",
            "1.2.3.",
            ".1.2.3",
            "1.2.3.1000",
            "",
            "a.b.c.d",
            "::",
            "::1",
            "2001:db8::1",
            "fe80::1:2:3:4:5",
            "1:2:3:4:5:6:7",
            "gg::",
            "1.2.3.4567890123",
            "99999999999.1.1",
        ];
        for text in texts {
            let want = text.parse::<IpAddr>().ok();
            assert_eq!(Address::parse(text).map(IpAddr::from), want, "{text}");
        }
        let same = [
            (" 1.2.3.4 ", "1.2.3.4"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
        ];
        for (text, want) in same {
            assert_eq!(Address::parse(text), Address::parse(want), "{text}");
        }
    }

    #[test]
    fn networks_hold_their_first_and_their_last_address() {
        let rows = [
            ("10.1.2.3/8", "10.0.0.0", "10.255.255.255"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("1.2.3.4", "1.2.3.4", "1.2.3.4"),
            ("1.2.3.4/32", "1.2.3.4", "1.2.3.4"),
            ("1.2.3.4-1.2.3.9", "1.2.3.4", "1.2.3.9"),
            ("::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255"),
            (
                "2001:db8::/32",
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            ),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ];
        for (text, first, last) in rows {
            let network = Network::parse(text).unwrap();
            for end in [first, last] {
                let address = Address::parse(end).unwrap();
                assert!(network.contains(address), "{text} {end}");
                let ends = match (network, address) {
                    (Network::V4(a, b), Address::V4(c)) => a == c || b == c,
                    (Network::V6(a, b), Address::V6(c)) => a == c || b == c,
                    _ => false,
                };
                assert!(ends, "{text} {end}");
            }
        }
        for wrong in [
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "x/8",
            "2.0.0.0-1.0.0.0",
        ] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}

//! Where clients connect from: addresses that are reserved for documentation (RFC 5737), in
//! countries that are made up, and some of them on threat feeds.

use std::net::Ipv4Addr;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// A network and the country it is said to be in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network {
    /// Its first address.
    pub(crate) first: Ipv4Addr,
    /// How many bits its addresses have in common.
    pub(crate) bits: u32,
    /// The country's code, as ISO 3166-1 has it.
    pub(crate) country: &'static str,
}

const fn network(first: [u8; 4], bits: u32, country: &'static str) -> Network {
    let [a, b, c, d] = first;
    Network {
        first: Ipv4Addr::new(a, b, c, d),
        bits,
        country,
    }
}

/// Customers connect from these.
pub(crate) const CUSTOMERS: [Network; 4] = [
    network([192, 0, 2, 0], 25, "DE"),
    network([192, 0, 2, 128], 25, "FR"),
    network([203, 0, 113, 0], 25, "US"),
    network([203, 0, 113, 128], 25, "JP"),
];

/// Tries every door; a feed lists the network.
pub(crate) const SCANNERS: Network = network([198, 51, 100, 0], 29, "NL");

/// Try stolen passwords; a feed lists each address.
pub(crate) const STUFFERS: [Network; 3] = [
    network([198, 51, 100, 77], 32, "US"),
    network([198, 51, 100, 133], 32, "CA"),
    network([198, 51, 100, 201], 32, "NL"),
];

/// The address of a customer.
pub(crate) fn customer(rng: &mut StdRng) -> Ipv4Addr {
    CUSTOMERS
        .choose(rng)
        .map_or(Ipv4Addr::UNSPECIFIED, |network| within(rng, *network))
}

/// The address of a scanner.
pub(crate) fn scanner(rng: &mut StdRng) -> Ipv4Addr {
    within(rng, SCANNERS)
}

/// The address of somebody with stolen passwords.
pub(crate) fn stuffer(rng: &mut StdRng) -> Ipv4Addr {
    STUFFERS
        .choose(rng)
        .map_or(Ipv4Addr::UNSPECIFIED, |network| within(rng, *network))
}

fn within(rng: &mut StdRng, network: Network) -> Ipv4Addr {
    let size = 1_u32.checked_shl(32 - network.bits).unwrap_or(u32::MAX);
    Ipv4Addr::from_bits(network.first.to_bits() + rng.random_range(0..size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn addresses_are_those_of_documentation() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..300 {
            for address in [customer(&mut rng), scanner(&mut rng), stuffer(&mut rng)] {
                assert!(address.is_documentation(), "{address}");
            }
            assert_eq!(scanner(&mut rng).octets()[..3], [198, 51, 100]);
        }
    }
}

//! Addresses of crypto-currencies: Base58Check (Bitcoin and those that took its form), Bech32 and
//! Bech32m (BIP 173, BIP 350), and the hexadecimal ones of Ethereum with the checksum of EIP-55.

use sha2::{Digest, Sha256};

use super::category::Category;
use super::context::{Hint, WALLET, hint};
use super::finding::Finding;
use super::keccak::keccak256;

/// Letters of Base58: without those that look alike.
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// Characters of an address in Base58.
const BASE58_LENGTH: std::ops::RangeInclusive<usize> = 26..=35;
/// Bytes it stands for: version, hash, checksum.
const DECODED: usize = 25;
/// Letters of Bech32.
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Human-readable parts of Bitcoin and Litecoin.
const BECH32_NETWORKS: [&str; 4] = ["bc", "tb", "bcrt", "ltc"];
/// What the checksum of Bech32 and Bech32m leaves.
const BECH32_CONSTANTS: [u32; 2] = [1, 0x2bc8_30a3];
/// Hexadecimal digits of an address of Ethereum.
const ETHEREUM: usize = 40;

/// The address that is the whole of `run`, which begins at `start`.
pub(super) fn verify(text: &[u8], start: usize, run: &[u8]) -> Option<Finding> {
    let evidence = match run {
        [b'0', b'x' | b'X', digits @ ..] if digits.len() == ETHEREUM => {
            ethereum(digits, || hint(text, start, WALLET) == Hint::For)?
        }
        _ if BASE58_LENGTH.contains(&run.len()) && is_base58check(run) => (100, "base58check"),
        _ if run.len() >= 42 && is_bech32(run) => (100, "bech32"),
        _ => return None,
    };
    Some(Finding::new(
        Category::Crypto,
        start..start + run.len(),
        evidence,
    ))
}

/// Mixed case is a checksum, one case is none and needs a word before it.
fn ethereum(digits: &[u8], announced: impl Fn() -> bool) -> Option<(u8, &'static str)> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let small = digits.to_ascii_lowercase();
    let mixed =
        digits.iter().any(u8::is_ascii_uppercase) && digits.iter().any(u8::is_ascii_lowercase);
    if mixed {
        let hash = keccak256(&small);
        let nibble = |at: usize| {
            let byte = hash.get(at / 2).copied().unwrap_or(0);
            if at.is_multiple_of(2) {
                byte >> 4
            } else {
                byte & 15
            }
        };
        let sound = digits.iter().enumerate().all(|(at, digit)| {
            digit.is_ascii_digit() || digit.is_ascii_uppercase() == (nibble(at) >= 8)
        });
        return sound.then_some((100, "eip55"));
    }
    announced().then_some((85, "hex+context"))
}

fn is_base58check(run: &[u8]) -> bool {
    // Most runs are hexadecimal, and are told apart before anything is computed.
    let other = |byte: &u8| matches!(byte, b'0' | b'I' | b'O' | b'l' | b'-' | b'_');
    if run.iter().any(other) || !run.iter().any(u8::is_ascii_uppercase) {
        return false;
    }
    let Some(bytes) = decode58(run) else {
        return false;
    };
    // Each leading zero is written as a 1, so that most runs are of the wrong length.
    let zeros = |bytes: &[u8], zero: u8| bytes.iter().take_while(|byte| **byte == zero).count();
    if zeros(&bytes, 0) != zeros(run, b'1') {
        return false;
    }
    let Some((body, checksum)) = bytes.split_last_chunk::<4>() else {
        return false;
    };
    let hash = Sha256::digest(Sha256::digest(body));
    hash.starts_with(checksum)
}

/// The number that `run` writes in Base58, highest byte first.
fn decode58(run: &[u8]) -> Option<[u8; DECODED]> {
    /// Letters whose value a limb holds with room for the carry.
    const LETTERS: usize = 5;
    // Limbs of 40 bits, lowest first.
    let mut limbs = [0_u64; DECODED / 5];
    for letters in run.chunks(LETTERS) {
        let (mut value, mut scale) = (0, 1);
        for letter in letters {
            value = value * 58 + u64::from(*VALUE58.get(usize::from(*letter))?).checked_sub(1)?;
            scale *= 58;
        }
        for limb in &mut limbs {
            let next = u128::from(*limb) * scale + u128::from(value);
            *limb = (next & 0xff_ffff_ffff) as u64;
            value = (next >> 40) as u64;
        }
        if value != 0 {
            return None;
        }
    }
    let mut bytes = [0; DECODED];
    for (five, limb) in bytes.chunks_mut(5).rev().zip(limbs) {
        let [.., a, b, c, d, e] = limb.to_be_bytes();
        five.copy_from_slice(&[a, b, c, d, e]);
    }
    Some(bytes)
}

/// The value of each letter of Base58, counted from 1; 0 for others.
const VALUE58: [u8; 256] = {
    let mut table = [0; 256];
    let mut value = 0;
    while value < BASE58.len() {
        table[BASE58[value] as usize] = value as u8 + 1;
        value += 1;
    }
    table
};

fn is_bech32(run: &[u8]) -> bool {
    let lower = run.iter().any(u8::is_ascii_lowercase);
    if lower && run.iter().any(u8::is_ascii_uppercase) {
        return false;
    }
    if !matches!(run, [b'b' | b'B' | b't' | b'T' | b'l' | b'L', ..]) {
        return false;
    }
    let run = run.to_ascii_lowercase();
    let part = BECH32_NETWORKS.iter().find_map(|network| {
        let rest = run.strip_prefix(network.as_bytes())?.strip_prefix(b"1")?;
        Some((network.as_bytes(), rest))
    });
    let Some((network, data)) = part else {
        return false;
    };
    let high = network.iter().map(|byte| byte >> 5);
    let low = network.iter().map(|byte| byte & 31);
    let mut checksum = 1;
    for value in high.chain([0]).chain(low) {
        checksum = bech32_step(checksum, value);
    }
    for letter in data {
        let Some(value) = BECH32.iter().position(|known| known == letter) else {
            return false;
        };
        checksum = bech32_step(checksum, value as u8);
    }
    BECH32_CONSTANTS.contains(&checksum)
}

/// One step of the checksum of BIP 173.
fn bech32_step(checksum: u32, value: u8) -> u32 {
    const GENERATORS: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    let top = checksum >> 25;
    let next = (checksum & 0x01ff_ffff) << 5 ^ u32::from(value);
    let bits = GENERATORS.iter().zip(0..);
    bits.fold(next, |next, (generator, bit)| {
        if top >> bit & 1 == 1 {
            next ^ generator
        } else {
            next
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn addresses() {
        let addresses = [
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        ];
        for address in addresses {
            for text in [
                address.to_owned(),
                format!("to {address}, x"),
                format!("a={address}&b"),
            ] {
                assert_eq!(spans(Category::Crypto, &text), [address], "{text}");
            }
        }
        let small = "wallet 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed";
        assert_eq!(spans(Category::Crypto, small), [&small[7..]]);
    }

    #[test]
    fn not_addresses() {
        let others = [
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
            "commit 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed",
            "d41d8cd98f00b204e9800998ecf8427e",
        ];
        for text in others {
            assert_eq!(spans(Category::Crypto, text), Vec::<&str>::new(), "{text}");
        }
    }
}

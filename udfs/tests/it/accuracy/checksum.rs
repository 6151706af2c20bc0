//! Check digits and checksums as the standards define them, computed rather than verified.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

/// The digit that makes `stem` pass ISO/IEC 7812's Luhn check.
pub(super) fn luhn(stem: &str) -> char {
    let sum: u32 = stem
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| match (at % 2, u32::from(byte - b'0')) {
            (0, digit) => digit * 2 / 10 + digit * 2 % 10,
            (_, digit) => digit,
        })
        .sum();
    char::from(b'0' + ((10 - sum % 10) % 10) as u8)
}

/// The check digits of ISO 13616 for a country and its account number.
pub(super) fn iban(country: &str, account: &str) -> String {
    let rest = format!("{account}{country}00")
        .chars()
        .fold(0, |rest, letter| {
            let value = u64::from(letter.to_digit(36).unwrap());
            (if value < 10 { rest * 10 } else { rest * 100 } + value) % 97
        });
    format!("{:02}", 98 - rest)
}

/// The check digit of EAN-13 and ISBN-13.
pub(super) fn ean(stem: &str) -> char {
    let sum: u32 = stem
        .bytes()
        .enumerate()
        .map(|(at, byte)| u32::from(byte - b'0') * if at % 2 == 0 { 1 } else { 3 })
        .sum();
    char::from(b'0' + ((10 - sum % 10) % 10) as u8)
}

/// Base64 of bytes.
pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// Bitcoin's base58 of a version, a payload and four bytes of their double SHA-256.
pub(super) fn base58check(version: u8, payload: &[u8]) -> String {
    let mut bytes = vec![version];
    bytes.extend_from_slice(payload);
    let check = Sha256::digest(Sha256::digest(&bytes));
    bytes.extend_from_slice(&check[..4]);
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut digits: Vec<u8> = Vec::new();
    for byte in &bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let alphabet = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let ones = std::iter::repeat_n('1', zeros);
    let rest = digits
        .iter()
        .rev()
        .map(|digit| char::from(alphabet[usize::from(*digit)]));
    ones.chain(rest).collect()
}

/// A segregated witness address of BIP 173 (version 0) or BIP 350.
pub(super) fn segwit(version: u8, program: &[u8]) -> String {
    let mut values = vec![version];
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in program {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            values.push((held >> bits & 31) as u8);
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        values.push((held << (5 - bits) & 31) as u8);
    }
    let constant = if version == 0 { 1 } else { 0x2bc8_30a3 };
    let mut checked = vec![3, 3, 0, 2, 3];
    checked.extend_from_slice(&values);
    checked.extend_from_slice(&[0; 6]);
    let check = polymod(&checked) ^ constant;
    values.extend((0..6).map(|at| (check >> (5 * (5 - at)) & 31) as u8));
    let alphabet = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let letters = values
        .iter()
        .map(|value| char::from(alphabet[usize::from(*value)]));
    format!("bc1{}", letters.collect::<String>())
}

fn polymod(values: &[u8]) -> u32 {
    let generators = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    values.iter().fold(1_u32, |check, value| {
        let top = check >> 25;
        let check = (check & 0x01ff_ffff) << 5 ^ u32::from(*value);
        let mixed = generators.iter().enumerate();
        mixed.fold(check, |check, (at, generator)| {
            check ^ if top >> at & 1 == 1 { *generator } else { 0 }
        })
    })
}

/// The letter case of EIP-55 for forty lower-case hexadecimal digits.
pub(super) fn eip55(address: &str) -> String {
    let hash = keccak256(address.as_bytes());
    let cased = address.chars().enumerate().map(|(at, letter)| {
        let nibble = hash[at / 2] >> (4 * (1 - at % 2)) & 15;
        if nibble >= 8 {
            letter.to_ascii_uppercase()
        } else {
            letter
        }
    });
    cased.collect()
}

/// Keccak-256 of at most 135 bytes, which is not SHA3-256: the padding differs.
fn keccak256(message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 136];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 1;
    block[135] |= 0x80;
    let mut lanes = [0_u64; 25];
    for (lane, bytes) in lanes.iter_mut().zip(block.chunks_exact(8)) {
        *lane = u64::from_le_bytes(bytes.try_into().unwrap());
    }
    keccak_f(&mut lanes);
    let mut hash = [0; 32];
    for (bytes, lane) in hash.chunks_exact_mut(8).zip(lanes) {
        bytes.copy_from_slice(&lane.to_le_bytes());
    }
    hash
}

fn keccak_f(lanes: &mut [u64; 25]) {
    let mut register = 1_u8;
    for _ in 0..24 {
        let columns: [u64; 5] =
            std::array::from_fn(|x| (0..5).fold(0, |sum, y| sum ^ lanes[x + 5 * y]));
        for (at, lane) in lanes.iter_mut().enumerate() {
            *lane ^= columns[(at + 4) % 5] ^ columns[(at + 1) % 5].rotate_left(1);
        }
        let (mut x, mut y, mut moved) = (1, 0, lanes[1]);
        for step in 1..=24_u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            moved = std::mem::replace(
                &mut lanes[x + 5 * y],
                moved.rotate_left(step * (step + 1) / 2 % 64),
            );
        }
        for row in lanes.chunks_exact_mut(5) {
            let old: [u64; 5] = std::array::from_fn(|x| row[x]);
            for (x, lane) in row.iter_mut().enumerate() {
                *lane = old[x] ^ (!old[(x + 1) % 5] & old[(x + 2) % 5]);
            }
        }
        for bit in 0..7 {
            if register & 1 == 1 {
                lanes[0] ^= 1 << ((1_u32 << bit) - 1);
            }
            register = register << 1 ^ if register >> 7 == 1 { 0x71 } else { 0 };
        }
    }
}

/// The six base62 digits of a CRC-32 that end a token of GitHub.
pub(super) fn github(payload: &str) -> String {
    let crc = !payload.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    let alphabet = super::random::BASE62.as_bytes();
    let mut digits: Vec<char> = (0..6)
        .map(|at| char::from(alphabet[(crc / 62_u32.pow(at) % 62) as usize]))
        .collect();
    digits.reverse();
    digits.into_iter().collect()
}

#[test]
fn checksums_agree_with_the_standards_examples() {
    assert_eq!(luhn("411111111111111"), '1');
    assert_eq!(iban("GB", "WEST12345698765432"), "82");
    assert_eq!(ean("978030640615"), '7');
    let all_zero = "1111111111111111111114oLvT2";
    assert_eq!(base58check(0, &[0; 20]), all_zero);
    let program = [
        0x75, 0x1e, 0x76, 0xe8, 0x19, 0x91, 0x96, 0xd4, 0x54, 0x94, 0x1c, 0x45, 0xd1, 0xb3, 0xa3,
        0x23, 0xf1, 0x43, 0x3b, 0xd6,
    ];
    let address = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    assert_eq!(segwit(0, &program), address);
    let cased = "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    assert_eq!(eip55(&cased.to_lowercase()), cased);
}

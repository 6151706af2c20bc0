//! The hash Keccak-256 as Ethereum uses it: the submission to the SHA-3 competition, whose padding
//! differs from the standard of NIST (FIPS 202). For inputs of one block, which is all that an
//! address needs.

/// Lanes of the state.
const LANES: usize = 25;
/// Bytes of input in one block.
const RATE: usize = 136;

/// Constants of the rounds (FIPS 202, 3.2.5).
const ROUNDS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];
/// How far lanes are rotated, in the order in which they are visited (3.2.2).
const ROTATIONS: [u32; 24] = [
    1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44,
];
/// The lanes in that order (3.2.3).
const VISITED: [usize; 24] = [
    10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1,
];

/// The hash of `input`, of which at most the first 135 bytes count.
pub(super) fn keccak256(input: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; RATE];
    let length = input.len().min(RATE - 1);
    for (slot, byte) in block.iter_mut().zip(input.iter().take(length)) {
        *slot = *byte;
    }
    if let Some(slot) = block.get_mut(length) {
        *slot = 1;
    }
    if let Some(last) = block.last_mut() {
        *last |= 0x80;
    }
    let mut state = [0_u64; LANES];
    for (lane, bytes) in state.iter_mut().zip(block.as_chunks::<8>().0) {
        *lane = u64::from_le_bytes(*bytes);
    }
    for constant in ROUNDS {
        round(&mut state, constant);
    }
    let mut hash = [0; 32];
    for (slot, lane) in hash.as_chunks_mut::<8>().0.iter_mut().zip(state) {
        *slot = lane.to_le_bytes();
    }
    hash
}

fn round(state: &mut [u64; LANES], constant: u64) {
    let lane = |state: &[u64; LANES], at: usize| state.get(at % LANES).copied().unwrap_or(0);
    let columns: [u64; 5] =
        std::array::from_fn(|x| (0..5).fold(0, |parity, y| parity ^ lane(state, x + 5 * y)));
    let column = |x: usize| columns.get(x % 5).copied().unwrap_or(0);
    for (at, slot) in state.iter_mut().enumerate() {
        *slot ^= column(at + 4) ^ column(at + 1).rotate_left(1);
    }
    let mut moved = lane(state, 1);
    for (at, by) in VISITED.into_iter().zip(ROTATIONS) {
        if let Some(slot) = state.get_mut(at) {
            moved = std::mem::replace(slot, moved.rotate_left(by));
        }
    }
    let rows = *state;
    for (at, slot) in state.iter_mut().enumerate() {
        let (row, x) = (at - at % 5, at % 5);
        *slot ^= !lane(&rows, row + (x + 1) % 5) & lane(&rows, row + (x + 2) % 5);
    }
    state[0] ^= constant;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nothing_is_known() {
        let hash = keccak256(b"");
        let want = [0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c];
        assert_eq!(hash[..8], want);
    }
}

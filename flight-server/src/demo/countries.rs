//! A database of countries in MaxMind's format (<https://maxmind.github.io/MaxMind-DB/>), as small
//! as the demo needs it: IPv4 networks and the code of a country for each.

use super::network::Network;

const TEXT: u8 = 2;
const UINT16: u8 = 5;
const UINT32: u8 = 6;
const MAP: u8 = 7;
const UINT64: u8 = 9;
const LIST: u8 = 11;
/// Greater kinds are written in a byte of their own, less this.
const EXTENDED: u8 = 7;
/// What stands before the metadata.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// Zeros between the tree and the data.
const GAP: usize = 16;
/// Bits of a number that points out of a node: three bytes, two of them for each node.
const RECORD_BITS: u64 = 24;

/// What one side of a node leads to.
#[derive(Debug, Clone, Copy)]
enum Side {
    Nothing,
    Node(usize),
    Data(usize),
}

/// The file, made at `built_s`, in seconds since 1970.
pub(crate) fn file(networks: &[Network], built_s: u64) -> Vec<u8> {
    let (mut nodes, mut data) = (vec![[Side::Nothing; 2]], Vec::new());
    for network in networks {
        let record = data.len();
        map(1, &mut data);
        text("country", &mut data);
        map(1, &mut data);
        text("iso_code", &mut data);
        text(network.country, &mut data);
        insert(&mut nodes, network, record);
    }
    let mut file = Vec::new();
    for side in nodes.iter().flatten() {
        let to = match side {
            Side::Nothing => nodes.len(),
            Side::Node(node) => *node,
            Side::Data(offset) => nodes.len() + GAP + offset,
        };
        file.extend(bytes(to as u64, 3));
    }
    file.extend([0; GAP]);
    file.extend(data);
    file.extend(MARKER);
    metadata(nodes.len() as u64, built_s, &mut file);
    file
}

/// Makes `network` lead to `record`.
fn insert(nodes: &mut Vec<[Side; 2]>, network: &Network, record: usize) {
    let address = network.first.to_bits();
    let mut at = 0;
    for depth in 0..network.bits {
        let side = usize::from(address >> (31 - depth) & 1 == 1);
        let next = nodes.len();
        let Some(slot) = nodes.get_mut(at).and_then(|node| node.get_mut(side)) else {
            return;
        };
        if depth + 1 == network.bits {
            *slot = Side::Data(record);
            return;
        }
        at = match *slot {
            Side::Node(node) => node,
            _ => {
                *slot = Side::Node(next);
                nodes.push([Side::Nothing; 2]);
                next
            }
        };
    }
}

fn metadata(nodes: u64, built_s: u64, out: &mut Vec<u8>) {
    map(9, out);
    for (name, kind, value) in [
        ("node_count", UINT32, nodes),
        ("record_size", UINT16, RECORD_BITS),
        ("ip_version", UINT16, 4),
        ("binary_format_major_version", UINT16, 2),
        ("binary_format_minor_version", UINT16, 0),
        ("build_epoch", UINT64, built_s),
    ] {
        text(name, out);
        number(kind, value, out);
    }
    text("database_type", out);
    text("Sluice-Demo-Country", out);
    text("languages", out);
    out.extend([0, LIST - EXTENDED]);
    text("description", out);
    map(1, out);
    text("en", out);
    text("countries that are made up", out);
}

fn map(pairs: u8, out: &mut Vec<u8>) {
    out.push(MAP << 5 | pairs);
}

/// Writes fewer than 29 bytes of text: more would need another form.
fn text(text: &str, out: &mut Vec<u8>) {
    let length = text.len().min(28);
    out.push(TEXT << 5 | bytes(length as u64, 1).next().unwrap_or_default());
    out.extend(text.bytes().take(length));
}

fn number(kind: u8, value: u64, out: &mut Vec<u8>) {
    let size = match kind {
        UINT16 => 2,
        UINT32 => 4,
        _ => 8,
    };
    match kind > EXTENDED {
        false => out.push(kind << 5 | size),
        true => out.extend([size, kind - EXTENDED]),
    }
    out.extend(bytes(value, usize::from(size)));
}

/// The last `count` bytes of `value`, the greatest first.
fn bytes(value: u64, count: usize) -> impl Iterator<Item = u8> {
    value.to_be_bytes().into_iter().skip(8 - count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::network::{CUSTOMERS, SCANNERS};
    use sluice_udfs::enrich::database::Database;

    #[test]
    fn the_file_is_one_that_functions_read() {
        let networks = [CUSTOMERS.as_slice(), &[SCANNERS]].concat();
        let database = Database::parse(file(&networks, 1_770_000_000)).unwrap();
        assert_eq!(database.networks(), networks.len() as u64);
        assert_eq!(database.kind(), "Sluice-Demo-Country");
    }
}

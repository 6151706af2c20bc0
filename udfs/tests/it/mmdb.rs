//! Writes small MaxMind DB files of IPv4 networks
//! (<https://maxmind.github.io/MaxMind-DB/>), so that tests know what is in them.

/// A value of the format.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(&'static str),
    Double(f64),
    Short(u16),
    Count(u32),
    Long(u64),
    Map(Vec<(&'static str, Self)>),
    List(Vec<Self>),
}

const TEXT: u8 = 2;
const DOUBLE: u8 = 3;
const UINT16: u8 = 5;
const UINT32: u8 = 6;
const MAP: u8 = 7;
const UINT64: u8 = 9;
const LIST: u8 = 11;
/// A file of this kind in which each network `(address, bits)` has a record.
pub(crate) fn file(kind: &'static str, networks: &[([u8; 4], u32, Value)]) -> Vec<u8> {
    let (mut nodes, mut data): (Vec<[Option<Slot>; 2]>, _) = (vec![[None; 2]], Vec::new());
    for (address, bits, value) in networks {
        let address = u32::from_be_bytes(*address);
        let offset = data.len();
        encode(value, &mut data);
        let mut at = 0;
        for depth in 0..*bits {
            let side = (address >> (31 - depth) & 1) as usize;
            if depth + 1 == *bits {
                nodes[at][side] = Some(Slot::Data(offset));
                break;
            }
            at = match nodes[at][side] {
                Some(Slot::Node(next)) => next,
                _ => {
                    nodes.push([None; 2]);
                    nodes[at][side] = Some(Slot::Node(nodes.len() - 1));
                    nodes.len() - 1
                }
            };
        }
    }
    let mut file = Vec::new();
    for slot in nodes.iter().flatten() {
        let record = match slot {
            None => nodes.len(),
            Some(Slot::Node(node)) => *node,
            Some(Slot::Data(offset)) => nodes.len() + 16 + offset,
        };
        file.extend_from_slice(&u32::try_from(record).unwrap().to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = Value::Map(vec![
        (
            "node_count",
            Value::Count(u32::try_from(nodes.len()).unwrap()),
        ),
        // Three bytes for the left and three for the right of each node.
        ("record_size", Value::Short(24)),
        ("ip_version", Value::Short(4)),
        ("database_type", Value::Text(kind)),
        (
            "languages",
            Value::List(vec![Value::Text("en"), Value::Text("de")]),
        ),
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1_770_000_000)),
        (
            "description",
            Value::Map(vec![("en", Value::Text("a test"))]),
        ),
    ]);
    encode(&metadata, &mut file);
    file
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    Node(usize),
    Data(usize),
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            control(TEXT, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Double(number) => {
            control(DOUBLE, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Short(number) => {
            control(UINT16, 2, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Count(number) => {
            control(UINT32, 4, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Long(number) => {
            control(UINT64, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Map(pairs) => {
            control(MAP, pairs.len(), out);
            for (key, value) in pairs {
                encode(&Value::Text(key), out);
                encode(value, out);
            }
        }
        Value::List(items) => {
            control(LIST, items.len(), out);
            items.iter().for_each(|item| encode(item, out));
        }
    }
}

/// The byte before a value, with the sizes and kinds that do not fit it behind it.
fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let size = u8::try_from(size).unwrap();
    let (small, rest) = if size < 29 {
        (size, None)
    } else {
        (29, Some(size - 29))
    };
    match kind.checked_sub(8) {
        None => out.push(kind << 5 | small),
        Some(extended) => out.extend([small, extended + 1]),
    }
    out.extend(rest);
}

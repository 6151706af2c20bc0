//! Payment cards by network, length and grouping, their tracks and codes, and the numbers of the
//! United States for persons.

use super::checksum::luhn;
use super::random::{Random, UPPER};
use super::value::{Known, Value};

type Network = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [usize],
);

/// A network, the ranges in which its numbers begin, and their lengths. ISO/IEC 7812 assigns them;
/// the networks publish them.
const NETWORKS: &[Network] = &[
    ("visa", &[("4", "4")], &[13, 16, 16, 16, 16, 18, 19]),
    ("mastercard", &[("51", "55"), ("2221", "2720")], &[16]),
    ("amex", &[("34", "34"), ("37", "37")], &[15]),
    (
        "discover",
        &[
            ("6011", "6011"),
            ("644", "649"),
            ("65", "65"),
            ("622126", "622925"),
        ],
        &[16, 16, 19],
    ),
    (
        "diners",
        &[("300", "305"), ("3095", "3095"), ("36", "36"), ("38", "39")],
        &[14, 14, 16],
    ),
    ("jcb", &[("3528", "3589")], &[16, 16, 19]),
    ("jcb15", &[("1800", "1800"), ("2131", "2131")], &[15]),
    ("unionpay", &[("62", "62")], &[16, 16, 17, 18, 19]),
    ("mir", &[("2200", "2204")], &[16]),
    (
        "maestro",
        &[
            ("5018", "5018"),
            ("5020", "5020"),
            ("5038", "5038"),
            ("5893", "5893"),
            ("6304", "6304"),
            ("6759", "6759"),
            ("6761", "6763"),
        ],
        &[12, 13, 16, 18, 19],
    ),
    (
        "rupay",
        &[("60", "60"), ("81", "82"), ("508", "508")],
        &[16],
    ),
    ("hiper", &[("6062", "6062"), ("637", "637")], &[16]),
    ("troy", &[("9792", "9792")], &[16]),
    ("uatp", &[("1", "1")], &[15]),
];

fn pan(random: &mut Random) -> (&'static str, String) {
    let (name, ranges, lengths) = random.pick(NETWORKS);
    let (from, to) = random.pick(ranges);
    let first = random.between(from.parse().unwrap(), to.parse().unwrap());
    let length = *random.pick(lengths);
    let mut stem = first.to_string();
    stem += &random.digits(length - 1 - stem.len());
    stem.push(luhn(&stem));
    (name, stem)
}

/// How numbers of this length are grouped on cards and forms.
fn groupings(length: usize) -> &'static [&'static [usize]] {
    match length {
        12 => &[&[12], &[4, 4, 4]],
        13 => &[&[13], &[4, 4, 4, 1]],
        14 => &[&[14], &[4, 6, 4]],
        15 => &[&[15], &[4, 6, 5]],
        16 => &[&[16], &[4, 4, 4, 4], &[4, 4, 4, 4]],
        17 => &[&[17], &[4, 4, 4, 4, 1]],
        18 => &[&[18], &[4, 4, 4, 4, 2]],
        _ => &[&[19], &[4, 4, 4, 4, 3], &[6, 13]],
    }
}

fn grouped(digits: &str, groups: &[usize], separator: &str) -> String {
    let mut at = 0;
    let parts = groups.iter().map(|size| {
        at += size;
        &digits[at - size..at]
    });
    parts.collect::<Vec<_>>().join(separator)
}

pub(super) fn card(random: &mut Random) -> Value {
    let (network, digits) = pan(random);
    let groups = *random.pick(groupings(digits.len()));
    let bare = groups.len() == 1;
    let separator = if bare {
        ""
    } else {
        random.word(&[" ", " ", "-", "-", "."])
    };
    let rare = matches!(network, "jcb15" | "uatp") || digits.len() < 14;
    let plain = match groups.len() {
        1 => matches!(digits.len(), 15 | 16),
        2 => false,
        _ => separator != ".",
    };
    Value {
        category: "credit_card",
        grammar: format!("{network}/{}/{}/{separator}", digits.len(), groups.len()),
        known: if plain && !rare {
            Known::Anywhere
        } else {
            Known::Announced
        },
        text: grouped(&digits, groups, separator),
        lead: 0,
    }
}

/// ISO/IEC 7813: both tracks with expiry, service code and discretionary data.
pub(super) fn track(random: &mut Random) -> Value {
    let (network, digits) = pan(random);
    let expiry = format!("{:02}{:02}", random.between(20, 35), random.between(1, 12));
    let service = random.word(&["101", "121", "201", "221", "601"]);
    let data_length = random.between(6, 13) as usize;
    let data = random.digits(data_length);
    let (track, text) = if random.chance(50) {
        let surname_length = random.between(2, 12) as usize;
        let surname = random.chars(UPPER, surname_length);
        let given = random.word(&["JOHN", "MARY ANN", "J", "LUIS", "YUKI MR", "A B"]);
        (
            1,
            format!("%B{digits}^{surname}/{given}^{expiry}{service}{data}?"),
        )
    } else {
        (2, format!(";{digits}={expiry}{service}{data}?"))
    };
    Value {
        category: "card_track",
        grammar: format!("track{track}/{network}/{}/{service}", digits.len()),
        known: Known::Anywhere,
        text,
        lead: 0,
    }
}

pub(super) fn cvv(random: &mut Random) -> Value {
    let length = *random.pick(&[3, 3, 4]);
    let text = random.digits(length);
    Value {
        category: "cvv",
        grammar: format!("{length}/{}", &text[..1]),
        known: Known::Announced,
        text,
        lead: 0,
    }
}

/// Numbers that the Social Security Administration can have issued.
pub(super) fn ssn(random: &mut Random) -> Value {
    let (area, group, serial) = loop {
        let area = random.between(1, 899);
        let (group, serial) = (random.between(1, 99), random.between(1, 9999));
        let printed = [(78, 5, 1120), (219, 9, 9999), (123, 45, 6789)];
        let same = |text: String| text.bytes().all(|byte| Some(byte) == text.bytes().next());
        if area != 666
            && !printed.contains(&(area, group, serial))
            && !same(format!("{area:03}{group:02}{serial:04}"))
        {
            break (area, group, serial);
        }
    };
    let separator = random.word(&["-", "-", "-", "-", " ", ".", ""]);
    Value {
        category: "us_ssn",
        grammar: format!("{separator}/{}", area / 64),
        known: if separator == "-" {
            Known::Anywhere
        } else {
            Known::Announced
        },
        text: format!("{area:03}{separator}{group:02}{separator}{serial:04}"),
        lead: 0,
    }
}

/// Taxpayer numbers of the Internal Revenue Service.
pub(super) fn itin(random: &mut Random) -> Value {
    let area = random.between(900, 999);
    let (from, to) = *random.pick(&[(50, 65), (70, 88), (90, 92), (94, 99)]);
    let group = random.between(from, to);
    let serial = random.between(1, 9999);
    let separator = random.word(&["-", "-", "-", " ", ""]);
    Value {
        category: "us_itin",
        grammar: format!("{separator}/{from}/{}", area / 10),
        known: if separator == "-" {
            Known::Anywhere
        } else {
            Known::Announced
        },
        text: format!("{area}{separator}{group}{separator}{serial:04}"),
        lead: 0,
    }
}

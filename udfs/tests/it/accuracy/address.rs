//! E-mail addresses, account numbers of ISO 13616 for every country of its registry, and addresses
//! of Bitcoin and Ethereum.

use super::checksum;
use super::random::{DIGITS, Random, UPPER, UPPER_DIGITS};
use super::value::{Known, Value};

const GIVEN: &[&str] = &[
    "alice", "bob", "carlos", "dmitri", "eva", "fatima", "george", "hiro", "ines", "jo", "kofi",
    "li", "maria", "nils", "olga", "pedro", "qi", "ravi", "sofia", "tom", "uma", "viktor", "wei",
];
const FAMILY: &[&str] = &[
    "smith",
    "garcia",
    "mueller",
    "ivanov",
    "tanaka",
    "nguyen",
    "okafor",
    "rossi",
    "silva",
    "kowalski",
    "jensen",
    "obrien",
    "khan",
    "patel",
    "dupont",
    "lee",
    "andersson",
    "haddad",
];
const NAMES: &[&str] = &[
    "example",
    "mail",
    "acme-corp",
    "globex",
    "initech",
    "163",
    "bigbank",
    "telco-one",
    "my-shop",
    "university",
    "gov-services",
    "x",
    "cloud9",
    "startup",
    "hospital",
    "the-agency",
];
const ENDINGS: &[&str] = &[
    "com",
    "org",
    "net",
    "io",
    "co.uk",
    "de",
    "fr",
    "edu",
    "gov",
    "com.br",
    "museum",
    "dev",
    "photography",
    "info",
    "co.jp",
    "eu",
    "bank",
    "xn--p1ai",
    "app",
    "me",
];

pub(super) fn email(random: &mut Random) -> Value {
    let (given, family) = (random.word(GIVEN), random.word(FAMILY));
    let number = random.between(1, 9999);
    let (local_form, local) = match random.below(12) {
        0 | 1 => ("g.f", format!("{given}.{family}")),
        2 => ("g", given.to_owned()),
        3 => ("gn", format!("{given}{number}")),
        4 => ("g_f", format!("{given}_{family}")),
        5 => ("g-f", format!("{given}-{family}")),
        6 => (
            "tag",
            format!(
                "{given}+{}",
                random.word(&["news", "test.1", "x", "bank-2"])
            ),
        ),
        7 => (
            "upper",
            format!("{}.{}", given.to_uppercase(), family.to_uppercase()),
        ),
        8 => ("apostrophe", format!("{given}.o'{family}")),
        9 => ("letter", random.chars("abcxyz", 1)),
        10 => ("n", format!("{number}{number}")),
        _ => (
            "unicode",
            format!("{given}.{}", random.word(&["m\u{fc}ller", "\u{e5}kesson"])),
        ),
    };
    let (name, ending) = (random.word(NAMES), random.word(ENDINGS));
    let (domain_form, domain) = match random.below(8) {
        0..=3 => ("d", format!("{name}.{ending}")),
        4 => (
            "s.d",
            format!("{}.{name}.{ending}", random.word(&["mail", "eu-1", "a.b"])),
        ),
        5 => (
            "upper",
            format!("{}.{}", name.to_uppercase(), ending.to_uppercase()),
        ),
        6 => ("puny", format!("xn--{name}-kva.{ending}")),
        _ => (
            "idn",
            format!(
                "{}.{ending}",
                random.word(&["b\u{fc}cher", "\u{4f8b}\u{3048}"])
            ),
        ),
    };
    Value {
        category: "email",
        grammar: format!("{local_form}/{domain_form}/{ending}"),
        known: Known::Anywhere,
        text: format!("{local}@{domain}"),
        lead: 0,
    }
}

/// Countries of the registry and the structure of their account numbers: how many digits (`n`),
/// capitals (`a`) and either of them (`c`).
const ACCOUNTS: &str = "AD8n12c AE19n AL8n16c AT16n AZ4a20c BA16n BE12n BG4a6n8c BH4a14c BI23n \
    BR23n1a1c BY4c4n16c CH5n12c CR18n CY8n16c CZ20n DE18n DJ23n DK14n DO4c20n EE16n EG25n ES20n \
    FI14n FK2a12n FO14n FR10n11c2n GB4a14n GE2a16n GI4a15c GL14n GR7n16c GT4c20c HN4a20n HR17n \
    HU24n IE4a14n IL19n IQ4a15n IS22n IT1a10n12c JO4a4n18c KW4a22c KZ3n13c LB4n20c LC4a24c \
    LI5n12c LT16n LU3n13c LV4a13c LY21n MC10n11c2n MD2c18c ME18n MK3n10c2n MN16n MR23n MT4a5n18c \
    MU4a19n3a NI4a20n NL4a10n NO11n OM3n16c PK4a16c PL24n PS4a21c PT21n QA4a21c RO4a16c RS18n \
    RU14n15c SA2n18c SC4a20n3a SD14n SE20n SI15n SK20n SM1a10n12c SO19n ST21n SV4a20n TL19n TN20n \
    TR6n16c UA6n19c VA18n VG4a16n XK16n YE4a4n18c";

pub(super) fn iban(random: &mut Random) -> Value {
    let structures: Vec<&str> = ACCOUNTS.split_whitespace().collect();
    let structure = *random.pick(&structures);
    let (country, mut rest) = structure.split_at(2);
    let mut account = String::new();
    while let Some(end) = rest.find(|letter: char| letter.is_ascii_alphabetic()) {
        let count = rest[..end].parse().unwrap();
        account += &match &rest[end..=end] {
            "n" => random.chars(DIGITS, count),
            "a" => random.chars(UPPER, count),
            _ => random.chars(UPPER_DIGITS, count),
        };
        rest = &rest[end + 1..];
    }
    let check = checksum::iban(country, &account);
    let bare = format!("{country}{check}{account}");
    let separator = random.word(&["", "", " ", " ", "-"]);
    let groups = bare.as_bytes().chunks(4);
    let groups: Vec<&str> = groups
        .map(|group| std::str::from_utf8(group).unwrap())
        .collect();
    Value {
        category: "iban",
        grammar: format!("{country}/{separator}"),
        known: Known::Anywhere,
        text: groups.join(separator),
        lead: 0,
    }
}

pub(super) fn crypto(random: &mut Random) -> Value {
    let known = |form: &str| match form {
        "eth-lower" => Known::Announced,
        _ => Known::Anywhere,
    };
    let form = random.word(&[
        "p2pkh",
        "p2sh",
        "p2wpkh",
        "p2wsh",
        "p2tr",
        "eth",
        "eth",
        "eth-lower",
    ]);
    let text = match form {
        "p2pkh" => checksum::base58check(0, &random.bytes(20)),
        "p2sh" => checksum::base58check(5, &random.bytes(20)),
        "p2wpkh" => checksum::segwit(0, &random.bytes(20)),
        "p2wsh" => checksum::segwit(0, &random.bytes(32)),
        "p2tr" => checksum::segwit(1, &random.bytes(32)),
        "eth" => format!("0x{}", checksum::eip55(&random.hex(40))),
        _ => format!("0x{}", random.hex(40)),
    };
    Value {
        category: "crypto",
        grammar: format!("{form}/{}", &text[text.len() - 1..]),
        known: known(form),
        text,
        lead: 0,
    }
}

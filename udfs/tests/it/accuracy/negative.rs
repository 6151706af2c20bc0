//! Hard negatives: values and sentences that look like personal data and are none.

use super::checksum;
use super::random::{BASE62, BASE64, HEX, Random, UPPER, UPPER_DIGITS};
use super::talk::{ABOUT_SECRETS, MASKED, NO_SECRETS, SUDO};

/// What a negative is rendered from.
#[derive(Clone, Debug)]
pub(super) struct Negative {
    /// Its kind, which reports name and the split goes by.
    pub(super) kind: &'static str,
    pub(super) key: &'static str,
    pub(super) text: String,
    /// A sentence with `{}` in the place of the text; only this where the key is empty.
    pub(super) sentence: &'static str,
}

impl Negative {
    /// Whether only its key tells it from personal data.
    pub(super) fn needs_key(&self) -> bool {
        self.kind.starts_with("identifier")
    }
}

type Make = fn(&mut Random) -> String;

/// A kind, keys, sentences, and what makes the text.
struct Kind {
    kind: &'static str,
    keys: &'static [&'static str],
    sentences: &'static [&'static str],
    make: Make,
}

const fn kind(
    kind: &'static str,
    keys: &'static [&'static str],
    sentences: &'static [&'static str],
    make: Make,
) -> Kind {
    Kind {
        kind,
        keys,
        sentences,
        make,
    }
}

pub(super) fn draw(random: &mut Random) -> Negative {
    let kind = random.pick(KINDS);
    let text = (kind.make)(random);
    Negative {
        kind: kind.kind,
        key: if kind.keys.is_empty() {
            ""
        } else {
            random.word(kind.keys)
        },
        text,
        sentence: random.word(kind.sentences),
    }
}

const IDS: &[&str] = &[
    "order_id",
    "trace_id",
    "request_id",
    "txn_id",
    "requestId",
    "transactionId",
    "correlation_id",
    "event.id",
    "messageId",
];
const ID_SENTENCES: &[&str] = &[
    "order {} shipped",
    "request id {} completed",
    "transaction {} rolled back",
    "see trace {} for details",
];
const PLAIN: &[&str] = &[
    "handled {} in 3 ms",
    "got {} from upstream",
    "skipped {}",
    "{} is new",
];
const HASHES: &[&str] = &[
    "sha256", "md5", "etag", "checksum", "commit", "digest", "sha1", "hash",
];
const TIMES: &[&str] = &[
    "ts",
    "timestamp",
    "time",
    "epoch",
    "start_time",
    "created_at",
    "expiry",
];

const KINDS: &[Kind] = &[
    kind(
        "luhn failing",
        &["reference", "value", "code", "item"],
        PLAIN,
        |random| {
            let stem = random.chars("3456", 1) + &random.digits(14);
            let wrong = 1 + random.below(9) as u32;
            let digit = (checksum::luhn(&stem).to_digit(10).unwrap() + wrong) % 10;
            format!("{stem}{digit}")
        },
    ),
    kind(
        "luhn failing groups",
        &["reference", "value"],
        PLAIN,
        |random| {
            let stem = random.chars("45", 1) + &random.digits(14);
            let digit = (checksum::luhn(&stem).to_digit(10).unwrap() + 3) % 10;
            let separator = random.word(&["-", " "]);
            [
                &stem[..4],
                &stem[4..8],
                &stem[8..12],
                &format!("{}{digit}", &stem[12..]),
            ]
            .join(separator)
        },
    ),
    kind("identifier of 16 digits", IDS, ID_SENTENCES, |random| {
        let stem = random.chars("45", 1) + &random.digits(14);
        let digit = checksum::luhn(&stem);
        format!("{stem}{digit}")
    }),
    kind(
        "identifier of 9 or 10 digits",
        IDS,
        ID_SENTENCES,
        |random| {
            let length = 9 + random.below(2);
            random.number(length)
        },
    ),
    kind("snowflake", IDS, PLAIN, |random| {
        format!("1{}", random.digits(18))
    }),
    kind("epoch seconds", TIMES, PLAIN, |random| {
        random.between(1_500_000_000, 1_999_999_999).to_string()
    }),
    kind("epoch milliseconds", TIMES, PLAIN, |random| {
        random
            .between(1_500_000_000_000, 1_999_999_999_999)
            .to_string()
    }),
    kind("epoch microseconds", TIMES, PLAIN, |random| {
        random
            .between(1_500_000_000_000_000, 1_999_999_999_999_999)
            .to_string()
    }),
    kind("epoch nanoseconds", TIMES, PLAIN, |random| {
        random
            .between(1_500_000_000_000_000_000, 1_999_999_999_999_999_999)
            .to_string()
    }),
    kind("uuid", IDS, PLAIN, Random::uuid),
    kind("md5", HASHES, PLAIN, |random| random.hex(32)),
    kind("sha1", HASHES, PLAIN, |random| random.hex(40)),
    kind("sha256", HASHES, PLAIN, |random| random.hex(64)),
    kind(
        "span",
        &["span_id", "trace", "spanId", "x-b3-spanid"],
        PLAIN,
        |random| random.hex(16),
    ),
    kind("block", &["block", "blk", "file"], PLAIN, |random| {
        format!("blk_-{}", random.number(16))
    }),
    kind(
        "ean",
        &["ean", "gtin", "sku", "barcode", "product"],
        PLAIN,
        |random| {
            let stem = random.word(&["40", "50", "30", "69"]).to_owned() + &random.digits(10);
            format!("{stem}{}", checksum::ean(&stem))
        },
    ),
    kind("isbn", &["isbn", "book", "item"], PLAIN, |random| {
        let stem = format!("978{}", random.digits(9));
        let check = checksum::ean(&stem);
        format!(
            "978-{}-{}-{}-{check}",
            &stem[3..4],
            &stem[4..8],
            &stem[8..12]
        )
    }),
    kind(
        "tracking",
        &["tracking", "parcel", "shipment"],
        PLAIN,
        |random| match random.below(3) {
            0 => format!("1Z{}{}", random.chars(UPPER_DIGITS, 6), random.digits(10)),
            1 => random.fill("9400 1### #### #### #### ##"),
            _ => format!("7{}", random.digits(11)),
        },
    ),
    kind(
        "version",
        &["version", "build", "release", "agent"],
        PLAIN,
        |random| {
            let shape = random.word(&["v#.#.##", "##.#.#####.####", "#.##.#-rc#", "20##.##.##.#"]);
            random.fill(shape)
        },
    ),
    kind("dates", &["date", "day", "when"], PLAIN, |random| {
        let (month, day) = (random.between(10, 12), random.between(10, 28));
        let micro = random.digits(6);
        match random.below(4) {
            0 => format!("2005-{month}-{day}-15.42.50.{micro}"),
            1 => format!("2026{month}{day}"),
            2 => format!("{month}/{day}/2026 10:11:12"),
            _ => format!("2026-{month}-{day} 10:11:12.{micro} +0200"),
        }
    }),
    kind("clf time", &["received", "at"], PLAIN, |random| {
        format!(
            "{}/Oct/2026:13:55:{} -0700",
            random.between(10, 28),
            random.between(10, 59)
        )
    }),
    kind(
        "range",
        &["range", "rows", "ports", "pages"],
        PLAIN,
        |random| random.fill(random_range()),
    ),
    kind("hex dump", &["dump", "bytes"], PLAIN, |random| {
        let words: Vec<_> = (0..8).map(|_| random.hex(3) + "f").collect();
        format!("0000010: {}", words.join(" "))
    }),
    kind("memory", &["addr", "ptr", "rip"], PLAIN, |random| {
        format!("0x7ff{}", random.hex(9))
    }),
    kind(
        "size",
        &["size", "bytes", "length", "heap"],
        PLAIN,
        |random| random.number(10),
    ),
    kind(
        "duration",
        &["took", "elapsed", "latency"],
        PLAIN,
        |random| random.fill("######.###ms"),
    ),
    kind("coordinates", &["position", "geo"], PLAIN, |random| {
        random.fill("N#.######,-7#.######")
    }),
    kind(
        "user at host",
        &["peer", "node", "target"],
        PLAIN,
        |random| {
            let shape = random.word(&[
                "root@web##",
                "Listener@###",
                "admin@localhost",
                "svc@10.0.#.##",
            ]);
            random.fill(shape)
        },
    ),
    kind(
        "package",
        &["package", "dependency", "module"],
        PLAIN,
        |random| {
            let shape =
                random.word(&["@scope/pkg@#.##.#", "lodash@4.17.##", "@babel/core@^7.##.#"]);
            random.fill(shape)
        },
    ),
    kind(
        "annotation",
        &[],
        &["@Override {} in Foo.java", "@Test(timeout={}) passed"],
        |random| random.number(4),
    ),
    kind(
        "git url",
        &["remote", "origin", "repo"],
        &["cloning {}", "fetch {} ok"],
        |random| {
            let host = random.word(&["github.com", "gitlab.com", "bitbucket.org"]);
            format!("git@{host}:acme/repo-{}.git", random.number(3))
        },
    ),
    kind("imei", &["device", "terminal", "unit"], PLAIN, |random| {
        let stem = format!("35{}", random.digits(12));
        format!("{stem}{}", checksum::luhn(&stem))
    }),
    kind(
        "nine digits",
        &["value", "code", "items"],
        PLAIN,
        |random| random.number(9),
    ),
    kind(
        "never an ssn",
        &["value", "part", "code"],
        PLAIN,
        |random| {
            let shape = random.word(&["000-##-####", "666-##-####", "536-00-####", "536-##-0000"]);
            random.fill(shape)
        },
    ),
    kind(
        "part number",
        &["part", "sku", "drawing"],
        PLAIN,
        |random| {
            let shape = random.word(&[
                "###-##-#####",
                "##-###-####",
                "####-##-####",
                "#-###-#####-#",
            ]);
            random.fill(shape)
        },
    ),
    kind("zip", &["zip", "postal"], PLAIN, |random| {
        random.fill("N####-####")
    }),
    kind("ip", &["client", "server", "upstream"], PLAIN, |random| {
        let part = |random: &mut Random| random.between(100, 255).to_string();
        let parts: Vec<_> = (0..4).map(|_| part(random)).collect();
        parts.join(".")
    }),
    kind(
        "never a phone",
        &["value", "code", "score"],
        PLAIN,
        |random| {
            let shape = random.word(&["1##-###-####", "0##-###-####", "N##-N##-###"]);
            random.fill(shape)
        },
    ),
    kind(
        "status",
        &[],
        &["(404) Not Found after {} ms", "HTTP/1.1 503 {}"],
        |random| random.number(4),
    ),
    kind(
        "iban failing",
        &["value", "license", "code"],
        PLAIN,
        |random| {
            let account = random.digits(18);
            let check: u32 = checksum::iban("DE", &account).parse().unwrap();
            format!("DE{:02}{account}", 2 + (check + 7) % 96)
        },
    ),
    kind(
        "license key",
        &["license", "serial", "voucher"],
        PLAIN,
        |random| {
            let groups: Vec<_> = (0..4)
                .map(|_| random.chars(UPPER, 2) + &random.digits(2))
                .collect();
            groups.join("-")
        },
    ),
    kind(
        "dotted name",
        &["class", "logger", "topic"],
        PLAIN,
        |random| format!("eyetracker.session{}.handler", random.number(2)),
    ),
    kind("base64", &["body", "thumbnail", "blob"], PLAIN, |random| {
        format!("iVBORw0KGgo{}==", random.chars(BASE64, 60))
    }),
    kind(
        "certificate",
        &["cert", "ca", "content"],
        &["loaded {} ok", "trusting {}"],
        |random| {
            let label = random.word(&["CERTIFICATE", "PUBLIC KEY", "CERTIFICATE REQUEST"]);
            let (one, two) = (random.chars(BASE64, 64), random.chars(BASE64, 30));
            format!("-----BEGIN {label}-----\n{one}\n{two}==\n-----END {label}-----")
        },
    ),
    kind(
        "near token",
        &["file", "metric", "cache"],
        PLAIN,
        |random| {
            let shape = random.word(&[
                "hf_hub_download_###",
                "npm_config_cache_##",
                "task_test_##########",
                "sk_learn_###",
                "TASKIA##########",
                "glpat-docs",
                "xoxo-####",
                "SG.#.#",
                "dapi_v##",
                "ghp_####",
            ]);
            random.fill(shape)
        },
    ),
    kind(
        "transaction hash",
        &["tx", "block_hash", "txHash"],
        PLAIN,
        |random| format!("0x{}", random.hex(64)),
    ),
    kind(
        "base58 failing",
        &["peer", "cid", "shard"],
        PLAIN,
        |random| {
            format!(
                "1{}z",
                random.chars(BASE62, 32).replace(['0', 'O', 'I', 'l'], "x")
            )
        },
    ),
    kind("keys that hold no secret", &[], NO_SECRETS, |random| {
        random.number(4)
    }),
    kind("words about secrets", &[], ABOUT_SECRETS, |random| {
        random.number(5)
    }),
    kind("already masked", &[], MASKED, |random| random.number(2)),
    kind("sudo", &[], SUDO, |random| random.number(2)),
    kind("uptime", &["up", "load"], PLAIN, |random| {
        random.fill("## days, ##:## 0.##, 0.##")
    }),
    kind(
        "row of numbers",
        &["histogram", "samples"],
        PLAIN,
        |random| {
            let numbers: Vec<_> = (0..6).map(|_| random.number(3)).collect();
            numbers.join(" ")
        },
    ),
    kind(
        "process ids",
        &[],
        &["{} D Wifi: scan ok", "  {} I ActivityManager: idle"],
        |random| format!("{}  {}", random.number(4), random.number(4)),
    ),
    kind("mac", &["mac", "bssid"], PLAIN, |random| {
        let parts: Vec<_> = (0..6).map(|_| random.chars(HEX, 2)).collect();
        parts.join(":")
    }),
];

fn random_range() -> &'static str {
    "N###-N###"
}

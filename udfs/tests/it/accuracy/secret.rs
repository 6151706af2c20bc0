//! Passwords of any characters, credentials of authorisation headers, JSON web tokens and PEM
//! blocks of private keys.

use super::checksum::base64;
use super::random::{BASE62, BASE64, HEX, LOWER, Random, URL64};
use super::value::{Known, Value};

const WORDS: &[&str] = &[
    "summer",
    "dragon",
    "monkey",
    "sunshine",
    "letmein",
    "winter",
    "hunter",
    "qwerty",
    "welcome",
    "admin",
    "liverpool",
    "ninja",
    "mustang",
    "shadow",
    "master",
    "trust",
    "football",
    "pepper",
];
/// What stands in passwords beside letters and digits and ends no bare value.
const BARE_MARKS: &str = "!#$%*+-./?@^_~";
/// What a value has to be quoted or escaped for.
const MARKS: &str = "!#$%*+-./?@^_~ \"'\\&,;(){}[]<>=|`:";

/// A password or a token under a name that says so. The grammar begins with `word` or `token`:
/// tokens also stand under names as general as `key`.
pub(super) fn password(random: &mut Random) -> Value {
    let word = random.word(WORDS);
    let number = random.between(0, 9999);
    let (grammar, text) = match random.below(10) {
        0 => ("word/dictionary", format!("{word}{number}")),
        1 => (
            "word/capital",
            format!("{}{}{number}!", word[..1].to_uppercase(), &word[1..]),
        ),
        2 => (
            "word/leet",
            word.replace('e', "3").replace('a', "@").replace('s', "$") + "1",
        ),
        3 => ("word/short", random.chars(LOWER, 4) + &random.digits(2)),
        4 => ("word/marks", marked(random, BARE_MARKS)),
        5 => ("word/quoted marks", marked(random, MARKS)),
        6 => ("word/phrase", passphrase(random)),
        7 => (
            "word/unicode",
            format!(
                "{}{number}",
                random.word(&[
                    "p\u{e4}ssw\u{f6}rt",
                    "\u{43f}\u{430}\u{440}",
                    "\u{5bc6}\u{7801}x",
                    "\u{1f511}k"
                ])
            ),
        ),
        8 => {
            let length = random.between(20, 64) as usize;
            ("token/base62", random.chars(BASE62, length))
        }
        _ => {
            let length = *random.pick(&[32, 40, 64]);
            ("token/hex", random.chars(HEX, length))
        }
    };
    let grammar = format!("{grammar}/{}", text.chars().count() % 5);
    plain("password", grammar, Known::Announced, text)
}

fn plain(category: &'static str, grammar: String, known: Known, text: String) -> Value {
    Value {
        category,
        grammar,
        known,
        text,
        lead: 0,
    }
}

/// Letters and digits with marks between them.
fn marked(random: &mut Random, marks: &str) -> String {
    let length = random.between(4, 10);
    let mut text = random.chars(BASE62, 1);
    for _ in 0..length {
        let alphabet = if random.chance(40) { marks } else { BASE62 };
        text += &random.chars(alphabet, 1);
    }
    text + &random.chars(BASE62, 1)
}

fn passphrase(random: &mut Random) -> String {
    let words: Vec<&str> = (0..4).map(|_| random.word(WORDS)).collect();
    words.join(random.word(&["-", " ", ".", "_"]))
}

/// The credentials after the scheme of RFC 9110's `Authorization`.
pub(super) fn auth_header(random: &mut Random) -> Value {
    let (form, scheme, credentials) = match random.below(8) {
        0 | 1 => {
            let length = random.between(20, 80) as usize;
            ("opaque", "Bearer ", random.chars(URL64, length))
        }
        2 => ("hex", "Bearer ", random.chars(HEX, 40)),
        3 | 4 => {
            let length = random.between(3, 16) as usize;
            let pair = format!(
                "{}:{}",
                random.chars(LOWER, 6),
                random.chars(BASE62, length)
            );
            ("basic", "Basic ", base64(pair.as_bytes()))
        }
        5 => ("token", "Token ", random.chars(HEX, 40)),
        6 => {
            let length = random.between(24, 60) as usize * 4;
            (
                "negotiate",
                "Negotiate ",
                random.chars(BASE64, length - 2) + "==",
            )
        }
        _ => ("aws4", "AWS4-HMAC-SHA256 ", aws4(random)),
    };
    Value {
        category: "auth_header",
        grammar: format!("{form}/{}", credentials.len() % 4),
        known: Known::Announced,
        text: format!("{scheme}{credentials}"),
        lead: scheme.len(),
    }
}

fn aws4(random: &mut Random) -> String {
    let key = random.chars(super::random::BASE32, 16);
    let signature = random.hex(64);
    let region = random.word(&["us-east-1", "eu-west-1", "ap-south-1"]);
    format!(
        "Credential=AKIA{key}/20260205/{region}/s3/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={signature}"
    )
}

/// RFC 7519 in the compact form of RFC 7515.
pub(super) fn jwt(random: &mut Random) -> Value {
    let (algorithm, signature) = *random.pick(&[
        ("HS256", 43),
        ("HS512", 86),
        ("RS256", 342),
        ("ES256", 86),
        ("EdDSA", 86),
        ("none", 0),
    ]);
    let (form, header) = match random.below(4) {
        0 | 1 => ("alg-typ", format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#)),
        2 => ("typ-alg", format!(r#"{{"typ":"JWT","alg":"{algorithm}"}}"#)),
        _ => (
            "kid",
            format!(r#"{{"kid":"{}","alg":"{algorithm}"}}"#, random.hex(8)),
        ),
    };
    let subject = random.between(1, 99_999_999);
    let issued = random.between(1_600_000_000, 1_900_000_000);
    let claims = match random.below(3) {
        0 => format!(r#"{{"sub":"{subject}","iat":{issued}}}"#),
        1 => format!(r#"{{"iss":"https://id.example.com","sub":"u{subject}","exp":{issued}}}"#),
        _ => format!(r#"{{ "scope" : "read write", "sub" : "{subject}", "aud" : "api" }}"#),
    };
    let encode = |text: &str| {
        let text = base64(text.as_bytes()).replace('+', "-").replace('/', "_");
        text.trim_end_matches('=').to_owned()
    };
    let signature = random.chars(URL64, signature);
    let text = format!("{}.{}.{signature}", encode(&header), encode(&claims));
    let grammar = format!("{algorithm}/{form}");
    plain("jwt", grammar, Known::Anywhere, text)
}

/// RFC 7468 and its relatives, with lines of 64 characters.
pub(super) fn private_key(random: &mut Random) -> Value {
    let kind = random.word(&[
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "DSA PRIVATE KEY",
        "PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ]);
    let lines = random.between(2, 9) as usize;
    let mut body: Vec<String> = (0..lines).map(|_| random.chars(BASE64, 64)).collect();
    let rest = random.between(4, 15) as usize * 4;
    body.push(random.chars(BASE64, rest - 1) + "=");
    let headers = match kind {
        "RSA PRIVATE KEY" if random.chance(30) => {
            let salt = random.hex(32).to_uppercase();
            format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,{salt}\n\n")
        }
        "PGP PRIVATE KEY BLOCK" => "Version: GnuPG v2\n\n".to_owned(),
        _ => String::new(),
    };
    let body = body.join("\n");
    let text = format!("-----BEGIN {kind}-----\n{headers}{body}\n-----END {kind}-----");
    let grammar = format!("{kind}/{lines}");
    plain("private_key", grammar, Known::Anywhere, text)
}

//! Access tokens of clouds and services, each by the grammar that its issuer documents.

use super::checksum;
use super::random::{BASE32, BASE62, BASE64, HEX, Random, UPPER_DIGITS, URL64};
use super::value::{Known, Value};

const ALNUM_LOWER: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

/// A prefix, the alphabet of what follows, its length, and what ends the token.
type Shape = (&'static str, &'static str, usize, &'static str);

const SHAPES: &[Shape] = &[
    ("AKIA", BASE32, 16, ""),
    ("ASIA", BASE32, 16, ""),
    ("ABIA", BASE32, 16, ""),
    ("github_pat_11", BASE62, 80, ""),
    ("glpat-", URL64, 20, ""),
    ("sk_live_", BASE62, 24, ""),
    ("sk_test_", BASE62, 99, ""),
    ("rk_live_", BASE62, 24, ""),
    ("AIza", URL64, 35, ""),
    ("ya29.a0", URL64, 120, ""),
    ("sk-ant-api03-", URL64, 93, "AA"),
    ("sk-ant-admin01-", URL64, 93, "AA"),
    (
        "hf_",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        34,
        "",
    ),
    ("npm_", BASE62, 36, ""),
    ("pypi-AgEIcHlwaS5vcmc", URL64, 80, ""),
    ("dapi", HEX, 32, ""),
    ("dop_v1_", HEX, 64, ""),
    ("doo_v1_", HEX, 64, ""),
    ("shpat_", HEX, 32, ""),
    ("shpss_", HEX, 32, ""),
    ("hvs.", URL64, 96, ""),
    ("hvb.", URL64, 140, ""),
    ("NRAK-", UPPER_DIGITS, 27, ""),
    ("sntryu_", HEX, 64, ""),
    ("dckr_pat_", URL64, 27, ""),
    ("lin_api_", BASE62, 40, ""),
    ("rubygems_", HEX, 48, ""),
    ("sgp_", HEX, 40, ""),
    ("gsk_", BASE62, 52, ""),
    ("pul-", HEX, 40, ""),
    ("dp.pt.", BASE62, 43, ""),
    ("glptt-", HEX, 40, ""),
    ("LTAI", BASE62, 20, ""),
    ("shippo_live_", HEX, 40, ""),
    ("EZAK", BASE62, 54, ""),
];

pub(super) fn cloud_token(random: &mut Random) -> Value {
    let (form, known, text) = if random.chance(60) {
        let (prefix, alphabet, length, end) = *random.pick(SHAPES);
        let middle = random.chars(alphabet, length);
        // A character before a word boundary, so that the end of the token is known.
        let last = random.chars(if alphabet == URL64 { BASE62 } else { alphabet }, 1);
        let middle = format!("{}{last}", &middle[..length - 1]);
        (prefix, Known::Anywhere, format!("{prefix}{middle}{end}"))
    } else {
        composed(random)
    };
    Value {
        category: "cloud_token",
        grammar: form.to_owned(),
        known,
        text,
        lead: if form == "slack-hook" { HOOK.len() } else { 0 },
    }
}

/// What stands before the secret part of a hook.
const HOOK: &str = "https://hooks.slack.com/services/";

/// Tokens of several parts or with a checksum.
fn composed(random: &mut Random) -> (&'static str, Known, String) {
    let anywhere = |form, text| (form, Known::Anywhere, text);
    match random.below(13) {
        0 => {
            let kind = random.word(&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"]);
            let payload = random.chars(BASE62, 30);
            anywhere(
                kind,
                format!("{kind}{payload}{}", checksum::github(&payload)),
            )
        }
        1 => {
            let kind = random.word(&["xoxb-", "xoxp-"]);
            let (team, user) = (random.number(12), random.number(12));
            anywhere(
                kind,
                format!("{kind}{team}-{user}-{}", random.chars(BASE62, 24)),
            )
        }
        2 => {
            let (team, hook) = (
                random.chars(UPPER_DIGITS, 8),
                random.chars(UPPER_DIGITS, 10),
            );
            let secret = random.chars(BASE62, 24);
            let url = format!("{HOOK}T{team}/B{hook}/{secret}");
            anywhere("slack-hook", url)
        }
        3 => {
            let (left, right) = (random.chars(BASE62, 20), random.chars(BASE62, 20));
            anywhere("openai", format!("sk-{left}T3BlbkFJ{right}"))
        }
        4 => {
            let (left, right) = (random.chars(URL64, 21), random.chars(URL64, 42));
            anywhere("sendgrid", format!("SG.{left}a.{right}z"))
        }
        5 => anywhere("twilio", format!("SK{}", random.hex(32))),
        6 => {
            let (head, tail) = (random.chars(BASE62, 3), random.chars(BASE62, 33));
            anywhere("azure", format!("{head}8Q~{tail}"))
        }
        7 => {
            let (bot, secret) = (random.number(10), random.chars(URL64, 32));
            anywhere("telegram", format!("{bot}:AA{secret}x"))
        }
        8 => {
            let head = random.chars(BASE62, 14);
            let tail = random.chars(URL64, 63);
            anywhere("terraform", format!("{head}.atlasv1.{tail}k"))
        }
        9 => {
            let tail = random.chars(URL64, 175);
            anywhere(
                "atlassian",
                format!("ATATT3xFfGF0{tail}={}", random.hex(8).to_uppercase()),
            )
        }
        10 => {
            let (body, check) = (random.chars(BASE62, 32), random.hex(8));
            anywhere("glsa_", format!("glsa_{body}_{check}"))
        }
        11 => {
            let (left, right) = (random.hex(24), random.hex(34));
            anywhere("PMAK-", format!("PMAK-{left}-{right}"))
        }
        _ => {
            let secret = random.chars(BASE64, 39) + &random.chars(ALNUM_LOWER, 1);
            ("aws-secret", Known::Announced, secret)
        }
    }
}

//! Tokens of cloud and API providers that are known by their own form, as the providers document
//! it and the rules of gitleaks (MIT) and Nosey Parker (Apache-2.0) collect it.

use super::category::Category;
use super::finding::Finding;

/// The bytes a token is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    /// Letters and digits.
    Plain,
    /// Letters, digits, `-` and `_`.
    Any,
    /// Digits and the letters a to f.
    Hex,
    /// Capital letters and the digits 2 to 7.
    Capital,
}

impl Made {
    fn of(self, byte: u8) -> bool {
        match self {
            Self::Plain => byte.is_ascii_alphanumeric(),
            Self::Any => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Capital => matches!(byte, b'A'..=b'Z' | b'2'..=b'7'),
        }
    }
}

/// A beginning, what follows it, and the fewest and most bytes of that.
type Form = (&'static str, Made, usize, usize);

/// Longer than any run that is measured.
const OPEN: usize = usize::MAX;

/// Forms whose beginning is that of the run, sorted by it.
const BEGINNINGS: &[Form] = &[
    ("ABIA", Made::Capital, 16, 16),
    ("AC", Made::Hex, 32, 32),
    ("ACCA", Made::Capital, 16, 16),
    ("AIza", Made::Any, 35, 35),
    ("AKIA", Made::Capital, 16, 16),
    ("ASIA", Made::Capital, 16, 16),
    ("ATATT3", Made::Any, 40, OPEN),
    ("EAACEdEose0cBA", Made::Plain, 10, OPEN),
    ("EZAK", Made::Plain, 54, 54),
    ("EZTK", Made::Plain, 54, 54),
    ("GOCSPX-", Made::Any, 28, 28),
    ("LTAI", Made::Plain, 12, 20),
    ("NRAK-", Made::Plain, 27, 27),
    ("PMAK-", Made::Any, 59, 59),
    ("SK", Made::Hex, 32, 32),
    ("dapi", Made::Hex, 32, 34),
    ("dckr_pat_", Made::Any, 20, OPEN),
    ("doo_v1_", Made::Hex, 64, 64),
    ("dop_v1_", Made::Hex, 64, 64),
    ("dor_v1_", Made::Hex, 64, 64),
    ("gho_", Made::Plain, 36, 255),
    ("ghp_", Made::Plain, 36, 255),
    ("ghr_", Made::Plain, 36, 255),
    ("ghs_", Made::Plain, 36, 255),
    ("ghu_", Made::Plain, 36, 255),
    ("github_pat_", Made::Any, 22, OPEN),
    ("glc_", Made::Plain, 32, OPEN),
    ("gldt-", Made::Any, 20, OPEN),
    ("glpat-", Made::Any, 20, OPEN),
    ("glptt-", Made::Hex, 40, 40),
    ("glrt-", Made::Any, 20, OPEN),
    ("glsa_", Made::Any, 32, OPEN),
    ("gsk_", Made::Plain, 48, 60),
    ("hf_", Made::Plain, 30, 40),
    ("lin_api_", Made::Plain, 40, 40),
    ("npm_", Made::Plain, 36, 36),
    ("pscale_tkn_", Made::Any, 30, OPEN),
    ("pul-", Made::Hex, 40, 40),
    ("pypi-", Made::Any, 50, OPEN),
    ("rk_live_", Made::Plain, 10, 99),
    ("rk_prod_", Made::Plain, 10, 99),
    ("rk_test_", Made::Plain, 10, 99),
    ("rubygems_", Made::Hex, 48, 48),
    ("sgp_", Made::Hex, 40, 57),
    ("shippo_live_", Made::Hex, 40, 40),
    ("shippo_test_", Made::Hex, 40, 40),
    ("shpat_", Made::Hex, 32, 32),
    ("shpca_", Made::Hex, 32, 32),
    ("shppa_", Made::Hex, 32, 32),
    ("shpss_", Made::Hex, 32, 32),
    ("sk-", Made::Any, 32, OPEN),
    ("sk-ant-", Made::Any, 20, OPEN),
    ("sk-proj-", Made::Any, 20, OPEN),
    ("sk_live_", Made::Plain, 10, 99),
    ("sk_prod_", Made::Plain, 10, 99),
    ("sk_test_", Made::Plain, 10, 99),
    ("sntrys_", Made::Plain, 40, OPEN),
    ("sntryu_", Made::Hex, 64, 64),
    ("whsec_", Made::Plain, 24, OPEN),
    ("xapp-", Made::Any, 20, OPEN),
    ("xoxa-", Made::Any, 10, OPEN),
    ("xoxb-", Made::Any, 10, OPEN),
    ("xoxe-", Made::Any, 10, OPEN),
    ("xoxo-", Made::Any, 10, OPEN),
    ("xoxp-", Made::Any, 10, OPEN),
    ("xoxr-", Made::Any, 10, OPEN),
    ("xoxs-", Made::Any, 10, OPEN),
];

/// For each first byte of a beginning, the second bytes: one bit each. A quick look that is
/// right when it says no.
const SECOND: [u64; 64] = {
    let mut table = [0; 64];
    let mut at = 0;
    while at < BEGINNINGS.len() {
        if let [first, second, ..] = BEGINNINGS[at].0.as_bytes() {
            table[(*first & 63) as usize] |= 1 << (*second & 63);
        }
        at += 1;
    }
    table
};

/// Forms whose beginning stands before the run, which has a dot or slash between them.
const BEFORE: &[Form] = &[
    ("SG.", Made::Any, 20, 24),
    ("ya29.", Made::Any, 20, OPEN),
    ("hvs.", Made::Any, 20, OPEN),
    ("hvb.", Made::Any, 20, OPEN),
    ("hvr.", Made::Any, 20, OPEN),
    ("dp.pt.", Made::Plain, 40, 44),
    (ATLAS, Made::Any, 60, 70),
    ("Q~", Made::Any, 18, 34),
    ("1//0", Made::Any, 20, OPEN),
];

/// What stands between the parts of a token of Terraform Cloud, and how long the first is.
const ATLAS: &str = ".atlasv1.";
const ATLAS_HEAD: usize = 14;

/// The path of an incoming webhook of Slack.
const WEBHOOK: &[u8] = b"hooks.slack.com/services/";
/// Longest path between that and the secret.
const WEBHOOK_MAX: usize = 64;

/// The token in `run`, which begins at `start`.
pub(super) fn verify(text: &[u8], start: usize, run: &[u8]) -> Option<Finding> {
    let (first, second) = (*run.first()?, *run.get(1)?);
    let found = |from: usize, rule| {
        let end = checksum_end(text, start + run.len(), run);
        let end = if text
            .get(from..start)
            .is_some_and(|head| head.ends_with(b"."))
        {
            dotted_end(text, end)
        } else {
            end
        };
        Some(Finding::new(Category::CloudToken, from..end, (98, rule)))
    };
    let fits = |(_, made, least, most): &&Form, rest: &[u8]| {
        (*least..=*most).contains(&rest.len()) && rest.iter().all(|byte| made.of(*byte))
    };
    let begins = || {
        let from =
            BEGINNINGS.partition_point(|form| form.0.as_bytes() < [first, second].as_slice());
        let same = BEGINNINGS.get(from..).unwrap_or_default().iter();
        let mut same = same.take_while(|form| form.0.as_bytes().starts_with(&[first, second]));
        same.any(|form| {
            run.strip_prefix(form.0.as_bytes())
                .is_some_and(|rest| fits(&form, rest) && is_random(rest))
        })
    };
    let known = SECOND
        .get(usize::from(first & 63))
        .is_some_and(|seconds| seconds >> (second & 63) & 1 == 1);
    if known && begins() {
        return found(start, "prefix");
    }
    let head = text.get(start.saturating_sub(WEBHOOK_MAX)..start)?;
    match head.last()? {
        b'.' | b'~' | b'/' => {}
        b':' => return telegram(text, start, run),
        _ => return None,
    }
    if let Some(form) = BEFORE.iter().find(|form| head.ends_with(form.0.as_bytes())) {
        let earlier = match form.0 {
            "Q~" => 4,
            ATLAS => ATLAS_HEAD,
            _ => 0,
        };
        let from = (start - form.0.len()).checked_sub(earlier)?;
        return (fits(&form, run) && is_random(run)).then(|| found(from, "prefix"))?;
    }
    // The last part but one of such a path begins with a B.
    let part = memchr::memrchr(b'/', head.split_last()?.1)?;
    if head.get(part + 1) != Some(&b'B') {
        return None;
    }
    let webhook = memchr::memmem::find(head, WEBHOOK)?;
    found(start - head.len() + webhook + WEBHOOK.len(), "webhook")
}

/// The end of a token of Atlassian, which a checksum of eight digits follows after `=`; that of
/// others is where their run ends.
fn checksum_end(text: &[u8], end: usize, run: &[u8]) -> usize {
    const CHECKSUM: &[u8; 9] = b"=01234567";
    let next = text.get(end..end + CHECKSUM.len());
    let checksum = next.and_then(|next| next.strip_prefix(b"="));
    let hex = checksum.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if hex && run.starts_with(b"ATATT3") {
        end + CHECKSUM.len()
    } else {
        end
    }
}

/// A token of a bot of Telegram: its number, a colon, 35 bytes.
fn telegram(text: &[u8], start: usize, run: &[u8]) -> Option<Finding> {
    let head = text.get(..start - 1)?;
    let digits = head
        .iter()
        .rev()
        .take(11)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let bot = (8..=10).contains(&digits) && run.len() == 35 && run.starts_with(b"AA");
    let span = start - 1 - digits..start + run.len();
    bot.then(|| Finding::new(Category::CloudToken, span, (100, "telegram")))
}

/// Where the parts end that follow a first one, each after a dot.
fn dotted_end(text: &[u8], end: usize) -> usize {
    let rest = text.get(end..).unwrap_or_default();
    let Some(rest) = rest.strip_prefix(b".") else {
        return end;
    };
    let more = rest.iter().take_while(|byte| Made::Any.of(**byte)).count();
    if more >= 16 { end + 1 + more } else { end }
}

/// Whether the bytes are no words: a name such as `sk-learn-pipeline-configuration` has no digit,
/// and documentation repeats one letter.
fn is_random(run: &[u8]) -> bool {
    let digit = run.iter().any(u8::is_ascii_digit);
    let mixed = run.iter().any(u8::is_ascii_uppercase) && run.iter().any(u8::is_ascii_lowercase);
    let same = run.windows(2).all(|pair| pair.first() == pair.last());
    (digit || mixed || run.iter().all(|byte| Made::Capital.of(*byte))) && !same
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn beginnings_are_sorted() {
        assert!(super::BEGINNINGS.is_sorted_by_key(|form| form.0));
    }

    #[test]
    fn tokens() {
        let hex = "0123456789abcdef0123456789abcdef";
        let mixed = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5";
        let cases = [
            "AKIAIOSFODNN7EXAMPLE".to_owned(),
            format!("ghp_{mixed}"),
            "xoxb-123456789012-123456789012-abcdefABCDEF".to_owned(),
            format!("sk_live_{}", &mixed[..24]),
            format!("AIza{}", &mixed[..35]),
            format!("npm_{mixed}"),
            format!("SK{hex}"),
            format!("dapi{hex}"),
            format!("aB3dE5gH7jK9mN.atlasv1.{mixed}{mixed}")[..86].to_owned(),
            format!("dp.pt.{mixed}abcdeF7"),
            format!("LTAI{}", &mixed[..20]),
            format!("glpat-{}", &mixed[..20]),
            format!("SG.{}.{}", &mixed[..22], mixed),
            format!("hvs.{}", &mixed[..24]),
            format!("123456789:AA{}", &mixed[..33]),
            format!("ATATT3{mixed}{mixed}=1A2B3C4D"),
        ];
        for token in cases {
            for text in [
                token.clone(),
                format!("key {token}, x"),
                format!("\"{token}\""),
            ] {
                assert_eq!(
                    spans(Category::CloudToken, &text),
                    [token.as_str()],
                    "{text}"
                );
            }
        }
        let hook = "https://hooks.slack.com/services/T00000000/B00000000/aB3dE5gH7jK9mN1pQ3sT5vW7";
        let want = ["T00000000/B00000000/aB3dE5gH7jK9mN1pQ3sT5vW7"];
        assert_eq!(spans(Category::CloudToken, hook), want);
    }

    #[test]
    fn not_tokens() {
        let cases = [
            "sk-learn-pipeline-configuration-of-models",
            "AKIA-not-a-key-at-all-really",
            "req-3ea4052c-895d-4b64-9e2d-04d64c4d94ab",
            "blk_-1608999687919862906",
            "npm_config_registry_and_more_words_here",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ];
        for text in cases {
            assert_eq!(
                spans(Category::CloudToken, text),
                Vec::<&str>::new(),
                "{text}"
            );
        }
    }
}

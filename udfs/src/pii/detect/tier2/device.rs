//! Identities of mobile devices, SIM cards and subscribers (3GPP TS 23.003, ITU-T E.118).

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{is_uniform, luhn};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::Imei,
        shapes: &["##_######_######_#", "###############"],
        valid: |digits| luhn(digits) && !is_uniform(digits),
        words: &["imei"],
        evidence: Evidence::Word,
        name: "luhn+word",
    },
    Rule {
        category: Category::Imei,
        shapes: &["##_######_######_##", "################"],
        valid: |digits| !is_uniform(digits),
        words: &["imeisv"],
        evidence: Evidence::Word,
        name: "shape+word",
    },
    Rule {
        category: Category::Imsi,
        shapes: &["###_##_##########", "###_###_#########"],
        // Mobile country codes of ITU-T E.212 begin with 2 to 7, test networks with 001 and 999.
        valid: |digits| matches!(digits.first(), Some(b'2'..=b'7')) && !is_uniform(digits),
        words: &["imsi"],
        evidence: Evidence::Word,
        name: "country+word",
    },
    Rule {
        category: Category::Iccid,
        shapes: &[
            "89##################",
            "89#################",
            "89##_####_####_####_####",
            "89##_####_####_####_###",
        ],
        valid: luhn,
        words: &["iccid", "sim", "simcard"],
        evidence: Evidence::Check,
        name: "prefix+luhn",
    },
    Rule {
        category: Category::Msisdn,
        shapes: &[
            "###############",
            "##############",
            "#############",
            "############",
            "###########",
            "##########",
            "#########",
            "########",
        ],
        valid: |digits| !is_uniform(digits),
        words: &["msisdn"],
        evidence: Evidence::Word,
        name: "word",
    },
];

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};

    #[test]
    fn identities_need_their_word() {
        let cases: &[(Category, &str, &[&str])] = &[
            (Category::Imei, "imei=490154203237518", &["490154203237518"]),
            (
                Category::Imei,
                "IMEI 49-015420-323751-8",
                &["49-015420-323751-8"],
            ),
            (Category::Imei, "device 490154203237518 up", &[]),
            (Category::Imei, "imei=490154203237519 ", &[]),
            (
                Category::Imei,
                "imeisv: 4901542032375101",
                &["4901542032375101"],
            ),
            (
                Category::Imsi,
                "\"imsi\":\"310150123456789\"",
                &["310150123456789"],
            ),
            (Category::Imsi, "imsi=810150123456789 ", &[]),
            (
                Category::Iccid,
                "x 8944500102198304826 y",
                &["8944500102198304826"],
            ),
            (Category::Iccid, "x 8944500102198304827 y", &[]),
            (Category::Msisdn, "msisdn=447911123456;", &["447911123456"]),
            (Category::Msisdn, "count=447911123456;", &[]),
        ];
        for (category, text, want) in cases {
            assert_eq!(&spans(*category, text), want, "{text}");
        }
    }
}

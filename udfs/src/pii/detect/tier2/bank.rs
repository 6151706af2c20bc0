//! Account and routing numbers of the United States and business identifier codes (ISO 9362).

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{is_uniform, number, weighted};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::UsBankAccount,
        shapes: &[
            "#################",
            "################",
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
        words: &[
            "account",
            "acct",
            "accountno",
            "bankaccount",
            "checking",
            "savings",
        ],
        evidence: Evidence::Word,
        name: "word",
    },
    Rule {
        category: Category::AbaRouting,
        shapes: &["#########", "####-####-#"],
        valid: is_routing,
        words: &["routing", "aba", "rtn", "routingnumber", "transit"],
        evidence: Evidence::Word,
        name: "check+word",
    },
    Rule {
        category: Category::SwiftCode,
        shapes: &["AAAAAA*****", "AAAAAA**"],
        valid: |code| code.get(4..6).is_some_and(is_country),
        words: &["swift", "bic", "swiftcode", "swiftbic", "biccode"],
        evidence: Evidence::Word,
        name: "country+word",
    },
];

/// The check and the ranges of the American Bankers Association's routing numbers.
fn is_routing(digits: &[u8]) -> bool {
    let district = digits.get(..2).and_then(number);
    let known = matches!(district, Some(0..=12 | 21..=32 | 61..=72 | 80));
    let sum = weighted(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]);
    known && !is_uniform(digits) && sum.is_some_and(|sum| sum % 10 == 0)
}

/// Countries of ISO 3166-1 and Kosovo.
const COUNTRIES: &str = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZ\
CACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGM\
GNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLT\
LULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPN\
PRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZ\
UAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";

fn is_country(code: &[u8]) -> bool {
    COUNTRIES.as_bytes().chunks(2).any(|known| known == code)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};

    #[test]
    fn numbers_of_banks_need_their_word() {
        let cases: &[(Category, &str, &[&str])] = &[
            (
                Category::UsBankAccount,
                "account number: 000123456789",
                &["000123456789"],
            ),
            (Category::UsBankAccount, "offset=000123456789", &[]),
            (
                Category::AbaRouting,
                "routing 021000021 used",
                &["021000021"],
            ),
            (Category::AbaRouting, "routing 021000022 used", &[]),
            (Category::AbaRouting, "size 021000021 used", &[]),
            (Category::SwiftCode, "BIC: DEUTDEFF500", &["DEUTDEFF500"]),
            (Category::SwiftCode, "swift=NEDSZAJJ", &["NEDSZAJJ"]),
            (Category::SwiftCode, "swift=NEDSZZJJ", &[]),
            (Category::SwiftCode, "the word COMPLETE", &[]),
        ];
        for (category, text, want) in cases {
            assert_eq!(&spans(*category, text), want, "{text}");
        }
    }
}

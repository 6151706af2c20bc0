//! Telephone numbers of many countries, as their numbering plans define them and as people write
//! them.

use super::random::Random;
use super::value::{Known, Value};

/// Country code, trunk prefix, and national numbers as they are grouped; `#` is any digit, `N` one
/// from 2 to 9. From the national numbering plans, as the ITU lists them.
const PLANS: &[(&str, &str, &[&str])] = &[
    (
        "44",
        "0",
        &["20 7### ####", "7911 ######", "161 4## ####", "7700 9#####"],
    ),
    (
        "49",
        "0",
        &["30 N#######", "151 N#######", "89 N#######", "171 N######"],
    ),
    (
        "33",
        "0",
        &["1 4# ## ## ##", "6 ## ## ## ##", "4 7# ## ## ##"],
    ),
    ("34", "", &["6N# ### ###", "91N ### ###", "93N ## ## ##"]),
    (
        "39",
        "",
        &[
            "06 N### ####",
            "02 N### ####",
            "347 N## ####",
            "338 N######",
        ],
    ),
    ("31", "0", &["6 N#######", "20 N## ####", "10 N## ## ##"]),
    ("32", "0", &["47N ## ## ##", "2 5## ## ##"]),
    ("41", "0", &["79 N## ## ##", "44 N## ## ##"]),
    ("43", "0", &["664 N######", "1 5######"]),
    ("46", "0", &["70 N## ## ##", "8 5## ### ##"]),
    ("47", "", &["4N# ## ###", "9N# ## ###", "22 ## ## ##"]),
    ("45", "", &["2# ## ## ##", "3N ## ## ##"]),
    ("358", "0", &["40 N######", "50 N## ####"]),
    ("48", "", &["501 N## ###", "22 N## ## ##", "601 ### ###"]),
    ("420", "", &["602 ### ###", "777 ### ###"]),
    ("351", "", &["912 ### ###", "21 N## ## ##"]),
    ("353", "0", &["85 N## ####", "1 6## ####"]),
    ("30", "", &["694 N## ####", "21 0N## ####"]),
    ("36", "06", &["20 N## ####", "1 3## ####"]),
    ("40", "0", &["722 ### ###", "21 3## ## ##"]),
    ("359", "0", &["88 N## ####", "2 9## ####"]),
    ("90", "0", &["532 N## ## ##", "212 N## ## ##"]),
    ("7", "8", &["916 N## ## ##", "495 N## ## ##"]),
    ("380", "0", &["67 N## ## ##", "44 N## ## ##"]),
    ("972", "0", &["50 N## ####", "3 6## ####"]),
    ("971", "0", &["50 N## ####", "4 3## ####"]),
    ("966", "0", &["50 N## ####", "11 4## ####"]),
    ("91", "0", &["98### #####", "99### #####", "22 2### ####"]),
    ("92", "0", &["300 N######", "21 3### ####"]),
    (
        "86",
        "0",
        &["138 #### ####", "139 #### ####", "10 6### ####"],
    ),
    ("81", "0", &["90 N### ####", "3 3### ####"]),
    ("82", "0", &["10 N### ####", "2 5## ####"]),
    ("852", "", &["9N## ####", "2N## ####"]),
    ("65", "", &["81## ####", "9### ####", "6N## ####"]),
    ("60", "0", &["12 N## ####", "3 2### ####"]),
    ("66", "0", &["81 N## ####", "2 6## ####"]),
    ("62", "0", &["812 N### ####", "21 5### ####"]),
    ("63", "0", &["917 N## ####", "2 8### ####"]),
    ("84", "0", &["91 N## ## ##", "24 3### ####"]),
    ("61", "0", &["412 N## ###", "2 9### ####"]),
    ("64", "0", &["21 N## ####", "9 3## ####"]),
    ("55", "0", &["11 9#### ####", "21 9#### ####"]),
    ("52", "", &["55 N### ####", "33 N### ####"]),
    ("54", "0", &["11 4### ####"]),
    ("57", "", &["300 N## ####", "310 N## ####"]),
    ("56", "", &["9 N### ####", "2 2### ####"]),
    ("51", "", &["9N# ### ###"]),
    ("27", "0", &["82 N## ####", "11 4## ####"]),
    ("234", "0", &["803 N## ####"]),
    ("254", "0", &["712 N#####"]),
    ("20", "0", &["100 N## ####", "2 2### ####"]),
];

/// Area codes of North America that are in service.
const AREAS: &[&str] = &[
    "201", "202", "206", "212", "213", "214", "215", "216", "303", "305", "310", "312", "313",
    "314", "404", "408", "415", "416", "424", "469", "503", "504", "510", "512", "514", "602",
    "604", "612", "617", "619", "646", "650", "702", "703", "713", "718", "720", "773", "786",
    "800", "805", "813", "818", "832", "847", "858", "860", "888", "905", "909", "916", "917",
    "919", "925", "949", "954", "972", "978",
];

pub(super) fn phone(random: &mut Random) -> Value {
    let (grammar, known, text) = if random.chance(40) {
        north_american(random)
    } else {
        international(random)
    };
    Value {
        category: "phone",
        grammar,
        known,
        text,
        lead: 0,
    }
}

fn north_american(random: &mut Random) -> (String, Known, String) {
    let area = random.word(AREAS);
    let (exchange, line) = loop {
        let exchange = random.fill("N##");
        // Codes such as 411 and 911 are services, not exchanges.
        if !exchange.ends_with("11") {
            break (exchange, random.digits(4));
        }
    };
    let (form, text) = match random.below(12) {
        0 | 1 => ("(a) e-l", format!("({area}) {exchange}-{line}")),
        2 | 3 => ("a-e-l", format!("{area}-{exchange}-{line}")),
        4 => ("a.e.l", format!("{area}.{exchange}.{line}")),
        5 => ("a e l", format!("{area} {exchange} {line}")),
        6 => ("+1 a e l", format!("+1 {area} {exchange} {line}")),
        7 => ("+1-a-e-l", format!("+1-{area}-{exchange}-{line}")),
        8 => ("1-a-e-l", format!("1-{area}-{exchange}-{line}")),
        9 => ("+1ael", format!("+1{area}{exchange}{line}")),
        10 => ("+1 (a) e-l", format!("+1 ({area}) {exchange}-{line}")),
        _ => ("ael", format!("{area}{exchange}{line}")),
    };
    let known = if form == "ael" {
        Known::Announced
    } else {
        Known::Anywhere
    };
    let extension = if form.contains('-') && random.chance(15) {
        let number = random.number(3);
        random.word(&[" x", " ext. ", "x", " ext "]).to_owned() + &number
    } else {
        String::new()
    };
    let kind = extension.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let grammar = format!("1/{form}/{kind}/{}", &area[..1]);
    (grammar, known, text + &extension)
}

fn international(random: &mut Random) -> (String, Known, String) {
    let (country, trunk, plans) = random.pick(PLANS);
    let plan = random.word(plans);
    let national = random.fill(plan);
    let compact = national.replace(' ', "");
    let dashed = national.replace(' ', "-");
    let (form, known, text) = match random.below(9) {
        0..=2 => ("+c n", Known::Anywhere, format!("+{country} {national}")),
        3 | 4 => ("+cn", Known::Anywhere, format!("+{country}{compact}")),
        5 => ("+c-n", Known::Anywhere, format!("+{country}-{dashed}")),
        6 if *trunk == "0" => (
            "+c (0)n",
            Known::Anywhere,
            format!("+{country} (0){national}"),
        ),
        7 => ("00cn", Known::Announced, format!("00{country}{compact}")),
        _ => ("tn", Known::Announced, format!("{trunk}{national}")),
    };
    (format!("{country}/{form}/{plan}"), known, text)
}

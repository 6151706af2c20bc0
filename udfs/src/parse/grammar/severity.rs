//! Severities on the scale of OpenTelemetry: TRACE is 1 to 4, DEBUG 5 to 8, INFO 9 to 12, WARN 13
//! to
//! 16, ERROR 17 to 20 and FATAL 21 to 24.
//!
//! Source of the mappings: the logs data model of the OpenTelemetry specification, its appendix B.

/// Names, and the number each stands for.
const NAMES: [(&str, i8); 46] = [
    ("trace", 1),
    ("finest", 1),
    ("verbose", 1),
    ("all", 1),
    ("t", 1),
    ("v", 1),
    ("trace2", 2),
    ("finer", 3),
    ("trace3", 3),
    ("trace4", 4),
    ("debug", 5),
    ("fine", 5),
    ("dbg", 5),
    ("d", 5),
    ("debug2", 6),
    ("debug3", 7),
    ("debug4", 8),
    ("config", 8),
    ("info", 9),
    ("information", 9),
    ("informational", 9),
    ("log", 9),
    ("i", 9),
    ("notice", 10),
    ("note", 10),
    ("info2", 10),
    ("info3", 11),
    ("info4", 12),
    ("warn", 13),
    ("warning", 13),
    ("w", 13),
    ("warn2", 14),
    ("warn3", 15),
    ("warn4", 16),
    ("error", 17),
    ("err", 17),
    ("severe", 17),
    ("e", 17),
    ("critical", 18),
    ("crit", 18),
    ("error2", 18),
    ("alert", 19),
    ("error3", 19),
    ("fatal", 21),
    ("emerg", 21),
    ("panic", 21),
];

/// Names that are rarer, or longer than most.
const MORE: [(&str, i8); 8] = [
    ("error4", 20),
    ("emergency", 21),
    ("failure", 17),
    ("f", 21),
    ("fatal2", 22),
    ("fatal3", 23),
    ("fatal4", 24),
    ("c", 18),
];

/// The longest name.
const LONGEST: usize = 13;

/// The number of a name in any case; None when it is none.
#[must_use]
pub fn number(name: &str) -> Option<i8> {
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let mut names = NAMES.iter().chain(&MORE);
    let found = names.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, number)| *number)
}

/// The number of a name as it stands in a line of text: in upper case, and no letter alone.
#[must_use]
pub fn of_word(word: &str) -> Option<i8> {
    let is_name = word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    is_name.then(|| number(word))?
}

/// The number of a syslog severity, 0 to 7.
#[must_use]
pub fn of_syslog(severity: u8) -> Option<i8> {
    const NUMBERS: [i8; 8] = [21, 19, 18, 17, 13, 10, 9, 5];
    NUMBERS.get(usize::from(severity)).copied()
}

/// The number of a CEF severity as it stands in an event, 0 to 10; words stand for the beginning
/// of their range.
#[must_use]
pub fn in_cef(text: &str) -> Option<i8> {
    const WORDS: [(&str, i8); 4] = [("low", 0), ("medium", 4), ("high", 7), ("very-high", 9)];
    if let Ok(number) = text.trim().parse::<i8>() {
        return Some(number).filter(|number| (0..=10).contains(number));
    }
    let mut words = WORDS.iter();
    let found = words.find(|(word, _)| word.eq_ignore_ascii_case(text.trim()));
    found.map(|(_, number)| *number)
}

/// The number on the scale of a CEF severity, 0 to 10.
#[must_use]
pub fn of_cef(severity: i8) -> Option<i8> {
    match severity {
        0..=3 => Some(9),
        4..=6 => Some(13),
        7..=8 => Some(17),
        9..=10 => Some(21),
        _ => None,
    }
}

/// The number of a level that pino and bunyan write: 10 is trace, 60 fatal.
#[must_use]
pub fn of_pino(level: i64) -> Option<i8> {
    match level {
        10 => Some(1),
        20 => Some(5),
        30 => Some(9),
        40 => Some(13),
        50 => Some(17),
        60 => Some(21),
        _ => None,
    }
}

/// The short name of a number's range.
#[must_use]
pub fn name(number: i8) -> Option<&'static str> {
    Some(match number {
        1..=4 => "TRACE",
        5..=8 => "DEBUG",
        9..=12 => "INFO",
        13..=16 => "WARN",
        17..=20 => "ERROR",
        21..=24 => "FATAL",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case() {
        let cases = [
            ("INFO", Some(9)),
            ("Warning", Some(13)),
            ("err", Some(17)),
            ("CRITICAL", Some(18)),
            ("fatal", Some(21)),
            ("TRACE2", Some(2)),
            ("informational", Some(9)),
            ("", None),
            ("informationally", None),
            ("infos", None),
            ("3", None),
            ("\u{e9}", None),
        ];
        for (text, want) in cases {
            assert_eq!(number(text), want, "{text}");
        }
        assert!(
            NAMES
                .iter()
                .chain(&MORE)
                .all(|(name, _)| name.len() <= LONGEST)
        );
    }

    #[test]
    fn every_number_has_the_name_of_its_range() {
        for (text, number) in NAMES.iter().chain(&MORE) {
            let short = name(*number).unwrap();
            let least = super::number(short).unwrap();
            assert!((least..least + 4).contains(number), "{text}");
        }
    }
}

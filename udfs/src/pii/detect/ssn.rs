//! Social security numbers of the United States: three, two and four digits, and the areas,
//! groups and serials that the Social Security Administration never issues.

use super::boundary::{closes, is_whole, opens};
use super::context::{Hint, SSN, hint};
use super::groups::Groups;
use super::{Category, Finding};

/// Numbers printed in advertisements and examples, never valid for a person.
const VOID: [u32; 2] = [78_051_120, 219_099_999];

/// A sequence rather than a number, unless it is written as one.
const SEQUENCE: u32 = 123_456_789;

/// The number that begins at the first of `groups`.
pub(super) fn verify(text: &[u8], groups: &Groups) -> Option<Finding> {
    let count = match groups.sizes() {
        [9, ..] => 1,
        [3, 2, 4, ..] => 3,
        _ => return None,
    };
    let end = groups.end(count);
    if !opens(text, groups.start) || !closes(text, end) {
        return None;
    }
    let digits = text
        .get(groups.start..end)?
        .iter()
        .filter(|byte| byte.is_ascii_digit());
    let value = digits.fold(0, |value, digit| 10 * value + u32::from(digit - b'0'));
    if !is_issued(value) || count == 1 && value == SEQUENCE {
        return None;
    }
    let written = groups.separator_of(count) == b'-';
    let announced =
        || hint(text, groups.start, SSN) == Hint::For || is_whole(text, groups.start, end);
    (written || announced()).then_some(Finding::new(Category::UsSsn, groups.start, end))
}

fn is_issued(value: u32) -> bool {
    let (area, group, serial) = (value / 1_000_000, value / 10_000 % 100, value % 10_000);
    let uniform = value.is_multiple_of(111_111_111);
    !matches!(area, 0 | 666 | 900..)
        && group != 0
        && serial != 0
        && !uniform
        && !VOID.contains(&value)
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn numbers() {
        let cases: &[(&str, &[&str])] = &[
            ("536-90-4399", &["536-90-4399"]),
            ("Here's my SSN: 308-63-0237.", &["308-63-0237"]),
            ("ssn=536904399", &["536904399"]),
            ("ssn: 536 90 4399", &["536 90 4399"]),
            ("social security number is 536.90.4399", &["536.90.4399"]),
            ("536904399", &["536904399"]),
            ("a,123-45-6789,b", &["123-45-6789"]),
            ("\"ssn\":\"536904399\"", &["536904399"]),
        ];
        for (text, want) in cases {
            assert_eq!(&spans(Category::UsSsn, text), want, "{text}");
        }
    }

    #[test]
    fn not_numbers() {
        let cases = [
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "536-00-4399",
            "536-90-0000",
            "078-05-1120",
            "111-11-1111",
            "536904399 bytes",
            "id=536904399",
            "536 90 4399 rows",
            "ssn 123456789",
            "1536-90-4399",
            "536-90-43991",
            "536-90-4399-1",
            "a-536-90-4399",
            "xxx-xx-4399",
            "ssn: xxx-xx-4399",
        ];
        for text in cases {
            let text = format!("a {text} b");
            assert_eq!(spans(Category::UsSsn, &text), Vec::<&str>::new(), "{text}");
        }
    }
}

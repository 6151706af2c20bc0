//! Social security numbers of the United States, and the taxpayer numbers written like them:
//! three, two and four digits, with the areas, groups and serials that are issued
//! (Social Security Administration, "SSN randomization"; IRS, "Individual taxpayer number").

use super::boundary::{closes, is_whole, opens};
use super::category::Category;
use super::context::{Hint, SSN, hint};
use super::finding::Finding;
use super::groups::Groups;

/// Numbers printed in advertisements and examples, never valid for a person.
const VOID: [u32; 2] = [78_051_120, 219_099_999];
/// Numbers reserved for advertisements.
const ADVERTISED: std::ops::RangeInclusive<u32> = 987_654_320..=987_654_329;
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
    let category = category(value).filter(|_| count > 1 || value != SEQUENCE)?;
    let evidence = match () {
        () if groups.separator_of(count) == b'-' => (95, "range+grouping"),
        () if hint(text, groups.start, SSN) == Hint::For => (100, "range+context"),
        () if is_whole(text, groups.start, end) => (80, "range+alone"),
        () => return None,
    };
    Some(Finding::new(category, groups.start..end, evidence))
}

fn category(value: u32) -> Option<Category> {
    let (area, group, serial) = (value / 1_000_000, value / 10_000 % 100, value % 10_000);
    let uniform = value.is_multiple_of(111_111_111);
    if group == 0 || serial == 0 || uniform || VOID.contains(&value) || ADVERTISED.contains(&value)
    {
        return None;
    }
    match area {
        0 | 666 => None,
        900.. => matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99).then_some(Category::UsItin),
        _ => Some(Category::UsSsn),
    }
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
        assert_eq!(spans(Category::UsItin, "itin 912-70-1234"), ["912-70-1234"]);
        assert_eq!(spans(Category::UsItin, "itin=912701234"), ["912701234"]);
        assert_eq!(
            spans(Category::UsItin, "itin 912-69-1234"),
            Vec::<&str>::new()
        );
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
            "987-65-4321",
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

//! Telephone numbers: international numbers with their plus sign (ITU-T E.164), North American
//! ones in the groupings they are written in, and any number that a word announces.

use std::ops::Range;

use super::boundary::{before, closes, digits_end, is_whole, is_word, opens, plus_before};
use super::category::Category;
use super::context::{
    CALLER, Hint, PHONE, PHONE_AFTER, follows, hint, labels_identifier, may_announce_phone,
};
use super::finding::Finding;
use super::groups::{GROUPS_MAX, Groups};
use super::plan::{self, DIGITS_MAX};

/// Fewest digits of a number that a word announces.
const ANNOUNCED_MIN: usize = 7;
/// Fewest digits of an international number that no word announces.
const INTERNATIONAL_MIN: usize = 8;
/// A first group of this many digits is a number by itself.
const BARE_MIN: usize = 9;
/// Longest text that may be a number and nothing else.
const ALONE_MAX: usize = 64;
/// Most digits of an extension.
const EXTENSION_MAX: usize = 6;
/// Years that make groups a date.
const YEARS: std::ops::RangeInclusive<u32> = 1900..=2100;

/// Whether groups without a plus sign or parentheses may be a number, which few are: a quick look
/// that is right when it says no.
pub(super) fn may_be(text: &[u8], groups: &Groups) -> bool {
    let north_american = groups
        .sizes()
        .windows(3)
        .take(2)
        .any(|sizes| sizes == [3, 3, 4]);
    let end = groups.end(groups.count());
    north_american
        || may_be_announced(text, groups.start)
        || (1..=groups.count()).any(|count| follows(text, groups.end(count), PHONE_AFTER))
        || text
            .get(end)
            .is_some_and(|next| matches!(next, b'x' | b'X'))
}

/// The same of digits with nothing of a number behind them.
pub(super) fn may_be_alone(text: &[u8], digits: Range<usize>) -> bool {
    digits.len() >= ANNOUNCED_MIN
        && !text.get(digits.end).copied().is_some_and(is_word)
        && (may_be_announced(text, digits.start) || follows(text, digits.end, PHONE_AFTER))
}

/// Whether what stands before a number may make it one of a telephone.
fn may_be_announced(text: &[u8], start: usize) -> bool {
    may_announce_phone(text, start) || text.len() <= ALONE_MAX && begins_text(text, start)
}

fn begins_text(text: &[u8], start: usize) -> bool {
    text.get(..start)
        .is_some_and(|head| head.trim_ascii().is_empty())
}

/// The number whose first digit is at `first`.
pub(super) fn verify(text: &[u8], first: usize) -> Option<Finding> {
    let shape = Shape::read(text, first)?;
    if !shape.opens(text) {
        return None;
    }
    let north_american = || shape.north_american().filter(|_| !shape.in_row(text));
    let count = north_american().or_else(|| shape.international(text));
    if let Some(found) = count.and_then(|count| shape.finding(text, count, (95, "plan"))) {
        return Some(found);
    }
    let count = shape.announced_groups()?;
    let found = shape.finding(text, count, (85, "context"))?;
    let announced = match hint(text, shape.start, PHONE) {
        // A caller's id is a number, a cell's id is none.
        Hint::For => !labels_identifier(text, shape.start, CALLER),
        Hint::Against => false,
        Hint::Silent => {
            follows(text, found.end, PHONE_AFTER)
                || is_whole(text, found.start, found.end) && shape.may_stand_alone(count)
        }
    };
    announced.then_some(found)
}

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    value: u32,
    size: usize,
    end: usize,
    /// The byte between the group before and this one, 0 for none.
    separator: u8,
    parenthesised: bool,
}

/// Groups of digits with the marks that phone numbers have between them.
#[derive(Debug, Default)]
struct Shape {
    start: usize,
    /// The first digit.
    digits: usize,
    plus: bool,
    groups: [Group; GROUPS_MAX],
    count: usize,
}

impl Shape {
    fn read(text: &[u8], first: usize) -> Option<Self> {
        let mut shape = Self {
            start: first,
            digits: first,
            ..Self::default()
        };
        let plus = plus_before(text, shape.start);
        shape.plus = plus > 0;
        shape.start -= plus;
        let mut open = before(text, shape.start) == Some(b'(');
        shape.start -= usize::from(open);
        let (mut at, mut separator, mut digits) = (first, 0, 0);
        for group in &mut shape.groups {
            let end = digits_end(text, at);
            let size = end - at;
            digits += size;
            let closed = !open || text.get(end) == Some(&b')');
            if size == 0 || digits > DIGITS_MAX || !closed {
                break;
            }
            let digits = text.get(at..end).unwrap_or_default();
            let value = digits
                .iter()
                .take(9)
                .fold(0, |v, digit| 10 * v + u32::from(digit - b'0'));
            let end = end + usize::from(open);
            *group = Group {
                value,
                size,
                end,
                separator,
                parenthesised: open,
            };
            shape.count += 1;
            let next = text.get(end).copied().unwrap_or(0);
            separator = if matches!(next, b' ' | b'-' | b'.' | b'/') {
                next
            } else {
                0
            };
            at = end + usize::from(separator != 0);
            open = text.get(at) == Some(&b'(');
            at += usize::from(open);
        }
        (shape.count > 0).then_some(shape)
    }

    fn groups(&self) -> &[Group] {
        self.groups.get(..self.count).unwrap_or_default()
    }

    fn opens(&self, text: &[u8]) -> bool {
        let marked = self.plus
            || self
                .groups()
                .first()
                .is_some_and(|group| group.parenthesised);
        if marked {
            !before(text, self.start).is_some_and(is_word)
        } else {
            opens(text, self.start)
        }
    }

    /// How many groups are a number of the North American plan, where it needs no announcement.
    fn north_american(&self) -> Option<usize> {
        let lead =
            usize::from(self.groups().first()?.value == 1 && self.groups().first()?.size != 2);
        let [area, exchange, line, ..] = self.groups().get(lead..)? else {
            return None;
        };
        if [area.size, exchange.size, line.size] != [3, 3, 4] {
            return None;
        }
        let even = exchange.separator == line.separator;
        let assigned = (200..1000).contains(&area.value) && (200..1000).contains(&exchange.value);
        let stands = match line.separator {
            b'-' => area.parenthesised || even && (area.value >= 200 || lead == 1 || self.plus),
            b'.' => area.parenthesised || even && assigned,
            b' ' => {
                let written = area.parenthesised || even && (lead == 1 || self.plus);
                assigned && (written || even && is_area(area.value) && exchange.value % 100 != 11)
            }
            _ => false,
        };
        stands.then_some(lead + 3)
    }

    /// Whether groups between spaces stand in a row of other numbers.
    fn in_row(&self, text: &[u8]) -> bool {
        let [first, others @ ..] = self.groups() else {
            return false;
        };
        let spaced = others.iter().all(|one| one.separator == b' ');
        let marked = self.plus || self.groups().iter().any(|one| one.parenthesised);
        let head = text.get(self.start.saturating_sub(2)..self.start);
        let follows = matches!(head, Some([b'0'..=b'9', b' ']));
        let longer = others.len() > if first.value == 1 { 3 } else { 2 };
        spaced && !marked && (follows || longer)
    }

    /// How many groups follow a plus sign and are as many digits as the plan of their country has.
    fn international(&self, text: &[u8]) -> Option<usize> {
        if !self.plus {
            return None;
        }
        let mut digits = [0; DIGITS_MAX];
        let (mut length, mut at, mut found) = (0, self.digits, None);
        for (count, group) in self.groups().iter().enumerate() {
            let written = text.get(at..group.end)?;
            at = group.end;
            for digit in written.iter().filter(|byte| byte.is_ascii_digit()) {
                *digits.get_mut(length)? = *digit;
                length += 1;
            }
            let whole = digits.get(..length).is_some_and(plan::is_number);
            found = if whole { Some(count + 1) } else { found };
        }
        found.filter(|_| length >= INTERNATIONAL_MIN)
    }

    /// How many groups are a number if a word says so.
    fn announced_groups(&self) -> Option<usize> {
        let groups = self.groups();
        let first = groups.first()?;
        let glued = groups
            .iter()
            .skip(1)
            .position(|group| !self.continues(group));
        let count = if first.size >= BARE_MIN {
            1
        } else {
            glued.map_or(groups.len(), |at| at + 1)
        };
        let groups = groups.get(..count)?;
        let digits = groups.iter().map(|group| group.size).sum::<usize>();
        let enough = digits >= ANNOUNCED_MIN || digits == ANNOUNCED_MIN - 1 && count > 2;
        (enough && !is_date(groups) && !is_machine_address(groups)).then_some(count)
    }

    /// Whether `group` has the separator of the whole number.
    fn continues(&self, group: &Group) -> bool {
        let second = self
            .groups()
            .iter()
            .skip(1)
            .find(|other| other.separator != 0);
        let marked = self.plus || self.groups().iter().any(|other| other.parenthesised);
        marked || second.is_some_and(|other| other.separator == group.separator)
    }

    /// Whether the groups look like a number with nothing around them.
    fn may_stand_alone(&self, count: usize) -> bool {
        match self.groups().first() {
            Some(only) if count == 1 && !self.plus => {
                let ten = if only.size == 11 {
                    only.value / 10 % 10_000_000
                } else {
                    only.value
                };
                (only.size == 10 && ten / 100_000_000 >= 2)
                    || (only.size == 11
                        && only.value / 10_000_000 >= 12
                        && only.value / 10_000_000 < 20)
            }
            _ => true,
        }
    }

    fn finding(
        &self,
        text: &[u8],
        count: usize,
        (score, rule): (u8, &'static str),
    ) -> Option<Finding> {
        let mark = self.groups().get(count.checked_sub(1)?)?.end;
        let end = extension_end(text, mark).unwrap_or(mark);
        let finding = Finding {
            category: Category::Phone,
            start: self.start,
            end,
            mark,
            score,
            rule,
        };
        closes(text, end).then_some(finding)
    }
}

/// Whether North America can have this area code: the second digit is no nine, the last two are
/// not eleven, and 200, 300 and 400 are kept back (NANPA, planning letters).
const fn is_area(code: u32) -> bool {
    code / 10 % 10 != 9 && code % 100 != 11 && !matches!(code, 200 | 300 | 400)
}

fn is_date(groups: &[Group]) -> bool {
    let [one, two, three, ..] = groups else {
        return false;
    };
    match [one.size, two.size, three.size] {
        [4, 1..=2, 1..=2] => YEARS.contains(&one.value),
        [1..=2, 1..=2, 4] => YEARS.contains(&three.value),
        _ => false,
    }
}

fn is_machine_address(groups: &[Group]) -> bool {
    groups.len() == 4
        && groups.iter().skip(1).all(|group| group.separator == b'.')
        && groups
            .iter()
            .all(|group| group.value < 256 && group.size <= 3)
}

/// The end of an extension such as `x123` or ` ext. 123` at `at`.
fn extension_end(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let rest = match rest.get(..3) {
        Some(word) if word.eq_ignore_ascii_case(b"ext") => {
            let rest = rest.get(3..)?;
            rest.strip_prefix(b".").unwrap_or(rest)
        }
        _ => rest
            .strip_prefix(b"x")
            .or_else(|| rest.strip_prefix(b"X"))?,
    };
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let start = text.len() - rest.len();
    let end = digits_end(text, start);
    ((1..=EXTENSION_MAX).contains(&(end - start))).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn numbers() {
        let cases: &[(&str, &[&str])] = &[
            ("a (212) 555-7890 b", &["(212) 555-7890"]),
            ("a (212)555-7890 b", &["(212)555-7890"]),
            ("a (212)-555-7890 b", &["(212)-555-7890"]),
            ("a +49 (0)-30-901820 b", &["+49 (0)-30-901820"]),
            ("{\"smsTo\":\"2125557890\"}", &["2125557890"]),
            (
                "telFixe=0145678901 fax[2125557890]",
                &["0145678901", "2125557890"],
            ),
            ("Tel: 1-800 555 1234", &["1-800 555 1234"]),
            ("phone=2125557890ext12", &["2125557890ext12"]),
            ("Tel. (0511) 2012 34 56", &["(0511) 2012 34 56"]),
            ("a 212-555-7890, b", &["212-555-7890"]),
            ("a 555-123-4567 b", &["555-123-4567"]),
            ("a 212.555.7890 b", &["212.555.7890"]),
            ("a 1-800-555-1234 b", &["1-800-555-1234"]),
            ("a +1 212 555 7890 b", &["+1 212 555 7890"]),
            ("a +1 (212) 555-7890 x12 b", &["+1 (212) 555-7890 x12"]),
            ("a +12125557890 b", &["+12125557890"]),
            ("?a=%2B12125557890&b", &["%2B12125557890"]),
            ("a +33 (0)6 59 62 47 07 b", &["+33 (0)6 59 62 47 07"]),
            ("a 800 446 3273 b", &["800 446 3273"]),
            ("caller_id=2125557890", &["2125557890"]),
            ("a +44 20 7946 0958 b", &["+44 20 7946 0958"]),
            ("a +49-30-901820 b", &["+49-30-901820"]),
            ("a +33 (0)1 23 45 67 89 b", &["+33 (0)1 23 45 67 89"]),
            ("?to=%2B14155550100&x", &["%2B14155550100"]),
            ("INVITE sip:4155550100@10.0.0.1", &["4155550100"]),
            ("call 20-32-85-26", &["20-32-85-26"]),
            ("phone=5551234567", &["5551234567"]),
            ("\"msisdn\":\"447911123456\"", &["447911123456"]),
            ("tel: 0487 23 46 71.", &["0487 23 46 71"]),
            ("call (88) 684-334", &["(88) 684-334"]),
            ("785 8949-Office", &["785 8949"]),
            ("833.719.3994x1887", &["833.719.3994x1887"]),
            ("2125557890", &["2125557890"]),
            ("order_id=212-555-7890", &["212-555-7890"]),
        ];
        for (text, want) in cases {
            assert_eq!(&spans(Category::Phone, text), want, "{text}");
        }
    }

    #[test]
    fn not_numbers() {
        let cases = [
            "1700000000",
            "2125557890",
            "2005-06-03-15.42.50.363779",
            "10.251.43.191:50010",
            "call 10.251.43.191",
            "call 2023-01-15",
            "call at 12/25/2023",
            "phone id=2125557890",
            "blk_2125557890",
            "212-555-78901",
            "1212-555-7890",
            "536-90-4399",
            "300 400 5000",
            "1 212 555 7890 22 33",
            "9 212 555 7890",
            "118-280-3487",
            "cell_id=2125557890",
            "day=20261121 fax=x",
            "v212.555.7890",
            "+0123456789",
            "a+12125557890",
            "xxx-xxx-7890",
            "phone xxx-xxx-7890",
            "phone: 12345",
            "67108864 bytes",
            "550e8400-e29b-41d4-a716-446655440000",
        ];
        for text in cases {
            let text = format!("a {text} b");
            assert_eq!(spans(Category::Phone, &text), Vec::<&str>::new(), "{text}");
        }
    }
}

//! Telephone numbers: international numbers with their plus sign (ITU-T E.164), North American
//! ones in the groupings they are written in, and any number that a word announces.

use super::boundary::{before, closes, digits_end, is_whole, is_word, opens};
use super::context::{Hint, PHONE, PHONE_AFTER, follows, hint};
use super::groups::GROUPS_MAX;
use super::{Category, Finding};

/// Most digits of an international number.
const DIGITS_MAX: usize = 15;
/// Fewest digits of a number that a word announces.
const ANNOUNCED_MIN: usize = 7;
/// Fewest digits of an international number written with separators, and without.
const INTERNATIONAL_MIN: usize = 8;
const INTERNATIONAL_BARE_MIN: usize = 10;
/// A first group of this many digits is a number by itself.
const BARE_MIN: usize = 9;
/// Most digits of an extension.
const EXTENSION_MAX: usize = 6;
/// Years that make groups a date.
const YEARS: std::ops::RangeInclusive<u32> = 1900..=2100;

/// The number whose first digit is at `first`.
pub(super) fn verify(text: &[u8], first: usize) -> Option<Finding> {
    let shape = Shape::read(text, first)?;
    if !shape.opens(text) {
        return None;
    }
    let count = shape.north_american().or_else(|| shape.international());
    if let Some(found) = count.and_then(|count| shape.finding(text, count)) {
        return Some(found);
    }
    let count = shape.announced_groups()?;
    let found = shape.finding(text, count)?;
    let announced = match hint(text, shape.start, PHONE) {
        Hint::For => true,
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
    /// The first digit as written.
    first: u8,
    size: usize,
    end: usize,
    /// The byte between the group before and this one, 0 for none.
    separator: u8,
    parenthesised: bool,
}

impl Group {
    /// Whether the first two digits may begin a country code (ITU-T E.164 list of codes): none
    /// begins with 0, and 28, 83 and 89 are not assigned.
    const fn begins_with_code(&self) -> bool {
        let mut two = self.value;
        while two > 99 {
            two /= 10;
        }
        self.first != b'0' && !matches!(two, 28 | 83 | 89)
    }
}

/// Groups of digits with the marks that phone numbers have between them.
#[derive(Debug, Default)]
struct Shape {
    start: usize,
    plus: bool,
    groups: [Group; GROUPS_MAX],
    count: usize,
}

impl Shape {
    fn read(text: &[u8], first: usize) -> Option<Self> {
        let mut shape = Self {
            start: first,
            ..Self::default()
        };
        shape.plus = before(text, shape.start) == Some(b'+');
        shape.start -= usize::from(shape.plus);
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
            let first = digits.first().copied().unwrap_or(0);
            *group = Group {
                value,
                first,
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
            b'-' => area.parenthesised || even,
            b'.' => area.parenthesised || even && assigned,
            b' ' => (area.parenthesised || even && (lead == 1 || self.plus)) && assigned,
            _ => false,
        };
        stands.then_some(lead + 3)
    }

    /// How many groups follow a plus sign and a country code that is in use.
    fn international(&self) -> Option<usize> {
        let digits = self.groups().iter().map(|group| group.size).sum::<usize>();
        let first = self.groups().first()?;
        let least = if self.count > 1 {
            INTERNATIONAL_MIN
        } else {
            INTERNATIONAL_BARE_MIN
        };
        (self.plus && digits >= least && first.begins_with_code()).then_some(self.count)
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

    fn finding(&self, text: &[u8], count: usize) -> Option<Finding> {
        let mark = self.groups().get(count.checked_sub(1)?)?.end;
        let end = extension_end(text, mark).unwrap_or(mark);
        let finding = Finding {
            category: Category::Phone,
            start: self.start,
            end,
            mark,
        };
        closes(text, end).then_some(finding)
    }
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
            ("a 212-555-7890, b", &["212-555-7890"]),
            ("a 555-123-4567 b", &["555-123-4567"]),
            ("a 212.555.7890 b", &["212.555.7890"]),
            ("a 1-800-555-1234 b", &["1-800-555-1234"]),
            ("a +1 212 555 7890 b", &["+1 212 555 7890"]),
            ("a +1 (212) 555-7890 x12 b", &["+1 (212) 555-7890 x12"]),
            ("a +12125557890 b", &["+12125557890"]),
            ("a +44 20 7946 0958 b", &["+44 20 7946 0958"]),
            ("a +49-30-901820 b", &["+49-30-901820"]),
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

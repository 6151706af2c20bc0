//! Masks of the categories that are looked for by name. What they leave is no finding itself.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::pii::detect::Category;

/// Characters of an identifier that stay.
const KEPT: usize = 4;
/// Hexadecimal digits of a hardware address that stay: those of its maker.
const MAKER: usize = 6;
/// Decimals of a coordinate that stay: a kilometre.
const DECIMALS: usize = 2;

/// Appends what a mask shows of `value`. Returns false, having written nothing, for a category of
/// which nothing may be shown.
pub(crate) fn push(category: Category, value: &str, out: &mut String) -> bool {
    match category {
        Category::Person | Category::Address | Category::Organization | Category::DateOfBirth => {
            return false;
        }
        Category::IpAddress => match value.parse() {
            Ok(IpAddr::V4(address)) => {
                let [first, second, third, _] = address.octets();
                // Writing to a string cannot fail.
                let _ = write!(out, "{first}.{second}.{third}.xxx");
            }
            Ok(IpAddr::V6(address)) => {
                let [first, second, third, ..] = address.segments();
                let _ = write!(out, "{first:x}:{second:x}:{third:x}:xxxx");
            }
            Err(_) => return false,
        },
        Category::MacAddress => {
            let mut digits = 0;
            out.extend(value.chars().map(|letter| {
                digits += usize::from(letter.is_ascii_hexdigit());
                let hidden = digits > MAKER && letter.is_ascii_hexdigit();
                if hidden { 'x' } else { letter }
            }));
        }
        Category::Coordinates => {
            let mut decimals = None;
            out.extend(value.chars().filter(|letter| {
                decimals = match (letter, decimals) {
                    ('.', _) => Some(0),
                    ('0'..='9', Some(count)) => Some(count + 1),
                    _ => None,
                };
                decimals.is_none_or(|count| count <= DECIMALS)
            }));
        }
        Category::Username => {
            // Half of an escape would break the text around it.
            out.extend(value.chars().next().filter(|first| *first != '\\'));
            out.push_str("***");
        }
        _ => {
            let letters = value.chars().filter(char::is_ascii_alphanumeric);
            let hidden = letters.clone().count().saturating_sub(KEPT);
            out.push_str("xxxx");
            out.extend(letters.skip(hidden));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_what_they_promise() {
        let cases = [
            (Category::IpAddress, "10.20.30.40", "10.20.30.xxx"),
            (Category::IpAddress, "2001:db8:5::1", "2001:db8:5:xxxx"),
            (
                Category::MacAddress,
                "00:1A:2b:3c:4D:5e",
                "00:1A:2b:xx:xx:xx",
            ),
            (Category::MacAddress, "001a.2b3c.4d5e", "001a.2bxx.xxxx"),
            (
                Category::Coordinates,
                "40.712776, -74.005974",
                "40.71, -74.00",
            ),
            (Category::Username, "bob", "b***"),
            (Category::Username, "\\\\\\\\x", "***"),
            (Category::UkNhs, "943 476 5919", "xxxx5919"),
            (Category::Imei, "490154203237518", "xxxx7518"),
        ];
        for (category, value, want) in cases {
            let mut out = String::new();
            assert!(push(category, value, &mut out));
            assert_eq!(out, want);
        }
        assert!(!push(Category::Person, "Eva", &mut String::new()));
    }
}

//! Verification codes and PINs of payment cards: three to six digits, known by their name alone.

use super::boundary::{closes, digits_end};
use super::secret_value::{self, Gap, Span};

/// Digits of a code or a PIN.
const DIGITS: std::ops::RangeInclusive<usize> = 3..=6;
/// Hexadecimal digits of an encrypted PIN block (ISO 9564).
const BLOCK: usize = 16;

/// The code after a separator that ends at `at`.
pub(super) fn value(text: &[u8], at: usize, gap: Gap) -> Option<Span> {
    let span = match secret_value::quoted(text, at) {
        Some(span) => span,
        None => {
            let rest = text.get(at..)?;
            // After two spaces something else follows: a code that was removed leaves them.
            let spaced = gap == Gap::Optional && rest.starts_with(b" ");
            let gap = usize::from(spaced);
            let word = rest.get(gap..)?;
            let length = word
                .iter()
                .take(BLOCK + 1)
                .take_while(|byte| byte.is_ascii_alphanumeric())
                .count();
            at + gap..at + gap + length
        }
    };
    let code = text.get(span.clone())?;
    let digits = code.iter().all(u8::is_ascii_digit) && DIGITS.contains(&code.len());
    let block = code.len() == BLOCK && code.iter().all(u8::is_ascii_hexdigit);
    (digits || block).then_some(span)
}

/// The code after a name that ends at `end` with a space only, as in `CVV 123`. Other things
/// than cards have pins, so that name needs a separator.
pub(super) fn phrase(text: &[u8], end: usize, name: &[u8]) -> Option<Span> {
    if name.to_ascii_lowercase().ends_with(b"pin") {
        return None;
    }
    let rest = text.get(end..)?;
    let gaps = [" is ", " code ", " "];
    let gap = gaps.iter().find(|gap| rest.starts_with(gap.as_bytes()))?;
    let start = end + gap.len();
    let stop = digits_end(text, start);
    (DIGITS.contains(&(stop - start)) && closes(text, stop)).then_some(start..stop)
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn codes() {
        let cases: &[(&str, &[&str])] = &[
            ("cvv=123", &["123"]),
            ("card_cvv2: 1234, cvvCode=987", &["1234", "987"]),
            ("cvcCode: 321 `cvv`: 456", &["321", "456"]),
            ("{\"cvc\":\"987\"}", &["987"]),
            ("{\"cvv\": 987}", &["987"]),
            ("CVV 123 ok", &["123"]),
            ("pin=4821&x=1", &["4821"]),
            ("security code: 321", &["321"]),
            ("pinBlock=0412AC89ABCDEF67", &["0412AC89ABCDEF67"]),
            ("ping=1234 pin 1234 mapping: 1234 pincode=560001", &[]),
            ("cvv=*** cvv= cvv_match=1", &[]),
            ("pin=12345678", &[]),
        ];
        for (text, want) in cases {
            assert_eq!(&spans(Category::Cvv, text), want, "{text}");
        }
    }
}

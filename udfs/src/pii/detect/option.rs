//! The password of `curl -u user:password`, which has no name.

use super::category::Category;
use super::finding::Finding;
use super::row::Row;
use super::secret_value::is_harmless;

/// How far after the command its option is looked for.
const COMMAND_MAX: usize = 256;
/// Longest user and password.
const VALUE_MAX: usize = 256;

/// Appends the password that is given to the command at `at`.
pub(super) fn find(row: &mut Row<'_>, at: usize) {
    let text = row.text;
    let command = text.get(at..(at + COMMAND_MAX).min(text.len()));
    let command = command.unwrap_or_default();
    let option = [" -u ", " --user ", " --user=", " -U ", " --proxy-user "]
        .iter()
        .filter_map(|option| {
            let found = memchr::memmem::find(command, option.as_bytes())?;
            Some(found + option.len())
        })
        .min();
    let Some(start) = option.map(|option| at + option) else {
        return;
    };
    let value = text.get(start..(start + VALUE_MAX).min(text.len()));
    let value = value.unwrap_or_default();
    let quote = value.first().filter(|byte| matches!(byte, b'"' | b'\''));
    let open = usize::from(quote.is_some());
    let ends = |byte: &u8| match quote {
        Some(quote) => byte == quote,
        None => byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'\\'),
    };
    let inside = value.get(open..).unwrap_or_default();
    let inside = inside
        .get(..inside.iter().position(ends).unwrap_or(inside.len()))
        .unwrap_or_default();
    let Some(colon) = memchr::memchr(b':', inside) else {
        return;
    };
    let password = inside.get(colon + 1..).unwrap_or_default();
    if !is_harmless(password) && row.wanted.has(Category::Password) {
        let from = start + open + colon + 1;
        let span = from..from + password.len();
        row.found
            .push(Finding::new(Category::Password, span, (95, "option")));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn passwords() {
        let cases: &[(&str, &[&str])] = &[
            ("curl -s -u bob:hunter2 https://x.com", &["hunter2"]),
            ("curl --user 'bob:a b' https://x.com", &["a b"]),
            ("curl -u bob https://x.com:80/", &[]),
            ("curl -u bob: https://x.com", &[]),
        ];
        for (text, want) in cases {
            assert_eq!(&spans(Category::Password, text), want, "{text}");
        }
    }
}

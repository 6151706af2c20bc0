//! Names under which secrets are kept: what stands before `=` or `:`.

use super::boundary::{before, is_word};

/// What the name of a value says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A password of any shape.
    Password,
    /// A key or token under an unmistakable name.
    Secret,
    /// A name that is used for harmless values too: the value has to look random.
    Random,
    /// A one-time code.
    Code,
    /// The `Authorization` header: a scheme, then the secret.
    Authorization,
    /// The `Cookie` headers: to the end of the line.
    Cookie,
    /// The verification code or PIN of a payment card.
    CardCode,
}

/// Longest key that is read.
const KEY_MAX: usize = 64;
/// Longest name in the table, with room for what may follow it.
const NAME_MAX: usize = 32;

/// Where a name may begin inside a key.
#[derive(Clone, Copy, PartialEq)]
enum Begins {
    Anywhere,
    WithPart,
}

/// Ends of keys, in small letters without separators; earlier rows win.
const NAMES: &[(&[u8], Begins, Kind)] = &[
    (b"password", Begins::Anywhere, Kind::Password),
    (b"passwd", Begins::Anywhere, Kind::Password),
    (b"passphrase", Begins::Anywhere, Kind::Password),
    (b"passcode", Begins::Anywhere, Kind::Password),
    (b"pwd", Begins::WithPart, Kind::Password),
    (b"pass", Begins::WithPart, Kind::Password),
    (b"secret", Begins::WithPart, Kind::Secret),
    (b"secretkey", Begins::Anywhere, Kind::Secret),
    (b"apikey", Begins::Anywhere, Kind::Secret),
    (b"accesskey", Begins::Anywhere, Kind::Secret),
    (b"privatekey", Begins::Anywhere, Kind::Secret),
    (b"signingkey", Begins::Anywhere, Kind::Secret),
    (b"encryptionkey", Begins::Anywhere, Kind::Secret),
    (b"accesstoken", Begins::Anywhere, Kind::Secret),
    (b"refreshtoken", Begins::Anywhere, Kind::Secret),
    (b"authtoken", Begins::Anywhere, Kind::Secret),
    (b"bearertoken", Begins::Anywhere, Kind::Secret),
    (b"sessiontoken", Begins::Anywhere, Kind::Secret),
    (b"csrftoken", Begins::Anywhere, Kind::Secret),
    (b"apitoken", Begins::Anywhere, Kind::Secret),
    (b"idtoken", Begins::WithPart, Kind::Secret),
    (b"token", Begins::WithPart, Kind::Random),
    (b"sessionid", Begins::Anywhere, Kind::Random),
    (b"sessid", Begins::Anywhere, Kind::Random),
    (b"credential", Begins::WithPart, Kind::Random),
    (b"credentials", Begins::WithPart, Kind::Random),
    (b"otp", Begins::WithPart, Kind::Code),
    (b"pw", Begins::WithPart, Kind::Password),
    (b"userpw", Begins::Anywhere, Kind::Password),
    (b"passwort", Begins::Anywhere, Kind::Password),
    (b"accountkey", Begins::Anywhere, Kind::Secret),
    (b"sharedkey", Begins::Anywhere, Kind::Secret),
    (b"masterkey", Begins::WithPart, Kind::Secret),
    (b"sig", Begins::WithPart, Kind::Random),
    (b"auth", Begins::WithPart, Kind::Random),
    (b"cvv", Begins::WithPart, Kind::CardCode),
    (b"cvc", Begins::WithPart, Kind::CardCode),
    (b"cvvcode", Begins::WithPart, Kind::CardCode),
    (b"cvccode", Begins::WithPart, Kind::CardCode),
    (b"csc", Begins::WithPart, Kind::CardCode),
    (b"pin", Begins::WithPart, Kind::CardCode),
    (b"pinblock", Begins::WithPart, Kind::CardCode),
    (b"securitycode", Begins::WithPart, Kind::CardCode),
    (b"authorization", Begins::WithPart, Kind::Authorization),
    (b"cookie", Begins::WithPart, Kind::Cookie),
];

/// What may follow a password's name.
const AFTER_PASSWORD: &[&[u8]] = &[b"confirmation", b"confirm", b"hash"];

/// The key that ends before the separator at `separator`, and what it stands for.
pub(super) fn before_separator(text: &[u8], separator: usize) -> Option<Kind> {
    // Most separators end here: they follow a number, or a word no secret is kept under.
    let (last, earlier) = (before(text, separator)?, before(text, separator - 1));
    let number = last.is_ascii_digit()
        && !earlier.is_some_and(|byte| is_word(byte) && !byte.is_ascii_digit());
    if number || last.is_ascii_alphabetic() && !may_end_name(last) {
        return None;
    }
    let head = text.get(separator.saturating_sub(KEY_MAX)..separator)?;
    let mut head = trim_end(head, |byte| matches!(byte, b' ' | b'\t'));
    head = head.strip_suffix(b"]").unwrap_or(head);
    if let [inner @ .., b'"' | b'\'' | b'`'] = head {
        head = trim_end(inner, |byte| byte == b'\\');
    }
    classify(name_at_end(head))
}

/// The identifier that ends `head`; two words if the last of them is `key` or `code`.
pub(super) fn name_at_end(head: &[u8]) -> &[u8] {
    let name = |byte: u8| is_word(byte) || matches!(byte, b'-' | b'.');
    let mut rest = trim_end(head, name);
    let word = head.get(rest.len()..).unwrap_or_default();
    if word.eq_ignore_ascii_case(b"key") || word.eq_ignore_ascii_case(b"code") {
        rest = trim_end(rest.strip_suffix(b" ").unwrap_or(rest), name);
    }
    head.get(rest.len()..).unwrap_or_default()
}

fn trim_end(text: &[u8], drop: impl Fn(u8) -> bool) -> &[u8] {
    let length = text.iter().rev().take_while(|byte| drop(**byte)).count();
    text.get(..text.len() - length).unwrap_or_default()
}

/// Whether a name in the table, or what may follow one, ends with this letter.
const fn may_end_name(letter: u8) -> bool {
    matches!(
        letter | 0x20,
        b'd' | b'e'
            | b's'
            | b't'
            | b'y'
            | b'n'
            | b'l'
            | b'p'
            | b'm'
            | b'h'
            | b'v'
            | b'c'
            | b'w'
            | b'g'
            | b'k'
    )
}

/// What a name that is `key` or ends it stands for.
pub(super) fn classify(key: &[u8]) -> Option<Kind> {
    let key = trim_end(key, |byte| {
        byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
    });
    if !may_end_name(*key.last()?) {
        return None;
    }
    let squashed = Squashed::read(key);
    let name = squashed.name();
    let after = AFTER_PASSWORD
        .iter()
        .find_map(|after| name.strip_suffix(*after));
    let found = |name: &[u8]| {
        NAMES.iter().find(|(known, begins, _)| {
            name.ends_with(known)
                && (*begins == Begins::Anywhere || squashed.begins_part(name.len() - known.len()))
        })
    };
    match after.and_then(found) {
        Some((_, _, Kind::Password)) => Some(Kind::Password),
        _ => found(name).map(|(_, _, kind)| *kind),
    }
}

/// The end of a key in small letters without separators.
struct Squashed {
    letters: [u8; NAME_MAX],
    /// Bit i: letter i begins a part of the key.
    parts: u32,
    start: usize,
}

impl Squashed {
    fn read(key: &[u8]) -> Self {
        let mut squashed = Self {
            letters: [0; NAME_MAX],
            parts: 0,
            start: NAME_MAX,
        };
        for (at, byte) in key.iter().enumerate().rev() {
            if !byte.is_ascii_alphanumeric() {
                continue;
            }
            let Some(place) = squashed.start.checked_sub(1) else {
                break;
            };
            let Some(slot) = squashed.letters.get_mut(place) else {
                break;
            };
            *slot = byte.to_ascii_lowercase();
            squashed.start = place;
            let last = at.checked_sub(1).and_then(|last| key.get(last));
            let begins = last.is_none_or(|last| {
                !last.is_ascii_alphabetic()
                    || last.is_ascii_lowercase() && byte.is_ascii_uppercase()
            });
            squashed.parts |= u32::from(begins) << place;
        }
        squashed
    }

    fn name(&self) -> &[u8] {
        self.letters.get(self.start..).unwrap_or_default()
    }

    fn begins_part(&self, at: usize) -> bool {
        self.parts >> (self.start + at).min(NAME_MAX - 1) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let cases = [
            ("password", Some(Kind::Password)),
            ("DB_PASSWORD", Some(Kind::Password)),
            ("spring.datasource.password", Some(Kind::Password)),
            ("userPassword2", Some(Kind::Password)),
            ("mypassword", Some(Kind::Password)),
            ("password_confirmation", Some(Kind::Password)),
            ("passwordHash", Some(Kind::Password)),
            ("pwd", Some(Kind::Password)),
            ("client_secret", Some(Kind::Secret)),
            ("X-Api-Key", Some(Kind::Secret)),
            ("api key", Some(Kind::Secret)),
            ("accessToken", Some(Kind::Secret)),
            ("token", Some(Kind::Random)),
            ("JSESSIONID", Some(Kind::Random)),
            ("Set-Cookie", Some(Kind::Cookie)),
            ("otp", Some(Kind::Code)),
            ("key", None),
            ("tokens", None),
            ("bypass", None),
            ("password_hint", None),
            ("hotp", None),
            ("12", None),
            ("", None),
        ];
        for (key, want) in cases {
            assert_eq!(
                before_separator(format!("{key}=x").as_bytes(), key.len()),
                want,
                "{key}"
            );
        }
        assert_eq!(
            before_separator(br#"{\"password\" :"#, 14),
            Some(Kind::Password)
        );
        assert_eq!(
            before_separator(b"user[password]=", 14),
            Some(Kind::Password)
        );
    }
}

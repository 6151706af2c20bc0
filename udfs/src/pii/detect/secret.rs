//! Passwords, tokens and keys. What gives them away is the name before them, never their shape:
//! `password=`, `"token":`, `--password`, `IDENTIFIED BY`, `<password>`, `user:pass@host`.

use super::boundary::before;
use super::secret_key::{self, Kind};
use super::secret_value::{self, Gap, Span, is_harmless};
use super::{Category, Finding};

/// Longest authority of a URL that is read for a user and password.
const AUTHORITY_MAX: usize = 512;
/// Longest user and password before `@tcp(`.
const DSN_MAX: usize = 128;

/// Appends the secrets in `text`.
pub(super) fn find(text: &[u8], found: &mut Vec<Finding>) {
    find_values(text, found);
    find_phrases(text, found);
    find_identified(text, found);
    find_dsn(text, found);
}

fn push(found: &mut Vec<Finding>, span: &Span) {
    found.push(Finding::new(Category::Password, span.start, span.end));
}

/// Keys with a separator, and URLs, whose colon is one.
fn find_values(text: &[u8], found: &mut Vec<Finding>) {
    let mut done = 0;
    for at in memchr::memchr2_iter(b'=', b':', text) {
        if at < done {
            continue;
        }
        let span = match text.get(at..at + 3) {
            Some(b"://") => userinfo(text, at + 3),
            _ => value_after(text, at),
        };
        if let Some(span) = span {
            push(found, &span);
            done = span.end;
        }
    }
}

fn value_after(text: &[u8], separator: usize) -> Option<Span> {
    let spaced = matches!(before(text, separator), Some(b' ' | b'\t'));
    let (length, gap) = match (text.get(separator)?, text.get(separator + 1)) {
        (b':', Some(b':')) => return None,
        (b':', Some(b'=')) | (b'=', Some(b'>' | b'=')) => (2, Gap::Optional),
        (b':', _) => (1, Gap::Optional),
        (_, _) if spaced => (1, Gap::Optional),
        (_, _) => (1, Gap::None),
    };
    let kind = secret_key::before_separator(text, separator)?;
    secret_value::read(text, separator + length, kind, gap)
}

/// The password of `user:password@host` in the authority of a URL.
fn userinfo(text: &[u8], start: usize) -> Option<Span> {
    let rest = text.get(start..(start + AUTHORITY_MAX).min(text.len()))?;
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(
                byte,
                b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\'
            )
    };
    let authority = rest.get(..rest.iter().position(ends).unwrap_or(rest.len()))?;
    let at = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', authority.get(..at)?)?;
    let password = authority.get(colon + 1..at)?;
    (!is_harmless(password)).then_some(start + colon + 1..start + at)
}

/// `password is X`, `--password X`, `PASSWORD 'X'`, `<password>X<`.
fn find_phrases(text: &[u8], found: &mut Vec<Finding>) {
    let mut done = 0;
    for at in memchr::memchr2_iter(b'w', b'W', text) {
        let Some(start) = at.checked_sub(4).filter(|start| *start >= done) else {
            continue;
        };
        let is = |range: Span, word: &[u8]| {
            text.get(range)
                .is_some_and(|part| part.eq_ignore_ascii_case(word))
        };
        let end = match () {
            () if !is(start..at, b"pass") => continue,
            () if is(at..at + 4, b"word") => at + 4,
            () if is(at..at + 2, b"wd") => at + 2,
            () => continue,
        };
        if let Some(span) = phrase_after(text, end) {
            push(found, &span);
            done = span.end;
        }
    }
}

/// The value of a password's name that ends at `end` without a separator.
fn phrase_after(text: &[u8], end: usize) -> Option<Span> {
    let name = secret_key::name_at_end(text.get(end.saturating_sub(DSN_MAX)..end)?);
    let rest = text.get(end..)?;
    if rest.starts_with(b">") && before(text, end - name.len()) == Some(b'<') {
        let value = end + 1..end + memchr::memchr(b'<', rest)?;
        return text
            .get(value.clone())
            .is_some_and(|value| !is_harmless(value))
            .then_some(value);
    }
    if name.starts_with(b"-") && rest.starts_with(b" ") && rest.get(1) != Some(&b'-') {
        return secret_value::read(text, end, Kind::Password, Gap::Optional);
    }
    if rest
        .get(..4)
        .is_some_and(|is| is.eq_ignore_ascii_case(b" is "))
    {
        let span = secret_value::read(text, end + 3, Kind::Password, Gap::Optional)?;
        let plain = text.get(span.clone())?.iter().all(u8::is_ascii_lowercase);
        let quoted = span.start > end + 4;
        return (quoted || !plain).then_some(span);
    }
    let open = rest
        .iter()
        .take(2)
        .take_while(|byte| matches!(byte, b' ' | b'('))
        .count();
    let escapes = rest
        .get(open..)?
        .iter()
        .take(2)
        .take_while(|byte| **byte == b'\\')
        .count();
    let string = open > 0 && rest.get(open + escapes) == Some(&b'\'');
    let span = if string {
        secret_value::quoted(text, end + open)?
    } else {
        return None;
    };
    text.get(span.clone())
        .is_some_and(|value| !is_harmless(value))
        .then_some(span)
}

/// `IDENTIFIED BY 'X'`, as `CREATE USER` says it.
fn find_identified(text: &[u8], found: &mut Vec<Finding>) {
    // The rarest letter of the word leads to it.
    for at in memchr::memchr2_iter(b'f', b'F', text) {
        let word = text.get(at.saturating_sub(6)..at + 5).unwrap_or_default();
        if !word.eq_ignore_ascii_case(b"identified ") {
            continue;
        }
        let from = at + 5;
        // A plugin may be named between: IDENTIFIED WITH plugin BY 'X'.
        let near = text
            .get(from..(from + DSN_MAX).min(text.len()))
            .unwrap_or_default();
        let by = near
            .windows(3)
            .position(|word| word.eq_ignore_ascii_case(b"by "));
        let with = near
            .get(..4)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"with"));
        let Some(by) = by.filter(|by| *by == 0 || with) else {
            continue;
        };
        let span = secret_value::read(text, from + by + 2, Kind::Password, Gap::Optional);
        if let Some(span) = span {
            push(found, &span);
        }
    }
}

/// The password of `user:password@tcp(host)`, the data source name of Go's drivers.
fn find_dsn(text: &[u8], found: &mut Vec<Finding>) {
    for at in memchr::memchr_iter(b'@', text) {
        if text.get(at..at + 5) != Some(b"@tcp(") {
            continue;
        }
        let from = at.saturating_sub(DSN_MAX);
        let head = text.get(from..at).unwrap_or_default();
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'=');
        let start = head.iter().rposition(ends).map_or(0, |end| end + 1);
        let dsn = head.get(start..).unwrap_or_default();
        let Some(colon) = memchr::memchr(b':', dsn) else {
            continue;
        };
        let password = dsn.get(colon + 1..).unwrap_or_default();
        if !is_harmless(password) {
            push(found, &(from + start + colon + 1..at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn secrets() {
        let cases: &[(&str, &[&str])] = &[
            ("password=hunter2 user=bob", &["hunter2"]),
            ("Password: hunter2", &["hunter2"]),
            ("password = hunter2", &["hunter2"]),
            ("password='a b c'", &["a b c"]),
            (r#"{"password":"hun\"ter2","x":1}"#, &[r#"hun\"ter2"#]),
            (r#"{"password": 1234}"#, &["1234"]),
            (r#"{"m":"{\"password\":\"hunter2\"}"}"#, &["hunter2"]),
            (r#"{"m":"password=hunter2"}"#, &["hunter2"]),
            (r#"{"m":"password=hunter2\nnext"}"#, &["hunter2"]),
            ("{'passwd': u'hunter2'}", &["hunter2"]),
            ("?user=bob&password=hunter2&x=1", &["hunter2"]),
            ("db_pwd=hunter2;", &["hunter2"]),
            (
                "api_key=abc123 client_secret: s3cr3t",
                &["abc123", "s3cr3t"],
            ),
            (
                "token=eyJhbGciOiJIUzI1NiJ9.e30.abc",
                &["eyJhbGciOiJIUzI1NiJ9.e30.abc"],
            ),
            ("Authorization: Bearer abc.DEF-1 x", &["abc.DEF-1"]),
            (r#""authorization":"Basic Ym9iOng=""#, &["Ym9iOng="]),
            ("Cookie: a=b; c=d", &["a=b; c=d"]),
            ("mysql --password hunter2 -u root", &["hunter2"]),
            ("mysql --password=hunter2", &["hunter2"]),
            ("CREATE USER x IDENTIFIED BY 'hunter2'", &["hunter2"]),
            ("identified with sha2 by \"hunter2\"", &["hunter2"]),
            ("ALTER ROLE x PASSWORD 'hunter2';", &["hunter2"]),
            ("the password is hunter2", &["hunter2"]),
            ("<password>hunter2</password>", &["hunter2"]),
            ("https://bob:hunter2@example.com/x", &["hunter2"]),
            ("postgres://bob:p@ss:w@db:5432/x", &["p@ss:w"]),
            ("root:hunter2@tcp(127.0.0.1:3306)/db", &["hunter2"]),
            ("password => 'hunter2'", &["hunter2"]),
            ("otp=493021", &["493021"]),
            ("password=[hunter2]", &["hunter2"]),
            (r#""passwords":0,"password":["hunter2"]"#, &["hunter2"]),
        ];
        for (text, want) in cases {
            assert_eq!(&spans(Category::Password, text), want, "{text}");
        }
    }

    #[test]
    fn not_secrets() {
        let cases = [
            "Failed password for root from 10.0.0.1 port 22 ssh2",
            "Failed password for invalid user admin",
            "password=",
            "password= user=bob",
            "password:  user:bob",
            r#"{"password":""}"#,
            r#"{"password":null}"#,
            "password=***",
            "password=[PASSWORD]",
            "password: required",
            "the password is incorrect",
            "password is ",
            "unexpected token: foo",
            "tokens=1234567890123456789",
            "bypass=1",
            "https://example.com:8080/a@b",
            "https://bob@example.com/",
            "https://bob:@example.com/",
            "password=${DB_PASSWORD}",
            "token::Kind",
            "sessionid:0x14ed93111f20027",
            "IDENTIFIED BY ''",
            "identified by",
            "Authorization: Bearer ",
            "<password></password>",
            "key=value",
            "12:34:56",
            "session: 12345678901234567890",
        ];
        for text in cases {
            assert_eq!(
                spans(Category::Password, text),
                Vec::<&str>::new(),
                "{text}"
            );
        }
    }
}

//! Passwords, tokens and keys. What gives them away is the name before them, never their shape:
//! `password=`, `"token":`, `--password`, `IDENTIFIED BY`, `<password>`.

use super::boundary::{before, is_word};
use super::category::Category;
use super::code;
use super::finding::Finding;
use super::row::Row;
use super::secret_key::{self, Kind};
use super::secret_value::{self, Gap, Span, is_harmless};

/// Longest rest of a name behind the word that was found in it.
const NAME_MAX: usize = 40;
/// Longest run of spaces and quotes between a name and its separator.
const BETWEEN_MAX: usize = 10;
/// How far after `IDENTIFIED` the word `BY` is looked for.
const PLUGIN_MAX: usize = 64;

/// Appends the secret whose name has a word at `at`.
pub(super) fn find(row: &mut Row<'_>, at: usize) {
    let text = row.text;
    let mut name_end = name_end(text, at);
    // A security code has a name of two words.
    let code = text.get(name_end..name_end + 5);
    name_end += code.map_or(0, |word| {
        5 * usize::from(word.eq_ignore_ascii_case(b" code"))
    });
    let Some(separator) = separator_after(text, name_end) else {
        if may_be_phrase(text, at, name_end) {
            find_phrase(row, name_end);
        }
        return;
    };
    if separator < row.progress.value {
        return;
    }
    let Some(key) = secret_key::before_separator(text, separator) else {
        return;
    };
    let span = value_after(text, separator, key);
    if let Some(span) = span.filter(|span| !is_directory(text, separator, span)) {
        row.progress.value = span.end;
        push(row, span, key, "key");
    }
}

/// Whether a value is the working directory, which shells keep under the name `PWD`.
fn is_directory(text: &[u8], separator: usize, value: &Span) -> bool {
    const ROOTS: [&str; 14] = [
        "app",
        "data",
        "etc",
        "home",
        "mnt",
        "opt",
        "private",
        "root",
        "srv",
        "tmp",
        "usr",
        "users",
        "var",
        "workspace",
    ];
    let head = text.get(separator.saturating_sub(NAME_MAX)..separator);
    let name = secret_key::name_at_end(head.unwrap_or_default());
    let own = ["pwd", "oldpwd"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    let path = text
        .get(value.clone())
        .and_then(|value| value.strip_prefix(b"/"));
    let root = path.and_then(|path| path.split(|byte| *byte == b'/').next());
    let known = |root: &[u8]| {
        ROOTS
            .iter()
            .any(|one| root.eq_ignore_ascii_case(one.as_bytes()))
    };
    own && root.is_some_and(known)
}

/// Appends the password in `IDENTIFIED BY 'X'`, whose first word is at `at`.
pub(super) fn find_identified(row: &mut Row<'_>, at: usize) {
    let text = row.text;
    let from = at + "identified".len();
    let near = text.get(from..(from + PLUGIN_MAX).min(text.len()));
    let near = near.unwrap_or_default();
    let mut windows = near.windows(4);
    let Some(by) = windows.position(|word| word.eq_ignore_ascii_case(b" by ")) else {
        return;
    };
    // A plugin may be named between: IDENTIFIED WITH plugin BY 'X'.
    let with = near
        .get(..6)
        .is_some_and(|word| word.eq_ignore_ascii_case(b" with "));
    let span = secret_value::read(text, from + by + 3, Kind::Password, Gap::Optional);
    if let Some(span) = span.filter(|_| by == 0 || with) {
        push(row, span, Kind::Password, "identified-by");
    }
}

fn push(row: &mut Row<'_>, span: Span, kind: Kind, rule: &'static str) {
    let category = match kind {
        Kind::Authorization => Category::AuthHeader,
        Kind::CardCode => Category::Cvv,
        _ => Category::Password,
    };
    let score = match kind {
        Kind::Random | Kind::Code => 85,
        Kind::Authorization => 100,
        _ => 96,
    };
    if row.wanted.has(category) {
        row.found.push(Finding::new(category, span, (score, rule)));
    }
}

/// Where the name ends that has a word at `at`.
fn name_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default().iter().take(NAME_MAX);
    at + rest
        .take_while(|byte| is_word(**byte) || matches!(byte, b'-' | b'.'))
        .count()
}

/// The separator after a name that ends at `end`, with the end of a quotation between them.
fn separator_after(text: &[u8], end: usize) -> Option<usize> {
    let rest = text.get(end..(end + BETWEEN_MAX).min(text.len()))?;
    let between = |byte: &u8| {
        matches!(
            byte,
            b' ' | b'\t' | b'"' | b'\'' | b'\\' | b']' | b')' | b'`'
        )
    };
    let gap = rest.iter().position(|byte| !between(byte))?;
    let separator = rest.get(gap)?;
    // A name with a comment, `password (hint):`, is no name; a call, `password()`, neither.
    matches!(separator, b':' | b'=').then_some(end + gap)
}

fn value_after(text: &[u8], separator: usize, kind: Kind) -> Option<Span> {
    let spaced = matches!(before(text, separator), Some(b' ' | b'\t'));
    let (length, gap) = match (text.get(separator)?, text.get(separator + 1)) {
        (b':', Some(b':')) => return None,
        (b':', Some(b'=')) | (b'=', Some(b'>' | b'=')) => (2, Gap::Optional),
        (b':', _) => (1, Gap::Optional),
        (_, _) if spaced => (1, Gap::Optional),
        (_, _) => (1, Gap::None),
    };
    match kind {
        Kind::CardCode => code::value(text, separator + length, gap),
        _ => secret_value::read(text, separator + length, kind, gap),
    }
}

/// Whether something like a value follows a name without a separator: a quick look that most
/// sentences about passwords do not pass.
fn may_be_phrase(text: &[u8], at: usize, end: usize) -> bool {
    let option = before(text, at) == Some(b'-');
    match text.get(end) {
        Some(b'>' | b'(') => true,
        Some(b' ') => text.get(end + 1).is_some_and(|next| {
            let verb = matches!(next | 0x20, b'i' | b'w' | b's' | b'c' | b'r');
            option || verb || next.is_ascii_digit() || matches!(next, b'\'' | b'"' | b'\\' | b'(')
        }),
        _ => false,
    }
}

/// Appends the value of a name that ends at `end` without a separator: `password is X`,
/// `--password X`, `PASSWORD 'X'`, `<password>X<`, `CVV 123`.
fn find_phrase(row: &mut Row<'_>, end: usize) {
    let text = row.text;
    let head = text.get(end.saturating_sub(NAME_MAX)..end);
    let name = secret_key::name_at_end(head.unwrap_or_default());
    let Some(kind) = secret_key::classify(name) else {
        return;
    };
    if end < row.progress.value {
        return;
    }
    let span = match kind {
        Kind::Password | Kind::Secret => phrase(text, (end - name.len(), end), name),
        Kind::CardCode => code::phrase(text, end, name),
        _ => None,
    };
    if let Some(span) = span {
        row.progress.value = span.end;
        push(row, span, kind, "phrase");
    }
}

fn phrase(text: &[u8], (start, end): (usize, usize), name: &[u8]) -> Option<Span> {
    let rest = text.get(end..)?;
    if rest.starts_with(b">") && opens_element(text, start) {
        // A long element is no password; the limit keeps the search short.
        let near = rest.get(..PLUGIN_MAX * 4).unwrap_or(rest);
        return sound(text, end + 1..end + memchr::memchr(b'<', near)?);
    }
    if name.starts_with(b"-") && rest.starts_with(b" ") && rest.get(1) != Some(&b'-') {
        return secret_value::read(text, end, Kind::Password, Gap::Optional);
    }
    let verb = [
        &b" is "[..],
        b" was ",
        b" set to ",
        b" reset to ",
        b" changed to ",
    ];
    let says = verb.iter().find(|verb| {
        rest.get(..verb.len())
            .is_some_and(|word| word.eq_ignore_ascii_case(verb))
    });
    if let Some(verb) = says {
        let from = end + verb.len() - 1;
        let span = secret_value::read(text, from, Kind::Password, Gap::Optional)?;
        let plain = text.get(span.clone())?.iter().all(u8::is_ascii_lowercase);
        let quoted = span.start > from + 1;
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
    let span = string
        .then(|| secret_value::quoted(text, end + open))
        .flatten()?;
    sound(text, span)
}

/// Whether a name at `start` is that of an element, with or without the prefix of a name space.
fn opens_element(text: &[u8], start: usize) -> bool {
    let head = text.get(start.saturating_sub(NAME_MAX)..start);
    let head = head.unwrap_or_default();
    let prefix = head.strip_suffix(b":").unwrap_or_default();
    let word = prefix
        .iter()
        .rev()
        .take_while(|byte| is_word(**byte))
        .count();
    let open = prefix.get(..prefix.len() - word).unwrap_or_default();
    head.ends_with(b"<") || word > 0 && open.ends_with(b"<")
}

fn sound(text: &[u8], span: Span) -> Option<Span> {
    (!is_harmless(text.get(span.clone())?)).then_some(span)
}
#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn secrets() {
        let cases: &[(&str, &[&str])] = &[
            ("password=hunter2 user=bob", &["hunter2"]),
            ("Password: hunter2", &["hunter2"]),
            ("password=x", &["x"]),
            ("password=password&pwd=xxxx", &["password", "xxxx"]),
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
            ("Cookie: a=b; c=d", &["a=b; c=d"]),
            ("mysql --password hunter2 -u root", &["hunter2"]),
            ("mysql --password=hunter2", &["hunter2"]),
            ("CREATE USER x IDENTIFIED BY 'hunter2'", &["hunter2"]),
            ("identified with sha2 by \"hunter2\"", &["hunter2"]),
            ("ALTER ROLE x PASSWORD 'hunter2';", &["hunter2"]),
            ("the password is hunter2", &["hunter2"]),
            ("<password>hunter2</password>", &["hunter2"]),
            ("<wsse:Password>hunter2</wsse:Password>", &["hunter2"]),
            ("password=a&b user=bob", &["a&b"]),
            ("?password=a&amp;b=c", &["a"]),
            ("GET /v?otp=493021&resend HTTP/1.1", &["493021"]),
            ("https://bob:hunter2@example.com/x", &["hunter2"]),
            ("postgres://bob:p@ss:w@db:5432/x", &["p@ss:w"]),
            ("root:hunter2@tcp(127.0.0.1:3306)/db", &["hunter2"]),
            ("password => 'hunter2'", &["hunter2"]),
            ("otp=493021 `pwd`: x1", &["493021", "x1"]),
            ("pwdConfirm=hunter2 pwd4=x1", &["hunter2", "x1"]),
            ("F1=x|password=hunter2|F2=y", &["hunter2"]),
            ("password = 'it''s' AND", &["it''s"]),
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
            "PWD=/srv/app/src ; USER=root",
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

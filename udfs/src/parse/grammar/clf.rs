//! Access logs of web servers: the Common Log Format, and the Combined one that adds the referer
//! and
//! the user agent, as Apache and nginx write them.
//!
//! `host ident user [time] "request" status bytes "referer" "user agent"`

use super::moment::{self, Moment};
use super::text::{Escape, Text};
use super::wrong::Wrong;

/// A line, taken apart. A field that is `-` is None.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// The client's address or name.
    pub client: Option<&'a str>,
    /// What the client's identd says.
    pub ident: Option<&'a str>,
    /// The authenticated user.
    pub user: Option<&'a str>,
    /// When the request arrived.
    pub moment: Option<Moment>,
    /// The method; None when the request is not one.
    pub method: Option<&'a str>,
    /// The path without the query; all of a request that is not one.
    pub path: Option<Text<'a>>,
    /// What follows the question mark.
    pub query: Option<Text<'a>>,
    /// Such as `HTTP/1.1`.
    pub protocol: Option<&'a str>,
    /// The status.
    pub status: Option<i16>,
    /// Bytes of the answer.
    pub bytes: Option<i64>,
    /// The page that the request came from.
    pub referer: Option<Text<'a>>,
    /// The client's program.
    pub user_agent: Option<Text<'a>>,
    /// What follows the fields of the format.
    pub rest: Option<&'a str>,
}

/// Takes a line apart.
///
/// # Errors
/// When it does not have the form of the Common Log Format up to the status.
pub fn parse(text: &str) -> Result<Line<'_>, Wrong<'_>> {
    let text = text.trim_end_matches(['\r', '\n']);
    let (client, rest) = word(text).ok_or(Wrong::Ends("identity"))?;
    let (ident, rest) = word(rest).ok_or(Wrong::Ends("user"))?;
    // A user's name may have spaces.
    let bracket = memchr::memmem::find(rest.as_bytes(), b" [").ok_or(Wrong::Ends("time"))?;
    let (user, rest) = rest.split_at_checked(bracket).ok_or(Wrong::Ends("time"))?;
    let rest = rest.get(2..).unwrap_or_default();
    let end = memchr::memchr(b']', rest.as_bytes()).ok_or(Wrong::Rule("its time has no end"))?;
    let (when, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let moment = moment::named(when)
        .or_else(|| moment::iso(when))
        .filter(|moment| moment.length == when.len())
        .ok_or(Wrong::Timestamp(when))?;
    let rest = rest.strip_prefix("] \"").ok_or(Wrong::Ends("request"))?;
    let (request, rest) = quoted(rest).ok_or(Wrong::Rule("its request has no end"))?;
    let rest = rest.strip_prefix(' ').ok_or(Wrong::Ends("status"))?;
    let (status, rest) = number(rest, 3).ok_or(Wrong::Rule("its status is no number"))?;
    let rest = rest.strip_prefix(' ').ok_or(Wrong::Ends("size"))?;
    let (bytes, rest) = number(rest, 18).ok_or(Wrong::Rule("its size is no number"))?;
    let mut line = Line {
        client: some(client),
        ident: some(ident),
        user: some(user),
        moment: Some(moment),
        status: status.and_then(|status| i16::try_from(status).ok()),
        bytes,
        ..Line::default()
    };
    line.request(request);
    line.combined(rest);
    Ok(line)
}

impl<'a> Line<'a> {
    /// `GET /path?query HTTP/1.1`
    fn request(&mut self, request: Text<'a>) {
        let raw = request.raw;
        let of = |raw: &'a str| Text { raw, ..request };
        let is_method = |method: &str| {
            (1..=32).contains(&method.len())
                && method
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
        };
        let split = raw.split_once(' ').filter(|(method, _)| is_method(method));
        let Some((method, target)) = split else {
            self.path = Some(request).filter(|request| !matches!(request.raw, "-" | ""));
            return;
        };
        self.method = Some(method);
        let target = match target.rsplit_once(' ') {
            Some((target, protocol)) if protocol.starts_with("HTTP/") => {
                self.protocol = Some(protocol);
                target
            }
            _ => target,
        };
        match memchr::memchr(b'?', target.as_bytes()) {
            Some(mark) => {
                self.path = target.get(..mark).map(of);
                self.query = target.get(mark + 1..).map(of);
            }
            None => self.path = Some(of(target)),
        }
    }

    /// Referer and user agent, and what servers are told to write after them.
    fn combined(&mut self, rest: &'a str) {
        let text = |text: Text<'a>| Some(text).filter(|text| !matches!(text.raw, "-" | ""));
        let mut left = rest;
        if let Some((referer, rest)) = rest.strip_prefix(" \"").and_then(quoted)
            && let Some((agent, rest)) = rest.strip_prefix(" \"").and_then(quoted)
        {
            self.referer = text(referer);
            self.user_agent = text(agent);
            left = rest;
        }
        let left = left.trim();
        self.rest = Some(left).filter(|left| !left.is_empty());
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !matches!(*text, "-" | "\"\"" | ""))
}

fn word(text: &str) -> Option<(&str, &str)> {
    let end = memchr::memchr(b' ', text.as_bytes()).filter(|end| *end > 0)?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// What comes before the quote that ends a field, and what after it.
fn quoted(text: &str) -> Option<(Text<'_>, &str)> {
    let bytes = text.as_bytes();
    let (mut at, mut escape) = (0, Escape::None);
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            break;
        }
        escape = Escape::Quoted;
        at += 2;
    }
    let raw = text.get(..at)?;
    Some((Text { raw, escape }, text.get(at + 1..)?))
}

/// A number of at most `digits` digits, or none where `-` stands.
fn number(text: &str, digits: usize) -> Option<(Option<i64>, &str)> {
    if let Some(rest) = text.strip_prefix('-') {
        return Some((None, rest)).filter(|_| rest.is_empty() || rest.starts_with(' '));
    }
    let (mut number, mut length) = (0_i64, 0);
    for byte in text.bytes().take(digits + 1).take_while(u8::is_ascii_digit) {
        number = number * 10 + i64::from(byte - b'0');
        length += 1;
    }
    let rest = text.get(length..)?;
    let ends = (1..=digits).contains(&length) && (rest.is_empty() || rest.starts_with(' '));
    ends.then_some((Some(number), rest))
}

//! What lines of text begin with: a time, a severity, a process, a thread, the program's part that
//! wrote the line, in the orders and brackets that logging libraries have made usual. What follows
//! is the body. A line that begins with none of these is all body.
//!
//! Every look ahead ends after [`AHEAD`] bytes.

use super::moment::{self, Moment};
use super::severity;
use super::syslog_bsd::{Date, clock};
use super::time;

/// The longest part that is looked for.
const AHEAD: usize = 256;
/// Parts of a header, at most.
const PARTS: usize = 8;

/// What a line begins with, and its body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// When it was written.
    pub moment: Option<Moment>,
    /// When it was written, where the line has no year.
    pub date: Option<Date<'a>>,
    /// The severity as it stands there.
    pub severity: Option<&'a str>,
    /// Its number.
    pub severity_number: Option<i8>,
    /// The process.
    pub proc_id: Option<&'a str>,
    /// The thread.
    pub thread: Option<&'a str>,
    /// The part of the program that wrote the line.
    pub logger: Option<&'a str>,
    /// What a library writes in brackets after the logger, such as the id of a request.
    pub context: Option<&'a str>,
    /// What stands before the time, such as the name of a file.
    pub prefix: Option<&'a str>,
    /// What follows all this.
    pub body: &'a str,
}

impl Header<'_> {
    fn has_time(&self) -> bool {
        self.moment.is_some() || self.date.is_some()
    }

    fn has_severity(&self) -> bool {
        self.severity.is_some()
    }
}

/// Takes a line apart.
#[must_use]
pub fn parse(text: &str) -> Header<'_> {
    let text = text.trim_end_matches(['\r', '\n']);
    let mut header = Header {
        body: text,
        ..Header::default()
    };
    let mut rest = text;
    if let Some(further) = header.time(rest) {
        rest = further;
    } else if let Some((prefix, further)) = word(rest)
        && (further.starts_with(|first: char| first.is_ascii_digit()))
        && severity::of_word(prefix.trim_matches(['[', ']', ':'])).is_none()
        && moment::iso(further).is_some()
        && let Some(further) = header.time(further)
    {
        header.prefix = Some(prefix);
        rest = further;
    }
    for _ in 0..PARTS {
        let parted = header.thread.is_some() && header.has_severity();
        let parted = parted && rest.trim_start().starts_with("- ");
        rest = separators(rest, header.has_time());
        // After `[thread] - ` a logger has dots, and whatever else is the body.
        if parted && !word(rest).is_some_and(|(word, _)| word.contains('.')) {
            break;
        }
        let Some(further) = header.part(rest) else {
            break;
        };
        rest = further;
        if header.logger.is_some() && header.context.is_some() {
            break;
        }
    }
    if header.has_time() || header.has_severity() {
        header.body = separators(rest, true);
    }
    header
}

/// Takes a line of Kubernetes' and Google's C++ programs apart:
/// `I0205 10:20:30.123456   12345 file.go:12] body`; None when it is none.
#[must_use]
pub fn klog(text: &str) -> Option<Header<'_>> {
    let bytes = text.as_bytes();
    let severity = text.get(..1)?;
    let severity_number = match severity {
        "I" => 9,
        "W" => 13,
        "E" => 17,
        "F" => 21,
        _ => return None,
    };
    let digits = bytes.get(1..5)?;
    if !digits.iter().all(u8::is_ascii_digit) || bytes.get(5) != Some(&b' ') {
        return None;
    }
    let (month, day) = (text.get(1..3)?.parse().ok()?, text.get(3..5)?.parse().ok()?);
    time::days(2000, month, day)?;
    let clock = clock(text.get(6..)?)?;
    let end = 6 + clock.len();
    let date = Date {
        year: None,
        month,
        day,
        clock,
        text: text.get(1..end)?,
    };
    let rest = text.get(end..)?.trim_start_matches(' ');
    let (proc_id, rest) = word(rest)?;
    let bracket = find(rest, b']')?;
    let (logger, body) = rest.split_at_checked(bracket)?;
    let is_legal = proc_id.bytes().all(|byte| byte.is_ascii_digit()) && !logger.contains(' ');
    let body = body.get(1..)?.trim_end_matches(['\r', '\n']);
    is_legal.then_some(Header {
        date: Some(date),
        severity: Some(severity),
        severity_number: Some(severity_number),
        proc_id: Some(proc_id),
        logger: Some(logger),
        body: body.strip_prefix(' ').unwrap_or(body),
        ..Header::default()
    })
}

impl<'a> Header<'a> {
    /// Takes the time at the beginning, which may be in brackets; what follows it.
    fn time(&mut self, text: &'a str) -> Option<&'a str> {
        let (inner, bracket) = match text.strip_prefix('[') {
            Some(inner) => (inner, true),
            None => (text, false),
        };
        let moment = moment::iso(inner)
            .or_else(|| moment::named(inner))
            .or_else(|| moment::slashed(inner))
            .or_else(|| epoch(inner))?;
        let rest = inner.get(moment.length..)?;
        let rest = match bracket {
            // Ruby's library has the process in the same brackets: `[2026-02-05T10:20:30 #42]`.
            true => match rest
                .strip_prefix(" #")
                .and_then(|rest| rest.split_once(']'))
            {
                Some((id, further)) if is_number(id) => {
                    self.proc_id = Some(id);
                    further
                }
                _ => rest.strip_prefix(']')?,
            },
            false => rest,
        };
        self.moment = Some(moment);
        Some(rest)
    }

    /// Takes one more part at the beginning; what follows it.
    fn part(&mut self, text: &'a str) -> Option<&'a str> {
        match text.as_bytes().first()? {
            b'[' => self.bracket(text),
            _ => self.token(text),
        }
    }

    /// `[INFO]`, `[42]`, `[main]`
    fn bracket(&mut self, text: &'a str) -> Option<&'a str> {
        let (inner, rest) = balanced(text)?;
        if !(rest.is_empty() || rest.starts_with([' ', ':', '[', '\t'])) {
            return None;
        }
        let name = inner.trim();
        if !self.has_severity()
            && let Some(number) = severity::number(name).filter(|_| name.len() > 1)
        {
            (self.severity, self.severity_number) = (Some(name), Some(number));
            return Some(rest.strip_prefix(':').unwrap_or(rest));
        }
        if !self.has_time() {
            return self.later_time(text);
        }
        if self.proc_id.is_none() && is_number(name) {
            self.proc_id = Some(name);
            return Some(rest);
        }
        if self.logger.is_some() {
            self.context = Some(inner);
            return Some(rest);
        }
        let follows = separators(rest, true);
        let parted = rest.trim_start().starts_with("- ");
        let is_thread =
            self.thread.is_none() && (!inner.contains(' ') || parted || logger(follows).is_some());
        if !is_thread || (!self.has_severity() && inner.contains(' ')) {
            return None;
        }
        self.thread = Some(inner);
        Some(rest)
    }

    fn later_time(&mut self, text: &'a str) -> Option<&'a str> {
        match self.has_severity() {
            true => self.time(text),
            false => None,
        }
    }

    /// `INFO`, `42`, `com.acme.Server:`
    fn token(&mut self, text: &'a str) -> Option<&'a str> {
        if !self.has_time()
            && let Some(rest) = self.later_time(text)
        {
            return Some(rest);
        }
        let (word, rest) = word(text).unwrap_or((text, ""));
        let name = word.trim_end_matches([':', ',', '|']);
        if !self.has_severity()
            && let Some(number) = severity::of_word(name)
        {
            (self.severity, self.severity_number) = (Some(name), Some(number));
            return Some(rest);
        }
        if !self.has_time() {
            return None;
        }
        if !self.has_severity() {
            if is_number(word) && self.proc_id.is_none() && self.severity_follows(rest) {
                self.proc_id = Some(word);
                return Some(rest);
            }
            // `time - logger - LEVEL - body`
            let parted = rest.starts_with("- ") && self.severity_follows(rest);
            if self.logger.is_none() && parted && is_name(word) {
                self.logger = Some(word);
                return Some(rest);
            }
            return None;
        }
        if self.proc_id.is_none()
            && let Some((id, _)) = word.split_once('#').filter(|(id, _)| is_number(id))
        {
            // nginx writes `process#thread:`.
            self.proc_id = Some(id);
            return Some(rest);
        }
        if self.logger.is_some() {
            return None;
        }
        let (logger, rest) = logger(text)?;
        self.logger = Some(logger);
        Some(rest)
    }

    /// Whether the next word, in brackets or not, is a severity.
    fn severity_follows(&self, text: &str) -> bool {
        let rest = separators(text, true);
        let (word, _) = word(rest).unwrap_or((rest, ""));
        let name = word.trim_matches(['[', ']', ':', ',', '|']);
        severity::of_word(name).is_some()
    }
}

/// `com.acme.Server: `, `com.acme.Server - ` or `nova.server [..`: the name, and what follows it.
fn logger(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = word(text).unwrap_or((text, ""));
    if let Some(name) = word.strip_suffix(':').filter(|name| is_name(name)) {
        return Some((name, rest));
    }
    let follows = rest.trim_start();
    let parted = follows.starts_with("- ") || follows.starts_with(": ");
    let dotted = word.contains('.') && follows.starts_with('[');
    (is_name(word) && (parted || dotted)).then_some((word, rest))
}

fn is_name(word: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.$/@#-*:()<>".contains(&byte);
    let has_letter = word.bytes().any(|byte| byte.is_ascii_alphabetic());
    has_letter && word.len() < AHEAD && word.bytes().all(legal)
}

fn is_number(word: &str) -> bool {
    (1..=10).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Seconds or milliseconds since 1970, between 2001 and 2096.
fn epoch(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    let digits = bytes
        .iter()
        .take(14)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let mut length = digits;
    if digits == 10 && bytes.get(10) == Some(&b'.') {
        let fraction = bytes.iter().skip(11).take(10);
        length += 1 + fraction.take_while(|byte| byte.is_ascii_digit()).count();
    }
    let ends = bytes.get(length).is_some_and(|byte| *byte == b' ');
    if !ends || !(digits == 10 || digits == 13) || !matches!(bytes.first(), Some(b'1'..=b'3')) {
        return None;
    }
    Some(Moment {
        us: time::epoch(text.get(..length)?)?,
        has_zone: true,
        length,
    })
}

/// Passes spaces, and once there is a header the marks that libraries put between its parts.
fn separators(text: &str, has_header: bool) -> &str {
    let mut rest = text.trim_start_matches([' ', '\t']);
    while has_header
        && let Some(further) = rest.strip_prefix(['-', '|', ':', '*'])
        && (further.is_empty() || further.starts_with([' ', '\t']))
    {
        rest = further.trim_start_matches([' ', '\t']);
    }
    rest
}

/// What comes before the first space, and what after it; None without one nearby.
fn word(text: &str) -> Option<(&str, &str)> {
    let end = find(text, b' ').filter(|end| *end > 0)?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// What is in the brackets at the beginning, which may hold brackets, and what follows them.
fn balanced(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    for (at, byte) in text.bytes().take(AHEAD).enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' if depth == 1 => return Some((text.get(1..at)?, text.get(at + 1..)?)),
            b']' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn find(text: &str, byte: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr(byte, bytes.get(..AHEAD).unwrap_or(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(header: &Header<'_>) -> String {
        let Header {
            moment,
            date,
            severity,
            proc_id,
            thread,
            logger,
            context,
            prefix,
            body,
            ..
        } = header;
        let mut out = String::new();
        if let Some(moment) = moment {
            out.push_str(&format!("us={} ", moment.us));
        }
        if let Some(date) = date {
            out.push_str(&format!("date={} ", date.text));
        }
        let parts = [
            ("prefix", prefix),
            ("severity", severity),
            ("pid", proc_id),
            ("thread", thread),
            ("logger", logger),
            ("context", context),
        ];
        for (name, part) in parts {
            if let Some(part) = part {
                out.push_str(&format!("{name}={part} "));
            }
        }
        out + "body=" + body
    }

    #[test]
    fn what_libraries_write_before_the_body() {
        let cases = [
            ("plain words", "body=plain words"),
            ("", "body="),
            (
                "2026-02-05 10:20:30,5 INFO [main] com.acme.Server: started",
                "us=1770286830500000 severity=INFO thread=main logger=com.acme.Server body=started",
            ),
            (
                "2026-02-05T10:20:30Z WARN [IPC Server handler 4] a.b.C - slow: x",
                "us=1770286830000000 severity=WARN thread=IPC Server handler 4 logger=a.b.C \
                 body=slow: x",
            ),
            (
                "2026-02-05 10:20:30,000 - app.db - ERROR - no route",
                "us=1770286830000000 severity=ERROR logger=app.db body=no route",
            ),
            (
                "[Thu Feb 05 10:20:30 2026] [error] [client 10.0.0.1] File does not exist",
                "us=1770286830000000 severity=error body=[client 10.0.0.1] File does not exist",
            ),
            (
                "2026/02/05 10:20:30 [error] 1234#0: *1 open() failed",
                "us=1770286830000000 severity=error pid=1234 body=*1 open() failed",
            ),
            (
                "2026-02-05 10:20:30.000 UTC [42] LOG:  checkpoint complete",
                "us=1770286830000000 severity=LOG pid=42 body=checkpoint complete",
            ),
            (
                "E, [2026-02-05T10:20:30.000000 #42] ERROR -- : boom",
                "body=E, [2026-02-05T10:20:30.000000 #42] ERROR -- : boom",
            ),
            (
                "2026-02-05 10:20:30 - INFO  [Peer[id=1]/0:0:C@7] - FOLLOWING - TOOK - 49",
                "us=1770286830000000 severity=INFO thread=Peer[id=1]/0:0:C@7 \
                 body=FOLLOWING - TOOK - 49",
            ),
            ("ERROR: disk full", "severity=ERROR body=disk full"),
            ("[WARN] disk full", "severity=WARN body=disk full"),
            (
                "INFO 2026-02-05 10:20:30 ready",
                "us=1770286830000000 severity=INFO body=ready",
            ),
            (
                "2026-02-05 10:20:30 INFO 42 items were read",
                "us=1770286830000000 severity=INFO body=42 items were read",
            ),
            (
                "2026-02-05 10:20:30 7 items were read",
                "us=1770286830000000 body=7 items were read",
            ),
            ("1770286830.25 310 GET", "us=1770286830250000 body=310 GET"),
            ("log entry ALL good", "body=log entry ALL good"),
        ];
        for (text, want) in cases {
            assert_eq!(shown(&parse(text)), want, "{text}");
        }
    }

    #[test]
    fn klog_lines_have_no_year() {
        let line = "W0205 10:20:30.123456   42 server.go:12] slow";
        assert_eq!(
            klog(line).map(|header| shown(&header)).as_deref(),
            Some("date=0205 10:20:30.123456 severity=W pid=42 logger=server.go:12 body=slow")
        );
        for text in [
            "",
            "I",
            "I1305 10:20:30 1 a] b",
            "INFO 10:20:30",
            "I0205 10:20:30 x a] b",
        ] {
            assert_eq!(klog(text), None, "{text}");
        }
    }
}

//! One line of any format as OpenTelemetry's log record: which format it is, and which of its
//! fields mean what.
//!
//! Fields that mean nothing to the record become attributes by the names that they have, nested
//! ones joined by dots.

use super::clock::Clock;

use super::grammar::json::{self, Kind, Members};
use super::grammar::text::Text;
use super::grammar::wrong::Wrong;
use super::grammar::{cef, clf, header, leef, logfmt, moment, severity, syslog, time};
use super::maps::Maps;

/// How deep nested objects become attributes of their own; deeper ones stay JSON.
const DEPTH: usize = 4;
/// The longest name of a nested attribute; a longer one would be repeated for each member.
const NAME: usize = 128;

/// A log record. Texts may have escapes.
#[derive(Debug, Default)]
pub(crate) struct Record<'a> {
    pub(crate) timestamp: Option<i64>,
    pub(crate) severity_number: Option<i8>,
    pub(crate) severity_text: Option<Text<'a>>,
    pub(crate) body: Option<Text<'a>>,
    pub(crate) trace_id: Option<Text<'a>>,
    pub(crate) span_id: Option<Text<'a>>,
    pub(crate) host_name: Option<Text<'a>>,
    pub(crate) service_name: Option<Text<'a>>,
    pub(crate) proc_id: Option<Text<'a>>,
    pub(crate) event_name: Option<Text<'a>>,
    pub(crate) format: &'static str,
    pub(crate) parse_error: Option<String>,
}

/// Where a line stands, and where its attributes go.
#[derive(Debug)]
pub(crate) struct Target<'t> {
    /// Its row in the batch.
    pub(crate) row: usize,
    /// What its times mean.
    pub(crate) clock: &'t Clock,
    /// The attributes.
    pub(crate) maps: &'t mut Maps,
}

/// What a field of a structured line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Timestamp,
    Severity,
    Body,
    TraceId,
    SpanId,
    HostName,
    ServiceName,
    ProcId,
    EventName,
}

/// The names of fields, as OpenTelemetry, ECS and widely used libraries have them.
const MEANINGS: [(&str, Meaning); 46] = [
    ("timestamp", Meaning::Timestamp),
    ("@timestamp", Meaning::Timestamp),
    ("time", Meaning::Timestamp),
    ("ts", Meaning::Timestamp),
    ("datetime", Meaning::Timestamp),
    ("eventTime", Meaning::Timestamp),
    ("asctime", Meaning::Timestamp),
    ("t", Meaning::Timestamp),
    ("severity", Meaning::Severity),
    ("level", Meaning::Severity),
    ("lvl", Meaning::Severity),
    ("severity_text", Meaning::Severity),
    ("severityText", Meaning::Severity),
    ("log.level", Meaning::Severity),
    ("levelname", Meaning::Severity),
    ("loglevel", Meaning::Severity),
    ("message", Meaning::Body),
    ("msg", Meaning::Body),
    ("body", Meaning::Body),
    ("log", Meaning::Body),
    ("MESSAGE", Meaning::Body),
    ("trace_id", Meaning::TraceId),
    ("traceId", Meaning::TraceId),
    ("traceID", Meaning::TraceId),
    ("trace.id", Meaning::TraceId),
    ("traceid", Meaning::TraceId),
    ("span_id", Meaning::SpanId),
    ("spanId", Meaning::SpanId),
    ("spanID", Meaning::SpanId),
    ("span.id", Meaning::SpanId),
    ("host", Meaning::HostName),
    ("hostname", Meaning::HostName),
    ("host.name", Meaning::HostName),
    ("host_name", Meaning::HostName),
    ("service", Meaning::ServiceName),
    ("service.name", Meaning::ServiceName),
    ("service_name", Meaning::ServiceName),
    ("app", Meaning::ServiceName),
    ("application", Meaning::ServiceName),
    ("app_name", Meaning::ServiceName),
    ("pid", Meaning::ProcId),
    ("process.pid", Meaning::ProcId),
    ("proc_id", Meaning::ProcId),
    ("event_name", Meaning::EventName),
    ("event.name", Meaning::EventName),
    ("eventName", Meaning::EventName),
];

impl<'a> Record<'a> {
    /// Reads `text` by the format that it has.
    pub(crate) fn of(text: &'a str, into: &mut Target<'_>) -> Self {
        let line = text.trim_end_matches(['\r', '\n']);
        let mut record = Record::default();
        let bytes = line.trim_start().as_bytes();
        let near = line.as_bytes().get(..256).unwrap_or(line.as_bytes());
        let found = match bytes.first() {
            Some(b'{') => record.json(line, into),
            _ if memchr::memmem::find(near, b"CEF:").is_some() && cef::start(line).is_some() => {
                record.cef(line, into)
            }
            _ if memchr::memmem::find(near, b"LEEF:").is_some() && leef::start(line).is_some() => {
                record.leef(line, into)
            }
            Some(b'<') if matches!(syslog::priority(line), Ok((Some(_), _))) => {
                record.syslog(line, into)
            }
            Some(b'A'..=b'Z') if record.klog(line, into) => Ok(true),
            Some(b'A'..=b'Z' | b'1'..=b'9') if is_syslog(line) => record.syslog(line, into),
            Some(_) if record.clf(line, into) => Ok(true),
            Some(_) if record.logfmt(line, into) => Ok(true),
            _ => Ok(false),
        };
        match found {
            Ok(true) => {}
            Ok(false) => record.text(line, into),
            Err(why) => {
                into.maps.restart();
                record = Record::default();
                record.text(line, into);
                record.parse_error = Some(why);
            }
        }
        record
    }

    fn json(&mut self, line: &'a str, into: &mut Target<'_>) -> Result<bool, String> {
        self.format = "json";
        let wrong = |wrong: Wrong<'_>| format!("not JSON: {wrong}");
        let mut members = Members::of(line).map_err(wrong)?;
        while let Some((key, raw)) = members.step().map_err(wrong)? {
            let text = json::string(raw).unwrap_or_else(|| Text::plain(raw));
            let is_nested = matches!(Kind::of(raw), Some(Kind::Object));
            if !is_nested && self.field(key, text, into) {
                continue;
            }
            match is_nested {
                true => {
                    let mut name = key.to_cow().into_owned();
                    self.nested(&mut name, raw, DEPTH, into);
                }
                false => into.maps.put(key, Some(text).filter(|_| raw != "null")),
            }
        }
        Ok(true)
    }

    /// The members of an object as attributes whose names begin with `name`.
    fn nested(&mut self, name: &mut String, raw: &'a str, depth: usize, into: &mut Target<'_>) {
        let members = Members::of(raw)
            .ok()
            .filter(|_| depth > 0 && name.len() <= NAME);
        let Some(mut members) = members else {
            into.maps.put(Text::plain(name), Some(Text::plain(raw)));
            return;
        };
        let length = name.len();
        while let Ok(Some((key, raw))) = members.step() {
            name.push('.');
            key.push_to(name);
            let text = json::string(raw).unwrap_or_else(|| Text::plain(raw));
            if Kind::of(raw) == Some(Kind::Object) {
                self.nested(name, raw, depth - 1, into);
            } else if !self.known(name, text, into) {
                into.maps
                    .put(Text::plain(name), Some(text).filter(|_| raw != "null"));
            }
            name.truncate(length);
        }
    }

    /// Takes a field that means something; whether it does.
    fn field(&mut self, key: Text<'a>, value: Text<'a>, into: &Target<'_>) -> bool {
        key.as_plain()
            .is_some_and(|key| self.known(key, value, into))
    }

    fn known(&mut self, key: &str, value: Text<'a>, into: &Target<'_>) -> bool {
        let first = key.as_bytes().first();
        let mut known = MEANINGS.iter().filter(|(name, _)| name.len() == key.len());
        let Some((_, meaning)) =
            known.find(|(name, _)| name.as_bytes().first() == first && *name == key)
        else {
            return false;
        };
        if value.raw == "null" {
            return false;
        }
        let slot = match meaning {
            Meaning::Timestamp => return self.time(value, into),
            Meaning::Severity => return self.severity(value),
            Meaning::Body => &mut self.body,
            Meaning::TraceId => &mut self.trace_id,
            Meaning::SpanId => &mut self.span_id,
            Meaning::HostName => &mut self.host_name,
            Meaning::ServiceName => &mut self.service_name,
            Meaning::ProcId => &mut self.proc_id,
            Meaning::EventName => &mut self.event_name,
        };
        // The second field of one meaning is an attribute.
        let is_free = slot.is_none();
        if is_free {
            *slot = Some(value);
        }
        is_free
    }

    fn time(&mut self, value: Text<'a>, into: &Target<'_>) -> bool {
        if self.timestamp.is_some() {
            return false;
        }
        let raw = value.raw;
        let moment = moment::iso(raw).or_else(|| moment::named(raw));
        let moment = moment.filter(|moment| moment.length == raw.len());
        let us = match moment {
            Some(moment) => Some(into.clock.moment(&moment)),
            None => time::timestamp(raw),
        };
        self.timestamp = us;
        us.is_some()
    }

    fn severity(&mut self, value: Text<'a>) -> bool {
        if self.severity_text.is_some() {
            return false;
        }
        let pino = || severity::of_pino(value.raw.parse().ok()?);
        let number = severity::number(value.raw).or_else(pino);
        self.severity_number = number;
        self.severity_text = Some(value);
        true
    }

    fn cef(&mut self, line: &'a str, into: &mut Target<'_>) -> Result<bool, String> {
        self.format = "cef";
        let event = cef::parse(line).map_err(|wrong| format!("not a CEF event: {wrong}"))?;
        self.head(event.prefix, into);
        let [version, vendor, product, device, class, name, level] = event.header;
        let number = severity::in_cef(level.raw).and_then(severity::of_cef);
        (self.severity_text, self.severity_number) = (Some(level), number);
        (self.body, self.event_name) = (Some(name), Some(class));
        self.service_name = Some(product);
        let names = ["cef_version", "device_vendor", "device_version"];
        for (name, value) in names.into_iter().zip([version, vendor, device]) {
            into.maps.put(Text::plain(name), Some(value));
        }
        for (key, value) in event.extension {
            into.maps.put(Text::plain(key), Some(value));
        }
        Ok(true)
    }

    fn leef(&mut self, line: &'a str, into: &mut Target<'_>) -> Result<bool, String> {
        self.format = "leef";
        let event = leef::parse(line).map_err(|wrong| format!("not a LEEF event: {wrong}"))?;
        self.head(event.prefix, into);
        let [version, vendor, product, device, id] = event.header.map(Text::plain);
        (self.event_name, self.service_name) = (Some(id), Some(product));
        self.body = Some(Text::plain(line));
        let names = ["leef_version", "device_vendor", "device_version"];
        for (name, value) in names.into_iter().zip([version, vendor, device]) {
            into.maps.put(Text::plain(name), Some(value));
        }
        for (key, value) in event.attributes() {
            into.maps.put(Text::plain(key), value);
        }
        Ok(true)
    }

    /// Takes what a syslog header before an event says.
    fn head(&mut self, prefix: &'a str, into: &Target<'_>) {
        if prefix.is_empty() {
            return;
        }
        if let Ok(message) = syslog::parse(prefix) {
            let stamp = message.stamp.as_ref();
            self.timestamp = stamp.and_then(|stamp| into.clock.stamp(stamp, into.row));
            self.host_name = message.hostname.map(Text::plain);
        }
    }

    fn syslog(&mut self, line: &'a str, into: &mut Target<'_>) -> Result<bool, String> {
        self.format = "syslog";
        let message =
            syslog::parse(line).map_err(|wrong| format!("not a syslog message: {wrong}"))?;
        let body = message.message.unwrap_or_default();
        if body.trim_start().starts_with('{') {
            // A program that logs JSON through syslog: its own fields come first.
            match self.json(body.trim_start(), into) {
                Ok(_) => self.format = "syslog",
                Err(_) => {
                    into.maps.restart();
                    *self = Record {
                        format: "syslog",
                        ..Record::default()
                    };
                }
            }
        }
        let stamp = message.stamp.as_ref();
        let timestamp = stamp.and_then(|stamp| into.clock.stamp(stamp, into.row));
        self.timestamp = self.timestamp.or(timestamp);
        if let (None, Some((number, name))) = (self.severity_text, message.severity()) {
            self.severity_number = severity::of_syslog(number);
            self.severity_text = Some(Text::plain(name));
        }
        self.body = self.body.or_else(|| message.message.map(Text::plain));
        self.host_name = self.host_name.or_else(|| message.hostname.map(Text::plain));
        self.service_name = self
            .service_name
            .or_else(|| message.app_name.map(Text::plain));
        self.proc_id = self.proc_id.or_else(|| message.proc_id.map(Text::plain));
        self.event_name = self.event_name.or_else(|| message.msg_id.map(Text::plain));
        if let Some((_, facility)) = message.facility() {
            into.maps
                .put(Text::plain("syslog.facility"), Some(Text::plain(facility)));
        }
        for (id, parameters) in message.structured_data.into_iter().flatten() {
            let id: String = id.chars().take(NAME).collect();
            for (name, value) in parameters {
                let name = format!("{id}.{name}");
                into.maps.put(Text::plain(&name), Some(value));
            }
        }
        Ok(true)
    }

    fn klog(&mut self, line: &'a str, into: &mut Target<'_>) -> bool {
        let Some(header) = header::klog(line) else {
            return false;
        };
        self.format = "klog";
        self.header(&header, into);
        true
    }

    fn clf(&mut self, line: &'a str, into: &mut Target<'_>) -> bool {
        let Ok(request) = clf::parse(line) else {
            return false;
        };
        self.format = "clf";
        self.timestamp = request.moment.map(|moment| into.clock.moment(&moment));
        self.body = Some(Text::plain(line));
        let level = match request.status.unwrap_or(0) {
            500.. => 17,
            400..500 => 13,
            _ => 9,
        };
        self.severity_number = Some(level);
        self.severity_text = severity::name(level).map(Text::plain);
        let texts = [
            ("client.address", request.client.map(Text::plain)),
            ("user.name", request.user.map(Text::plain)),
            ("http.request.method", request.method.map(Text::plain)),
            ("url.path", request.path),
            ("url.query", request.query),
            ("network.protocol.name", request.protocol.map(Text::plain)),
            ("http.request.header.referer", request.referer),
            ("user_agent.original", request.user_agent),
        ];
        for (name, text) in texts {
            if text.is_some() {
                into.maps.put(Text::plain(name), text);
            }
        }
        let numbers = [
            ("http.response.status_code", request.status.map(i64::from)),
            ("http.response.body.size", request.bytes),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                into.maps
                    .put_with(Text::plain(name), |out| out.push_str(&number.to_string()));
            }
        }
        true
    }

    /// At least two pairs, the first of them at the beginning.
    fn logfmt(&mut self, line: &'a str, into: &mut Target<'_>) -> bool {
        let first = memchr::memchr2(b'=', b' ', line.as_bytes());
        if first.is_none_or(|at| line.as_bytes().get(at) != Some(&b'=')) {
            return false;
        }
        let pairs = || logfmt::Pairs::of(line);
        let is_pair = |pair: &Result<(&str, logfmt::Value<'_>), _>| {
            pair.as_ref()
                .is_ok_and(|(_, value)| *value != logfmt::Value::Alone)
        };
        let mut count = 0;
        for pair in pairs() {
            count += usize::from(is_pair(&pair));
            if pair.is_err() {
                return false;
            }
        }
        if count < 2 {
            return false;
        }
        self.format = "logfmt";
        for (key, value) in pairs().flatten() {
            let value = match value {
                logfmt::Value::Alone => None,
                logfmt::Value::Bare(text) => Some(Text::plain(text)),
                logfmt::Value::Quoted(text) => Some(text),
            };
            let key = Text::plain(key);
            let taken = value.is_some_and(|value| self.field(key, value, into));
            if !taken {
                into.maps.put(key, value);
            }
        }
        true
    }

    fn text(&mut self, line: &'a str, into: &mut Target<'_>) {
        self.format = "text";
        self.header(&header::parse(line), into);
    }

    fn header(&mut self, header: &header::Header<'a>, into: &mut Target<'_>) {
        let date = header
            .date
            .as_ref()
            .and_then(|date| into.clock.date(date, into.row));
        self.timestamp = header
            .moment
            .map(|moment| into.clock.moment(&moment))
            .or(date);
        self.severity_text = header.severity.map(Text::plain);
        self.severity_number = header.severity_number;
        self.proc_id = header.proc_id.map(Text::plain);
        self.body = Some(Text::plain(header.body));
        let parts = [
            ("log.logger", header.logger),
            ("thread.name", header.thread),
            ("log.context", header.context),
            ("log.prefix", header.prefix),
        ];
        for (name, part) in parts {
            if let Some(part) = part {
                into.maps.put(Text::plain(name), Some(Text::plain(part)));
            }
        }
    }
}

/// Whether a line without a priority begins as syslog in files does: a date, a host, a program.
fn is_syslog(line: &str) -> bool {
    match syslog::parse(line) {
        Ok(message) => {
            message.stamp.is_some() && message.hostname.is_some() && message.app_name.is_some()
        }
        Err(_) => false,
    }
}

//! Messages of the protocol: what a client sends, read with every length checked, and what it is
//! answered. Lengths come from strangers, so nothing is taken at its word.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::fault::{Refusal, Result};

/// What a client sends once it is connected.
#[derive(Debug)]
pub(super) enum Message {
    /// Statements as text.
    Query(String),
    /// A statement to prepare.
    Parse {
        name: String,
        sql: String,
        oids: Vec<u32>,
    },
    /// Values for a prepared statement.
    Bind(Bind),
    /// What a statement or a portal gives.
    Describe(Target),
    /// Some rows of a portal; 0 is all of them.
    Execute { portal: String, rows: usize },
    /// A statement or portal that is no longer needed.
    Close(Target),
    /// Everything that is there, now.
    Flush,
    /// The end of a series of messages.
    Sync,
    /// A password, or a step of its exchange.
    Password(Bytes),
    /// Something of a COPY that nobody asked for.
    Copy,
    /// The end.
    Terminate,
}

/// Values for a prepared statement, and the formats of what it gives.
#[derive(Debug)]
pub(super) struct Bind {
    pub(super) portal: String,
    pub(super) statement: String,
    pub(super) formats: Vec<u16>,
    pub(super) values: Vec<Option<Bytes>>,
    pub(super) results: Vec<u16>,
}

/// What a message is about.
#[derive(Debug)]
pub(super) enum Target {
    Statement(String),
    Portal(String),
}

/// Most bytes of the body of a message of this kind.
pub(super) fn body_bytes_max(kind: u8) -> usize {
    match kind {
        b'Q' | b'P' | b'B' | b'd' => 64 << 20,
        _ => 64 << 10,
    }
}

impl Message {
    /// Reads the message `kind` from its body.
    ///
    /// # Errors
    /// When the body is not what the kind says.
    pub(super) fn read(kind: u8, body: Bytes) -> Result<Self, Refusal> {
        let mut body = Fields(body);
        let message = match kind {
            b'Q' => Self::Query(body.text()?),
            b'P' => {
                let (name, sql) = (body.text()?, body.text()?);
                let count = body.count()?;
                let oids = (0..count).map(|_| body.u32()).collect::<Result<_, _>>()?;
                Self::Parse { name, sql, oids }
            }
            b'B' => Self::Bind(body.bind()?),
            b'D' => Self::Describe(body.target()?),
            b'C' => Self::Close(body.target()?),
            b'E' => {
                let portal = body.text()?;
                // Negative numbers stand for all rows too.
                let rows = i32::from_be_bytes(body.u32()?.to_be_bytes());
                let rows = usize::try_from(rows).unwrap_or(0);
                Self::Execute { portal, rows }
            }
            b'H' => Self::Flush,
            b'S' => Self::Sync,
            b'X' => Self::Terminate,
            b'p' => return Ok(Self::Password(body.0)),
            b'd' | b'c' | b'f' => return Ok(Self::Copy),
            other => {
                let text = format!("there is no message of type {other}");
                return Err(Refusal {
                    fatal: true,
                    ..Refusal::protocol(text)
                });
            }
        };
        match body.0.is_empty() {
            true => Ok(message),
            false => Err(Refusal::protocol("a message is longer than its fields")),
        }
    }
}

/// The fields of a message, one after the other.
#[derive(Debug)]
pub(super) struct Fields(pub(super) Bytes);

impl Fields {
    /// The next `count` bytes.
    ///
    /// # Errors
    /// When there are fewer; so for the others too.
    pub(super) fn bytes(&mut self, count: usize) -> Result<Bytes, Refusal> {
        match self.0.len() >= count {
            true => Ok(self.0.split_to(count)),
            false => Err(Refusal::protocol("a message is shorter than its fields")),
        }
    }

    pub(super) fn u32(&mut self) -> Result<u32, Refusal> {
        Ok(self.bytes(4)?.get_u32())
    }

    pub(super) fn u16(&mut self) -> Result<u16, Refusal> {
        Ok(self.bytes(2)?.get_u16())
    }

    fn count(&mut self) -> Result<usize, Refusal> {
        Ok(usize::from(self.u16()?))
    }

    /// A text that ends with a zero.
    pub(super) fn text(&mut self) -> Result<String, Refusal> {
        let Some(end) = self.0.iter().position(|byte| *byte == 0) else {
            return Err(Refusal::protocol("a text of a message has no end"));
        };
        let text = self.0.split_to(end);
        self.0.advance(1);
        String::from_utf8(text.to_vec())
            .map_err(|_| Refusal::new("22021", "invalid byte sequence for encoding \"UTF8\""))
    }

    fn target(&mut self) -> Result<Target, Refusal> {
        match self.bytes(1)?.get_u8() {
            b'S' => Ok(Target::Statement(self.text()?)),
            b'P' => Ok(Target::Portal(self.text()?)),
            _ => Err(Refusal::protocol(
                "a message is about neither a statement nor a portal",
            )),
        }
    }

    fn formats(&mut self) -> Result<Vec<u16>, Refusal> {
        let count = self.count()?;
        (0..count).map(|_| self.u16()).collect()
    }

    fn bind(&mut self) -> Result<Bind, Refusal> {
        let (portal, statement) = (self.text()?, self.text()?);
        let formats = self.formats()?;
        let count = self.count()?;
        let mut values = Vec::new();
        for _ in 0..count {
            let length = self.u32()?;
            values.push(match length {
                u32::MAX => None,
                length => Some(self.bytes(usize::try_from(length).unwrap_or(usize::MAX))?),
            });
        }
        let results = self.formats()?;
        Ok(Bind {
            portal,
            statement,
            formats,
            values,
            results,
        })
    }
}

/// A column as it is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) oid: u32,
    pub(super) size: i16,
    pub(super) modifier: i32,
    pub(super) format: u16,
}

/// What the client is sent, until it is sent.
#[derive(Debug, Default)]
pub(super) struct Output(pub(super) BytesMut);

impl Output {
    /// A message of `kind` with the body that `fill` writes.
    pub(super) fn message(&mut self, kind: u8, fill: impl FnOnce(&mut BytesMut)) {
        self.0.put_u8(kind);
        let at = self.0.len();
        self.0.put_u32(0);
        fill(&mut self.0);
        patch(&mut self.0, at, 0);
    }

    /// A message without a body.
    pub(super) fn bare(&mut self, kind: u8) {
        self.message(kind, |_| {});
    }

    /// A step of authentication.
    pub(super) fn authentication(&mut self, step: u32, data: &[u8]) {
        self.message(b'R', |body| {
            body.put_u32(step);
            body.put_slice(data);
        });
    }

    /// A setting that clients watch.
    pub(super) fn parameter(&mut self, name: &str, value: &str) {
        self.message(b'S', |body| {
            text(body, name);
            text(body, value);
        });
    }

    /// What a statement did.
    pub(super) fn complete(&mut self, tag: &str) {
        self.message(b'C', |body| text(body, tag));
    }

    /// The server waits for the next statement.
    pub(super) fn ready(&mut self, status: u8) {
        self.message(b'Z', |body| body.put_u8(status));
    }

    /// The types of parameters.
    pub(super) fn parameters(&mut self, oids: &[u32]) {
        self.message(b't', |body| {
            body.put_u16(u16::try_from(oids.len()).unwrap_or(u16::MAX));
            oids.iter().for_each(|oid| body.put_u32(*oid));
        });
    }

    /// The columns of the rows that follow.
    pub(super) fn columns(&mut self, columns: &[Described]) {
        self.message(b'T', |body| {
            body.put_u16(u16::try_from(columns.len()).unwrap_or(u16::MAX));
            for column in columns {
                text(body, &column.name);
                body.put_u32(0);
                body.put_u16(0);
                body.put_u32(column.oid);
                body.put_i16(column.size);
                body.put_i32(column.modifier);
                body.put_u16(column.format);
            }
        });
    }

    /// An error.
    pub(super) fn refusal(&mut self, refusal: &Refusal) {
        let severity = if refusal.fatal { "FATAL" } else { "ERROR" };
        self.message(b'E', |body| report(body, severity, refusal));
    }

    /// Something worth knowing that is no error.
    pub(super) fn notice(&mut self, severity: &str, refusal: &Refusal) {
        self.message(b'N', |body| report(body, severity, refusal));
    }
}

fn report(body: &mut BytesMut, severity: &str, refusal: &Refusal) {
    let mut field = |kind: u8, value: &str| {
        body.put_u8(kind);
        text(body, value);
    };
    field(b'S', severity);
    field(b'V', severity);
    field(b'C', refusal.code);
    field(b'M', &refusal.message);
    if let Some(hint) = &refusal.hint {
        field(b'H', hint);
    }
    if let Some(position) = refusal.position {
        field(b'P', &position.to_string());
    }
    body.put_u8(0);
}

/// A text and the zero that ends it. One inside would cut it short.
fn text(body: &mut BytesMut, text: &str) {
    match text.contains('\0') {
        false => body.put_slice(text.as_bytes()),
        true => body.put_slice(text.replace('\0', "").as_bytes()),
    }
    body.put_u8(0);
}

/// Writes at `at` how many bytes there are behind it; of these the first `without` do not count.
pub(super) fn patch(body: &mut BytesMut, at: usize, without: usize) {
    let length = body.len().saturating_sub(at + without);
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(place) = body.get_mut(at..at + 4) {
        place.copy_from_slice(&length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_a_message_is_refused_and_none_panics() {
        let bind = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\x01\0\x01";
        let parse = b"s\0SELECT $1\0\0\x01\0\0\0\x17";
        for (kind, body) in [
            (b'B', &bind[..]),
            (b'P', parse),
            (b'E', b"p\0\0\0\0\x05"),
            (b'D', b"Ss\0"),
        ] {
            assert!(Message::read(kind, Bytes::copy_from_slice(body)).is_ok());
            for end in 0..body.len() {
                let part = Bytes::copy_from_slice(&body[..end]);
                assert!(Message::read(kind, part).is_err(), "{kind} {end}");
            }
        }
        let huge = Bytes::from_static(b"\0\0\0\0\0\x01\x7f\xff\xff\xffa");
        assert!(Message::read(b'B', huge).is_err());
    }

    #[test]
    fn lengths_are_those_of_the_bodies() {
        let mut output = Output::default();
        output.complete("SELECT 1");
        assert_eq!(&output.0[..], b"C\0\0\0\x0dSELECT 1\0");
        let mut output = Output::default();
        output.ready(b'I');
        assert_eq!(&output.0[..], b"Z\0\0\0\x05I");
    }
}

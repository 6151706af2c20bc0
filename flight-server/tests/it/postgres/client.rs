//! A client of the protocol's own bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) kind: char,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The texts of the body, each of which a zero ends.
    pub(super) fn texts(&self) -> Vec<String> {
        let parts = self.body.split(|byte| *byte == 0);
        parts
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect()
    }

    /// A field of an error, such as `C` for its SQLSTATE.
    pub(super) fn field(&self, kind: char) -> Option<String> {
        let texts = self.texts();
        texts
            .iter()
            .find_map(|text| text.strip_prefix(kind))
            .map(str::to_owned)
    }

    /// The values of a row.
    pub(super) fn values(&self) -> Vec<Option<Vec<u8>>> {
        let mut rest = &self.body[2..];
        let mut values = Vec::new();
        while !rest.is_empty() {
            let length = i32::from_be_bytes(rest[..4].try_into().unwrap());
            rest = &rest[4..];
            values.push(usize::try_from(length).ok().map(|length| {
                let (value, after) = rest.split_at(length);
                rest = after;
                value.to_vec()
            }));
        }
        values
    }

    /// The name and the type of each column.
    pub(super) fn columns(&self) -> Vec<(String, u32)> {
        let mut rest = &self.body[2..];
        let mut columns = Vec::new();
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == 0).unwrap();
            let name = String::from_utf8(rest[..end].to_vec()).unwrap();
            rest = &rest[end + 1..];
            let oid = u32::from_be_bytes(rest[6..10].try_into().unwrap());
            columns.push((name, oid));
            rest = &rest[18..];
        }
        columns
    }
}

/// One connection.
pub(super) struct Client {
    socket: TcpStream,
    /// What stops a statement of this connection.
    pub(super) key: Vec<u8>,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self {
            socket: TcpStream::connect(address).await.unwrap(),
            key: Vec::new(),
        }
    }

    /// Sends bytes as they are.
    pub(super) async fn raw(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// One byte, as the answer to a request for TLS is; `None` at the end.
    pub(super) async fn byte(&mut self) -> Option<u8> {
        self.socket.read_u8().await.ok()
    }

    /// Says hello with `settings`, and reads up to the first invitation or refusal.
    pub(super) async fn start(&mut self, settings: &[(&str, &str)]) -> Vec<Answer> {
        self.hello(196_608, settings).await;
        let answers = self.answers().await;
        if let Some(key) = answers.iter().find(|answer| answer.kind == 'K') {
            self.key = key.body.clone();
        }
        answers
    }

    /// Sends a hello of protocol `version`.
    pub(super) async fn hello(&mut self, version: u32, settings: &[(&str, &str)]) {
        let mut body = version.to_be_bytes().to_vec();
        for (name, value) in [("user", "tester")].iter().chain(settings) {
            body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).unwrap();
        self.raw(&[length.to_be_bytes().to_vec(), body].concat())
            .await;
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, kind: char, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).unwrap();
        let kind = [u8::try_from(kind).unwrap()];
        self.raw(&[&kind[..], &length.to_be_bytes(), body].concat())
            .await;
    }

    /// The next message; `None` at the end.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        let kind = char::from(self.byte().await?);
        let length = self.socket.read_u32().await.ok()?;
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        self.socket.read_exact(&mut body).await.ok()?;
        Some(Answer { kind, body })
    }

    /// All messages up to the next invitation, or to the end.
    pub(super) async fn answers(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(answer) = self.answer().await {
            let last = answer.kind == 'Z';
            answers.push(answer);
            if last {
                break;
            }
        }
        answers
    }

    /// The answers to a text of statements.
    pub(super) async fn query(&mut self, sql: &str) -> Vec<Answer> {
        self.send('Q', format!("{sql}\0").as_bytes()).await;
        self.answers().await
    }

    /// The rows of a query as text.
    pub(super) async fn rows(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        let answers = self.query(sql).await;
        if let Some(error) = answers.iter().find(|answer| answer.kind == 'E') {
            panic!("{sql}: {:?}", error.texts());
        }
        let rows = answers.iter().filter(|answer| answer.kind == 'D');
        let text = |value: Option<Vec<u8>>| value.map(|bytes| String::from_utf8(bytes).unwrap());
        rows.map(|row| row.values().into_iter().map(text).collect())
            .collect()
    }

    /// The one value of a query as text.
    pub(super) async fn value(&mut self, sql: &str) -> Option<String> {
        let mut rows = self.rows(sql).await;
        rows.remove(0).remove(0)
    }

    /// The SQLSTATE and the message with which `sql` is refused.
    pub(super) async fn refused(&mut self, sql: &str) -> (String, String) {
        let answers = self.query(sql).await;
        let error = answers.iter().find(|answer| answer.kind == 'E');
        let error = error.unwrap_or_else(|| panic!("{sql}: {answers:?}"));
        (error.field('C').unwrap(), error.field('M').unwrap())
    }

    /// Sends the messages of a statement with parameters in text up to its execution.
    pub(super) async fn execute(&mut self, sql: &str, values: &[&str], rows: u32) {
        self.send('P', format!("\0{sql}\0\0\0").as_bytes()).await;
        let mut bind = b"\0\0\0\0".to_vec();
        bind.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in values {
            bind.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            bind.extend(value.as_bytes());
        }
        bind.extend([0, 0]);
        self.send('B', &bind).await;
        self.send('D', b"P\0").await;
        self.send('E', &[&b"\0"[..], &rows.to_be_bytes()].concat())
            .await;
    }
}

/// The kinds of `answers` in their order.
pub(super) fn kinds(answers: &[Answer]) -> String {
    answers.iter().map(|answer| answer.kind).collect()
}

/// The tags of `answers`.
pub(super) fn tags(answers: &[Answer]) -> Vec<String> {
    let tags = answers.iter().filter(|answer| answer.kind == 'C');
    tags.map(|tag| tag.texts().remove(0)).collect()
}

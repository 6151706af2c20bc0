//! A client's socket: messages in, buffered answers out, and a watch over whether the client is
//! still there while a statement runs.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::timeout;

use super::fault::{Fault, Refusal, Result};
use super::frame::{Output, body_bytes_max};

/// A client that takes nothing for so long is given up; what it holds is needed by others.
const STALLED: Duration = Duration::from_secs(300);
/// What a client may send ahead while a statement runs.
const AHEAD_BYTES_MAX: usize = 1 << 20;
/// Answers are sent when so much has come together.
const SEND_BYTES: usize = 64 << 10;

/// What a client is connected by, with or without TLS.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// A client's socket with what came and what goes.
pub(super) struct Wire {
    reader: ReadHalf<Box<dyn Socket>>,
    writer: WriteHalf<Box<dyn Socket>>,
    input: BytesMut,
    /// What is to be sent.
    pub(super) output: Output,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) fn new(socket: Box<dyn Socket>) -> Self {
        let (reader, writer) = split(socket);
        Self {
            reader,
            writer,
            input: BytesMut::new(),
            output: Output::default(),
        }
    }

    /// The socket again, where nothing beyond what was read came over it.
    ///
    /// # Errors
    /// When more came: it was sent in the clear, and does not belong behind TLS.
    pub(super) fn into_socket(self) -> io::Result<Box<dyn Socket>> {
        match self.input.is_empty() {
            true => Ok(self.reader.unsplit(self.writer)),
            false => Err(io::Error::other("data in the clear before TLS")),
        }
    }

    /// The first message, which has no kind.
    pub(super) async fn first(&mut self, bytes_max: usize) -> Result<Bytes> {
        let length = self.length(0).await?;
        if !(4..=bytes_max).contains(&length) {
            return Err(Refusal::fatal("08P01", "invalid length of the startup packet").into());
        }
        self.need(length + 4).await?;
        self.input.advance(4);
        Ok(self.input.split_to(length).freeze())
    }

    /// The next message: its kind and its body.
    pub(super) async fn next(&mut self) -> Result<(u8, Bytes)> {
        let length = self.length(1).await?;
        let kind = self.input.first().copied().unwrap_or_default();
        if length > body_bytes_max(kind) {
            let text = format!("a message of {length} bytes is larger than the server takes");
            return Err(Refusal::fatal("54000", text).into());
        }
        self.need(length + 5).await?;
        self.input.advance(5);
        Ok((kind, self.input.split_to(length).freeze()))
    }

    /// Whether a further message has begun to come.
    pub(super) fn has_more(&self) -> bool {
        !self.input.is_empty()
    }

    /// The length that stands at `at`, without its own four bytes.
    async fn length(&mut self, at: usize) -> Result<usize> {
        self.need(at + 4).await?;
        let length = self.input.get(at..).map_or(0, |mut rest| rest.get_u32());
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        length.checked_sub(4).ok_or_else(|| {
            Refusal::fatal("08P01", "a message is shorter than its own length").into()
        })
    }

    async fn need(&mut self, bytes: usize) -> Result<()> {
        while self.input.len() < bytes {
            if self.reader.read_buf(&mut self.input).await? == 0 {
                return Err(gone());
            }
        }
        Ok(())
    }

    /// Comes to its end when the client is gone. Keeps what the client sends meanwhile.
    pub(super) async fn gone(&mut self) -> Fault {
        while self.input.len() < AHEAD_BYTES_MAX {
            match self.reader.read_buf(&mut self.input).await {
                Ok(0) => return gone(),
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
        std::future::pending().await
    }

    /// Whether enough has come together to be sent.
    pub(super) fn is_full(&self) -> bool {
        self.output.0.len() >= SEND_BYTES
    }

    /// Sends what is to be sent. When it is dropped on the way, the rest is still there.
    pub(super) async fn flush(&mut self) -> Result<()> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing");
        while self.output.0.has_remaining() {
            let sent = timeout(STALLED, self.writer.write_buf(&mut self.output.0));
            if sent.await.map_err(late)?? == 0 {
                return Err(gone());
            }
        }
        Ok(timeout(STALLED, self.writer.flush())
            .await
            .map_err(late)??)
    }

    /// Says goodbye as far as the client listens.
    pub(super) async fn close(mut self) {
        let _unheard = self.flush().await;
        let _closed = timeout(Duration::from_secs(1), self.writer.shutdown()).await;
    }
}

fn gone() -> Fault {
    io::Error::from(io::ErrorKind::UnexpectedEof).into()
}

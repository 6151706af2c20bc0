//! Rows of a running query on their way to a client: never more than a batch at a time, so that a
//! client that reads slowly, or in parts, holds the query back.

use std::fmt::Write;

use arrow::array::RecordBatch;
use arrow::array::timezone::Tz;
use arrow::datatypes::Schema;
use bytes::{BufMut, BytesMut};
use futures::{FutureExt, StreamExt};
use sluice_engine::error::{Error, Result as Done};
use sluice_engine::query::QueryStream;

use super::cancel::Stop;
use super::column::{Column, columns};
use super::command::{Format, Style};
use super::fault::{Refusal, Result};
use super::frame::Described;
use super::types::{modifier, oid_of, size};
use super::wire::Wire;

/// The rows of a query that runs, as far as they are not sent.
#[derive(Debug)]
pub(super) struct Rows {
    stream: QueryStream,
    zone: Tz,
    /// The batch that is being sent, and its next row.
    batch: Vec<Column>,
    next: usize,
    length: usize,
    /// What a binary copy begins with: it goes into the message of its first row.
    pub(super) header: &'static [u8],
}

/// Where rows go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sink<'a> {
    /// To the client, each column in its format.
    Rows(&'a [u16]),
    /// To the client, as the data of a COPY.
    Copy(&'a Style),
    /// Nowhere.
    Dropped,
}

/// How sending ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) rows: usize,
    /// There may be more.
    pub(super) more: bool,
}

/// The columns of `schema` as they are announced, in text.
pub(super) fn described(schema: &Schema) -> Vec<Described> {
    let described = schema.fields().iter().map(|field| {
        let oid = oid_of(field);
        Described {
            name: field.name().clone(),
            oid,
            size: size(oid),
            modifier: modifier(field.data_type()),
            format: 0,
        }
    });
    described.collect()
}

/// Waits for `work` as long as the client is there and nothing stops it.
///
/// # Errors
/// Those of `work`, which is about `sql`, and what stops it.
pub(super) async fn watched<T>(
    wire: &mut Wire,
    stop: &Stop,
    sql: &str,
    work: impl Future<Output = Done<T>>,
) -> Result<T> {
    tokio::select! {
        done = work => done.map_err(|error: Error| Refusal::of(&error, sql).into()),
        fault = wire.gone() => Err(fault),
        refusal = stop.raised() => Err(refusal.into()),
    }
}

/// Sends what is to be sent, unless something stops it.
///
/// # Errors
/// What stops it, or when the client is gone.
pub(super) async fn flushed(wire: &mut Wire, stop: &Stop) -> Result<()> {
    tokio::select! {
        done = wire.flush() => done,
        refusal = stop.raised() => Err(refusal.into()),
    }
}

impl Rows {
    /// The rows of `stream`; points in time are shown in `zone`.
    pub(super) fn new(stream: QueryStream, zone: Tz) -> Self {
        Self {
            stream,
            zone,
            batch: Vec::new(),
            next: 0,
            length: 0,
            header: &[],
        }
    }

    /// Sends at most `limit` rows.
    ///
    /// # Errors
    /// Those of the query, what stops it, or when the client is gone.
    pub(super) async fn send(
        &mut self,
        wire: &mut Wire,
        stop: &Stop,
        sink: Sink<'_>,
        limit: Option<usize>,
    ) -> Result<Sent> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut rows = 0;
        loop {
            while self.next < self.length && rows < limit {
                let header = std::mem::take(&mut self.header);
                write(wire, &self.batch, sink, (self.next, header));
                self.next += 1;
                rows += 1;
                if wire.is_full() {
                    flushed(wire, stop).await?;
                }
            }
            if rows >= limit {
                return Ok(Sent { rows, more: true });
            }
            match self.batch(wire, stop).await? {
                Some(batch) => {
                    self.batch = columns(&batch, self.zone)?;
                    (self.next, self.length) = (0, batch.num_rows());
                }
                None => return Ok(Sent { rows, more: false }),
            }
        }
    }

    /// The next batch. While it is computed, what is there already goes out.
    async fn batch(&mut self, wire: &mut Wire, stop: &Stop) -> Result<Option<RecordBatch>> {
        if let Some(next) = self.stream.next().now_or_never() {
            return Ok(next.transpose()?);
        }
        flushed(wire, stop).await?;
        let next = self.stream.next().map(Option::transpose);
        watched(wire, stop, "", next).await
    }
}

fn write(wire: &mut Wire, batch: &[Column], sink: Sink<'_>, (row, header): (usize, &[u8])) {
    match sink {
        Sink::Rows(formats) => wire.output.message(b'D', |body| {
            put_count(body, batch.len());
            let mut formats = formats.iter();
            for column in batch {
                let format = formats.next().copied().unwrap_or_default();
                column.put(body, row, format);
            }
        }),
        Sink::Copy(style) => wire.output.message(b'd', |body| match style.format {
            Format::Binary => {
                body.put_slice(header);
                put_count(body, batch.len());
                batch.iter().for_each(|column| column.put(body, row, 1));
            }
            Format::Csv | Format::Text => line(body, batch, style, row),
        }),
        Sink::Dropped => {}
    }
}

fn put_count(body: &mut BytesMut, count: usize) {
    body.put_u16(u16::try_from(count).unwrap_or(u16::MAX));
}

/// A row of a copy in text.
fn line(body: &mut BytesMut, batch: &[Column], style: &Style, row: usize) {
    let mut text = String::new();
    for (index, column) in batch.iter().enumerate() {
        if index > 0 {
            put(body, style.delimiter);
        }
        if column.is_null(row) {
            body.put_slice(style.null.as_bytes());
            continue;
        }
        text.clear();
        column.text(&mut text, row);
        cell(body, &text, style);
    }
    body.put_u8(b'\n');
}

/// A value of a copy in text, with what would end it escaped.
pub(super) fn cell(body: &mut BytesMut, text: &str, style: &Style) {
    if style.format == Format::Csv {
        let special = |c| [style.delimiter, style.quote, '\n', '\r'].contains(&c);
        if !text.contains(special) && text != style.null && text != "\\." {
            return body.put_slice(text.as_bytes());
        }
        put(body, style.quote);
        for next in text.chars() {
            if next == style.quote || next == style.escape {
                put(body, style.escape);
            }
            put(body, next);
        }
        return put(body, style.quote);
    }
    for next in text.chars() {
        match next {
            '\\' => body.put_slice(b"\\\\"),
            '\n' => body.put_slice(b"\\n"),
            '\r' => body.put_slice(b"\\r"),
            '\t' => body.put_slice(b"\\t"),
            '\u{8}' => body.put_slice(b"\\b"),
            '\u{b}' => body.put_slice(b"\\v"),
            '\u{c}' => body.put_slice(b"\\f"),
            next => {
                if next == style.delimiter {
                    body.put_u8(b'\\');
                }
                put(body, next);
            }
        }
    }
}

fn put(body: &mut BytesMut, character: char) {
    // Writing to memory does not fail.
    let _written = body.write_char(character);
}

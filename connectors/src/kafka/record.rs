//! A message of librdkafka as a record.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers as _, Message};
use sluice_engine::source::Wanted;

use crate::decode::{Chunk, Fault, Headers, Position, Record};

/// The headers of a message.
struct Carried<'a>(&'a BorrowedHeaders);

impl Headers for Carried<'_> {
    fn each(&self, header: &mut dyn FnMut(&str, Option<&[u8]>)) {
        for at in 0..self.0.count() {
            if let Some(found) = self.0.try_get(at) {
                header(found.key, found.value);
            }
        }
    }
}

/// Takes `message` into the chunk.
pub(super) fn take(
    chunk: &mut Chunk,
    at: &mut Position,
    message: &BorrowedMessage<'_>,
    wanted: Wanted,
) {
    let millis = message.timestamp().to_millis();
    let mut record = Record {
        offset: message.offset(),
        timestamp_us: millis.and_then(|millis| millis.checked_mul(1000)),
        key: message.key(),
        value: message.payload(),
        headers: None,
    };
    let headers = match wanted.headers {
        true => message.headers(),
        false => None,
    };
    let Some(headers) = headers.map(Carried) else {
        return chunk.push(at, &record);
    };
    if record.offset < at.next() {
        return;
    }
    // The names come from whoever produced the record, and rdkafka panics where one is not UTF-8.
    if catch_unwind(AssertUnwindSafe(|| headers.each(&mut |_, _| {}))).is_err() {
        let fault = Fault {
            code: "bad_headers",
            reason: "the name of a header is not UTF-8 text".to_owned(),
        };
        return chunk.reject(at, &record, fault);
    }
    record.headers = Some(&headers);
    chunk.push(at, &record);
}

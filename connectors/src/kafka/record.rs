//! A message of librdkafka as a record.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use sluice_engine::source::Wanted;

use super::native;
use crate::decode::{Chunk, Fault, Headers, Position, Record};

/// The headers of a message.
pub(super) struct Named<'a>(Vec<(&'a str, Option<&'a [u8]>)>);

impl Headers for Named<'_> {
    fn each(&self, header: &mut dyn FnMut(&str, Option<&[u8]>)) {
        for (name, value) in &self.0 {
            header(name, *value);
        }
    }
}

/// The name of a header is no text. It comes from whoever produced the record.
pub(super) struct Misnamed;

/// A message, however it was polled.
pub(super) trait Polled {
    /// Its record, without headers.
    fn record(&self) -> Record<'_>;

    /// Its headers, where it has some.
    fn headers(&self) -> Result<Option<Named<'_>>, Misnamed>;
}

impl Polled for native::Message<'_> {
    fn record(&self) -> Record<'_> {
        Record {
            offset: self.offset(),
            timestamp_us: self.millis().and_then(|millis| millis.checked_mul(1000)),
            key: self.key(),
            value: self.value(),
            headers: None,
        }
    }

    fn headers(&self) -> Result<Option<Named<'_>>, Misnamed> {
        match self.headers() {
            Ok(headers) => Ok(headers.map(Named)),
            Err(_) => Err(Misnamed),
        }
    }
}

impl Polled for BorrowedMessage<'_> {
    fn record(&self) -> Record<'_> {
        let millis = self.timestamp().to_millis();
        Record {
            offset: self.offset(),
            timestamp_us: millis.and_then(|millis| millis.checked_mul(1000)),
            key: self.key(),
            value: self.payload(),
            headers: None,
        }
    }

    fn headers(&self) -> Result<Option<Named<'_>>, Misnamed> {
        let Some(headers) = rdkafka::Message::headers(self) else {
            return Ok(None);
        };
        let named = || {
            let all = headers.iter().map(|found| (found.key, found.value));
            Named(all.collect())
        };
        // rdkafka panics where a name is not UTF-8.
        match catch_unwind(AssertUnwindSafe(named)) {
            Ok(named) => Ok(Some(named)),
            Err(_) => Err(Misnamed),
        }
    }
}

/// Takes `message` into the chunk.
pub(super) fn take(chunk: &mut Chunk, at: &mut Position, message: &impl Polled, wanted: Wanted) {
    let mut record = message.record();
    if !wanted.headers || record.offset < at.next() {
        return chunk.push(at, &record);
    }
    match message.headers() {
        Ok(None) => chunk.push(at, &record),
        Ok(Some(headers)) => {
            record.headers = Some(&headers);
            chunk.push(at, &record);
        }
        Err(Misnamed) => {
            let fault = Fault {
                code: "bad_headers",
                reason: "the name of a header is not UTF-8 text".to_owned(),
            };
            chunk.reject(at, &record, fault);
        }
    }
}

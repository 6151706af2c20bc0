//! Standard output. Every write goes through here, off the thread that waits for signals, so that a
//! reader who has stopped reading does not hold up the end.

use std::io::{ErrorKind, Write, stdout};

use sluice_engine::error::{Error, Result};
use tokio::task::spawn_blocking;

/// Writes `bytes` and hands them on at once.
///
/// # Errors
/// When they cannot be written. [`super::exit::status`] tells the case that nobody reads any more.
pub(crate) async fn print(bytes: Vec<u8>) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let written = spawn_blocking(move || {
        let mut out = stdout().lock();
        out.write_all(&bytes).and_then(|()| out.flush())
    });
    let written = written
        .await
        .map_err(|error| Error::internal("writing met a fault").source(error))?;
    written.map_err(|error| {
        let text = format!("cannot write to standard output: {error}");
        let failed = match error.kind() {
            ErrorKind::BrokenPipe => Error::cancelled(text),
            _ => Error::unavailable(text),
        };
        failed.source(error)
    })
}

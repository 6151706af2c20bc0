//! Ctrl-C and SIGTERM, waited for instead of being killed by them.

use std::process::ExitCode;

use sluice_engine::error::{Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask the process to end. From the first value on they no longer kill it.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub(crate) fn listen() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Error::unavailable(format!("cannot wait for signals: {error}")).source(error)
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one; gives the exit status of a command that it cuts off.
    pub(crate) async fn next(&mut self) -> ExitCode {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        };
        let number = u8::try_from(kind.as_raw_value()).unwrap_or_default();
        ExitCode::from(128 + number)
    }
}

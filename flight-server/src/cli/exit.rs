//! How a command ends: 0 when its work is done, 1 when it failed or a proof did, 2 when the
//! arguments are wrong (which clap says), and 128 plus the number of the signal that ended it.

use std::io::{self, ErrorKind, Write, stderr};
use std::process::ExitCode;

use sluice_engine::error::{Error, Kind, Result};

/// The exit status for `outcome`; an error is reported on standard error. Nobody reading standard
/// output any more, as after `| head`, is no error.
#[must_use]
pub fn status(outcome: Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) if is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says on standard error what failed, and the way out.
pub(crate) fn report(error: &Error) {
    let mut text = format!("error: {error}\n");
    if error.kind() == Kind::Internal {
        let mut next = std::error::Error::source(error);
        while let Some(cause) = next {
            text.push_str(&format!("caused by: {cause}\n"));
            next = cause.source();
        }
    }
    say(&text);
}

/// Writes `text` to standard error as it is.
pub(crate) fn say(text: &str) {
    // Without standard error there is nowhere left to say so.
    let _unread = stderr().write_all(text.as_bytes());
}

/// Whether `error` says that nobody reads standard output any more.
pub(crate) fn is_closed(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    let broken = source.is_some_and(|error: &io::Error| error.kind() == ErrorKind::BrokenPipe);
    error.kind() == Kind::Cancelled && broken
}

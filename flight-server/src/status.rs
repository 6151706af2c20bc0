//! From a failure to the gRPC status a client sees. No other file makes a status: the kind of an
//! error alone decides the code, and the text is the error's message and hint, short enough for a
//! trailer.

use std::fmt;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use sluice_engine::error::{Error, Kind};
use tonic::body::Body;
use tonic::codegen::http;
use tonic::{Code, Status};

/// Characters of text that travel; the text is an HTTP/2 trailer.
const TEXT_CHARS_MAX: usize = 2_000;
/// Bytes of the text once it is percent-encoded; C++ clients refuse headers above 8 KiB.
const TEXT_ENCODED_MAX: usize = 6_000;

/// Why a call is not answered.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// What was asked for failed.
    Failed(Error),
    /// The caller did not say who he is, or lied.
    Unauthenticated(String),
    /// The protocol has it, this server does not.
    Unimplemented(String),
    /// The client said until when it would wait, and that has come.
    Late,
}

/// Shorthand for results of the service.
pub(crate) type Result<T, E = Refusal> = std::result::Result<T, E>;

impl Refusal {
    /// The kind of error that it is, where it is one.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Failed(error) => error.kind(),
            Self::Unauthenticated(_) => Kind::Denied,
            Self::Unimplemented(_) => Kind::Unsupported,
            Self::Late => Kind::Limit,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ArrowError> for Refusal {
    fn from(error: ArrowError) -> Self {
        Self::Failed(Error::from(DataFusionError::from(error)))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "{error}"),
            Self::Unauthenticated(text) | Self::Unimplemented(text) => f.write_str(text),
            Self::Late => f.write_str("the deadline of the call has passed"),
        }
    }
}

impl Refusal {
    /// The refusal as the answer to a call whose message was not read.
    pub(crate) fn into_http(self) -> http::Response<Body> {
        Status::from(self).into_http()
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Failed(error) => code(error.kind()),
            Refusal::Unauthenticated(_) => Code::Unauthenticated,
            Refusal::Unimplemented(_) => Code::Unimplemented,
            Refusal::Late => Code::DeadlineExceeded,
        };
        if let (Code::Internal, Refusal::Failed(error)) = (code, &refusal) {
            tracing::error!(error = %error, source = ?std::error::Error::source(error), "fault");
        }
        Self::new(code, bounded(&refusal.to_string()))
    }
}

/// The code of an error. A statement this build cannot run is the statement's fault for a driver:
/// UNIMPLEMENTED would tell it that the call itself is missing, and some then go on without it.
fn code(kind: Kind) -> Code {
    match kind {
        Kind::User | Kind::Unsupported => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::Exists => Code::AlreadyExists,
        Kind::Conflict => Code::Aborted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Limit => Code::ResourceExhausted,
        Kind::Denied => Code::PermissionDenied,
        Kind::Cancelled => Code::Cancelled,
        Kind::Internal => Code::Internal,
        _ => Code::Unknown,
    }
}

/// The beginning of `text` that fits a trailer.
fn bounded(text: &str) -> String {
    let mut encoded = 0;
    let mut kept = String::with_capacity(text.len().min(TEXT_CHARS_MAX));
    for (index, next) in text.chars().enumerate() {
        let plain = (' '..='~').contains(&next) && next != '%';
        encoded += if plain { 1 } else { 3 * next.len_utf8() };
        if index + 1 >= TEXT_CHARS_MAX || encoded > TEXT_ENCODED_MAX {
            kept.push('…');
            break;
        }
        kept.push(next);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_code() {
        let rows = [
            (Kind::User, Code::InvalidArgument),
            (Kind::Unsupported, Code::InvalidArgument),
            (Kind::NotFound, Code::NotFound),
            (Kind::Exists, Code::AlreadyExists),
            (Kind::Conflict, Code::Aborted),
            (Kind::Unavailable, Code::Unavailable),
            (Kind::Limit, Code::ResourceExhausted),
            (Kind::Denied, Code::PermissionDenied),
            (Kind::Cancelled, Code::Cancelled),
            (Kind::Internal, Code::Internal),
        ];
        for (kind, want) in rows {
            let status = Status::from(Refusal::from(Error::new(kind, "it failed")));
            assert_eq!(status.code(), want, "{kind:?}");
            assert_eq!(status.message(), "it failed");
        }
    }

    #[test]
    fn refusals_of_the_service_have_their_own_codes() {
        let status = Status::from(Refusal::Unauthenticated("no token".to_owned()));
        assert_eq!(status.code(), Code::Unauthenticated);
        let status = Status::from(Refusal::Unimplemented("no transactions".to_owned()));
        assert_eq!(status.code(), Code::Unimplemented);
    }

    #[test]
    fn the_text_holds_the_hint_and_fits_a_trailer() {
        let short = Status::from(Refusal::from(
            Error::user("no table \"x\"").hint("try \"y\""),
        ));
        assert_eq!(short.message(), "no table \"x\"\nhint: try \"y\"");
        let long = bounded(&"a".repeat(100_000));
        assert_eq!(long.chars().count(), TEXT_CHARS_MAX);
        assert!(long.ends_with('…'));
        assert!(bounded(&"щ".repeat(100_000)).chars().count() <= TEXT_ENCODED_MAX / 6 + 1);
        assert_eq!(bounded(&"a".repeat(1_999)).chars().count(), 1_999);
    }
}

//! The one error type that leaves this crate: what was attempted and failed, who can mend it
//! ([`Kind`]), and the way out (the hint). Front ends map [`Kind`] to their own codes and never
//! look at the text.

mod foreign;

use std::fmt;

use datafusion::error::DataFusionError;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who can mend an error, which decides how it is reported and whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The statement, option or value is wrong; the same request fails again.
    User,
    /// A named thing does not exist.
    NotFound,
    /// A named thing exists already.
    Exists,
    /// Somebody else changed what this request relied on.
    Conflict,
    /// A broker, store or disk did not answer; trying again may succeed.
    Unavailable,
    /// A bound on time, memory, rows or size was reached.
    Limit,
    /// The caller may not do this.
    Denied,
    /// The caller gave up, or the process is ending.
    Cancelled,
    /// The build lacks this, although the request is well formed.
    Unsupported,
    /// A fault of Sluice itself.
    Internal,
}

impl Kind {
    /// Whether the same request may succeed later without anyone changing it.
    #[must_use]
    pub fn retry(self) -> bool {
        matches!(self, Self::Unavailable | Self::Conflict)
    }
}

/// An error with a kind, a message and, where one is known, a hint.
///
/// `Display` prints the message and the hint on a line of its own, never the sources.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: String,
    hint: Option<String>,
    place: Option<Place>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A place in the text of a statement: line and column in characters, both from 1.
type Place = (u64, u64);

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident,)*) => {
        $($(#[$doc])*
        pub fn $name(message: impl Into<String>) -> Self {
            Self::new(Kind::$kind, message)
        })*
    };
}

impl Error {
    /// An error of `kind`; `message` is lowercase, without a final dot, and quotes user names.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            place: None,
            source: None,
        }))
    }

    constructors! {
        /// [`Kind::User`].
        user => User,
        /// [`Kind::NotFound`].
        not_found => NotFound,
        /// [`Kind::Exists`].
        exists => Exists,
        /// [`Kind::Conflict`].
        conflict => Conflict,
        /// [`Kind::Unavailable`].
        unavailable => Unavailable,
        /// [`Kind::Limit`].
        limit => Limit,
        /// [`Kind::Denied`].
        denied => Denied,
        /// [`Kind::Cancelled`].
        cancelled => Cancelled,
        /// [`Kind::Unsupported`].
        unsupported => Unsupported,
        /// [`Kind::Internal`].
        internal => Internal,
    }

    /// Adds the way out: a sentence the user can act on.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Keeps the error that caused this one, for logs.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Puts `what` was attempted in front of the message.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// Says where in the statement's text the fault is.
    #[must_use]
    pub fn at(mut self, line: u64, column: u64) -> Self {
        self.0.place = (line > 0).then_some((line, column));
        self
    }

    /// Line and column, both from 1, of the fault in the statement's text, where they are known.
    #[must_use]
    pub fn place(&self) -> Option<(u64, u64)> {
        self.0.place
    }

    /// The same with its place in the message, for errors that go to whoever wrote the statement.
    #[must_use]
    pub fn placed(mut self) -> Self {
        if let Some((line, column)) = self.0.place.take() {
            self.0
                .message
                .push_str(&format!(" (line {line}, column {column})"));
        }
        self
    }

    /// Who can mend it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether memory was short that others hold too: the same request may pass when they are done.
    /// Other errors of [`Kind::Limit`] are about the request itself.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        let source = self.0.source.as_deref();
        let cause = source.and_then(|source| source.downcast_ref::<DataFusionError>());
        let root = cause.map(DataFusionError::find_root);
        self.0.kind == Kind::Limit && matches!(root, Some(DataFusionError::ResourcesExhausted(_)))
    }

    /// What was attempted and failed, without the hint.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The way out, where one is known.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_errors_survive_the_way_through_datafusion() {
        let own = Error::limit("the query ran longer than 5m").hint("raise `query.timeout`");
        let there = DataFusionError::from(own).context("while reading \"logs\"");
        let back = Error::from(there);
        assert_eq!(back.kind(), Kind::Limit);
        assert_eq!(back.message(), "the query ran longer than 5m");
        assert_eq!(back.hint_text(), Some("raise `query.timeout`"));
    }

    #[test]
    fn short_memory_is_told_from_what_is_asked_too_large() {
        let short = DataFusionError::ResourcesExhausted("pool".into());
        assert!(Error::from(short.context("while sorting")).is_shortage());
        let large = DataFusionError::from(Error::limit("too large"));
        assert!(!Error::from(large).is_shortage());
    }

    #[test]
    fn datafusion_errors_keep_whose_fault_they_are() {
        let kind = |error: DataFusionError| Error::from(error).kind();
        assert_eq!(
            kind(DataFusionError::Plan("no field named x".into())),
            Kind::User
        );
        assert_eq!(
            kind(DataFusionError::ResourcesExhausted("pool".into())),
            Kind::Limit
        );
        assert_eq!(
            kind(DataFusionError::NotImplemented("x".into())),
            Kind::Unsupported
        );
    }
}

//! Errors of the Delta library and the object store in the engine's words: who can mend them.

use std::error::Error as Cause;
use std::fmt::Display;
use std::io;

use deltalake::DeltaTableError;
use deltalake::kernel::transaction::TransactionError;
use object_store::Error as StoreError;
use sluice_engine::error::{Error, Kind};

/// What a store says whose room or quota is used up, where it gives no code of the machine's.
const FULL: [&str; 4] = [
    "StorageFull",
    "QuotaExceeded",
    "InsufficientStorage",
    "507 Insufficient Storage",
];

/// What went wrong while attempting `what`, which follows the word "cannot".
pub(super) fn delta(what: impl Display, error: DeltaTableError) -> Error {
    if is_full(&error) {
        return full(what, error);
    }
    let kind = match &error {
        DeltaTableError::NotATable(_) => Kind::NotFound,
        DeltaTableError::ObjectStore { source } => kind_of(source),
        DeltaTableError::Transaction {
            source: TransactionError::UnsupportedTableFeatures(_),
        } => Kind::Unsupported,
        DeltaTableError::SchemaMismatch { .. } => Kind::User,
        DeltaTableError::InvalidJsonLog { .. }
        | DeltaTableError::InvalidStatsJson { .. }
        | DeltaTableError::NoSchema
        | DeltaTableError::MetadataError(_) => Kind::Internal,
        _ => Kind::Unavailable,
    };
    Error::new(kind, format!("cannot {what}: {error}")).source(error)
}

/// As [`delta`], for errors that come straight from the store.
pub(super) fn store(what: impl Display, error: StoreError) -> Error {
    if is_full(&error) {
        return full(what, error);
    }
    Error::new(kind_of(&error), format!("cannot {what}: {error}")).source(error)
}

fn full(what: impl Display, error: impl Cause + Send + Sync + 'static) -> Error {
    Error::unavailable(format!(
        "cannot {what}: there is no space left where the table is"
    ))
    .hint("make room there, or raise the quota; a pipeline then goes on by itself")
    .source(error)
}

/// Whether `error` says that nothing was stored because there is no room for it.
pub(super) fn is_full(error: &(dyn Cause + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            use io::ErrorKind::{QuotaExceeded, StorageFull};
            if matches!(error.kind(), StorageFull | QuotaExceeded) {
                return true;
            }
        }
        next = cause.source();
    }
    let text = error.to_string();
    FULL.iter().any(|word| text.contains(word))
}

fn kind_of(error: &StoreError) -> Kind {
    match error {
        StoreError::NotFound { .. } => Kind::NotFound,
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => Kind::Denied,
        StoreError::NotImplemented { .. } | StoreError::NotSupported { .. } => Kind::Unsupported,
        _ => Kind::Unavailable,
    }
}

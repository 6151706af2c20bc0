//! Errors of the Delta library and the object store in the engine's words: who can mend them.

use std::fmt::Display;

use deltalake::DeltaTableError;
use deltalake::kernel::transaction::TransactionError;
use object_store::Error as StoreError;
use sluice_engine::error::{Error, Kind};

/// What went wrong while attempting `what`, which follows the word "cannot".
pub(super) fn delta(what: impl Display, error: DeltaTableError) -> Error {
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
    Error::new(kind_of(&error), format!("cannot {what}: {error}")).source(error)
}

fn kind_of(error: &StoreError) -> Kind {
    match error {
        StoreError::NotFound { .. } => Kind::NotFound,
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => Kind::Denied,
        StoreError::NotImplemented { .. } | StoreError::NotSupported { .. } => Kind::Unsupported,
        _ => Kind::Unavailable,
    }
}

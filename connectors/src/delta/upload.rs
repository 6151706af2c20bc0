//! The bytes of new files into the store. A file of one part is one request; a larger one goes up
//! in parts, several at once, and is there when the last one is.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use deltalake::kernel::Add;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutResult, WriteMultipart};
use sluice_engine::error::Result;
use sluice_engine::fail_point;
use tracing::debug;

use super::encode::{Complete, Piece};
use super::fault;
use super::store::Store;

/// Bytes of a part. Stores want all parts but the last of one size, and at least five megabytes.
const PART_BYTES: usize = 8 << 20;
/// Parts of one file on their way at once.
const PARTS_AT_ONCE: usize = 4;
/// Files on their way at once.
const FILES_AT_ONCE: usize = 8;

/// Files that are on their way, and those that are there.
pub(super) struct Upload {
    store: Store,
    files: Arc<dyn ObjectStore>,
    begun: HashMap<Path, WriteMultipart>,
    done: Vec<Add>,
}

impl Upload {
    /// Nothing yet.
    pub(super) fn new(store: &Store) -> Self {
        Self {
            files: store.files(),
            store: store.clone(),
            begun: HashMap::new(),
            done: Vec::new(),
        }
    }

    /// Takes pieces in their order; files that they complete are there when it returns.
    ///
    /// # Errors
    /// When the store is at fault.
    pub(super) async fn take(&mut self, pieces: Vec<Piece>) -> Result<()> {
        let mut last = Vec::new();
        for piece in pieces {
            match piece.done {
                None => self.put_part(piece.path, piece.bytes).await?,
                Some(done) => last.push((piece.path, piece.bytes, done)),
            }
        }
        let begun = &mut self.begun;
        let complete: Vec<_> = last
            .into_iter()
            .map(|(path, bytes, done)| (begun.remove(&path), path, bytes, done))
            .collect();
        let (store, files) = (&self.store, &self.files);
        let puts = complete
            .into_iter()
            .map(|(begun, path, bytes, done)| async move {
                fail_point::pass("during_upload").await?;
                let put = match begun {
                    Some(parts) => finish(parts, bytes).await,
                    None => files.put(&path, bytes.into()).await,
                };
                put.map_err(|error| failed(store, error))?;
                Ok(add(&path, done))
            });
        let puts: Vec<_> = puts.collect();
        let mut puts = futures::stream::iter(puts).buffer_unordered(FILES_AT_ONCE);
        // What is there counts even when another file fails: it has to be removed again.
        let mut outcome = Ok(());
        while let Some(put) = puts.next().await {
            match put {
                Ok(add) => self.done.push(add),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// The files, all complete.
    pub(super) fn into_adds(self) -> Vec<Add> {
        self.done
    }

    /// Removes everything again, as far as the store allows.
    pub(super) async fn abandon(self) {
        for (path, parts) in self.begun {
            if let Err(error) = parts.abort().await {
                debug!(table = %self.store.name, %path, %error, "parts of a file are left over");
            }
        }
        discard(&self.store, &self.done).await;
    }

    async fn put_part(&mut self, path: Path, bytes: Bytes) -> Result<()> {
        let parts = match self.begun.remove(&path) {
            Some(parts) => parts,
            None => {
                let begun = self.files.put_multipart(&path).await;
                let begun = begun.map_err(|error| failed(&self.store, error))?;
                WriteMultipart::new_with_chunk_size(begun, PART_BYTES)
            }
        };
        let parts = self.begun.entry(path).or_insert(parts);
        let room = parts.wait_for_capacity(PARTS_AT_ONCE).await;
        room.map_err(|error| failed(&self.store, error))?;
        parts.put(bytes);
        Ok(())
    }
}

/// Removes files that certainly belong to no version, as far as the store allows.
pub(super) async fn discard(store: &Store, adds: &[Add]) {
    let files = store.files();
    let paths = adds.iter().filter_map(|add| Path::parse(&add.path).ok());
    let paths: Vec<_> = paths.map(Ok).collect();
    let mut gone = files.delete_stream(futures::stream::iter(paths).boxed());
    loop {
        match gone.try_next().await {
            Ok(None) => return,
            Ok(Some(_)) => {}
            Err(error) => {
                debug!(table = %store.name, %error, "a file without a version is left over");
            }
        }
    }
}

async fn finish(mut parts: WriteMultipart, last: Bytes) -> object_store::Result<PutResult> {
    parts.put(last);
    // One that fails here is given up by the store at once, not left half there.
    match parts.wait_for_capacity(0).await {
        Ok(()) => parts.finish().await,
        Err(error) => {
            parts.abort().await?;
            Err(error)
        }
    }
}

fn add(path: &Path, done: Complete) -> Add {
    Add {
        path: path.to_string(),
        size: i64::try_from(done.size).unwrap_or(i64::MAX),
        partition_values: done.values.into_iter().collect(),
        modification_time: Utc::now().timestamp_millis(),
        data_change: true,
        stats: Some(done.statistics),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

fn failed(store: &Store, error: object_store::Error) -> sluice_engine::error::Error {
    fault::store(format!("write rows of table \"{}\"", store.name), error)
}

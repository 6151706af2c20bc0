//! Files behind the engine's contract of a stream.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::source::{
    Member, Offered, Partition, Reader, Redecoded, Source, SourceFormat, Wanted,
};

use super::lines::{Lines, unreadable};
use super::options::{Options, Writing};
use crate::decode::{Chunk, Encoding, Fault, Layout, Position, Record};
use crate::handoff::{self, Opened, Outlet, Stop};

/// How often a pipeline looks for new lines and files.
const LOOK: Duration = Duration::from_millis(500);

/// `STORED AS FILE`.
#[derive(Debug, Clone, Copy)]
pub struct FileFormat;

#[async_trait]
impl SourceFormat for FileFormat {
    async fn open(&self, definition: &TableDefinition) -> Result<Arc<dyn Source>> {
        let options = Options::of(definition)?;
        let layout = Layout::of(definition)?;
        Ok(Arc::new(FileSource { options, layout }))
    }
}

/// A file, or the files of a folder.
#[derive(Debug, Clone)]
struct FileSource {
    options: Options,
    layout: Layout,
}

#[async_trait]
impl Source for FileSource {
    fn schema(&self) -> SchemaRef {
        self.layout.schema()
    }

    fn evolves(&self) -> bool {
        self.layout.evolves()
    }

    fn settings(&self) -> BTreeMap<String, String> {
        self.layout.settings()
    }

    async fn follow(&self, _member: &Member, _wanted: Wanted) -> Result<Box<dyn Reader>> {
        let source = self.clone();
        handoff::open("file-follow", move |outlet, opened| {
            source.read_for_ever(outlet, opened)
        })
        .await
    }

    async fn scan(&self, _wanted: Wanted) -> Result<Box<dyn Reader>> {
        let source = self.clone();
        handoff::open("file-scan", move |outlet, opened| {
            source.read_once(outlet, opened)
        })
        .await
    }

    fn decode(&self, records: &[&[u8]]) -> Result<Redecoded> {
        self.layout.redecode(records)
    }
}

/// A file being read.
struct Reading {
    lines: Lines,
    at: Position,
}

/// The files that a pipeline reads.
#[derive(Default)]
struct Known {
    files: Vec<Reading>,
    /// What they are, and the paths that lead to them.
    partitions: HashSet<Partition>,
    paths: HashSet<PathBuf>,
}

impl FileSource {
    fn read_for_ever(&self, outlet: &Outlet, opened: Opened) -> Result<(), Stop> {
        let mut known = Known::default();
        let mut found = self.files()?;
        opened.announce();
        let mut chunk = Chunk::new(&self.layout, Wanted::default());
        loop {
            self.add(&mut known, &found, outlet)?;
            for file in &mut known.files {
                let end = i64::MAX;
                self.drain(file, end, &mut chunk, outlet)?;
            }
            outlet.flush(&mut chunk)?;
            let ends = known
                .files
                .iter()
                .map(|file| (file.at.partition().clone(), file.at.next()));
            outlet.set_high(ends.collect());
            if outlet.is_closed() {
                return Err(Stop::Gone);
            }
            thread::sleep(LOOK);
            found = self.files()?;
        }
    }

    fn read_once(&self, outlet: &Outlet, opened: Opened) -> Result<(), Stop> {
        // All ends are taken first: a bounded reading is of one moment.
        let mut files = Vec::new();
        for path in self.files()? {
            let high = self.lines(&path, self.options.query).count()?;
            let at = Position::new(partition(&path)?, 0);
            let lines = self.lines(&path, self.options.query);
            files.push((Reading { lines, at }, high));
        }
        opened.announce();
        let mut chunk = Chunk::new(&self.layout, Wanted::default());
        for (mut file, high) in files {
            self.drain(&mut file, high, &mut chunk, outlet)?;
        }
        outlet.flush(&mut chunk)
    }

    fn lines(&self, path: &Path, writing: Writing) -> Lines {
        Lines::of(path, writing, self.layout.max_record_bytes())
    }

    /// The files there are, in the order of their names.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let path = &self.options.path;
        let wrong = |error| unreadable(path, error);
        if !fs::metadata(path).map_err(wrong)?.is_dir() {
            return Ok(vec![path.clone()]);
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(wrong)? {
            let file = entry.map_err(wrong)?.path();
            if fs::metadata(&file).is_ok_and(|about| about.is_file()) {
                files.push(file);
            }
        }
        files.sort();
        Ok(files)
    }

    /// Offers the files that are new and goes to where the engine wants to continue.
    fn add(&self, known: &mut Known, found: &[PathBuf], outlet: &Outlet) -> Result<(), Stop> {
        let (mut offered, mut new) = (Vec::new(), Vec::new());
        for path in found {
            if !known.paths.insert(path.clone()) {
                continue;
            }
            let partition = partition(path)?;
            if !known.partitions.insert(partition.clone()) {
                continue;
            }
            let high = self.lines(path, self.options.pipeline).count()?;
            new.push((self.lines(path, self.options.pipeline), partition.clone()));
            offered.push(Offered {
                partition,
                low: 0,
                high,
                start: 0,
                formerly: None,
            });
        }
        if offered.is_empty() {
            return Ok(());
        }
        let next = outlet.assign(offered)?;
        for ((mut lines, partition), next) in new.into_iter().zip(next) {
            if !lines.skip(next)? {
                let topic = &partition.topic;
                let message = format!("file \"{topic}\" has fewer lines than were read of it");
                return Err(Error::user(message)
                    .hint("it was cut or replaced: give the new file a new name")
                    .into());
            }
            let at = Position::new(partition, next);
            known.files.push(Reading { lines, at });
        }
        Ok(())
    }

    /// Reads what is there, up to the line `end`.
    fn drain(
        &self,
        file: &mut Reading,
        end: i64,
        chunk: &mut Chunk,
        outlet: &Outlet,
    ) -> Result<(), Stop> {
        let Reading { lines, at } = file;
        while at.next() < end && lines.advance()? {
            at.written(lines.written_us());
            let (offset, line) = (at.next(), lines.line());
            let record = Record {
                offset,
                timestamp_us: None,
                key: None,
                value: Some(line),
                headers: None,
            };
            if let Some((bytes, sha256)) = lines.excess() {
                let limit = self.layout.max_record_bytes();
                chunk.reject(at, &record, Fault::too_large(bytes, limit, &sha256));
            } else if self.layout.encoding() != Encoding::Raw && line.trim_ascii().is_empty() {
                chunk.skip(at, offset + 1);
            } else {
                chunk.push(at, &record);
            }
            if chunk.is_full() {
                outlet.flush(chunk)?;
            }
        }
        Ok(())
    }
}

/// The one partition of a file, known by its canonical path.
fn partition(path: &Path) -> Result<Partition> {
    let whole = path
        .canonicalize()
        .map_err(|error| unreadable(path, error))?;
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let topic = name.unwrap_or_else(|| whole.to_string_lossy().into_owned());
    let identity = format!("f-{:016x}", fnv(whole.as_os_str().as_encoded_bytes()));
    Ok(Partition {
        topic,
        identity,
        index: 0,
    })
}

/// FNV-1a, because an identity must be the same in every version and on every machine.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

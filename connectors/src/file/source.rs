//! Files behind the engine's contract of a stream.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::source::{Member, Offered, Partition, Reader, Source, SourceFormat};

use super::lines::{Lines, unreadable};
use super::options::Options;
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

    async fn follow(&self, _member: &Member) -> Result<Box<dyn Reader>> {
        let source = self.clone();
        handoff::open("file-follow", move |outlet, opened| {
            source.read_for_ever(outlet, opened)
        })
        .await
    }

    async fn scan(&self) -> Result<Box<dyn Reader>> {
        let source = self.clone();
        handoff::open("file-scan", move |outlet, opened| {
            source.read_once(outlet, opened)
        })
        .await
    }
}

/// A file being read.
struct Open {
    lines: Lines,
    at: Position,
}

impl FileSource {
    fn read_for_ever(&self, outlet: &Outlet, opened: Opened) -> Result<(), Stop> {
        let mut files: Vec<Open> = Vec::new();
        let mut found = self.files()?;
        opened.announce();
        let mut chunk = Chunk::new(&self.layout);
        loop {
            self.add(&mut files, &found, outlet)?;
            for file in &mut files {
                let end = i64::MAX;
                self.drain(file, end, &mut chunk, outlet)?;
            }
            outlet.flush(&mut chunk)?;
            let high = files
                .iter()
                .map(|file| (file.at.partition().clone(), file.at.next()));
            outlet.set_high(high.collect());
            if outlet.is_closed() {
                return Err(Stop::Gone);
            }
            thread::sleep(LOOK);
            found = self.files()?;
        }
    }

    fn read_once(&self, outlet: &Outlet, opened: Opened) -> Result<(), Stop> {
        let mut files = Vec::new();
        for path in self.files()? {
            let lines = Lines::open(&path, self.options.writing)?;
            let high = Lines::open(&path, self.options.writing)?.count()?;
            files.push((
                Open {
                    lines,
                    at: Position::new(partition(&path)?, 0),
                },
                high,
            ));
        }
        opened.announce();
        let mut chunk = Chunk::new(&self.layout);
        for (mut file, high) in files {
            self.drain(&mut file, high, &mut chunk, outlet)?;
        }
        outlet.flush(&mut chunk)
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
    fn add(&self, files: &mut Vec<Open>, found: &[PathBuf], outlet: &Outlet) -> Result<(), Stop> {
        let (mut offered, mut opened) = (Vec::new(), Vec::new());
        for path in found {
            let partition = partition(path)?;
            if files.iter().any(|file| *file.at.partition() == partition) {
                continue;
            }
            let high = Lines::open(path, self.options.writing)?.count()?;
            opened.push((Lines::open(path, self.options.writing)?, partition.clone()));
            offered.push(Offered {
                partition,
                low: 0,
                high,
                start: 0,
            });
        }
        if offered.is_empty() {
            return Ok(());
        }
        let next = outlet.assign(offered)?;
        for ((mut lines, partition), next) in opened.into_iter().zip(next) {
            for _ in 0..next {
                if !lines.advance()? {
                    let topic = &partition.topic;
                    let message = format!("file \"{topic}\" has fewer lines than were read of it");
                    return Err(Error::user(message)
                        .hint("it was cut or replaced: give the new file a new name")
                        .into());
                }
            }
            files.push(Open {
                lines,
                at: Position::new(partition, next),
            });
        }
        Ok(())
    }

    /// Reads what is there, up to the line `end`.
    fn drain(
        &self,
        file: &mut Open,
        end: i64,
        chunk: &mut Chunk,
        outlet: &Outlet,
    ) -> Result<(), Stop> {
        let Open { lines, at } = file;
        while at.next() < end && lines.advance()? {
            let (offset, line) = (at.next(), lines.line());
            let record = Record {
                offset,
                timestamp_us: None,
                key: None,
                value: Some(line),
            };
            if let Some(bytes) = lines.excess() {
                chunk.reject(at, &record, Fault::too_long(bytes));
            } else if self.layout.encoding() == Encoding::Json && line.trim_ascii().is_empty() {
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

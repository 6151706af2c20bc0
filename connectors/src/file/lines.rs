//! Lines of a file that may grow while it is read.

use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};
use sluice_engine::error::{Error, Result};

use super::options::Writing;
use crate::decode::KEPT;

/// How much is read at once.
const BLOCK: usize = 256 << 10;
/// The room that is kept for the next line.
const ROOM: usize = 1 << 20;

/// A file being read line by line. It is open while there is something to read, and no longer: a
/// folder may have more files than a process may open.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: Option<BufReader<File>>,
    /// The file that the path meant when it was first opened.
    identity: Option<(u64, u64)>,
    writing: Writing,
    /// The longest line that is kept whole, in bytes.
    longest: usize,
    /// Bytes of the file that are behind.
    read: u64,
    /// The line so far, or its beginning when it is too long.
    line: Vec<u8>,
    excess: Option<Excess>,
    state: State,
    written_us: Option<i64>,
}

/// How far the line in the buffer is.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// More of it is to come.
    Partial,
    /// It was taken with its newline.
    Taken,
    /// It was taken as the last one of the file, without a newline.
    TakenOpen,
}

/// A line that is too long to be kept.
#[derive(Debug)]
struct Excess {
    length: u64,
    digest: Sha256,
    /// Its last byte is a carriage return, which is not counted if a newline follows.
    returned: bool,
}

impl Excess {
    fn push(&mut self, part: &[u8]) {
        let Some((last, _)) = part.split_last() else {
            return;
        };
        if self.returned {
            self.add(b"\r");
        }
        self.returned = *last == b'\r';
        let length = part.len() - usize::from(self.returned);
        self.add(part.get(..length).unwrap_or_default());
    }

    fn add(&mut self, part: &[u8]) {
        self.length += part.len() as u64;
        self.digest.update(part);
    }
}

impl Lines {
    /// The lines of the file at `path`, which need not be there before the first is asked for.
    pub(super) fn of(path: &Path, writing: Writing, longest: usize) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            identity: None,
            writing,
            longest,
            read: 0,
            line: Vec::new(),
            excess: None,
            state: State::Partial,
            written_us: None,
        }
    }

    /// How many lines there are from here to the end.
    pub(super) fn count(mut self) -> Result<i64> {
        let mut count = 0;
        while self.advance()? {
            count += 1;
        }
        Ok(count)
    }

    /// Passes `count` lines that were read before; false when there are fewer. The last of them may
    /// have been taken without a newline.
    pub(super) fn skip(&mut self, count: i64) -> Result<bool> {
        let writing = std::mem::replace(&mut self.writing, Writing::Done);
        for _ in 0..count {
            if !self.advance()? {
                return Ok(false);
            }
        }
        self.writing = writing;
        Ok(true)
    }

    /// Goes to the next line; false at the end of what is written so far.
    pub(super) fn advance(&mut self) -> Result<bool> {
        if self.file.is_none() && !self.open()? {
            return Ok(false);
        }
        let advanced = self.step().map_err(|error| unreadable(&self.path, error))?;
        if !advanced {
            self.file = None;
            self.look()?;
        }
        Ok(advanced)
    }

    /// The line, without its end. A line that is too long is given by its beginning.
    pub(super) fn line(&self) -> &[u8] {
        if self.excess.is_some() {
            return &self.line;
        }
        self.line.strip_suffix(b"\r").unwrap_or(&self.line)
    }

    /// How many bytes the line has and the SHA-256 of them, when they are too many.
    pub(super) fn excess(&self) -> Option<(u64, Vec<u8>)> {
        let excess = self.excess.as_ref()?;
        Some((excess.length, excess.digest.clone().finalize().to_vec()))
    }

    /// When the file was last written, microseconds since the epoch, as it was when last opened.
    pub(super) fn written_us(&self) -> Option<i64> {
        self.written_us
    }

    /// Opens the file where reading ended; false when it has not grown since.
    fn open(&mut self) -> Result<bool> {
        if self.look()?.len() == self.read && self.identity.is_some() {
            return Ok(false);
        }
        let open = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.read))?;
            let about = file.metadata()?;
            Ok((file, about))
        };
        let (file, about) = open().map_err(|error| unreadable(&self.path, error))?;
        let identity = identity(&about);
        if *self.identity.get_or_insert(identity) != identity {
            return Err(self.replaced());
        }
        let written = about.modified().ok();
        let written = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        self.written_us = written.and_then(|since| i64::try_from(since.as_micros()).ok());
        self.file = Some(BufReader::with_capacity(BLOCK, file));
        Ok(true)
    }

    /// What the path means. A file that is shorter than what was read of it is another file.
    fn look(&self) -> Result<Metadata> {
        let about = fs::metadata(&self.path).map_err(|error| unreadable(&self.path, error))?;
        let is_other = self.identity.is_some_and(|known| known != identity(&about));
        if about.len() < self.read || is_other {
            return Err(self.replaced());
        }
        Ok(about)
    }

    fn replaced(&self) -> Error {
        let path = self.path.display();
        let message = format!("file \"{path}\" was cut or replaced while it was read");
        Error::user(message)
            .hint("line numbers are positions, so a file may only grow; give a new file a new name")
    }

    fn step(&mut self) -> io::Result<bool> {
        if self.state == State::TakenOpen && !self.close()? {
            return Ok(false);
        }
        if self.state != State::Partial {
            self.line.clear();
            self.line.shrink_to(ROOM);
            self.excess = None;
            self.state = State::Partial;
        }
        loop {
            let Some(file) = &mut self.file else {
                return Ok(false);
            };
            let block = file.fill_buf()?;
            if block.is_empty() {
                let is_empty = self.line.is_empty();
                if self.writing == Writing::Going || is_empty {
                    return Ok(false);
                }
                self.state = State::TakenOpen;
                return Ok(true);
            }
            let newline = memchr::memchr(b'\n', block);
            let part = block
                .get(..newline.unwrap_or(block.len()))
                .unwrap_or_default();
            keep(part, self.longest, &mut self.line, &mut self.excess);
            let used = part.len() + usize::from(newline.is_some());
            self.consume(used);
            if newline.is_some() {
                self.state = State::Taken;
                return Ok(true);
            }
        }
    }

    /// Passes the newline of a line that was taken without it; false while there is none.
    fn close(&mut self) -> io::Result<bool> {
        loop {
            let Some(file) = &mut self.file else {
                return Ok(false);
            };
            match file.fill_buf()?.first() {
                None => return Ok(false),
                Some(b'\r') => self.consume(1),
                Some(b'\n') => {
                    self.consume(1);
                    return Ok(true);
                }
                Some(_) => {
                    return Err(io::Error::new(
                        ErrorKind::InvalidData,
                        "its last line grew after it was read; leave out the option 'follow'",
                    ));
                }
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        if let Some(file) = &mut self.file {
            file.consume(bytes);
            self.read += bytes as u64;
        }
    }
}

/// Adds a part to a line, of which only the beginning is kept when it becomes too long.
fn keep(part: &[u8], longest: usize, line: &mut Vec<u8>, excess: &mut Option<Excess>) {
    if let Some(excess) = excess {
        return excess.push(part);
    }
    // The carriage return before a newline is no part of the line, so one more may come.
    if line.len() + part.len() <= longest + 1 {
        return line.extend_from_slice(part);
    }
    let mut too_long = Excess {
        length: 0,
        digest: Sha256::new(),
        returned: false,
    };
    too_long.push(line);
    too_long.push(part);
    *excess = Some(too_long);
    line.extend_from_slice(part.get(..KEPT.min(part.len())).unwrap_or_default());
    line.truncate(KEPT);
}

/// What tells a file from another at its path, where the system has such a thing.
fn identity(about: &Metadata) -> (u64, u64) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (about.dev(), about.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = about;
        (0, 0)
    }
}

/// Why a file or folder cannot be read.
pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    let path = path.display();
    let message = format!("cannot read file \"{path}\": {error}");
    match error.kind() {
        ErrorKind::NotFound => Error::not_found(format!("there is no file \"{path}\""))
            .hint("create it, or correct the table's location"),
        ErrorKind::PermissionDenied => Error::denied(message),
        ErrorKind::InvalidData => Error::user(message),
        _ => Error::unavailable(message),
    }
    .source(error)
}

//! Lines of a file that may grow while it is read.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use sluice_engine::error::{Error, Result};

use super::options::Writing;

/// The longest line that is decoded, in bytes.
const LONGEST: usize = 64 << 20;
/// How much is kept of a longer one.
const KEPT: usize = 64 << 10;
/// How much is read at once.
const BLOCK: usize = 256 << 10;

/// A file being read line by line.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    writing: Writing,
    /// Bytes of the file that are behind.
    read: u64,
    /// The line so far, or its beginning when it is too long.
    line: Vec<u8>,
    length: usize,
    state: State,
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

impl Lines {
    pub(super) fn open(path: &Path, writing: Writing) -> Result<Self> {
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        let file = BufReader::with_capacity(BLOCK, file);
        let (path, line) = (path.to_owned(), Vec::new());
        Ok(Self {
            path,
            file,
            writing,
            read: 0,
            line,
            length: 0,
            state: State::Partial,
        })
    }

    /// How many lines there are from here to the end.
    pub(super) fn count(mut self) -> Result<i64> {
        let mut count = 0;
        while self.advance()? {
            count += 1;
        }
        Ok(count)
    }

    /// Goes to the next line; false at the end of what is written so far.
    pub(super) fn advance(&mut self) -> Result<bool> {
        let advanced = self.step().map_err(|error| unreadable(&self.path, error))?;
        if !advanced {
            self.check_size()?;
        }
        Ok(advanced)
    }

    /// The line, without its end. A line that is too long is given by its beginning.
    pub(super) fn line(&self) -> &[u8] {
        self.line.strip_suffix(b"\r").unwrap_or(&self.line)
    }

    /// How many bytes the line has, when that is too many.
    pub(super) fn excess(&self) -> Option<usize> {
        (self.length > LONGEST).then_some(self.length)
    }

    fn step(&mut self) -> io::Result<bool> {
        if self.state == State::TakenOpen && !self.close()? {
            return Ok(false);
        }
        if self.state != State::Partial {
            self.line.clear();
            self.length = 0;
            self.state = State::Partial;
        }
        loop {
            let block = self.file.fill_buf()?;
            if block.is_empty() {
                if self.writing == Writing::Going || self.length == 0 {
                    return Ok(false);
                }
                self.state = State::TakenOpen;
                return Ok(true);
            }
            let newline = memchr::memchr(b'\n', block);
            let part = block
                .get(..newline.unwrap_or(block.len()))
                .unwrap_or_default();
            self.length += part.len();
            if self.length <= LONGEST {
                self.line.extend_from_slice(part);
            } else {
                self.line.truncate(KEPT);
            }
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
            match self.file.fill_buf()?.first() {
                None => return Ok(false),
                Some(b'\r') => self.consume(1),
                Some(b'\n') => {
                    self.consume(1);
                    return Ok(true);
                }
                Some(_) => {
                    return Err(io::Error::new(
                        ErrorKind::InvalidData,
                        "its last line grew after it was read; use the option 'follow' 'true'",
                    ));
                }
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.file.consume(bytes);
        self.read += bytes as u64;
    }

    /// A file that is shorter than what was read of it is another file.
    fn check_size(&self) -> Result<()> {
        let size = fs::metadata(&self.path)
            .map_err(|error| unreadable(&self.path, error))?
            .len();
        if size >= self.read {
            return Ok(());
        }
        let path = self.path.display();
        Err(Error::user(format!(
            "file \"{path}\" was cut or replaced while it was read"
        ))
        .hint("line numbers are positions, so a file may only grow; give a new file a new name"))
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

//! Files as streams: `STORED AS FILE LOCATION '/path/of/a/file'`, one record a line.
//!
//! A folder is a stream of all files in it. Each file is a topic with one partition, its lines
//! counted from 0 the offsets; what tells it from others of its name is its path. Pipelines look
//! for new lines and new files for as long as they run.
//!
//! A last line without a newline may be one that somebody still writes. A query takes it, a
//! pipeline waits for its newline; `'follow' 'true'` makes both wait, `'follow' 'false'` says that
//! files are complete and makes both take it.

mod options;
mod lines;
mod source;

pub use source::FileFormat;

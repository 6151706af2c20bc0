//! Files as streams: `STORED AS FILE LOCATION '/path/of/a/file'`, one record a line.
//!
//! A folder is a stream of all files in it. Each file is a topic with one partition, its lines
//! counted from 0 the offsets; what tells it from others of its name is its path. Pipelines look
//! for new lines and new files for as long as they run. A file that is being written needs the
//! option `'follow' 'true'`, or its last line may be taken before it is complete.

mod options;
mod lines;
mod source;

pub use source::FileFormat;

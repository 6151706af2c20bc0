//! The `sluice` command line: one binary, every mode a use of the same engine.
//!
//! | file | holds |
//! |---|---|
//! | `exit` | exit statuses, and errors on standard error |
//! | `signals` | Ctrl-C and SIGTERM |
//! | `output` | standard output |
//! | `logging` | the log on standard error |
//! | `script` | SQL text as statements with their lines |
//! | `format` | rows as a table, CSV, JSON lines or Arrow |
//! | `reply` | what a statement gives, wherever it ran |
//! | `local`, `remote` | an engine in the process, a server over Flight SQL |
//! | `target` | the choice between the two |
//! | `progress` | the line that says how far a long query is |
//! | `run` | one statement, from its text to its last row |
//! | `prompt` | `sluice sql` on a terminal |
//! | `literal` | values as SQL text |
//! | `functions`, `sql`, `serve`, `verify`, `dlq`, `table` | the modes of these names |
//! | `hash_password` | `sluice hash-password` |
//! | `command` | the arguments, and the way to the mode |

pub mod exit;
mod signals;

mod output;

mod logging;
mod script;

mod format;

mod reply;

mod local;
mod remote;

mod target;

mod progress;

mod run;

mod prompt;

mod functions;
mod hash_password;
mod sql;

mod serve;

mod verify;

mod literal;

mod dlq;
mod table;

mod command;

pub use command::Cli;

//! Settings of a session that are Sluice's own: `SET sluice.name = value`.

use datafusion::common::extensions_options;
use datafusion::config::ConfigExtension;

extensions_options! {
    /// What `SET sluice.*` reaches.
    pub struct SessionOptions {
        /// What an INSERT or CREATE TABLE AS that reads a stream does about a record that cannot be
        /// decoded: `fail`, or `skip` to leave it out.
        pub on_error: String, default = "fail".to_owned()
        /// Who the session belongs to, which no statement changes.
        pub user: String, default = "sluice".to_owned()
    }
}

impl ConfigExtension for SessionOptions {
    const PREFIX: &'static str = "sluice";
}

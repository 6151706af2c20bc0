//! `docs/config.md` is the shipped defaults, word for word; `UPDATE=1` rewrites it.

use std::path::Path;

use sluice_engine::config::DEFAULTS;

#[test]
fn the_configuration_page_shows_the_shipped_defaults() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/config.md");
    let want = format!(
        "# Configuration\n\n`sluice serve` needs no configuration file. This is every setting with \
         its default, as a\nfile for `--config` would hold it; keys that a file leaves out keep \
         their default, and an\nunknown key is an error.\n\nThe environment overrides the file: \
         `SLUICE__PIPELINE__MAX_LATENCY=200ms` is\n`max_latency` of `[pipeline]`. Flags of the \
         command line override both.\n\n```toml\n{DEFAULTS}```\n\n<!-- Written by a test of the \
         engine from engine/src/default.toml; UPDATE=1 rewrites it. -->\n"
    );
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, &want).unwrap();
    }
    let found = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(
        found == want,
        "docs/config.md is stale: run `UPDATE=1 make test-rust`"
    );
}

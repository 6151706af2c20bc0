//! Runs the files of `sql/slt/` against engines in memory, and the shipped SQL against one of them.
#![cfg(test)]

mod adapter;
mod shipped;

use std::path::{Path, PathBuf};

use adapter::{FOLDERS_ERROR, Memory};
use sqllogictest::{Runner, default_column_validator, default_normalizer};

/// One engine for each file; with `UPDATE=1` the files are rewritten to say what the engine says.
#[tokio::test(flavor = "multi_thread")]
async fn sqllogictest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt");
    let update = std::env::var_os("UPDATE").is_some();
    let files = slt_files(&root);
    assert!(!files.is_empty(), "no .slt file under {}", root.display());
    let mut failures = Vec::new();
    for file in &files {
        let mut runner = Runner::new(Memory::open);
        let outcome = if update {
            runner
                .update_test_file(
                    file,
                    " ",
                    adapter::exact,
                    default_normalizer,
                    default_column_validator,
                )
                .await
                .map_err(|error| error.to_string())
        } else {
            runner.with_validator(adapter::exact);
            runner
                .run_file_async(file)
                .await
                .map_err(|error| error.to_string())
        };
        failures.extend(outcome.err());
        runner.shutdown_async().await;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn slt_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect(FOLDERS_ERROR) {
        let path = entry.expect(FOLDERS_ERROR).path();
        if path.is_dir() {
            files.extend(slt_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            files.push(path);
        }
    }
    files.sort();
    files
}

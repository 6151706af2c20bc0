//! The house rules of `docs/STYLE.md` that a plain read of the files can check, over the whole
//! workspace. Every message names the file and the way to fix it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates, and the siblings that each may have among its `[dependencies]`.
const CRATES: [(&str, &str); 6] = [
    ("engine", ""),
    ("udfs", ""),
    ("connectors", "engine udfs"),
    ("sql", ""),
    ("flight-server", "connectors engine sql udfs"),
    ("benches", "connectors engine sql udfs"),
];

/// Crates whose types or registries meet at run time: a second copy compiles and then fails.
const SINGLE: [&str; 4] = ["arrow", "datafusion", "object_store", "tonic"];

/// Calls that belong to one file, outside tests: the call, its home, and what others do.
const RESERVED: [[&str; 3]; 3] = [
    [
        "SessionContext::new",
        "engine/src/context.rs",
        "use the engine's session",
    ],
    [
        "tokio::spawn",
        "engine/src/runtime.rs",
        "use the engine's runtimes",
    ],
    ["env::var", "engine/src/config.rs", "add a key to Config"],
];

const STATUS_HOME: &str = "flight-server/src/status.rs";

#[test]
fn every_rust_file_opens_with_prose() {
    let mut wrong = Vec::new();
    for File { path, text } in rust() {
        if !text.starts_with("//! ") {
            wrong.push(format!(
                "{path}: begin with a `//!` paragraph that says what it is for"
            ));
        }
    }
    verdict(wrong);
}

#[test]
fn files_and_lines_fit_a_screen() {
    let mut wrong = Vec::new();
    for File { path, text } in rust() {
        let lines = text.lines().count();
        if lines > 500 {
            wrong.push(format!(
                "{path}: {lines} lines; split it by what it does, 500 at most"
            ));
        }
        for (number, line) in text.lines().enumerate() {
            if line.chars().count() > 100 {
                wrong.push(format!(
                    "{path}:{}: break the line at 100 columns",
                    number + 1
                ));
            }
        }
    }
    verdict(wrong);
}

#[test]
fn the_top_level_holds_the_crates_and_docs() {
    let mut wrong = BTreeSet::new();
    for path in paths() {
        let Some((folder, _)) = path.split_once('/') else {
            continue;
        };
        let known = CRATES.iter().any(|(name, _)| *name == folder);
        if !known && ![".cargo", ".ci", "docs"].contains(&folder) {
            wrong.insert(format!(
                "{folder}/: move it into a crate, or decide in docs/decisions/"
            ));
        }
    }
    verdict(wrong);
}

#[test]
fn crates_depend_only_on_what_the_architecture_allows() {
    let mut wrong = Vec::new();
    for (name, allowed) in CRATES {
        let manifest = format!("{name}/Cargo.toml");
        let table: toml::Table = read(&manifest).parse().expect("a manifest is TOML");
        let dependencies = table.get("dependencies").and_then(toml::Value::as_table);
        let names = dependencies.into_iter().flat_map(toml::Table::keys);
        for sibling in names.filter_map(|name| name.strip_prefix("sluice-")) {
            if !allowed.split(' ').any(|allowed| allowed == sibling) {
                wrong.push(format!(
                    "{manifest}: {name} may not import {sibling}; put what both need behind a \
                     contract of the engine, or write a page in docs/decisions/"
                ));
            }
        }
    }
    verdict(wrong);
}

#[test]
fn one_copy_of_the_crates_that_must_agree() {
    let lock: toml::Table = read("Cargo.lock").parse().expect("Cargo.lock is TOML");
    let packages = lock["package"]
        .as_array()
        .expect("Cargo.lock lists packages");
    let mut wrong = Vec::new();
    for single in SINGLE {
        let versions: Vec<&str> = packages
            .iter()
            .filter(|package| package["name"].as_str() == Some(single))
            .filter_map(|package| package["version"].as_str())
            .collect();
        if versions.len() != 1 {
            wrong.push(format!(
                "Cargo.lock: {single} has the versions {versions:?}; find who asks for which with \
                 `cargo tree -d` and agree on one"
            ));
        }
    }
    verdict(wrong);
}

#[test]
fn imports_go_left_to_right() {
    let sources: Vec<File> = rust().into_iter().filter(File::is_product).collect();
    let mut wrong = Vec::new();
    for list in &sources {
        let lists = ["lib.rs", "mod.rs"];
        let Some(folder) = lists.iter().find_map(|name| list.path.strip_suffix(name)) else {
            continue;
        };
        let order = modules(&list.code());
        let place = |name: &str| order.iter().position(|listed| listed == name);
        for file in &sources {
            let Some(inner) = file.path.strip_prefix(folder) else {
                continue;
            };
            let member = head(inner);
            let Some(own) = place(&member) else { continue };
            for used in imported(file, folder, inner) {
                if place(&used).is_some_and(|other| other > own) {
                    wrong.push(format!(
                        "{}: imports `{used}`, which {} lists after `{member}`; move the code, or \
                         the `mod` line if the path of a log line allows it",
                        file.path, list.path
                    ));
                }
            }
        }
    }
    verdict(wrong);
}

#[test]
fn the_engine_names_no_connector_and_no_model() {
    let mut wrong = Vec::new();
    for file in rust() {
        let (path, code) = (&file.path, file.code());
        for name in ["rdkafka", "deltalake", "lance", "candle"] {
            if path.starts_with("engine/src/") && names(&code, name) {
                wrong.push(format!(
                    "{path}: leave {name} to a connector, behind a contract"
                ));
            }
        }
    }
    verdict(wrong);
}

#[test]
fn reserved_calls_stay_in_their_file() {
    // Constructors of a status are lower-case; variants of another type of that name are not.
    let lower = |name: &String| name.starts_with(|char: char| char.is_ascii_lowercase());
    let mut wrong = Vec::new();
    for file in rust().iter().filter(|file| file.is_product()) {
        let (path, code) = (&file.path, file.code());
        for [call, home, instead] in RESERVED {
            if path != home && names(&code, call) {
                wrong.push(format!("{path}: only {home} calls {call}; {instead}"));
            }
        }
        if path != STATUS_HOME && taken(&code, "Status::").iter().any(lower) {
            wrong.push(format!(
                "{path}: only {STATUS_HOME} makes a gRPC status; return an error"
            ));
        }
    }
    verdict(wrong);
}

#[test]
fn no_file_is_a_drawer() {
    let drawers = ["utils", "util", "common", "helpers", "helper", "misc"];
    let mut wrong = Vec::new();
    for path in paths() {
        let name = Path::new(&path).file_stem().unwrap_or_default();
        if drawers.iter().any(|drawer| name == *drawer) {
            wrong.push(format!(
                "{path}: move each function to the module that owns its data"
            ));
        }
    }
    verdict(wrong);
}

#[test]
fn comments_leave_no_work_behind() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
    ];
    let mut wrong = Vec::new();
    for File { path, text } in rust() {
        for (number, line) in text.lines().enumerate() {
            let comment = line.split_once("//").map_or("", |(_, comment)| comment);
            if marks.iter().any(|mark| names(comment, mark)) {
                wrong.push(format!("{path}:{}: do it, or open an issue", number + 1));
            }
        }
    }
    verdict(wrong);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let mut wrong = Vec::new();
    for File { path, text } in files() {
        for home in [concat!("/ro", "ot/"), concat!("/ho", "me/")] {
            if text.contains(home) {
                wrong.push(format!(
                    "{path}: {home} is one machine's; use a relative path or $HOME"
                ));
            }
        }
    }
    verdict(wrong);
}

#[test]
fn pages_have_one_title_and_links_that_lead_somewhere() {
    let mut wrong = Vec::new();
    for File { path, text } in files() {
        if !path.ends_with(".md") {
            continue;
        }
        let prose = prose(&text);
        let titles = prose.lines().filter(|line| line.starts_with("# ")).count();
        if titles != 1 {
            wrong.push(format!(
                "{path}: {titles} titles; a page has exactly one `# ` line"
            ));
        }
        let folder = root()
            .join(&path)
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        for link in links(&prose) {
            if !folder.join(link).try_exists().unwrap_or(false) {
                wrong.push(format!(
                    "{path}: the link to {link} leads nowhere; correct its path"
                ));
            }
        }
    }
    verdict(wrong);
}

struct File {
    path: String,
    text: String,
}

impl File {
    /// Whether the file is part of the product: not a test, not what only tests use.
    fn is_product(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.contains("/src/") && !["tests.rs", "testing.rs"].contains(&name)
    }

    /// The text without comments and without the unit tests at its end.
    fn code(&self) -> String {
        let product = self
            .text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or_default();
        let bare = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
        product.lines().map(bare).collect::<Vec<_>>().join("\n")
    }
}

fn verdict(wrong: impl IntoIterator<Item = String>) {
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(
        wrong.is_empty(),
        "docs/STYLE.md gives the reasons:\n  {}\n",
        wrong.join("\n  ")
    );
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Files of the project relative to its root: what git would commit, or all of an unpacked archive.
fn paths() -> Vec<String> {
    let listed = Command::new("git")
        .args(["-c", "safe.directory=*", "-C"])
        .arg(root())
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output();
    let mut paths: Vec<String> = match listed {
        Ok(git) if git.status.success() => String::from_utf8_lossy(&git.stdout)
            .split_terminator('\0')
            .map(String::from)
            .collect(),
        _ => walk(""),
    };
    paths.retain(|path| root().join(path).is_file());
    assert!(
        paths.iter().any(|path| path == "Cargo.toml"),
        "the workspace is not at {:?}",
        root()
    );
    paths
}

fn walk(folder: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root().join(folder)).expect("a folder can be listed") {
        let entry = entry.expect("a folder can be listed");
        let path = format!("{folder}{}", entry.file_name().to_string_lossy());
        if !entry.path().is_dir() {
            paths.push(path);
        } else if ![".git", "target", "sluice-data"].contains(&path.as_str()) {
            paths.extend(walk(&format!("{path}/")));
        }
    }
    paths
}

/// Every text file; what is not UTF-8 is data.
fn files() -> Vec<File> {
    let open = |path: String| {
        let text = fs::read_to_string(root().join(&path)).ok()?;
        Some(File { path, text })
    };
    paths().into_iter().filter_map(open).collect()
}

fn rust() -> Vec<File> {
    files()
        .into_iter()
        .filter(|file| file.path.ends_with(".rs"))
        .collect()
}

/// Names of the `mod` lines, in their order.
fn modules(code: &str) -> Vec<String> {
    let name = |line: &str| {
        let (visibility, name) = line.trim().strip_suffix(';')?.rsplit_once("mod ")?;
        (visibility.is_empty() || visibility.starts_with("pub")).then(|| name.to_owned())
    };
    code.lines().filter_map(name).collect()
}

/// Names that `file` takes from the module of `folder`; `inner` is the file's path inside it.
fn imported(file: &File, folder: &str, inner: &str) -> Vec<String> {
    let inside = folder.split_once("/src/").map_or("", |(_, inside)| inside);
    let code = file.code();
    let mut names = taken(&code, &format!("crate::{}", inside.replace('/', "::")));
    if !inner.trim_end_matches("/mod.rs").contains('/') {
        names.extend(taken(&code, "super::"));
    }
    names
}

/// The first path segments that follow `prefix`, looking into `{..}` groups.
fn taken(code: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        let rest = &code[at + prefix.len()..];
        if before.is_some_and(is_word) || (prefix == "super::" && before == Some(':')) {
            continue;
        }
        match rest.strip_prefix('{') {
            Some(group) => names.extend(heads(group)),
            None => names.push(head(rest)),
        }
    }
    names
}

fn heads(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = vec![head(group)];
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(head(&group[at + 1..])),
            _ => {}
        }
    }
    heads
}

fn head(path: &str) -> String {
    path.trim_start()
        .chars()
        .take_while(|char| is_word(*char))
        .collect()
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Whether a word of `text` begins with `start`.
fn names(text: &str, start: &str) -> bool {
    let first = |at: usize| !text[..at].chars().next_back().is_some_and(is_word);
    text.match_indices(start).any(|(at, _)| first(at))
}

/// A Markdown page without its fenced blocks and its inline code.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.extend(line.split('`').step_by(2));
            prose.push('\n');
        }
    }
    prose
}

/// Targets of the links to other files of the project.
fn links(prose: &str) -> Vec<&str> {
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter_map(|target| target.split(['#', ' ']).next())
        .filter(|path| !path.is_empty())
        .collect()
}

//! The registry itself: what is in it, and the reference page that is written from it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use datafusion::prelude::SessionContext;
use sluice_udfs::Function;

use crate::call::{session, workspace};

/// The names in the `functions!` list of a family's `mod.rs`.
fn listed(module: &str) -> Option<Vec<String>> {
    let list = module.split_once("functions! {")?.1.split_once('}')?.0;
    let names = list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    Some(names.map(str::to_owned).collect())
}

/// The files of a family that have a function.
fn written(family: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(family)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let functions = files.filter(|path| {
        path.extension().is_some_and(|ending| ending == "rs")
            && fs::read_to_string(path).unwrap().contains("\npub fn udf()")
    });
    functions
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_file_is_listed_in_order() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(source).unwrap() {
        let family = entry.unwrap().path();
        let Ok(module) = fs::read_to_string(family.join("mod.rs")) else {
            continue;
        };
        // A folder without functions has no list.
        let listed = listed(&module).unwrap_or_default();
        assert!(
            listed.is_sorted(),
            "sort the functions! list in {}",
            family.display()
        );
        let written = written(&family);
        assert_eq!(
            listed.iter().cloned().collect::<BTreeSet<_>>(),
            written,
            "{}",
            family.display()
        );
        names.extend(written);
    }
    let registered = sluice_udfs::functions();
    let registered: BTreeSet<_> = registered.iter().map(|udf| udf.name().to_owned()).collect();
    assert_eq!(registered, names, "a file is called as its function");
}

#[test]
fn no_name_stands_for_two_functions() {
    let state = SessionContext::new().state();
    let mut taken: BTreeSet<String> = state.scalar_functions().keys().cloned().collect();
    taken.extend(state.aggregate_functions().keys().cloned());
    taken.extend(state.window_functions().keys().cloned());
    taken.extend(state.table_functions().keys().cloned());
    // Clients ask for the version of what they talk to.
    taken.remove("version");
    for function in sluice_udfs::functions() {
        let names = std::iter::once(function.name()).chain(function.aliases().iter().map(|a| &**a));
        for name in names {
            assert_eq!(name, name.to_lowercase(), "SQL folds names to lower case");
            assert!(
                taken.insert(name.to_owned()),
                "\"{name}\" is taken; choose another name"
            );
        }
    }
}

#[test]
fn every_function_is_documented_and_registered() {
    let state = session().state();
    for function in sluice_udfs::functions() {
        let name = function.name();
        let docs = function
            .documentation()
            .unwrap_or_else(|| panic!("{name} has no #[user_doc]"));
        assert!(
            docs.description.split_whitespace().count() > 3,
            "{name}: describe it"
        );
        assert!(
            docs.syntax_example.starts_with(name),
            "{name}: its syntax begins with its name"
        );
        assert!(
            docs.sql_example.is_some(),
            "{name}: give an example with its output"
        );
        let arguments = docs.arguments.as_ref();
        let takes_none = docs.syntax_example.ends_with("()");
        assert!(
            takes_none || arguments.is_some_and(|all| !all.is_empty()),
            "{name}: describe its arguments"
        );
        let known = match function {
            Function::Scalar(_) => state.scalar_functions().contains_key(name),
            Function::Aggregate(_) => state.aggregate_functions().contains_key(name),
            Function::Window(_) => state.window_functions().contains_key(name),
        };
        assert!(known, "{name} is listed and not registered");
    }
}

#[test]
fn the_reference_page_is_fresh() {
    let path = workspace().join("docs/functions.md");
    let want = reference();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &want).unwrap();
    }
    let got = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        got == want,
        "docs/functions.md is stale: run the tests of sluice-udfs with UPDATE=1"
    );
}

fn reference() -> String {
    let mut page = String::from(
        "# SQL functions\n\nWritten from the documentation of the functions by the tests of \
         `sluice-udfs`; do not edit.\nEvery example is run by them too.\n",
    );
    let mut section = "";
    let functions = sluice_udfs::functions();
    for function in &functions {
        let docs = function.documentation().unwrap();
        if docs.doc_section.label != section {
            section = docs.doc_section.label;
            write!(page, "\n## {section}\n").unwrap();
        }
        let (name, syntax) = (function.name(), &docs.syntax_example);
        write!(
            page,
            "\n### {name}\n\n```sql\n{syntax}\n```\n\n{}\n\n",
            docs.description
        )
        .unwrap();
        for (argument, description) in docs.arguments.iter().flatten() {
            writeln!(page, "- `{argument}`: {description}").unwrap();
        }
        if let Some(example) = &docs.sql_example {
            write!(page, "\n{}\n", example.trim()).unwrap();
        }
    }
    page
}

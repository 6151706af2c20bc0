//! Runs every example in the documentation of every function, and compares what it prints.

use datafusion::arrow::util::pretty::pretty_format_batches;

use crate::call::keyed_session;

/// The statements of an example in DataFusion's format, each with the table printed below it.
fn statements(example: &str) -> Vec<(String, String)> {
    let mut statements: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in example.lines().filter(|line| !line.starts_with("```")) {
        let begins = line.strip_prefix("> ");
        match (begins, statements.last_mut()) {
            (Some(line), _) => statements.push((line.to_owned(), String::new())),
            (None, Some((statement, _))) if open => {
                statement.push('\n');
                statement.push_str(line);
            }
            (None, Some((_, output))) => {
                output.push_str(line);
                output.push('\n');
            }
            (None, None) => panic!("an example begins with a statement, not {line:?}"),
        }
        open = (open || begins.is_some()) && !line.trim_end().ends_with(';');
    }
    statements
}

#[tokio::test]
async fn every_example_prints_what_it_says() {
    for function in sluice_udfs::functions() {
        let name = function.name();
        let example = function
            .documentation()
            .and_then(|docs| docs.sql_example.as_ref());
        let statements = statements(example.unwrap_or_else(|| panic!("{name} has no example")));
        assert!(
            !statements.is_empty(),
            "{name} has no statement in its example"
        );
        for (statement, want) in statements {
            let frame = keyed_session()
                .sql(statement.trim_end_matches(';'))
                .await
                .unwrap();
            let batches = frame.collect().await.unwrap();
            let got = pretty_format_batches(&batches).unwrap().to_string();
            assert_eq!(got, want.trim_end(), "{name}: {statement}");
        }
    }
}

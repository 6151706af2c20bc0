//! `sluice functions`: the reference of the SQL functions, from their own documentation.

use std::process::ExitCode;

use clap::Args;
use datafusion::logical_expr::Documentation;
use sluice_engine::error::{Error, Result};
use sluice_udfs::Function;

use super::output::print;

const EXAMPLES: &str = "\
Examples:
  sluice functions
  sluice functions redact";

/// Arguments of `sluice functions`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FunctionsArgs {
    /// The function to show in full; without it all are listed
    name: Option<String>,
}

impl FunctionsArgs {
    /// Prints the list or one function.
    ///
    /// # Errors
    /// When there is no such function.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let all = sluice_udfs::functions();
        let text = match self.name {
            None => list(&all),
            Some(name) => {
                let wanted = name.to_lowercase();
                let found = all
                    .iter()
                    .find(|f| f.name() == wanted || f.aliases().contains(&wanted));
                full(found.ok_or_else(|| {
                    Error::not_found(format!("there is no function \"{name}\""))
                        .hint("`sluice functions` lists all of Sluice's own")
                })?)
            }
        };
        print(text.into_bytes()).await?;
        Ok(ExitCode::SUCCESS)
    }
}

fn list(all: &[Function]) -> String {
    let width = all
        .iter()
        .map(|function| function.name().len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    let mut family = "";
    for function in all {
        let documentation = function.documentation();
        let label = documentation.map_or("", |doc| doc.doc_section.label);
        if label != family {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("{label}\n"));
            family = label;
        }
        let summary = documentation.map_or("", |doc| summary(&doc.description));
        text.push_str(&format!("  {:<width$}  {summary}\n", function.name()));
    }
    text
}

fn full(function: &Function) -> String {
    let mut text = function.name().to_owned();
    if !function.aliases().is_empty() {
        text.push_str(&format!(" (also {})", function.aliases().join(", ")));
    }
    text.push('\n');
    let Some(Documentation {
        description,
        syntax_example,
        sql_example,
        arguments,
        alternative_syntax,
        ..
    }) = function.documentation()
    else {
        return text;
    };
    text.push_str(&format!("\n{}\n\nSyntax:\n", description.trim()));
    let others = alternative_syntax.iter().flatten();
    for syntax in std::iter::once(syntax_example).chain(others) {
        text.push_str(&format!("  {syntax}\n"));
    }
    let arguments: Vec<_> = arguments.iter().flatten().collect();
    if !arguments.is_empty() {
        text.push_str("\nArguments:\n");
        let width = arguments
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or(0);
        for (name, meaning) in arguments {
            text.push_str(&format!("  {name:<width$}  {meaning}\n"));
        }
    }
    if let Some(example) = sql_example {
        text.push_str("\nExample:\n");
        let lines = example
            .trim()
            .lines()
            .filter(|line| !line.starts_with("```"));
        text.extend(lines.map(|line| format!("  {line}").trim_end().to_owned() + "\n"));
    }
    text
}

/// The first sentence.
fn summary(description: &str) -> &str {
    let line = description.trim().lines().next().unwrap_or_default();
    line.split_once(". ")
        .map_or(line, |(first, _)| first)
        .trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn the_summary_is_the_first_sentence() {
        assert_eq!(summary("Masks 1.5 things. Slowly."), "Masks 1.5 things");
        assert_eq!(summary("One line.\nAnother."), "One line");
    }
}

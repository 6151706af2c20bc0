//! The documentation of functions that are short enough to have theirs in one constant.

use datafusion::logical_expr::{DocSection, Documentation};

/// What a function is documented with.
#[derive(Debug)]
pub(crate) struct Docs {
    /// What it gives.
    pub(crate) description: &'static str,
    /// How it is called.
    pub(crate) syntax: &'static str,
    /// Statements and what they print.
    pub(crate) example: &'static str,
    /// Each argument with its meaning.
    pub(crate) arguments: &'static [(&'static str, &'static str)],
}

impl Docs {
    /// As DataFusion has it, under the heading `section`.
    pub(crate) fn under(&self, section: &'static str) -> Documentation {
        let section = DocSection {
            include: true,
            label: section,
            description: None,
        };
        let builder = Documentation::builder(section, self.description, self.syntax)
            .with_sql_example(self.example);
        let arguments = self.arguments.iter();
        arguments
            .fold(builder, |builder, (name, meaning)| {
                builder.with_argument(*name, *meaning)
            })
            .build()
    }
}

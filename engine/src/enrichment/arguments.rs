//! Files that a statement names in the place of configured ones: `geoip(ip, '/data/city.mmdb')`.
//! They are the machine's, and so for its owner alone.

use std::ops::ControlFlow;
use std::path::Path;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Visit, visit_expressions,
};

use super::{Enrichment, is_path};
use crate::authority::Authority;
use crate::error::{Error, Result};
use crate::plugin::EnrichmentFile;

impl Enrichment {
    /// Loads the files that calls in `statement` name by their paths.
    ///
    /// # Errors
    /// [`crate::error::Kind::Denied`] for whoever is not the owner; when a file cannot be loaded.
    pub async fn admit_statement(
        &self,
        statement: &DfStatement,
        authority: Authority,
    ) -> Result<()> {
        let mut inner = statement;
        while let DfStatement::Explain(explain) = inner {
            inner = &explain.statement;
        }
        match inner {
            DfStatement::Statement(statement) => self.admit_all(statement, authority).await,
            _ => Ok(()),
        }
    }

    /// Loads the files that calls in `query` name by their paths.
    ///
    /// # Errors
    /// As those of [`Enrichment::admit_statement`].
    pub async fn admit_all<T: Visit + Sync>(&self, query: &T, authority: Authority) -> Result<()> {
        for (path, file) in self.named(query) {
            if authority == Authority::Network {
                return Err(
                    Error::denied(format!("\"{path}\" is a file on the server's disk")).hint(
                        "the owner of the server names it in the configuration under [enrichment]",
                    ),
                );
            }
            self.admit(&path, file).await?;
        }
        Ok(())
    }

    fn named(&self, query: &impl Visit) -> Vec<(String, EnrichmentFile)> {
        let mut named = Vec::new();
        let _all: ControlFlow<()> = visit_expressions(query, |expr| {
            if let Expr::Function(call) = expr
                && let Some(found) = self.path_of(call)
            {
                named.push(found);
            }
            ControlFlow::Continue(())
        });
        named
    }

    fn path_of(&self, call: &Function) -> Option<(String, EnrichmentFile)> {
        let function = call.name.0.last()?.as_ident()?.value.to_lowercase();
        let argument = self.enricher.as_ref()?.argument(&function)?;
        let FunctionArguments::List(list) = &call.args else {
            return None;
        };
        let text = |(at, given): (usize, &FunctionArg)| {
            let value = match given {
                FunctionArg::Unnamed(value) => (at == argument.position).then_some(value)?,
                FunctionArg::Named { name, arg, .. }
                | FunctionArg::ExprNamed {
                    name: Expr::Identifier(name),
                    arg,
                    ..
                } => name
                    .value
                    .eq_ignore_ascii_case(argument.name)
                    .then_some(arg)?,
                FunctionArg::ExprNamed { .. } => return None,
            };
            let FunctionArgExpr::Expr(mut value) = value.clone() else {
                return None;
            };
            while let Expr::Nested(inner) = value {
                value = *inner;
            }
            match value {
                Expr::Value(value) => value.value.into_string(),
                _ => None,
            }
        };
        let path = list.args.iter().enumerate().find_map(text)?;
        is_path(&path).then(|| {
            let file = (argument.file)(Path::new(&path));
            (path, file)
        })
    }
}

//! SQL text to statements: ours (pipelines, `VERIFY TABLE`, `CALL`) and everything DataFusion's
//! parser takes.
//!
//! Our statements are told by their first words, so no SQL that DataFusion accepts changes meaning.

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::dialect::GenericDialect;

mod name;
mod script;
mod syntax;

mod table;
mod function;
mod pipeline;
mod call;
mod session;

mod escapes;
mod rewrite;

mod parse;

pub use call::{Call, Procedure};
pub use function::{CreateFunction, FunctionBody, function_arguments, function_sql};
pub use name::{normalize, quote, unquote};
pub use parse::parse;
pub use pipeline::{CreatePipeline, PipelineAction, RewindTo, pipeline_sql};
pub use script::split;
pub(crate) use script::tokens;
pub use session::{SEARCH_PATH, SessionStatement, TIME_ZONE};
pub use table::external_table_sql;

/// The dialect of all SQL.
pub static DIALECT: GenericDialect = GenericDialect {};

/// One parsed statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// Anything DataFusion's parser takes.
    Sql(Box<DfStatement>),
    /// `CREATE [OR REPLACE] FUNCTION [IF NOT EXISTS] name(argument TYPE, ...) ...`.
    CreateFunction(CreateFunction),
    /// `DROP FUNCTION [IF EXISTS] name`.
    DropFunction {
        /// The function.
        name: String,
        /// Its absence is no error.
        if_exists: bool,
    },
    /// `CREATE [OR REPLACE] PIPELINE [IF NOT EXISTS] name [WITH (...)] AS INSERT INTO ...`.
    CreatePipeline(CreatePipeline),
    /// `ALTER PIPELINE name PAUSE | RESUME | REWIND TO ...`.
    AlterPipeline {
        /// The pipeline.
        name: String,
        /// What to do with it.
        action: PipelineAction,
    },
    /// `DROP PIPELINE [IF EXISTS] name`.
    DropPipeline {
        /// The pipeline.
        name: String,
        /// Its absence is no error.
        if_exists: bool,
    },
    /// `SHOW PIPELINES`.
    ShowPipelines,
    /// `SHOW POLICIES`.
    ShowPolicies,
    /// `VERIFY TABLE name`.
    VerifyTable {
        /// The table.
        name: String,
    },
    /// `CALL procedure('table', ...)`.
    Call(Call),
    /// `SET`, `USE`, `BEGIN` and other statements about the session itself.
    Session(SessionStatement),
}

//! What the server can do, by the numbers of Flight SQL. Every number has a value of the type that
//! drivers cast it to: a missing one makes some of them fail with a null pointer.

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;
use arrow_flight::sql::SqlInfo as Info;
use arrow_flight::sql::metadata::SqlInfoDataBuilder;
use datafusion::logical_expr::Documentation;
use datafusion::sql::sqlparser::keywords::RESERVED_FOR_COLUMN_ALIAS;
use sluice_engine::session::Session;

use super::info::unbuilt;
use crate::status::Result;

/// The answers to `wanted`, or to everything when nothing is named.
///
/// # Errors
/// When the answer cannot be built.
pub(super) fn batch(session: &Session, wanted: &[u32]) -> Result<RecordBatch> {
    let mut builder = SqlInfoDataBuilder::new();
    texts(&mut builder);
    flags(&mut builder);
    choices(&mut builder);
    for info in LENGTHS {
        builder.append(info, 0_i64);
    }
    functions(&mut builder, session);
    let data = builder.build().map_err(unbuilt)?;
    Ok(data.record_batch(wanted.iter().copied()).map_err(unbuilt)?)
}

fn texts(builder: &mut SqlInfoDataBuilder) {
    let texts = [
        (Info::FlightSqlServerName, "Sluice"),
        (Info::FlightSqlServerVersion, env!("CARGO_PKG_VERSION")),
        (Info::FlightSqlServerArrowVersion, arrow::ARROW_VERSION),
        (Info::FlightSqlServerSubstraitMinVersion, ""),
        (Info::FlightSqlServerSubstraitMaxVersion, ""),
        (Info::SqlIdentifierQuoteChar, "\""),
        (Info::SqlSearchStringEscape, "\\"),
        (Info::SqlExtraNameCharacters, ""),
        (Info::SqlSchemaTerm, "schema"),
        (Info::SqlProcedureTerm, "procedure"),
        (Info::SqlCatalogTerm, "catalog"),
    ];
    for (info, text) in texts {
        builder.append(info, text);
    }
}

fn flags(builder: &mut SqlInfoDataBuilder) {
    let flags = [
        (Info::FlightSqlServerReadOnly, false),
        (Info::FlightSqlServerSql, true),
        (Info::FlightSqlServerSubstrait, false),
        (Info::FlightSqlServerCancel, true),
        (Info::FlightSqlServerBulkIngestion, true),
        (Info::FlightSqlServerIngestTransactionsSupported, false),
        (Info::SqlDdlCatalog, false),
        (Info::SqlDdlSchema, false),
        (Info::SqlDdlTable, true),
        (Info::SqlAllTablesAreSelectable, true),
        (Info::SqlSupportsColumnAliasing, true),
        (Info::SqlNullPlusNullIsNull, true),
        (Info::SqlSupportsTableCorrelationNames, true),
        (Info::SqlSupportsDifferentTableCorrelationNames, false),
        (Info::SqlSupportsExpressionsInOrderBy, true),
        (Info::SqlSupportsOrderByUnrelated, true),
        (Info::SqlSupportsLikeEscapeClause, true),
        (Info::SqlSupportsNonNullableColumns, true),
        (Info::SqlSupportsIntegrityEnhancementFacility, false),
        (Info::SqlCatalogAtStart, true),
        (Info::SqlSelectForUpdateSupported, false),
        (Info::SqlStoredProceduresSupported, false),
        (Info::SqlCorrelatedSubqueriesSupported, true),
        (Info::SqlMaxRowSizeIncludesBlobs, true),
        (Info::SqlTransactionsSupported, false),
        (Info::SqlDataDefinitionCausesTransactionCommit, false),
        (Info::SqlDataDefinitionsInTransactionsIgnored, true),
        (Info::SqlBatchUpdatesSupported, true),
        (Info::SqlSavepointsSupported, false),
        (Info::SqlNamedParametersSupported, false),
        (Info::SqlLocatorsUpdateCopy, false),
        (Info::SqlStoredFunctionsUsingCallSyntaxSupported, false),
    ];
    for (info, flag) in flags {
        builder.append(info, flag);
    }
}

/// Enumerations and bit masks.
fn choices(builder: &mut SqlInfoDataBuilder) {
    let choices = [
        (Info::FlightSqlServerTransaction, 0),
        (Info::FlightSqlServerStatementTimeout, 0),
        (Info::FlightSqlServerTransactionTimeout, 0),
        // Unquoted names become lower case, quoted ones stay as they are.
        (Info::SqlIdentifierCase, 3),
        (Info::SqlQuotedIdentifierCase, 1),
        // Nulls sort as if they were the largest value.
        (Info::SqlNullOrdering, 0),
        (Info::SqlSupportedGroupBy, 0b11),
        (Info::SqlSupportedGrammar, 0b11),
        (Info::SqlAnsi92SupportedLevel, 0b1),
        (Info::SqlOuterJoinsSupportLevel, 0b110),
        // Schemas and catalogs may stand before names in queries and in definitions.
        (Info::SqlSchemasSupportedActions, 0b111),
        (Info::SqlCatalogsSupportedActions, 0b111),
        (Info::SqlSupportedPositionedCommands, 0),
        // In comparisons, EXISTS, IN and quantified expressions.
        (Info::SqlSupportedSubqueries, 0b1111),
        (Info::SqlSupportedUnions, 0b11),
        (Info::SqlSupportedTransactionsIsolationLevels, 0b1),
        // Forward only, read only.
        (Info::SqlSupportedResultSetTypes, 0b10),
        (Info::SqlSupportedConcurrenciesForResultSetUnspecified, 0b10),
        (Info::SqlSupportedConcurrenciesForResultSetForwardOnly, 0b10),
        (
            Info::SqlSupportedConcurrenciesForResultSetScrollSensitive,
            0,
        ),
        (
            Info::SqlSupportedConcurrenciesForResultSetScrollInsensitive,
            0,
        ),
    ];
    for (info, choice) in choices {
        builder.append(info, choice);
    }
    // Drivers read this one as a long, unlike the other enumerations.
    builder.append(Info::SqlDefaultTransactionIsolation, 0_i64);
    builder.append(Info::SqlSupportsConvert, BTreeMap::<i32, Vec<i32>>::new());
}

/// Limits on lengths and counts, of which there are none.
const LENGTHS: [Info; 20] = [
    Info::SqlMaxBinaryLiteralLength,
    Info::SqlMaxCharLiteralLength,
    Info::SqlMaxColumnNameLength,
    Info::SqlMaxColumnsInGroupBy,
    Info::SqlMaxColumnsInIndex,
    Info::SqlMaxColumnsInOrderBy,
    Info::SqlMaxColumnsInSelect,
    Info::SqlMaxColumnsInTable,
    Info::SqlMaxConnections,
    Info::SqlMaxCursorNameLength,
    Info::SqlMaxIndexLength,
    Info::SqlDbSchemaNameLength,
    Info::SqlMaxProcedureNameLength,
    Info::SqlMaxCatalogNameLength,
    Info::SqlMaxRowSize,
    Info::SqlMaxStatementLength,
    Info::SqlMaxStatements,
    Info::SqlMaxTableNameLength,
    Info::SqlMaxTablesInSelect,
    Info::SqlMaxUsernameLength,
];

/// Functions and reserved words, for completion in tools: each function under the heading that its
/// documentation names.
fn functions(builder: &mut SqlInfoDataBuilder, session: &Session) {
    let state = session.context().state();
    let (mut numeric, mut string, mut datetime, mut system) = (vec![], vec![], vec![], vec![]);
    let scalars = state
        .scalar_functions()
        .iter()
        .map(|(name, f)| (name, f.documentation()));
    let aggregates = state
        .aggregate_functions()
        .iter()
        .map(|(name, f)| (name, f.documentation()));
    for (name, documentation) in scalars.chain(aggregates) {
        match documentation.map_or("", section) {
            "Math Functions" => numeric.push(name.clone()),
            "Time and Date Functions" => datetime.push(name.clone()),
            "String Functions" | "Regular Expression Functions" => string.push(name.clone()),
            _ => system.push(name.clone()),
        }
    }
    let lists = [
        (Info::SqlNumericFunctions, numeric),
        (Info::SqlStringFunctions, string),
        (Info::SqlDatetimeFunctions, datetime),
        (Info::SqlSystemFunctions, system),
        (
            Info::SqlKeywords,
            RESERVED_FOR_COLUMN_ALIAS
                .iter()
                .map(|k| format!("{k:?}"))
                .collect(),
        ),
    ];
    for (info, mut names) in lists {
        names.sort_unstable();
        builder.append(info, names);
    }
}

fn section(documentation: &Documentation) -> &str {
    documentation.doc_section.label
}

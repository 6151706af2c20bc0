//! Words that stand for more than they are elsewhere: units of time without quotes, the types of
//! CONVERT, and `current_schema` without parentheses.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, TimezoneInfo, Value,
};

use super::Reads;

/// Functions whose first argument is a unit of time.
const TIMED: [&str; 11] = [
    "date_add",
    "date_diff",
    "date_part",
    "date_trunc",
    "dateadd",
    "datediff",
    "datename",
    "datepart",
    "datetrunc",
    "timestampadd",
    "timestampdiff",
];

/// Units of time, and what ODBC puts before them.
const UNITS: [&str; 51] = [
    "century",
    "d",
    "day",
    "dayofweek",
    "dayofyear",
    "days",
    "dd",
    "decade",
    "dow",
    "doy",
    "dy",
    "epoch",
    "hh",
    "hour",
    "hours",
    "isodow",
    "m",
    "mcs",
    "mi",
    "microsecond",
    "microseconds",
    "millisecond",
    "milliseconds",
    "minute",
    "minutes",
    "mm",
    "month",
    "months",
    "ms",
    "n",
    "nanosecond",
    "nanoseconds",
    "ns",
    "q",
    "qq",
    "quarter",
    "quarters",
    "s",
    "second",
    "seconds",
    "ss",
    "us",
    "week",
    "weekday",
    "weeks",
    "wk",
    "ww",
    "year",
    "years",
    "yy",
    "yyyy",
];
const ODBC_UNIT: &str = "sql_tsi_";

/// Rewrites `expr`, whose parts are rewritten already.
pub(super) fn rewrite(expr: &mut Expr, reads: Reads) {
    match expr {
        Expr::Function(call) => {
            if let Some(other) = rewrite_call(call, reads) {
                *expr = other;
            }
        }
        // The planner takes nothing but text there.
        Expr::TypedString(typed) if typed.value.clone().into_string().is_none() => {
            let value = Expr::Value(typed.value.clone());
            *expr = cast(value, typed.data_type.clone());
        }
        Expr::Convert {
            expr: value,
            data_type: Some(DataType::Custom(name, _)),
            ..
        } => {
            if let Some(kind) = odbc_type(&name.to_string()) {
                *expr = cast(value.as_ref().clone(), kind);
            }
        }
        Expr::Identifier(name)
            if reads == Reads::Nothing
                && (is(name, "current_schema") || is(name, "current_database")) =>
        {
            *expr = Expr::Function(Function {
                name: ObjectName::from(vec![name.clone()]),
                uses_odbc_syntax: false,
                parameters: FunctionArguments::None,
                args: FunctionArguments::List(FunctionArgumentList {
                    duplicate_treatment: None,
                    args: Vec::new(),
                    clauses: Vec::new(),
                }),
                filter: None,
                null_treatment: None,
                over: None,
                within_group: Vec::new(),
            });
        }
        _ => {}
    }
}

fn is(name: &Ident, wanted: &str) -> bool {
    name.quote_style.is_none() && name.value.eq_ignore_ascii_case(wanted)
}

/// What stands in the place of `call`; `None` where it stays a call.
fn rewrite_call(call: &mut Function, reads: Reads) -> Option<Expr> {
    let [part] = call.name.0.as_slice() else {
        return None;
    };
    let name = part.as_ident()?.clone();
    let list = match &mut call.args {
        // A column may be called "user" wherever there are columns.
        FunctionArguments::None if reads == Reads::Tables && is(&name, "user") => {
            return Some(Expr::Identifier(name));
        }
        FunctionArguments::List(list) => list,
        _ => return None,
    };
    if TIMED.iter().any(|timed| is(&name, timed)) {
        if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) = list.args.first_mut()
            && let Some(unit) = unit(first)
        {
            *first = Expr::Value(Value::SingleQuotedString(unit).into());
        }
        return None;
    }
    if !is(&name, "convert") {
        return None;
    }
    match list.args.as_slice() {
        [
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)),
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(kind))),
        ] => Some(cast(value.clone(), odbc_type(&kind.value)?)),
        _ => None,
    }
}

fn cast(value: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(value),
        data_type,
        array: false,
        format: None,
    }
}

/// The unit of time that `expr` names without quotes.
fn unit(expr: &Expr) -> Option<String> {
    let Expr::Identifier(name) = expr else {
        return None;
    };
    if name.quote_style.is_some() {
        return None;
    }
    let word = name.value.to_lowercase();
    let unit = match word.strip_prefix(ODBC_UNIT) {
        Some("frac_second") => "nanosecond",
        Some(unit) => unit,
        None => &word,
    };
    UNITS.contains(&unit).then(|| unit.to_owned())
}

/// The type that ODBC calls so.
fn odbc_type(name: &str) -> Option<DataType> {
    let zone = TimezoneInfo::None;
    Some(match name.to_uppercase().strip_prefix("SQL_")? {
        "CHAR" | "VARCHAR" | "LONGVARCHAR" | "WCHAR" | "WVARCHAR" | "WLONGVARCHAR" | "GUID" => {
            DataType::Varchar(None)
        }
        "TINYINT" => DataType::TinyInt(None),
        "SMALLINT" => DataType::SmallInt(None),
        "INTEGER" => DataType::Integer(None),
        "BIGINT" => DataType::BigInt(None),
        "REAL" => DataType::Real,
        "FLOAT" | "DOUBLE" => DataType::Double(ExactNumberInfo::None),
        "DECIMAL" | "NUMERIC" => DataType::Decimal(ExactNumberInfo::None),
        "BIT" => DataType::Boolean,
        "DATE" | "TYPE_DATE" => DataType::Date,
        "TIME" | "TYPE_TIME" => DataType::Time(None, zone),
        "TIMESTAMP" | "TYPE_TIMESTAMP" => DataType::Timestamp(None, zone),
        "BINARY" | "VARBINARY" | "LONGVARBINARY" => DataType::Bytea,
        _ => return None,
    })
}

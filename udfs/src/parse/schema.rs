//! The literal that names the columns of a typed answer, such as `'a BIGINT, b STRUCT<c VARCHAR>'`,
//! in the words of CREATE TABLE.

use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, ColumnDef, DataType as SqlType, ExactNumberInfo, Ident, Statement,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::columns::timestamp_type;
use super::maps::Maps;

/// Types that a column may have, for messages.
const VALID: &str = "VARCHAR, BIGINT, INT, SMALLINT, TINYINT, DOUBLE, FLOAT, BOOLEAN, TIMESTAMP, \
                     DATE, DECIMAL(p, s), STRUCT<..>, a type followed by [], and \
                     MAP(VARCHAR, VARCHAR)";
/// The name of the last field of an answer.
pub(crate) const PARSE_ERROR: &str = "parse_error";

/// The columns of `schema`, an option of `function`.
///
/// # Errors
/// When it is not a list of columns, or one has a type that no text is read as.
pub(crate) fn fields(function: &str, schema: &str) -> Result<Fields> {
    let wrong = |why: String| {
        plan_err!(
            "{function} cannot read the columns '{schema}': {why}; write them as in CREATE TABLE, \
             such as 'a BIGINT, b STRUCT<c VARCHAR>'"
        )
    };
    let sql = format!("CREATE TABLE t ({schema})");
    let columns = match Parser::parse_sql(&GenericDialect {}, &sql).as_deref() {
        Ok([Statement::CreateTable(table)]) if table.constraints.is_empty() => {
            table.columns.clone()
        }
        Ok(_) => return wrong("they are more than columns".to_owned()),
        Err(error) => return wrong(error.to_string()),
    };
    if columns.is_empty() {
        return wrong("there are none".to_owned());
    }
    let mut fields: Vec<Field> = Vec::with_capacity(columns.len());
    for ColumnDef {
        name, data_type, ..
    } in columns
    {
        let name = folded(&name);
        if name == PARSE_ERROR || fields.iter().any(|field| *field.name() == name) {
            return wrong(format!("the name \"{name}\" is taken"));
        }
        match arrow_type(&data_type) {
            Some(data_type) => fields.push(Field::new(name, data_type, true)),
            None => return wrong(format!("\"{name}\" is {data_type}; valid are {VALID}")),
        }
    }
    Ok(fields.into())
}

/// The answer with these columns.
pub(crate) fn answer(fields: &Fields) -> DataType {
    let error = Field::new(PARSE_ERROR, DataType::Utf8, true);
    let fields = fields.iter().map(|field| field.as_ref().clone());
    DataType::Struct(fields.chain([error]).collect())
}

/// The name that SQL has for the type of a column.
pub(crate) fn sql_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "VARCHAR",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INT",
        DataType::Int64 => "BIGINT",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Boolean => "BOOLEAN",
        DataType::Date32 => "DATE",
        DataType::Timestamp(_, _) => "TIMESTAMP",
        DataType::Decimal128(precision, scale) => return format!("DECIMAL({precision}, {scale})"),
        DataType::List(item) => return format!("{}[]", sql_name(item.data_type())),
        DataType::Map(_, _) => "MAP",
        _ => "STRUCT",
    }
    .to_owned()
}

/// The name of an identifier; one without quotes is in lower case.
fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

fn arrow_type(sql: &SqlType) -> Option<DataType> {
    Some(match sql {
        SqlType::Varchar(_)
        | SqlType::Text
        | SqlType::String(_)
        | SqlType::Char(_)
        | SqlType::CharVarying(_)
        | SqlType::CharacterVarying(_)
        | SqlType::JSON => DataType::Utf8,
        SqlType::BigInt(_) | SqlType::Int8(_) | SqlType::Int64 => DataType::Int64,
        SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) => DataType::Int32,
        SqlType::SmallInt(_) | SqlType::Int2(_) => DataType::Int16,
        SqlType::TinyInt(_) => DataType::Int8,
        SqlType::Double(_) | SqlType::DoublePrecision | SqlType::Float8 => DataType::Float64,
        SqlType::Float(_) | SqlType::Real | SqlType::Float4 => DataType::Float32,
        SqlType::Boolean | SqlType::Bool => DataType::Boolean,
        SqlType::Timestamp(_, _) => timestamp_type(),
        SqlType::Date => DataType::Date32,
        SqlType::Decimal(info) | SqlType::Numeric(info) => decimal(info)?,
        SqlType::Array(ArrayElemTypeDef::SquareBracket(item, _))
        | SqlType::Array(ArrayElemTypeDef::AngleBracket(item))
        | SqlType::Array(ArrayElemTypeDef::Parenthesis(item)) => {
            DataType::List(Field::new("item", arrow_type(item)?, true).into())
        }
        SqlType::Struct(fields, _) => {
            let field = |field: &datafusion::sql::sqlparser::ast::StructField| {
                let name = folded(field.field_name.as_ref()?);
                Some(Field::new(name, arrow_type(&field.field_type)?, true))
            };
            let fields: Option<Vec<Field>> = fields.iter().map(field).collect();
            DataType::Struct(fields.filter(|fields| !fields.is_empty())?.into())
        }
        SqlType::Map(key, value) => {
            let texts = [arrow_type(key)?, arrow_type(value)?];
            (texts == [DataType::Utf8, DataType::Utf8]).then(Maps::data_type)?
        }
        _ => return None,
    })
}

fn decimal(info: &ExactNumberInfo) -> Option<DataType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (38, 10),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    let (precision, scale) = (u8::try_from(precision).ok()?, i8::try_from(scale).ok()?);
    let legal = (1..=38).contains(&precision) && (0..=precision as i8).contains(&scale);
    legal.then_some(DataType::Decimal128(precision, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_create_table() {
        let found = fields(
            "f",
            "a BIGINT, \"B\" VARCHAR, c STRUCT<d INT, e DOUBLE[]>, f TIMESTAMP",
        );
        let found = found.unwrap();
        let names: Vec<&str> = found.iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["a", "B", "c", "f"]);
        assert_eq!(found[0].data_type(), &DataType::Int64);
        assert_eq!(found[3].data_type(), &timestamp_type());
        let DataType::Struct(inner) = found[2].data_type() else {
            panic!("c is a struct")
        };
        assert!(matches!(inner[1].data_type(), DataType::List(_)));
    }

    #[test]
    fn what_is_no_list_of_columns_is_refused() {
        let cases = [
            ("", "there are none"),
            ("a", "cannot read"),
            ("a BLOB", "valid are VARCHAR"),
            ("a INT, A INT", "the name \"a\" is taken"),
            ("parse_error INT", "is taken"),
            ("a INT); DROP TABLE t; --", "more than columns"),
        ];
        for (schema, want) in cases {
            let error = fields("f", schema).unwrap_err().to_string();
            assert!(error.contains(want), "{schema}: {error}");
        }
    }
}

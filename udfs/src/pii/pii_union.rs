//! `pii_union(categories, ...)` puts the categories of several texts together, for the `pii` column
//! of a row with several. A list that is NULL adds nothing; NULL where all are. Cost: next to
//! nothing for rows whose lists are empty.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, ListBuilder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

/// The function `pii_union`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(PiiUnion::new())
}

#[user_doc(
    doc_section(label = "Personal data"),
    description = "The categories of several texts together, each once, in alphabetical order. \
A list that is NULL adds nothing; the answer is NULL where all are.",
    syntax_example = "pii_union(categories [, categories ...])",
    sql_example = r#"```sql
> SELECT pii_union(pii_categories(message), pii_categories(agent)) AS pii FROM (VALUES
    ('ssn 536-90-4399', 'bob@example.com'),
    ('eve@example.com', 'bob@example.com'),
    ('nothing here', NULL)) AS logs(message, agent);
+-----------------+
| pii             |
+-----------------+
| [email, us_ssn] |
| [email]         |
| []              |
+-----------------+
```"#,
    argument(
        name = "categories",
        description = "Lists of VARCHAR, as `pii_categories` and `redact_audit` give them."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct PiiUnion {
    signature: Signature,
}

impl PiiUnion {
    fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for PiiUnion {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "pii_union"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        if given.is_empty() {
            return plan_err!("pii_union needs lists: pii_union(categories [, categories ...])");
        }
        let taken = |kind: &DataType| match kind {
            DataType::Null => Ok(lists_of_text()),
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)
                if item.data_type().is_string() || item.data_type().is_null() =>
            {
                Ok(lists_of_text())
            }
            other => plan_err!("pii_union takes lists of VARCHAR, not {other}"),
        };
        given.iter().map(taken).collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(lists_of_text())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let all_scalar = given
            .args
            .iter()
            .all(|list| matches!(list, ColumnarValue::Scalar(_)));
        let rows = if all_scalar { 1 } else { given.number_rows };
        let lists = given.args.iter().map(|list| list.to_array(rows));
        let lists: Vec<ArrayRef> = lists.collect::<Result<_>>()?;
        let lists: Vec<&ListArray> = lists.iter().map(|list| list.as_list()).collect();
        let united = unite(&lists, rows);
        match all_scalar {
            true => ScalarValue::try_from_array(&united, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(united)),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn lists_of_text() -> DataType {
    DataType::new_list(DataType::Utf8, true)
}

fn unite(lists: &[&ListArray], rows: usize) -> ArrayRef {
    let mut united = ListBuilder::with_capacity(StringBuilder::new(), rows);
    let mut names = Vec::new();
    for row in 0..rows {
        let mut known = false;
        names.clear();
        for list in lists.iter().filter(|list| list.is_valid(row)) {
            known = true;
            let bounds = list.value_offsets();
            let bound = |at: usize| {
                bounds
                    .get(at)
                    .map_or(0, |bound| usize::try_from(*bound).unwrap_or(0))
            };
            let values = list.values().as_string::<i32>();
            let items = bound(row)..bound(row + 1);
            let items = items.filter(|item| values.is_valid(*item));
            names.extend(items.map(|item| values.value(item)));
        }
        names.sort_unstable();
        names.dedup();
        names
            .iter()
            .for_each(|name| united.values().append_value(name));
        united.append(known);
    }
    Arc::new(united.finish())
}

//! `pii_categories(text [, categories] [, policy])` says which categories of personal data a text
//! holds, and never what: for the `pii` column of a table whose text is redacted. NULL stays NULL,
//! text without findings gives an empty list. Cost: one pass over the text.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{exec_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use crate::args;
use crate::pii::detect::Categories;
use crate::pii::named;
use crate::pii::policy::{Policies, Policy};
use crate::pii::search::{self, Search};

/// The arguments by name, in order.
const PARAMETERS: [&str; 3] = ["text", "categories", "policy"];
const NOT_LITERAL: &str = "the options of pii_categories are literals, not columns";

/// The function `pii_categories`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(PiiCategories::new())
}

#[user_doc(
    doc_section(label = "Personal data"),
    description = "Which categories of personal data and secrets are in text, each once, in \
alphabetical order. NULL gives NULL, text without findings an empty list.",
    syntax_example = "pii_categories(text [, categories] [, policy])",
    sql_example = r#"```sql
> SELECT pii_categories(message) AS pii FROM (VALUES
    ('ssn 536-90-4399 of bob@example.com and eve@example.com'),
    ('nothing here')) AS logs(message);
+-----------------+
| pii             |
+-----------------+
| [email, us_ssn] |
| []              |
+-----------------+
> SELECT pii_categories('4111 1111 1111 1111 of bob@example.com', NULL, 'pci') AS pii;
+---------------+
| pii           |
+---------------+
| [credit_card] |
+---------------+
```"#,
    argument(
        name = "text",
        description = "Text: VARCHAR in any of its Arrow forms, also dictionary encoded."
    ),
    argument(
        name = "categories",
        description = "What to look for, as a literal: names and sets that `redact` knows, \
`'email,phone'` or `ARRAY['email','phone']`. `tier1` unless stated."
    ),
    argument(
        name = "policy",
        description = "The name of a policy whose categories are looked for, instead of categories."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct PiiCategories {
    signature: Signature,
}

impl PiiCategories {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for PiiCategories {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "pii_categories"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let Some((text, options)) = given.split_first() else {
            return plan_err!("pii_categories needs a text: pii_categories(text [, categories])");
        };
        if options.len() >= PARAMETERS.len() {
            return plan_err!(
                "pii_categories takes at most three arguments: text, categories and policy"
            );
        }
        let mut types = vec![args::text_type(self.name(), text)?];
        for (option, name) in options.iter().zip(&PARAMETERS[1..]) {
            types.push(args::option_type(self.name(), name, option)?);
        }
        Ok(types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Utf8, true))
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let options = given.scalar_arguments.iter().skip(1).copied();
        Options::parse(&options.collect::<Vec<_>>())?;
        let nullable = given
            .arg_fields
            .first()
            .is_none_or(|text| text.is_nullable());
        Ok(Field::new(self.name(), self.return_type(&[])?, nullable).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((text, options)) = given.args.split_first() else {
            return exec_err!("pii_categories needs a text");
        };
        let options = options.iter().map(|option| match option {
            ColumnarValue::Scalar(value) => Ok(Some(value)),
            ColumnarValue::Array(_) => plan_err!("{NOT_LITERAL}"),
        });
        let options = Options::parse(&options.collect::<Result<Vec<_>>>()?)?;
        let wanted = options.resolve(&given.config_options)?;
        let search = Search::new(wanted, &given.config_options);
        match text {
            ColumnarValue::Array(array) => tell(array, search).map(ColumnarValue::Array),
            ColumnarValue::Scalar(value) => {
                let told = tell(&value.to_array()?, search)?;
                ScalarValue::try_from_array(&told, 0).map(ColumnarValue::Scalar)
            }
        }
    }

    fn simplify(&self, given: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if given.iter().skip(1).any(Expr::any_column_refs) {
            return plan_err!("{NOT_LITERAL}");
        }
        let known = given.iter().skip(1).map(|option| match option {
            Expr::Literal(value, _) => Some(value),
            _ => None,
        });
        let options = Options::parse(&known.collect::<Vec<_>>())?;
        options.resolve(context.config_options())?;
        Ok(ExprSimplifyResult::Original(given))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// The options as far as they are known at planning.
#[derive(Debug, Default)]
struct Options {
    categories: Option<Categories>,
    policy: Option<String>,
}

impl Options {
    fn parse(given: &[Option<&ScalarValue>]) -> Result<Self> {
        let known = |at: usize| match given.get(at).copied().flatten() {
            Some(value) => args::words(value),
            None => Ok(None),
        };
        let categories = known(0)?.map(|words| named::categories("pii_categories", &words));
        let options = Self {
            categories: categories.transpose()?,
            policy: known(1)?.map(|words| words.join(",")),
        };
        if options.policy.is_some() && options.categories.is_some() {
            return plan_err!("pii_categories takes categories or a policy, not both");
        }
        Ok(options)
    }

    /// The categories that the options stand for in a session.
    fn resolve(&self, config: &ConfigOptions) -> Result<Categories> {
        let Some(name) = &self.policy else {
            let wanted = self.categories.unwrap_or(Categories::TIER1);
            search::check("pii_categories", wanted, config)?;
            return Ok(wanted);
        };
        let built_in = Policies::default();
        let policies = config.extensions.get::<Policies>().unwrap_or(&built_in);
        match policies.get(name) {
            Some(policy) => Ok(policy.rules().categories()),
            None => {
                let valid: Vec<_> = policies.iter().map(Policy::name).collect();
                let valid = valid.join(", ");
                plan_err!("pii_categories does not know the policy \"{name}\"; valid are {valid}")
            }
        }
    }
}

fn tell(texts: &ArrayRef, mut search: Search) -> Result<ArrayRef> {
    let texts = cast(texts, &DataType::Utf8View)?;
    let texts = texts.as_string_view();
    let mut lists = ListBuilder::with_capacity(StringBuilder::new(), texts.len());
    let held = search.names(texts.iter().map(Option::unwrap_or_default))?;
    let mut names = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        let Some(text) = text else {
            lists.append_null();
            continue;
        };
        let found = search.text(text, held.of(row)).iter();
        names.clear();
        names.extend(found.map(|finding| finding.category.name()));
        names.sort_unstable();
        names.dedup();
        names
            .iter()
            .for_each(|name| lists.values().append_value(name));
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

//! `redact(text [, categories] [, mode] [, policy])` takes personal data and secrets out of text.
//! NULL stays NULL, text without findings is returned as it is, and redacting twice changes nothing
//! more. Option errors are planning errors. Cost: one pass over a clean row, two over one with
//! findings.

use std::any::Any;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use crate::pii::ledger::Ledger;
use crate::pii::mask::Redactor;
use crate::pii::options::{Options, PARAMETERS};
use crate::pii::search;
use crate::rows::{self, Changes, Rows};

/// The function `redact`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Redact::new())
}

#[user_doc(
    doc_section(label = "Personal data"),
    description = "Replaces personal data and secrets in text. \
Checksums, number ranges, groupings and nearby words decide what is a finding, so identifiers, \
timestamps, hashes, versions and addresses of machines stay. JSON stays JSON. NULL gives NULL.",
    syntax_example = "redact(text [, categories] [, mode] [, policy])",
    sql_example = r#"```sql
> SELECT redact(message) AS message FROM (VALUES
    ('card 4111 1111 1111 1111 declined'),
    ('ssn=536-90-4399 mail=alice.smith@example.com'),
    ('caller (212) 555-7890 on line 2'),
    ('{"user":"bob","password":"hunter2"}'),
    ('blk_-5195120009388265 served')) AS logs(message);
+------------------------------------------+
| message                                  |
+------------------------------------------+
| card xxxx-xxxx-xxxx-1111 declined        |
| ssn=xxx-xx-4399 mail=alic***@example.com |
| caller xxx-xxx-7890 on line 2            |
| {"user":"bob","password":""}             |
| blk_-5195120009388265 served             |
+------------------------------------------+
> SELECT redact('bob@example.com, 212-555-7890', ARRAY['email'], mode => 'label') AS message;
+-----------------------+
| message               |
+-----------------------+
| [EMAIL], 212-555-7890 |
+-----------------------+
> SELECT redact('mail bob@example.com', 'tier1', 'remove') AS message;
+---------+
| message |
+---------+
| mail    |
+---------+
```"#,
    argument(
        name = "text",
        description = "Text: VARCHAR in any of its Arrow forms, also dictionary encoded."
    ),
    argument(
        name = "categories",
        description = "What to look for, as a literal: `'email,phone'` or \
`ARRAY['email','phone']`. The default is `tier1`: `credit_card`, `card_track`, `cvv`, `us_ssn`, \
`us_itin`, `email`, `phone`, `password` (passwords, tokens and keys under a name that says so), \
`auth_header`, `jwt`, `private_key`, `cloud_token`, `iban` and `crypto`. Others are looked for \
where they are named, or their sets `tier2` and `all`. A model of the configuration, where there \
is one, looks for `person`, `address` and `organization` where these are named, or their set \
`ner`."
    ),
    argument(
        name = "mode",
        description = "What to put in place of a finding, as a literal: `mask` (the default) keeps \
the last four digits of numbers and the start and domain of an e-mail address, and nothing of a \
secret; `label` puts the category, such as `[EMAIL]`; `hash` puts the category and a hash under \
the key of the configuration, equal for equal values; `remove` puts nothing."
    ),
    argument(
        name = "policy",
        description = "The name of a policy, as a literal, instead of categories and a mode: \
`default`, `pci`, `secrets`, `strict`, or one of the configuration."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Redact {
    signature: Signature,
}

impl Redact {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for Redact {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "redact"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        Options::coerce(self.name(), given)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(given.first().cloned().unwrap_or(DataType::Utf8))
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Options::parse(self.name(), given.scalar_arguments)?;
        let text = given.arg_fields.first();
        let kind = text.map_or(DataType::Utf8, |field| field.data_type().clone());
        let nullable = text.is_none_or(|field| field.is_nullable());
        Ok(Field::new(self.name(), kind, nullable).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(text) = given.args.first() else {
            return exec_err!("redact needs a text");
        };
        let options = Options::called(self.name(), &given.args)?;
        let (rules, hasher) = options.resolve(&given.config_options)?;
        let model = search::model(rules.categories(), &given.config_options);
        let mut redactor = Redactor::new(rules, hasher, model);
        let mut done = Ok(());
        let read = &mut |rows: Rows<'_>, changes: &mut Changes| {
            if done.is_ok() {
                done = redactor.redact(rows, changes);
            }
        };
        let result = rows::change(text, read)?;
        done?;
        if let Some(ledger) = given.config_options.extensions.get::<Ledger>() {
            ledger.add(&rules.digest(), redactor.counts());
        }
        Ok(result)
    }

    fn simplify(&self, given: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Options::check(self.name(), &given, context)?;
        Ok(ExprSimplifyResult::Original(given))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

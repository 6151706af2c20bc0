//! `redact(text [, categories] [, mode] [, policy])` takes personal data and secrets out of text.
//! NULL stays NULL, text without findings is returned as it is, and redacting twice changes nothing
//! more. Option errors are planning errors. Cost: one pass over a clean row, two over one with
//! findings.

use std::any::Any;

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
use crate::pii::hash::Hasher;
use crate::pii::ledger::Ledger;
use crate::pii::mask::Redactor;
use crate::pii::mode::{Mode, Rules};
use crate::pii::policy::{Policies, Policy};
use crate::pii::search;
use crate::rows::{self, Changes, Rows};

/// The arguments by name, in order.
const PARAMETERS: [&str; 4] = ["text", "categories", "mode", "policy"];

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
        let Some((text, options)) = given.split_first() else {
            return plan_err!(
                "redact needs a text: redact(text [, categories] [, mode] [, policy])"
            );
        };
        if options.len() >= PARAMETERS.len() {
            return plan_err!(
                "redact takes at most four arguments: text, categories, mode and policy"
            );
        }
        let mut types = vec![args::text_type(self.name(), text)?];
        for (option, name) in options.iter().zip(&PARAMETERS[1..]) {
            types.push(args::option_type(self.name(), name, option)?);
        }
        Ok(types)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(given.first().cloned().unwrap_or(DataType::Utf8))
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let options = given.scalar_arguments.iter().skip(1).copied();
        Options::parse(&options.collect::<Vec<_>>())?;
        let text = given.arg_fields.first();
        let kind = text.map_or(DataType::Utf8, |field| field.data_type().clone());
        let nullable = text.is_none_or(|field| field.is_nullable());
        Ok(Field::new(self.name(), kind, nullable).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((text, options)) = given.args.split_first() else {
            return exec_err!("redact needs a text");
        };
        let options = options.iter().map(|option| match option {
            ColumnarValue::Scalar(value) => Ok(Some(value)),
            ColumnarValue::Array(_) => plan_err!("{NOT_LITERAL}"),
        });
        let options = Options::parse(&options.collect::<Result<Vec<_>>>()?)?;
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

const NOT_LITERAL: &str = "the options of redact are literals, not columns";

/// The options as far as they are known: a list that is not folded yet keeps its default until
/// the call is planned in full.
#[derive(Debug, Default)]
struct Options {
    categories: Option<Categories>,
    mode: Option<Mode>,
    policy: Option<String>,
}

impl Options {
    fn parse(given: &[Option<&ScalarValue>]) -> Result<Self> {
        let known = |at: usize| match given.get(at).copied().flatten() {
            Some(value) => args::words(value),
            None => Ok(None),
        };
        let options = Self {
            categories: known(0)?
                .map(|words| parse_categories(&words))
                .transpose()?,
            mode: known(1)?
                .map(|words| parse_mode(&words.join(",")))
                .transpose()?,
            policy: known(2)?.map(|words| words.join(",")),
        };
        if options.policy.is_some() && (options.categories.is_some() || options.mode.is_some()) {
            return plan_err!(
                "redact was given a policy beside categories or a mode; a policy names both, so \
                 leave out one or the other"
            );
        }
        Ok(options)
    }

    /// The rules that the options stand for in a session, and what hashes by them.
    fn resolve(&self, config: &ConfigOptions) -> Result<(Rules, Option<Hasher>)> {
        let built_in = Policies::default();
        let policies = config.extensions.get::<Policies>().unwrap_or(&built_in);
        let rules = match &self.policy {
            Some(name) => *find_policy(policies, name)?.rules(),
            None => Rules::of(
                self.categories.unwrap_or(Categories::TIER1),
                self.mode.unwrap_or(Mode::Mask),
            ),
        };
        let hasher = policies.key().and_then(Hasher::new);
        if rules.hashes() && hasher.is_none() {
            return plan_err!(
                "redact needs a key to hash with, and the configuration has none; set the hash \
                 key of the policies there, or use mode => 'label'"
            );
        }
        search::check("redact", rules.categories(), config)?;
        Ok((rules, hasher))
    }
}

fn find_policy<'a>(policies: &'a Policies, name: &str) -> Result<&'a Policy> {
    policies.get(name).map_or_else(
        || {
            let valid: Vec<_> = policies.iter().map(Policy::name).collect();
            let valid = valid.join(", ");
            plan_err!("redact does not know the policy \"{name}\"; valid are {valid}")
        },
        Ok,
    )
}

fn parse_categories(words: &[String]) -> Result<Categories> {
    let mut categories = Categories::NONE;
    for word in words {
        let Some(named) = Categories::named(word) else {
            let valid = Categories::valid_names();
            return plan_err!("redact does not know the category \"{word}\"; valid are {valid}");
        };
        categories = categories.and(named);
    }
    if categories == Categories::NONE {
        return plan_err!("redact was given an empty list of categories; leave it out for tier1");
    }
    Ok(categories)
}

fn parse_mode(word: &str) -> Result<Mode> {
    Mode::named(word).map_or_else(
        || {
            let valid = Mode::valid_names();
            plan_err!("redact does not know the mode \"{word}\"; valid are {valid}")
        },
        Ok,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(options: &[&str]) -> String {
        let values: Vec<_> = options
            .iter()
            .map(|option| ScalarValue::from(*option))
            .collect();
        let values: Vec<_> = values.iter().map(Some).collect();
        Options::parse(&values).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_option_names_the_valid_ones() {
        let unknown = error(&["emial"]);
        assert!(
            unknown.contains("\"emial\"; valid are credit_card, card_track, cvv"),
            "{unknown}"
        );
        let unknown = error(&["all", "blur"]);
        assert!(
            unknown.contains("\"blur\"; valid are mask, label, hash, remove"),
            "{unknown}"
        );
        assert!(error(&[""]).contains("\"\""));
    }
}

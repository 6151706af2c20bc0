//! The options that functions which redact have in common: categories and a mode, or a policy.

use arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;

use crate::args;
use crate::pii::detect::Categories;
use crate::pii::hash::Hasher;
use crate::pii::mode::{Mode, Rules};
use crate::pii::named;
use crate::pii::policy::{Policies, Policy};
use crate::pii::search;

/// The arguments of such a function by name, in order.
pub(crate) const PARAMETERS: [&str; 4] = ["text", "categories", "mode", "policy"];

/// The options of a call as far as they are known: a list that is not folded yet keeps its default
/// until the call is planned in full.
#[derive(Debug)]
pub(crate) struct Options {
    function: String,
    categories: Option<Categories>,
    mode: Option<Mode>,
    policy: Option<String>,
}

impl Options {
    /// The types in which the arguments of `function` are processed.
    ///
    /// # Errors
    /// Refuses arguments that are too few, too many or of another kind.
    pub(crate) fn coerce(function: &str, given: &[DataType]) -> Result<Vec<DataType>> {
        let Some((text, options)) = given.split_first() else {
            return plan_err!(
                "{function} needs a text: {function}(text [, categories] [, mode] [, policy])"
            );
        };
        if options.len() >= PARAMETERS.len() {
            return plan_err!(
                "{function} takes at most four arguments: text, categories, mode and policy"
            );
        }
        let mut types = vec![args::text_type(function, text)?];
        for (option, name) in options.iter().zip(&PARAMETERS[1..]) {
            types.push(args::option_type(function, name, option)?);
        }
        Ok(types)
    }

    /// Reads the arguments of `function` that are literals, the text among them left out.
    ///
    /// # Errors
    /// Refuses unknown words, listing the valid ones, and a policy beside what it stands for.
    pub(crate) fn parse(function: &str, given: &[Option<&ScalarValue>]) -> Result<Self> {
        let known = |at: usize| match given.get(at).copied().flatten() {
            Some(value) => args::words(value),
            None => Ok(None),
        };
        let options = Self {
            function: function.to_owned(),
            categories: known(1)?
                .map(|words| named::categories(function, &words))
                .transpose()?,
            mode: known(2)?
                .map(|words| parse_mode(function, &words.join(",")))
                .transpose()?,
            policy: known(3)?.map(|words| words.join(",")),
        };
        if options.policy.is_some() && (options.categories.is_some() || options.mode.is_some()) {
            return plan_err!(
                "{function} was given a policy beside categories or a mode; a policy names both, \
                 so leave out one or the other"
            );
        }
        Ok(options)
    }

    /// The same from the arguments of a call that runs.
    ///
    /// # Errors
    /// As [`Options::parse`], and for options that are columns.
    pub(crate) fn called(function: &str, given: &[ColumnarValue]) -> Result<Self> {
        let known = given.iter().enumerate().map(|(at, value)| match value {
            _ if at == 0 => Ok(None),
            ColumnarValue::Scalar(value) => Ok(Some(value)),
            ColumnarValue::Array(_) => not_literal(function),
        });
        Self::parse(function, &known.collect::<Result<Vec<_>>>()?)
    }

    /// Checks a call while it is planned.
    ///
    /// # Errors
    /// As [`Options::called`] and [`Options::resolve`].
    pub(crate) fn check(function: &str, given: &[Expr], context: &SimplifyContext) -> Result<()> {
        if given.iter().skip(1).any(Expr::any_column_refs) {
            return not_literal(function);
        }
        let known = given.iter().enumerate().map(|(at, option)| match option {
            Expr::Literal(value, _) if at > 0 => Some(value),
            _ => None,
        });
        let options = Self::parse(function, &known.collect::<Vec<_>>())?;
        options.resolve(context.config_options()).map(drop)
    }

    /// The rules that the options stand for in a session, and what hashes by them.
    ///
    /// # Errors
    /// Refuses an unknown policy, listing those that there are, and hashing without a key.
    pub(crate) fn resolve(&self, config: &ConfigOptions) -> Result<(Rules, Option<Hasher>)> {
        let function = &self.function;
        let built_in = Policies::default();
        let policies = config.extensions.get::<Policies>().unwrap_or(&built_in);
        let rules = match &self.policy {
            Some(name) => *find_policy(function, policies, name)?.rules(),
            None => Rules::of(
                self.categories.unwrap_or(Categories::TIER1),
                self.mode.unwrap_or(Mode::Mask),
            ),
        };
        let hasher = policies.key().and_then(Hasher::new);
        if rules.hashes() && hasher.is_none() {
            return plan_err!(
                "{function} needs a key to hash with, and the configuration has none; set the \
                 hash key of the policies there, or use mode => 'label'"
            );
        }
        search::check(function, rules.categories(), config)?;
        Ok((rules, hasher))
    }
}

fn not_literal<T>(function: &str) -> Result<T> {
    plan_err!("the options of {function} are literals, not columns")
}

fn find_policy<'a>(function: &str, policies: &'a Policies, name: &str) -> Result<&'a Policy> {
    policies.get(name).map_or_else(
        || {
            let valid: Vec<_> = policies.iter().map(Policy::name).collect();
            let valid = valid.join(", ");
            plan_err!("{function} does not know the policy \"{name}\"; valid are {valid}")
        },
        Ok,
    )
}

fn parse_mode(function: &str, word: &str) -> Result<Mode> {
    Mode::named(word).map_or_else(
        || {
            let valid = Mode::valid_names();
            plan_err!("{function} does not know the mode \"{word}\"; valid are {valid}")
        },
        Ok,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(options: &[&str]) -> String {
        let values: Vec<_> = std::iter::once("text")
            .chain(options.iter().copied())
            .map(ScalarValue::from)
            .collect();
        let values: Vec<_> = values.iter().map(Some).collect();
        Options::parse("redact", &values).unwrap_err().to_string()
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

//! Parameters of a statement: what type each has, and values in their places.
//!
//! A parameter's type follows from its surroundings: the other side of a comparison, the function
//! that takes it, the column it is stored in. The first use that says something decides; a use that
//! wants another type gets a cast. What nothing is known of is text. DataFusion's own guess is
//! dropped: it fails where two uses differ, and knows nothing of intervals, functions and limits.

mod surroundings;

mod lengths;

mod wants;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Cast, Expr, LogicalPlan, LogicalPlanBuilder, Values};

use crate::error::{Error, Result};

pub use lengths::Lengths;

/// A mark that stands for a value and has no number: a front end numbers them.
const MARK: &str = "?";

/// The highest number of a parameter.
const NUMBER_MAX: u32 = 65_535;

/// `plan` with a type for every parameter.
///
/// # Errors
/// [`crate::error::Kind::User`] when parameters are not numbered from `$1` without a gap.
pub fn infer(plan: LogicalPlan) -> Result<LogicalPlan> {
    let names = plan.get_parameter_names()?;
    if names.is_empty() {
        return Ok(plan);
    }
    check_numbers(names.iter().map(String::as_str))?;
    let plan = numbered(plan)?;
    let types = wants::of(&plan)?;
    typed(plan, &types)
}

/// The parameters of `plan` in the order of their numbers.
///
/// # Errors
/// When one parameter has two types, which [`infer`] prevents.
pub fn fields(plan: &LogicalPlan) -> Result<Vec<Field>> {
    let mut found: Vec<_> = plan.get_parameter_fields()?.into_iter().collect();
    found.sort_unstable_by_key(|(name, _)| number(name));
    let field = |(name, field): (String, Option<Arc<Field>>)| {
        let kind = field.map_or(DataType::Utf8, |field| field.data_type().clone());
        Field::new(name, kind, true)
    };
    Ok(found.into_iter().map(field).collect())
}

/// `plan` with `values` in the place of its parameters, each cast to its parameter's type.
///
/// # Errors
/// [`crate::error::Kind::User`] when there are too few or too many values, or one does not fit.
pub fn bind(plan: LogicalPlan, values: ParamValues) -> Result<LogicalPlan> {
    let parameters = fields(&plan)?;
    let ParamValues::List(values) = values else {
        return Ok(plan.with_param_values(values)?);
    };
    let (takes, given) = (parameters.len(), values.len());
    if takes != given {
        let text = format!("the statement takes {takes} parameters, but {given} were given");
        return Err(Error::user(text).hint("give one value for each of $1, $2 and so on"));
    }
    if parameters.is_empty() {
        return Ok(plan);
    }
    // A value of which no use says anything stays what it is.
    let typed = plan.get_parameter_fields()?;
    let fit = |(field, value): (&Field, ScalarValue)| match typed.get(field.name()) {
        Some(Some(_)) => fitted(field, value),
        _ => Ok(value),
    };
    let values = values.into_iter().map(|value| value.value);
    let values: Vec<ScalarValue> = parameters
        .iter()
        .zip(values)
        .map(fit)
        .collect::<Result<_>>()?;
    Ok(plan.with_param_values(ParamValues::from(values))?)
}

fn fitted(field: &Field, value: ScalarValue) -> Result<ScalarValue> {
    let (name, wanted) = (field.name(), field.data_type());
    if value.data_type() == *wanted {
        return Ok(value);
    }
    if value.is_null() {
        return Ok(ScalarValue::try_from(wanted)?);
    }
    let cast = value.cast_to(wanted).map_err(|error| {
        let error = Error::from(error);
        let why = error.message();
        Error::user(format!(
            "the value of parameter \"{name}\" does not fit: {why}"
        ))
        .hint("give another value, or write the type you mean: CAST($1 AS ...)")
    })?;
    // Half a number would find rows that are not asked for.
    let whole = wanted.is_integer() && value.data_type().is_floating();
    if whole && cast.cast_to(&value.data_type())? != value {
        let text = format!("the value of parameter \"{name}\" is {value}, no whole number");
        return Err(Error::user(text).hint("give a whole number, or write CAST($1 AS DOUBLE)"));
    }
    Ok(cast)
}

fn check_numbers<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut numbers: Vec<u32> = Vec::new();
    for name in names.filter(|name| *name != MARK) {
        let number = number(name);
        if number == 0 || number > NUMBER_MAX {
            let error = Error::user(format!("\"{name}\" is not a parameter"));
            return Err(error.hint(format!("parameters are $1, $2 and so on to ${NUMBER_MAX}")));
        }
        numbers.push(number);
    }
    numbers.sort_unstable();
    for (wanted, number) in (1..).zip(&numbers) {
        if *number != wanted {
            let text = format!("the statement has parameter ${number} and no ${wanted}");
            return Err(Error::user(text).hint("number parameters from $1 without a gap"));
        }
    }
    Ok(())
}

/// The number of a parameter's name.
fn number(name: &str) -> u32 {
    let digits = name.strip_prefix('$').unwrap_or_default();
    digits.parse().unwrap_or(u32::MAX)
}

/// `plan` with each use of a parameter marked by a number of its own, in the name of its field, and
/// no type.
fn numbered(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut uses = 0_usize;
    let mark = |placeholder: Placeholder| {
        let field = Field::new(uses.to_string(), DataType::Null, true);
        uses += 1;
        Expr::Placeholder(Placeholder::new_with_field(
            placeholder.id,
            Some(Arc::new(field)),
        ))
    };
    rewrite(plan, mark, Ok)
}

/// `plan` with the types that were found.
fn typed(plan: LogicalPlan, types: &wants::Types) -> Result<LogicalPlan> {
    let place = |placeholder: Placeholder| {
        let wanted = use_of(&placeholder).and_then(|at| types.of_use(at));
        let kind = types.of_name(&placeholder.id).cloned();
        let field = kind
            .clone()
            .map(|kind| Arc::new(Field::new("", kind, true)));
        let typed = Expr::Placeholder(Placeholder::new_with_field(placeholder.id, field));
        match wanted {
            Some(wanted) if Some(wanted) != kind.as_ref() => {
                Expr::Cast(Cast::new(typed.into(), wanted.clone()))
            }
            _ => typed,
        }
    };
    rewrite(plan, place, retyped)
}

/// The number that [`numbered`] gave this use.
fn use_of(placeholder: &Placeholder) -> Option<usize> {
    placeholder.field.as_ref()?.name().parse().ok()
}

fn rewrite(
    plan: LogicalPlan,
    mut place: impl FnMut(Placeholder) -> Expr,
    finish: impl Fn(LogicalPlan) -> DfResult<LogicalPlan>,
) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let mut has = false;
            expr.apply(|part| {
                has |= matches!(part, Expr::Placeholder(_));
                Ok(if has {
                    TreeNodeRecursion::Stop
                } else {
                    TreeNodeRecursion::Continue
                })
            })?;
            if !has {
                return Ok(Transformed::no(expr));
            }
            let name = names.save(&expr);
            let placed = expr.transform_up(|part| match part {
                Expr::Placeholder(placeholder) => Ok(Transformed::yes(place(placeholder))),
                other => Ok(Transformed::no(other)),
            })?;
            Ok(placed.update_data(|expr| name.restore(expr)))
        })?;
        node.map_data(&finish)
    })?;
    Ok(rewritten.data)
}

/// `node` with the types of its columns worked out again.
fn retyped(node: LogicalPlan) -> DfResult<LogicalPlan> {
    match node {
        LogicalPlan::Values(Values { values, schema })
            if schema
                .fields()
                .iter()
                .any(|field| field.data_type().is_null()) =>
        {
            LogicalPlanBuilder::values(values)?.build()
        }
        other @ LogicalPlan::Values(_) => Ok(other),
        other => other.recompute_schema(),
    }
}

//! Functions of users: an SQL expression under a name. A call is replaced by its expression when a
//! query is planned, so that it costs what the expression costs; where that would evaluate an
//! argument twice that must not be, the expression runs over the values of the arguments.

use std::any::Any;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatchOptions;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::error::Result as DfResult;
use datafusion::execution::context::{ExecutionProps, SessionState};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    Cast, ColumnarValue, DocSection, Documentation, Expr, ExprSchemable, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, ObjectNamePart, Statement as SqlStatement, Visit, visit_expressions,
};

use crate::budget;
use crate::error::{Error, Result};
use crate::statement::{self, CreateFunction, FunctionBody, Statement};

/// The family of users' functions in `system.functions`.
pub const FAMILY: &str = "User-defined";

/// A function of a user, planned.
#[derive(Debug)]
pub struct UserFunction {
    name: String,
    signature: Signature,
    schema: DFSchema,
    body: Expr,
    returns: DataType,
    documentation: Documentation,
}

impl PartialEq for UserFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.schema == other.schema && self.body == other.body
    }
}

impl Eq for UserFunction {}

impl Hash for UserFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.body.hash(state);
    }
}

/// Plans the function that `create` defines; `state` knows what its body may call.
///
/// # Errors
/// What is wrong with the definition, naming the function.
pub fn plan(create: &CreateFunction, state: &SessionState) -> Result<ScalarUDF> {
    let name = &create.name;
    let planned = plan_body(create, state);
    let (schema, body) = planned.map_err(|error| error.context(format!("function \"{name}\"")))?;
    let returns = body.get_type(&schema)?;
    let mut signature = Signature::user_defined(volatility(&body));
    let names = create.arguments.iter().map(|(name, _)| name.clone());
    signature.parameter_names = Some(names.collect());
    let definition = statement::function_sql(create);
    let syntax = format!("{name}{}", statement::function_arguments(create));
    let section = DocSection {
        include: true,
        label: FAMILY,
        description: None,
    };
    let documentation = Documentation::builder(section, definition, syntax).build();
    Ok(ScalarUDF::from(UserFunction {
        name: name.clone(),
        signature,
        schema,
        body,
        returns,
        documentation,
    }))
}

/// The functions that the expression of `create` calls, in lower case, its own name among them
/// when it calls itself.
///
/// # Errors
/// When the expression cannot be parsed.
pub fn calls(create: &CreateFunction) -> Result<BTreeSet<String>> {
    let expression = create.expression();
    budget::check(&statement::tokens(&expression)?)?;
    let statement = format!("SELECT {expression}");
    match statement::parse(&statement)? {
        Statement::Sql(parsed) => match parsed.as_ref() {
            DfStatement::Statement(parsed) => Ok(called(parsed.as_ref())),
            _ => Ok(BTreeSet::new()),
        },
        _ => Ok(BTreeSet::new()),
    }
}

/// The functions that `parsed` calls, by name.
#[must_use]
pub fn called(parsed: &impl Visit) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let _all: ControlFlow<()> = visit_expressions(parsed, |expr| {
        if let SqlExpr::Function(function) = expr
            && let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice()
        {
            names.insert(statement::normalize(name));
        }
        ControlFlow::Continue(())
    });
    names
}

fn plan_body(create: &CreateFunction, state: &SessionState) -> Result<(DFSchema, Expr)> {
    check_grok(create, state)?;
    let mut fields = Vec::new();
    for (name, kind) in &create.arguments {
        fields.push(Field::new(name, data_type(&kind.to_string(), state)?, true));
    }
    let schema = DFSchema::try_from(Schema::new(fields))?;
    let expression = create.expression();
    check_expression(&expression)?;
    let expr = state.create_logical_expr(&expression, &schema)?;
    check_scalar(&expr)?;
    let simplifier = ExprSimplifier::new(
        SimplifyContext::default()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(state.config_options())),
    );
    let mut body = simplifier.coerce(expr.unalias_nested().data, &schema)?;
    if let Some(kind) = &create.returns {
        let (want, got) = (
            data_type(&kind.to_string(), state)?,
            body.get_type(&schema)?,
        );
        if want != got {
            if !arrow::compute::can_cast_types(&got, &want) {
                return Err(
                    Error::user(format!("it returns {got} and is declared {want}"))
                        .hint("leave RETURNS out, or cast the expression"),
                );
            }
            body = Expr::Cast(Cast::new(Box::new(body), want));
        }
    }
    // What cannot run is refused here, not at the first call.
    physical(&body, &schema, state.config_options())?;
    Ok((schema, body))
}

/// A grok body reads the one argument, which is text.
fn check_grok(create: &CreateFunction, state: &SessionState) -> Result<()> {
    let FunctionBody::Grok(_) = &create.body else {
        return Ok(());
    };
    if !state.scalar_functions().contains_key("grok") {
        return Err(Error::unsupported("this build has no grok"));
    }
    match create.arguments.as_slice() {
        [(_, kind)] if data_type(&kind.to_string(), state)?.is_string() => Ok(()),
        _ => Err(Error::user("grok reads one argument, which is text")
            .hint("write CREATE FUNCTION name(line VARCHAR) LANGUAGE GROK AS '%{...}'")),
    }
}

/// One expression and nothing behind it.
fn check_expression(expression: &str) -> Result<()> {
    let parsed = statement::parse(&format!("SELECT {expression}"))?;
    let Statement::Sql(parsed) = parsed else {
        return Err(not_an_expression());
    };
    let DfStatement::Statement(parsed) = parsed.as_ref() else {
        return Err(not_an_expression());
    };
    let SqlStatement::Query(query) = parsed.as_ref() else {
        return Err(not_an_expression());
    };
    // Whatever else a query may hold would stand in its text too.
    match query
        .body
        .as_select()
        .map(|select| select.projection.as_slice())
    {
        Some([only]) if parsed.to_string() == format!("SELECT {only}") => Ok(()),
        _ => Err(not_an_expression()),
    }
}

fn not_an_expression() -> Error {
    Error::user("the body is not one expression")
        .hint("a function gives one value for each row; write a query where it is used")
}

/// Refuses what has no value for each row.
fn check_scalar(expr: &Expr) -> Result<()> {
    let mut wrong = None;
    expr.apply(|node| {
        wrong = wrong.or(match node {
            Expr::AggregateFunction(_) => Some("an aggregate"),
            Expr::WindowFunction(_) => Some("a window function"),
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) => Some("a query"),
            Expr::Placeholder(_) => Some("a parameter"),
            Expr::Unnest(_) => Some("unnest"),
            _ => None,
        });
        Ok(match wrong {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    })?;
    match wrong {
        None => Ok(()),
        Some(what) => Err(Error::unsupported(format!("its body holds {what}"))
            .hint("a function gives one value for each row, from its arguments alone")),
    }
}

/// The type that `kind` names in SQL.
fn data_type(kind: &str, state: &SessionState) -> Result<DataType> {
    let nothing = DFSchema::empty();
    let null = state.create_logical_expr(&format!("CAST(NULL AS {kind})"), &nothing)?;
    Ok(null.get_type(&nothing)?)
}

/// As little as its parts allow.
fn volatility(body: &Expr) -> Volatility {
    let mut least = Volatility::Immutable;
    let walked = body.apply(|node| {
        if let Expr::ScalarFunction(call) = node {
            least = match (call.func.signature().volatility, least) {
                (Volatility::Volatile, _) | (_, Volatility::Volatile) => Volatility::Volatile,
                (Volatility::Stable, _) | (_, Volatility::Stable) => Volatility::Stable,
                _ => Volatility::Immutable,
            };
        }
        Ok(TreeNodeRecursion::Continue)
    });
    match walked {
        Ok(_) => least,
        Err(_) => Volatility::Volatile,
    }
}

fn physical(
    body: &Expr,
    schema: &DFSchema,
    config: &Arc<ConfigOptions>,
) -> DfResult<Arc<dyn PhysicalExpr>> {
    let simplifier = ExprSimplifier::new(
        SimplifyContext::default()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(config))
            .with_current_time(),
    );
    let body = simplifier.simplify(body.clone())?;
    let mut props = ExecutionProps::new();
    props.config_options = Some(Arc::clone(config));
    create_physical_expr(&body, schema, &props)
}

impl ScalarUDFImpl for UserFunction {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> DfResult<Vec<DataType>> {
        let wanted = self.schema.fields();
        let (name, syntax) = (&self.name, &self.documentation.syntax_example);
        if given.len() != wanted.len() {
            return plan_err!(
                "{name} takes {} arguments and got {}: {syntax}",
                wanted.len(),
                given.len()
            );
        }
        for (field, given) in wanted.iter().zip(given) {
            let (argument, want) = (field.name(), field.data_type());
            if !fits(want, given) {
                return plan_err!(
                    "argument \"{argument}\" of {name} is {want} and got {given}; cast it: \
                     CAST(... AS ...)"
                );
            }
        }
        Ok(wanted
            .iter()
            .map(|field| field.data_type().clone())
            .collect())
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.returns.clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        Ok(Field::new(&self.name, self.returns.clone(), true).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let constant = given
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
            && self.signature.volatility != Volatility::Volatile;
        let rows = if constant { 1 } else { given.number_rows };
        let arrays = given.args.iter().map(|arg| arg.to_array(rows));
        let arrays = arrays.collect::<DfResult<Vec<_>>>()?;
        let schema = Arc::clone(self.schema.inner());
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options)?;
        let value = physical(&self.body, &self.schema, &given.config_options)?.evaluate(&batch)?;
        match value {
            ColumnarValue::Array(array) if constant => {
                ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar)
            }
            value => Ok(value),
        }
    }

    fn simplify(&self, given: Vec<Expr>, _: &SimplifyContext) -> DfResult<ExprSimplifyResult> {
        if given.iter().any(Expr::is_volatile) {
            return Ok(ExprSimplifyResult::Original(given));
        }
        let names = self.schema.fields();
        let body = self.body.clone().transform_down(|node| {
            let Expr::Column(column) = &node else {
                return Ok(Transformed::no(node));
            };
            let at = names.iter().position(|field| field.name() == &column.name);
            match at.and_then(|at| given.get(at)) {
                Some(argument) => Ok(Transformed::new(
                    argument.clone(),
                    true,
                    TreeNodeRecursion::Jump,
                )),
                None => Ok(Transformed::no(node)),
            }
        })?;
        Ok(ExprSimplifyResult::Simplified(body.data))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// Whether a value of type `given` is taken as `want` without being asked.
fn fits(want: &DataType, given: &DataType) -> bool {
    let text = |kind: &DataType| match kind {
        DataType::Dictionary(_, value) => value.is_string(),
        kind => kind.is_string(),
    };
    let time = |kind: &DataType| matches!(kind, DataType::Timestamp(_, _) | DataType::Date32);
    given.is_null()
        || given == want
        || (text(want) && text(given))
        || (want.is_integer() && given.is_integer())
        || (want.is_floating() && given.is_numeric())
        || (want.is_decimal() && (given.is_integer() || given.is_decimal()))
        || (matches!(want, DataType::Timestamp(_, _)) && time(given))
}

//! What the parts of one expression are expected to be, where a part is a parameter.

use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::logical_expr::expr::{
    AggregateFunction, InList, InSubquery, ScalarFunction, SetComparison, WindowFunction,
};
use datafusion::logical_expr::type_coercion::functions::{UDFCoercionExt, fields_with_udf};
use datafusion::logical_expr::{
    Between, BinaryExpr, Case, Expr, ExprSchemable, GroupingSet, Like, Operator,
    WindowFunctionDefinition,
};

/// Functions whose arguments are of one type, which is that of their result.
const SIBLINGS: [&str; 6] = ["coalesce", "nvl", "ifnull", "nullif", "greatest", "least"];

/// The length of time that is added to a point in time.
pub(super) const LENGTH: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// A point in time of which nothing else is known.
const POINT: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// What an argument may be of which a function says nothing: the first that it takes.
const GUESSES: [DataType; 5] = [
    DataType::Null,
    DataType::Float64,
    DataType::Utf8,
    DataType::Int64,
    POINT,
];

/// A part of an expression, with the type that it is expected to have.
pub(super) type Part<'a> = (&'a Expr, Option<DataType>);

/// The parts of `expr`, which itself is expected to be `want`.
pub(super) fn parts<'a>(
    expr: &'a Expr,
    want: Option<DataType>,
    schema: &DFSchema,
) -> Vec<Part<'a>> {
    let know = |expr: &Expr| known(expr, schema);
    match expr {
        Expr::Alias(alias) => vec![(&alias.expr, want)],
        Expr::Cast(cast) => vec![(&cast.expr, Some(cast.data_type.clone()))],
        Expr::TryCast(cast) => vec![(&cast.expr, Some(cast.data_type.clone()))],
        Expr::Negative(inner) => vec![(inner, want)],
        Expr::Not(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner) => vec![(inner, Some(DataType::Boolean))],
        Expr::BinaryExpr(binary) => operands(binary, want.as_ref(), schema),
        Expr::Like(Like { expr, pattern, .. }) | Expr::SimilarTo(Like { expr, pattern, .. }) => {
            let kind = know(expr)
                .or_else(|| know(pattern))
                .unwrap_or(DataType::Utf8);
            vec![(expr, Some(kind.clone())), (pattern, Some(kind))]
        }
        Expr::Between(Between {
            expr, low, high, ..
        }) => alike(vec![expr, low, high], None, schema),
        Expr::InList(InList { expr, list, .. }) => {
            alike(std::iter::once(&**expr).chain(list).collect(), None, schema)
        }
        Expr::InSubquery(InSubquery { expr, subquery, .. })
        | Expr::SetComparison(SetComparison { expr, subquery, .. }) => {
            let given = subquery.subquery.schema().fields().first();
            vec![(expr, given.map(|field| field.data_type().clone()))]
        }
        Expr::Case(case) => branches(case, want, schema),
        Expr::ScalarFunction(_) | Expr::AggregateFunction(_) | Expr::WindowFunction(_) => {
            call(expr, want, schema)
        }
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => vec![(inner, None)],
        Expr::Unnest(unnest) => vec![(&unnest.expr, None)],
        Expr::GroupingSet(GroupingSet::Rollup(all) | GroupingSet::Cube(all)) => untyped(all),
        Expr::GroupingSet(GroupingSet::GroupingSets(sets)) => {
            sets.iter().flat_map(|set| untyped(set)).collect()
        }
        _ => Vec::new(),
    }
}

/// The parts of a call.
fn call<'a>(expr: &'a Expr, want: Option<DataType>, schema: &DFSchema) -> Vec<Part<'a>> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) if SIBLINGS.contains(&func.name()) => {
            alike(args.iter().collect(), want, schema)
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            arguments(func.as_ref(), args, schema)
        }
        Expr::AggregateFunction(AggregateFunction { func, params }) => {
            let mut parts = arguments(func.as_ref(), &params.args, schema);
            let filter = params.filter.as_deref();
            parts.extend(filter.map(|filter| (filter, Some(DataType::Boolean))));
            parts.extend(params.order_by.iter().map(|sort| (&sort.expr, None)));
            parts
        }
        Expr::WindowFunction(window) => {
            let WindowFunction { fun, params } = window.as_ref();
            let mut parts = match fun {
                WindowFunctionDefinition::AggregateUDF(udf) => {
                    arguments(udf.as_ref(), &params.args, schema)
                }
                WindowFunctionDefinition::WindowUDF(udf) => {
                    arguments(udf.as_ref(), &params.args, schema)
                }
            };
            parts.extend(params.partition_by.iter().map(|expr| (expr, None)));
            parts.extend(params.order_by.iter().map(|sort| (&sort.expr, None)));
            let filter = params.filter.as_deref();
            parts.extend(filter.map(|filter| (filter, Some(DataType::Boolean))));
            parts
        }
        _ => Vec::new(),
    }
}

fn untyped(all: &[Expr]) -> Vec<Part<'_>> {
    all.iter().map(|expr| (expr, None)).collect()
}

/// The type of an expression that is no parameter; `None` where it depends on one alone.
fn known(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    if is_open(expr) {
        return None;
    }
    let kind = expr.get_type(schema).ok()?;
    (!kind.is_null()).then_some(kind)
}

/// Whether the type of `expr` is that of a parameter.
fn is_open(expr: &Expr) -> bool {
    let mut next = expr;
    loop {
        next = match next {
            Expr::Placeholder(_) => return true,
            Expr::Alias(alias) => &alias.expr,
            Expr::Negative(inner) => inner,
            _ => return false,
        };
    }
}

/// Parts of one type: that of the first whose type is known, or else `want`.
fn alike<'a>(all: Vec<&'a Expr>, want: Option<DataType>, schema: &DFSchema) -> Vec<Part<'a>> {
    if !all.iter().any(|expr| is_open(expr)) {
        return all.into_iter().map(|expr| (expr, None)).collect();
    }
    let mut each = all.iter();
    let kind = each.find_map(|expr| known(expr, schema)).or(want);
    all.into_iter().map(|expr| (expr, kind.clone())).collect()
}

fn operands<'a>(
    BinaryExpr { left, op, right }: &'a BinaryExpr,
    want: Option<&DataType>,
    schema: &DFSchema,
) -> Vec<Part<'a>> {
    let (left, right) = (&**left, &**right);
    let both = |kind: DataType| vec![(left, Some(kind.clone())), (right, Some(kind))];
    match op {
        Operator::And | Operator::Or => return both(DataType::Boolean),
        Operator::StringConcat
        | Operator::RegexMatch
        | Operator::RegexIMatch
        | Operator::RegexNotMatch
        | Operator::RegexNotIMatch => return both(DataType::Utf8),
        _ => {}
    }
    let other = match (is_open(left), is_open(right)) {
        (false, false) => {
            if is_arithmetic(*op) {
                // A sum is expected to be what its terms are.
                let want = want.filter(|kind| kind.is_numeric()).cloned();
                return vec![(left, want.clone()), (right, want)];
            }
            return vec![(left, known(right, schema)), (right, known(left, schema))];
        }
        (true, true) => {
            let want = want.filter(|_| is_arithmetic(*op)).cloned();
            return vec![(left, want.clone()), (right, want)];
        }
        (true, false) => known(right, schema),
        (false, true) => known(left, schema),
    };
    let additive = matches!(op, Operator::Plus | Operator::Minus);
    let kind = match other {
        Some(other) if additive && is_point(&other) => {
            // What is taken from a point in time, or added to it, is a length; the difference of
            // two points is wanted where a length is.
            match want {
                Some(DataType::Duration(_) | DataType::Interval(_)) if *op == Operator::Minus => {
                    Some(other)
                }
                _ => Some(LENGTH),
            }
        }
        Some(DataType::Interval(_) | DataType::Duration(_)) if additive => Some(
            want.filter(|kind| kind.is_temporal())
                .cloned()
                .unwrap_or(POINT),
        ),
        other => other.or_else(|| want.filter(|_| is_arithmetic(*op)).cloned()),
    };
    let whole = other_side(want, *op);
    match is_open(left) {
        true => vec![(left, kind), (right, whole)],
        false => vec![(left, whole), (right, kind)],
    }
}

/// What is expected of the side that is no parameter.
fn other_side(want: Option<&DataType>, op: Operator) -> Option<DataType> {
    want.filter(|kind| is_arithmetic(op) && kind.is_numeric())
        .cloned()
}

fn is_arithmetic(op: Operator) -> bool {
    matches!(
        op,
        Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo
    )
}

/// Whether `kind` is a point in time.
pub(super) fn is_point(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64
    )
}

fn branches<'a>(case: &'a Case, want: Option<DataType>, schema: &DFSchema) -> Vec<Part<'a>> {
    let conditions = case.when_then_expr.iter().map(|(when, _)| &**when);
    let mut parts = match &case.expr {
        Some(subject) => {
            let all = std::iter::once(&**subject).chain(conditions);
            alike(all.collect(), None, schema)
        }
        None => conditions
            .map(|when| (when, Some(DataType::Boolean)))
            .collect(),
    };
    let results = case.when_then_expr.iter().map(|(_, then)| &**then);
    let results = results.chain(case.else_expr.as_deref());
    parts.extend(alike(results.collect(), want, schema));
    parts
}

/// The arguments of a call, with the types that its signature casts them to.
fn arguments<'a, F: UDFCoercionExt>(
    function: &F,
    args: &'a [Expr],
    schema: &DFSchema,
) -> Vec<Part<'a>> {
    if !args.iter().any(is_open) {
        return untyped(args);
    }
    let taken = |open: &DataType| {
        let field = |arg: &Expr| -> FieldRef {
            let kind = known(arg, schema).unwrap_or_else(|| open.clone());
            Field::new("argument", kind, true).into()
        };
        let given: Vec<FieldRef> = args.iter().map(field).collect();
        let taken = fields_with_udf(&given, function).ok()?;
        let typed = taken.iter().all(|field| !field.data_type().is_null());
        typed.then_some(taken)
    };
    // What takes texts and truths as they are takes anything: it says nothing about a parameter.
    let as_it_is = |open: &DataType| {
        let kinds = taken(open).into_iter().flatten().zip(args);
        let mut open_ones = kinds.filter(|(_, arg)| known(arg, schema).is_none());
        open_ones.any(|(field, _)| field.data_type() == open)
    };
    if [DataType::Utf8, DataType::Boolean].iter().all(as_it_is) {
        return untyped(args);
    }
    let Some(taken) = GUESSES.iter().find_map(taken) else {
        return untyped(args);
    };
    let kind = |field: &FieldRef| Some(field.data_type().clone());
    args.iter().zip(taken.iter().map(kind)).collect()
}

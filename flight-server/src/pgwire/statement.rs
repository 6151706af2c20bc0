//! Statements between Parse and Execute: what they are, the types of their parameters, the columns
//! that they give, and the portals that run them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::common::{ParamValues, ScalarValue};
use sluice_engine::error::Error;
use sluice_engine::session::Prepared;

use super::command::Command;
use super::fault::{Refusal, Result};
use super::frame::{Bind, Described};
use super::rows::{Rows, described};
use super::types;
use super::value;

/// A plan older than this is made again before it runs, so that it reads tables as they are.
const PLAN_FRESH: Duration = Duration::from_secs(1);

/// A statement that is parsed.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) work: Work,
    pub(super) parameters: Vec<Parameter>,
    /// The columns of its rows; none when it gives no rows.
    pub(super) columns: Option<Vec<Described>>,
}

/// What runs a statement.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every statement is the engine's"
)]
pub(super) enum Work {
    /// Nothing: there is no statement.
    Empty,
    /// The connection.
    Command(Command),
    /// The engine.
    Engine(Mutex<Option<(Prepared, Instant)>>),
}

/// A parameter of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    /// What the client takes it for.
    pub(super) oid: u32,
    /// The type that its values are brought to.
    pub(super) kind: DataType,
}

impl Statement {
    /// `sql`, which the engine has prepared; the client calls the first of its parameters `oids`.
    ///
    /// # Errors
    /// When a type of a parameter cannot be told.
    pub(super) fn prepared(sql: String, prepared: Prepared, oids: &[u32]) -> Result<Self> {
        let refused = |error: Error| Refusal::of(&error, &sql);
        let fields = prepared.parameters().map_err(refused)?;
        let mut parameters = Vec::with_capacity(fields.len());
        for (index, field) in fields.iter().enumerate() {
            let inferred = value::declared(field);
            let given = oids
                .get(index)
                .copied()
                .filter(|oid| *oid != types::UNKNOWN);
            let given = given.and_then(|oid| Some((oid, types::arrow(oid)?)));
            parameters.push(match given {
                // A type that planning could not tell is the client's to say.
                Some((oid, kind)) if inferred == DataType::Utf8 => Parameter { oid, kind },
                Some((oid, _)) => Parameter {
                    oid,
                    kind: inferred,
                },
                None => Parameter {
                    oid: types::oid(&inferred),
                    kind: inferred,
                },
            });
        }
        let columns = (!prepared.has_effect()).then(|| {
            let schema = typed_schema(&prepared, &parameters);
            described(&schema)
        });
        Ok(Self {
            sql,
            work: Work::Engine(Mutex::new(Some((prepared, Instant::now())))),
            parameters,
            columns,
        })
    }

    /// A statement about the connection, which gives `columns`.
    pub(super) fn command(sql: String, command: Command, columns: Option<Vec<Described>>) -> Self {
        Self {
            sql,
            work: Work::Command(command),
            parameters: Vec::new(),
            columns,
        }
    }

    /// No statement.
    pub(super) fn empty() -> Self {
        Self {
            sql: String::new(),
            work: Work::Empty,
            parameters: Vec::new(),
            columns: None,
        }
    }

    /// The plan, when it was made just now and nobody took it.
    pub(super) fn fresh(&self) -> Option<Prepared> {
        let Work::Engine(plan) = &self.work else {
            return None;
        };
        let plan = plan.lock().unwrap_or_else(PoisonError::into_inner).take();
        plan.filter(|(_, made)| made.elapsed() < PLAN_FRESH)
            .map(|(prepared, _)| prepared)
    }

    /// `prepared`, a plan of this statement, with the values of `bind`.
    ///
    /// # Errors
    /// When there are too few or too many values, one does not fit its parameter, or the columns
    /// are others than those that the client was told.
    pub(super) fn bound(&self, prepared: Prepared, bind: &Bind) -> Result<Prepared> {
        let (wanted, given) = (self.parameters.len(), bind.values.len());
        if wanted != given {
            let text = format!("the statement takes {wanted} parameters, but {given} were given");
            return Err(Refusal::protocol(text).into());
        }
        let format = |index: usize| match bind.formats.as_slice() {
            [] => 0,
            [all] => *all,
            each => each.get(index).copied().unwrap_or_default(),
        };
        let mut values = Vec::with_capacity(given);
        for (index, (parameter, value)) in self.parameters.iter().zip(&bind.values).enumerate() {
            values.push(parameter.read(value.as_ref(), format(index))?);
        }
        let prepared = match values.is_empty() {
            true => prepared,
            false => prepared
                .with_parameters(ParamValues::from(values))
                .map_err(|error| Refusal::of(&error, &self.sql))?,
        };
        let columns = (!prepared.has_effect()).then(|| described(&prepared.schema()));
        let types = |columns: &Option<Vec<Described>>| -> Option<Vec<u32>> {
            let columns = columns.as_ref()?;
            Some(columns.iter().map(|column| column.oid).collect())
        };
        if types(&columns) != types(&self.columns) {
            let text = "cached plan must not change result type";
            return Err(Refusal::unsupported(text)
                .hint("prepare the statement again")
                .into());
        }
        Ok(prepared)
    }

    /// The format of each column that a client asks for by `formats`.
    pub(super) fn formats(&self, formats: &[u16]) -> Vec<u16> {
        let count = self.columns.as_ref().map_or(0, Vec::len);
        let format = |index: usize| match formats {
            [] => 0,
            [all] => *all,
            each => each.get(index).copied().unwrap_or_default(),
        };
        (0..count).map(format).collect()
    }
}

impl Parameter {
    fn read(&self, value: Option<&Bytes>, format: u16) -> Result<ScalarValue, Refusal> {
        value::read(self.oid, &self.kind, value, format)
    }
}

/// The columns of `prepared` when its parameters are of the types that the client says.
fn typed_schema(prepared: &Prepared, parameters: &[Parameter]) -> SchemaRef {
    let nulls = parameters
        .iter()
        .map(|p| ScalarValue::try_from(&p.kind).ok());
    let typed = nulls.collect::<Option<Vec<_>>>().and_then(|nulls| {
        let values = ParamValues::from(nulls);
        prepared.clone().with_parameters(values).ok()
    });
    match typed {
        Some(typed) if !parameters.is_empty() => typed.schema(),
        _ => prepared.schema(),
    }
}

/// The one column of a text that a statement about the connection gives.
pub(super) fn text_column(name: &str) -> Vec<Described> {
    let field = arrow::datatypes::Field::new(name, DataType::Utf8, true);
    described(&Schema::new(vec![field]))
}

/// A statement with its values.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) statement: Arc<Statement>,
    pub(super) formats: Vec<u16>,
    pub(super) state: State,
    /// It outlives the transaction that made it.
    pub(super) hold: bool,
}

/// How far a portal has come.
#[derive(Debug)]
pub(super) enum State {
    /// Not yet run; statements about the connection have no plan.
    Ready(Option<Box<Prepared>>),
    /// Runs.
    Running(Box<Rows>),
    /// Has ended.
    Done,
}

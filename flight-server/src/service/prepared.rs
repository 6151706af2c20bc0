//! Prepared statements. A handle names the statement's text and the parameters bound last; the plan
//! is made again for each run, so that a statement prepared long ago reads tables as they are.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::datatypes::{Fields, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightInfo;
use arrow_flight::sql::{ActionCreatePreparedStatementResult, Any, ProstMessageExt};
use sluice_engine::error::Error;
use sluice_engine::metrics::Counted;
use sluice_engine::session::{Prepared, Session};
use uuid::Uuid;

use super::{Call, Rooms, parameters, statement};
use crate::schema::{Profile, parameter_field};
use crate::status::Result;
use crate::stream::schema_bytes;
use crate::users::Principal;

/// Drivers run a statement right after preparing it; that run uses the plan made for preparing.
const PLAN_FRESH: Duration = Duration::from_secs(1);

/// The field `is_update` with the value true, which arrow-flight does not know yet.
const IS_UPDATE: [u8; 2] = [4 << 3, 1];
/// Parameters of one statement; PostgreSQL's limit.
const PARAMETERS_MAX: usize = 65_535;

/// What a handle names.
#[derive(Debug)]
pub(super) struct Statement {
    sql: String,
    owner: Principal,
    /// The types that were announced when it was prepared.
    profile: Profile,
    _counted: Counted,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The plan made for preparing, until it is used.
    plan: Option<Fresh>,
    /// The values bound last: one row for a query, any number for an update.
    bound: Option<RecordBatch>,
}

/// The plan made for preparing.
#[derive(Debug)]
struct Fresh {
    prepared: Prepared,
    made: Instant,
    /// What [`Rooms::effects`] was.
    effects: u64,
}

impl Fresh {
    /// Whether a plan made now would be the same: who has just inserted reads what he inserted.
    fn holds(&self, rooms: &Rooms) -> bool {
        self.made.elapsed() < PLAN_FRESH && self.effects == rooms.effects.load(Ordering::Acquire)
    }
}

impl Statement {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The statement ready to run with the values bound last, and those values for a ticket.
    async fn ready(&self, rooms: &Rooms, session: &Session) -> Result<(Prepared, Vec<u8>)> {
        let (plan, bound) = {
            let mut state = self.state();
            (state.plan.take(), state.bound.clone())
        };
        let prepared = match plan {
            Some(plan) if plan.holds(rooms) => plan.prepared,
            _ => session.prepare(&self.sql).await?,
        };
        match bound {
            Some(row) if row.num_rows() == 1 => Ok((
                parameters::bind(prepared, &row, 0)?,
                parameters::to_ipc(&row)?,
            )),
            Some(rows) => {
                let text = format!("this takes one row of parameters, not {}", rows.num_rows());
                Err(Error::user(text).hint("run it once for each row").into())
            }
            None => Ok((prepared, Vec::new())),
        }
    }
}

/// Prepares `sql`.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn create(rooms: &Rooms, call: &Call, sql: &str) -> Result<Any> {
    let sql = parameters::numbered(sql)?;
    let prepared = call.session.prepare(&sql).await?;
    let parameters = prepared.parameters()?;
    if parameters.len() > PARAMETERS_MAX {
        let text = format!("the statement has {} parameters", parameters.len());
        let error = Error::limit(text).hint(format!("the most there may be is {PARAMETERS_MAX}"));
        return Err(error.into());
    }
    let parameters: Fields = parameters.iter().map(parameter_field).collect();
    let id = Uuid::new_v4();
    let result = ActionCreatePreparedStatementResult {
        prepared_statement_handle: id.as_bytes().to_vec().into(),
        // Always sent: without it some drivers take every statement for an update.
        dataset_schema: schema_bytes(&statement::answer_schema(&prepared, call.profile))?,
        parameter_schema: schema_bytes(&Schema::new(parameters))?,
    };
    let mut any = result.as_any();
    if prepared.has_effect() {
        let mut value = any.value.to_vec();
        value.extend_from_slice(&IS_UPDATE);
        any.value = value.into();
    }
    let state = State {
        plan: Some(Fresh {
            prepared,
            made: Instant::now(),
            effects: rooms.effects.load(Ordering::Acquire),
        }),
        bound: None,
    };
    rooms.statements.put(
        id,
        Statement {
            sql,
            owner: call.principal.clone(),
            profile: call.profile,
            _counted: rooms.engine.metrics().statement(),
            state: Mutex::new(state),
        }
        .into(),
    );
    Ok(any)
}

/// A flight info for the statement `handle`, which runs when it has an effect.
///
/// # Errors
/// When the handle is unknown, a parameter has no value, or planning or running fails.
pub(super) async fn info(rooms: &Rooms, call: &Call, handle: &[u8]) -> Result<FlightInfo> {
    let statement = find(rooms, call, handle)?;
    let (prepared, parameters) = statement.ready(rooms, &call.session).await?;
    statement::offer(rooms, call, prepared, (statement.profile, parameters)).await
}

/// The columns of the answer of `handle`; runs nothing.
///
/// # Errors
/// When the handle is unknown or planning fails.
pub(super) async fn schema(rooms: &Rooms, call: &Call, handle: &[u8]) -> Result<SchemaRef> {
    let statement = find(rooms, call, handle)?;
    let (prepared, _) = statement.ready(rooms, &call.session).await?;
    Ok(statement::answer_schema(&prepared, statement.profile))
}

/// Binds `rows` to the statement `handle`.
///
/// # Errors
/// When the handle is unknown.
pub(super) fn bind(
    rooms: &Rooms,
    call: &Call,
    handle: &[u8],
    rows: Option<RecordBatch>,
) -> Result<()> {
    find(rooms, call, handle)?.state().bound = rows;
    Ok(())
}

/// Runs the statement `handle` once for each row of parameters, `rows` or else those bound last;
/// gives the rows touched.
///
/// # Errors
/// When the handle is unknown, or those of the first run that fails; the ones before it stay done.
pub(super) async fn update(
    rooms: &Rooms,
    call: &Call,
    handle: &[u8],
    rows: Option<RecordBatch>,
) -> Result<i64> {
    let statement = find(rooms, call, handle)?;
    let bound = statement.state().bound.clone();
    let Some(rows) = rows.or(bound) else {
        let (prepared, _) = statement.ready(rooms, &call.session).await?;
        return statement::counted(rooms, call, &prepared).await;
    };
    let mut touched = if rows.num_rows() == 0 { 0 } else { -1 };
    for row in 0..rows.num_rows() {
        let prepared = call.session.prepare(&statement.sql).await?;
        let prepared = parameters::bind(prepared, &rows, row)?;
        touched = statement::sum(touched, statement::counted(rooms, call, &prepared).await?);
    }
    Ok(touched)
}

/// Forgets the statement `handle`. An unknown one is forgotten already.
pub(super) fn close(rooms: &Rooms, call: &Call, handle: &[u8]) {
    if find(rooms, call, handle).is_ok()
        && let Ok(id) = Uuid::from_slice(handle)
    {
        rooms.statements.take(id);
    }
}

/// The statement `handle` of the caller; to others it does not exist.
fn find(rooms: &Rooms, call: &Call, handle: &[u8]) -> Result<std::sync::Arc<Statement>> {
    let found = Uuid::from_slice(handle)
        .ok()
        .and_then(|id| rooms.statements.get(id))
        .filter(|statement| statement.owner == call.principal);
    Ok(found.ok_or_else(|| {
        Error::not_found("the prepared statement is unknown: it was closed or has expired")
            .hint("prepare it again")
    })?)
}

//! Statements: a query is planned when its flight info is asked for and starts when the ticket is
//! redeemed. A statement with an effect runs when its flight info is asked for, exactly once: some
//! drivers never redeem the ticket of a statement that has no rows.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightInfo;
use futures::TryStreamExt;
use sluice_engine::error::Error;
use sluice_engine::session::{Prepared, Session};
use sluice_engine::statement::split;

use super::{Call, Rooms, info, parameters};
use crate::schema::wire_schema;
use crate::status::{Refusal, Result};
use crate::stream::{self, Messages};
use crate::ticket::Ticket;

/// Plans or runs `sql`.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn info(rooms: &Rooms, call: &Call, sql: &str) -> Result<FlightInfo> {
    let prepared = call.session.prepare(sql).await?;
    offer(rooms, call, prepared, Vec::new()).await
}

/// The columns of `sql`'s answer; runs nothing.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn schema(call: &Call, sql: &str) -> Result<SchemaRef> {
    Ok(answer_schema(&call.session.prepare(sql).await?))
}

/// The columns in which `prepared` answers; none when it has an effect.
pub(super) fn answer_schema(prepared: &Prepared) -> SchemaRef {
    if prepared.has_effect() {
        Arc::new(Schema::empty())
    } else {
        wire_schema(&prepared.schema())
    }
}

/// A flight info for `prepared`, whose parameters are `parameters` and in place; runs it when it
/// has an effect.
///
/// # Errors
/// When a parameter has no value, or running fails.
pub(super) async fn offer(
    rooms: &Rooms,
    call: &Call,
    prepared: Prepared,
    parameters: Vec<u8>,
) -> Result<FlightInfo> {
    let mut ticket = Ticket::new(call.session_id, prepared.sql());
    let schema = answer_schema(&prepared);
    if prepared.has_effect() {
        ticket.sql = String::new();
        ticket.affected = Some(run(&call.session, &prepared).await?);
    } else {
        all_bound(&prepared)?;
        ticket.parameters = parameters;
        rooms.plans.put(ticket.id(), Arc::new(prepared));
    }
    info::statement(rooms, &schema, &ticket)
}

/// The rows of a ticket.
///
/// # Errors
/// When the ticket is forged or expired; errors of the query come inside the stream.
pub(super) async fn redeem(rooms: &Rooms, call: &Call, handle: &[u8]) -> Result<Messages> {
    let ticket = Ticket::decode(&rooms.signer, handle)?;
    if ticket.affected.is_some() {
        return stream::ready_rows(RecordBatch::new_empty(Arc::new(Schema::empty())));
    }
    let (_, session) = rooms.sessions.get(ticket.session(), &call.principal);
    let prepared = match rooms.plans.get(ticket.id()) {
        Some(prepared) => prepared,
        None => Arc::new(plan_again(&session, &ticket).await?),
    };
    let wire = wire_schema(&prepared.schema());
    Ok(stream::rows(wire, async move {
        Ok(session.execute(&prepared).await?.rows)
    }))
}

/// Runs a script of statements; gives the rows touched, or -1 when none of them counts rows.
///
/// # Errors
/// Those of the first statement that fails; the ones before it stay done.
pub(super) async fn update(call: &Call, script: &str) -> Result<i64> {
    let mut touched = -1;
    for sql in split(script)? {
        let prepared = call.session.prepare(&sql).await?;
        touched = sum(touched, run(&call.session, &prepared).await?);
    }
    Ok(touched)
}

/// Runs `prepared` to its end; gives the rows it touched, or -1 for a query.
///
/// # Errors
/// When a parameter has no value, or running fails.
pub(super) async fn run(session: &Session, prepared: &Prepared) -> Result<i64> {
    all_bound(prepared)?;
    let answer = session.execute(prepared).await?;
    let affected = answer
        .affected
        .map(|rows| i64::try_from(rows).unwrap_or(i64::MAX));
    answer.rows.try_for_each(|_| async { Ok(()) }).await?;
    Ok(affected.unwrap_or(-1))
}

/// Rows touched so far and by one more statement, where -1 says that a statement counts none.
pub(super) fn sum(so_far: i64, more: i64) -> i64 {
    if more < 0 {
        so_far
    } else {
        so_far.max(0).saturating_add(more)
    }
}

async fn plan_again(session: &Session, ticket: &Ticket) -> Result<Prepared> {
    let prepared = session.prepare(&ticket.sql).await?;
    if prepared.has_effect() {
        return Err(Error::internal("a ticket of a query names a statement with an effect").into());
    }
    match parameters::from_ipc(&ticket.parameters)? {
        Some(row) => parameters::bind(prepared, &row, 0),
        None => Ok(prepared),
    }
}

fn all_bound(prepared: &Prepared) -> Result<()> {
    match prepared.parameters()?.first() {
        None => Ok(()),
        Some(missing) => {
            let text = format!("parameter \"{}\" has no value", missing.name());
            let error = Error::user(text).hint("prepare the statement and bind its parameters");
            Err(Refusal::from(error))
        }
    }
}

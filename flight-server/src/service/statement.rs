//! Statements: a query is planned when its flight info is asked for and starts when the ticket is
//! redeemed. A statement with an effect runs when its flight info is asked for, exactly once: some
//! drivers never redeem the ticket of a statement that has no rows.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightInfo;
use futures::TryStreamExt;
use sluice_engine::error::Error;
use sluice_engine::session::{Prepared, Session};
use sluice_engine::statement::split;
use uuid::Uuid;

use super::{Call, Planned, Rooms, info, parameters};
use crate::schema::{Profile, wire_schema};
use crate::status::{Refusal, Result};
use crate::stream::{self, Messages};
use crate::ticket::Ticket;

/// Plans or runs `sql`.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn info(rooms: &Rooms, call: &Call, sql: &str) -> Result<FlightInfo> {
    let prepared = call.session.prepare(sql).await?;
    offer(rooms, call, prepared, (call.profile, Vec::new())).await
}

/// The columns of `sql`'s answer; runs nothing.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn schema(call: &Call, sql: &str) -> Result<SchemaRef> {
    let prepared = call.session.prepare(sql).await?;
    Ok(answer_schema(&prepared, call.profile))
}

/// The columns in which `prepared` answers; none when it has an effect.
pub(super) fn answer_schema(prepared: &Prepared, profile: Profile) -> SchemaRef {
    if prepared.has_effect() {
        Arc::new(Schema::empty())
    } else {
        wire_schema(&prepared.schema(), profile)
    }
}

/// A flight info for `prepared`, whose parameters are in place and in the ticket, in the types of a
/// profile; runs it when it has an effect.
///
/// # Errors
/// When a parameter has no value, or running fails.
pub(super) async fn offer(
    rooms: &Rooms,
    call: &Call,
    prepared: Prepared,
    (profile, parameters): (Profile, Vec<u8>),
) -> Result<FlightInfo> {
    let who = (call.principal.name().as_ref(), call.session_id);
    let mut ticket = Ticket::new(who, prepared.sql(), profile);
    let schema = answer_schema(&prepared, profile);
    if prepared.has_effect() {
        ticket.sql = String::new();
        ticket.affected = Some(counted(rooms, call, &prepared).await?);
    } else {
        all_bound(&prepared)?;
        let session = call.session.clone();
        ticket.parameters = parameters;
        ticket = ticket.pinned(session.pins(&prepared).await?);
        rooms
            .plans
            .put(ticket.id(), Arc::new(Planned { prepared, session }));
    }
    info::statement(rooms, &schema, &ticket)
}

/// The rows of a ticket.
///
/// # Errors
/// When the ticket is forged, expired, cancelled or somebody else's; errors of the query come
/// inside the stream.
pub(super) async fn redeem(rooms: &Rooms, call: &Call, handle: &[u8]) -> Result<Messages> {
    let ticket = Ticket::decode(&rooms.signer, handle)?;
    ticket.check(call.principal.name())?;
    if ticket.affected.is_some() {
        return stream::ready_rows(RecordBatch::new_empty(Arc::new(Schema::empty())));
    }
    // Whoever cancels says so first and ends what is listed then, so one of the two is seen.
    let who = (call.principal.name(), ticket.session());
    let listed = rooms.queries.begin(ticket.id(), who);
    if rooms.cancelled.get(ticket.id()).is_some() {
        return Err(Error::cancelled("the query was cancelled").into());
    }
    let planned = match rooms.plans.get(ticket.id()) {
        Some(planned) => planned,
        None => Arc::new(plan_again(rooms, call.principal.name(), &ticket).await?),
    };
    let wire = wire_schema(&planned.prepared.schema(), ticket.profile());
    let cpu = Arc::clone(planned.session.cpu());
    let start = async move { Ok(planned.session.execute(&planned.prepared).await?.rows) };
    stream::rows(wire, start, (&cpu, listed), call.wishes)
}

/// Runs a script of statements; gives the rows touched, or -1 when none of them counts rows.
///
/// # Errors
/// Those of the first statement that fails; the ones before it stay done.
pub(super) async fn update(rooms: &Rooms, call: &Call, script: &str) -> Result<i64> {
    let mut touched = -1;
    for sql in split(script)? {
        let prepared = call.session.prepare(&sql).await?;
        touched = sum(touched, counted(rooms, call, &prepared).await?);
    }
    Ok(touched)
}

/// As [`run`], listed among the statements that run.
///
/// # Errors
/// As [`run`].
pub(super) async fn counted(rooms: &Rooms, call: &Call, prepared: &Prepared) -> Result<i64> {
    let who = (call.principal.name(), call.session_id);
    let listed = rooms.queries.begin(Uuid::new_v4(), who);
    let ended = run(&call.session, prepared).await;
    rooms.effects.fetch_add(1, Ordering::Release);
    listed.ended(ended.as_ref().err().map(Refusal::kind));
    ended
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

/// Plans a ticket's query as it was planned: with the same settings, over the same versions of
/// tables. It may have been another server that planned it.
async fn plan_again(rooms: &Rooms, owner: &str, ticket: &Ticket) -> Result<Planned> {
    let session = rooms.sessions.detached(owner);
    let session = session.pinned(ticket.pins()).await?;
    let prepared = session.prepare(&ticket.sql).await?;
    if prepared.has_effect() {
        return Err(Error::internal("a ticket of a query names a statement with an effect").into());
    }
    let prepared = match parameters::from_ipc(&ticket.parameters)? {
        Some(row) => parameters::bind(prepared, &row, 0)?,
        None => prepared,
    };
    Ok(Planned { prepared, session })
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

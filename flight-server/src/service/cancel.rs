//! What a client does with a flight info beside redeeming it: end its query, or let its ticket live
//! longer. Both take the ticket as proof, so nobody ends a query of somebody else's.

use arrow_flight::sql::Command;
use arrow_flight::{CancelStatus, FlightEndpoint, FlightInfo};
use sluice_engine::error::Error;

use super::{Call, Rooms, command, info};
use crate::status::Result;
use crate::ticket::Ticket;

/// Ends the query of `info`, whether it runs or waits to be redeemed.
///
/// # Errors
/// When it holds no ticket of the caller's.
pub(super) fn cancel(rooms: &Rooms, call: &Call, info: &FlightInfo) -> Result<CancelStatus> {
    let ticket = ticket(rooms, call, info.endpoint.first())?;
    let id = ticket.id();
    if ticket.affected.is_some() {
        return Ok(CancelStatus::NotCancellable);
    }
    rooms.cancelled.put(id, ());
    rooms.plans.take(id);
    rooms.queries.cancel(id);
    Ok(CancelStatus::Cancelled)
}

/// `endpoint` with a ticket whose life begins now.
///
/// # Errors
/// When it holds no ticket of the caller's.
pub(super) fn renew(
    rooms: &Rooms,
    call: &Call,
    mut endpoint: FlightEndpoint,
) -> Result<FlightEndpoint> {
    let renewed = ticket(rooms, call, Some(&endpoint))?.renewed();
    endpoint.ticket = Some(arrow_flight::Ticket::new(renewed.encode(&rooms.signer)));
    info::expiring(&mut endpoint, &renewed);
    Ok(endpoint)
}

fn ticket(rooms: &Rooms, call: &Call, endpoint: Option<&FlightEndpoint>) -> Result<Ticket> {
    let none = || Error::user("this is no flight info of a statement");
    let bytes = endpoint
        .and_then(|endpoint| endpoint.ticket.as_ref())
        .ok_or_else(none)?;
    let Command::TicketStatementQuery(ticket) = command(&bytes.ticket)? else {
        return Err(none().into());
    };
    let ticket = Ticket::decode(&rooms.signer, &ticket.statement_handle)?;
    ticket.check(call.principal.name())?;
    Ok(ticket)
}

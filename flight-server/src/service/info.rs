//! Flight infos: always one endpoint without a location, which means "redeem the ticket where you
//! are"; several endpoints, or none, break clients.

use arrow::datatypes::Schema;
use arrow_flight::{FlightEndpoint, FlightInfo};
use sluice_engine::error::Error;

use super::Rooms;
use crate::status::Result;
use crate::stream::schema_bytes;
use crate::ticket::Ticket;

/// For a statement: the records are the rows it touched, if it has run; the metadata is the id of
/// the query, as logs show it.
///
/// # Errors
/// When the schema cannot be encoded.
pub(super) fn statement(rooms: &Rooms, schema: &Schema, ticket: &Ticket) -> Result<FlightInfo> {
    let mut info = metadata(schema, ticket.encode(&rooms.signer))?;
    info.total_records = ticket.affected.unwrap_or(-1);
    info.app_metadata = ticket.id().to_string().into();
    for endpoint in &mut info.endpoint {
        expiring(endpoint, ticket);
    }
    Ok(info)
}

/// Says until when the ticket of `endpoint` can be redeemed.
pub(super) fn expiring(endpoint: &mut FlightEndpoint, ticket: &Ticket) {
    let expires = i64::try_from(ticket.expires()).unwrap_or(i64::MAX);
    endpoint.expiration_time.get_or_insert_default().seconds = expires;
}

/// For a metadata command, whose ticket never expires.
///
/// # Errors
/// When the schema cannot be encoded.
pub(super) fn metadata(schema: &Schema, ticket: Vec<u8>) -> Result<FlightInfo> {
    let endpoint = FlightEndpoint::new().with_ticket(arrow_flight::Ticket::new(ticket));
    let mut info = FlightInfo::new().with_endpoint(endpoint);
    info.schema = schema_bytes(schema)?;
    Ok(info)
}

/// The builders fail on patterns that are no patterns.
pub(super) fn unbuilt(error: arrow_flight::error::FlightError) -> Error {
    Error::user(format!("cannot answer this metadata request: {error}")).source(error)
}

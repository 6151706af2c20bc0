//! Actions: creating and closing prepared statements, cancelling, session options, closing a
//! session. The messages of the session actions are written out here, because arrow-flight does not
//! have them.

use std::collections::HashMap;

use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, Any, ProstMessageExt,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, FlightInfo,
    RenewFlightEndpointRequest,
};
use prost::Message;
use sluice_engine::error::Error;

use super::settings::Fault;
use super::{Call, Rooms, cancel, prepared};
use crate::status::{Refusal, Result};

const CREATE: &str = "CreatePreparedStatement";
const CLOSE: &str = "ClosePreparedStatement";
const SET_OPTIONS: &str = "SetSessionOptions";
/// The one action that looks at a session without making it.
pub(super) const GET_OPTIONS: &str = "GetSessionOptions";
const CLOSE_SESSION: &str = "CloseSession";

const CANCEL: &str = "CancelFlightInfo";
const CANCEL_QUERY: &str = "CancelQuery";
const RENEW: &str = "RenewFlightEndpoint";

/// Names and descriptions of all actions.
const ACTIONS: [(&str, &str); 8] = [
    (CREATE, "prepares a statement"),
    (CLOSE, "forgets a prepared statement"),
    (CANCEL, "ends the query of a flight info"),
    (
        CANCEL_QUERY,
        "ends the query of a flight info, as older clients ask for it",
    ),
    (RENEW, "lets the ticket of an endpoint live longer"),
    (
        SET_OPTIONS,
        "sets options of the session: catalog, schema, timezone, types, compression, row_bytes",
    ),
    (GET_OPTIONS, "gives the options of the session"),
    (CLOSE_SESSION, "ends the session"),
];

/// What clients may ask for and get told why not.
const REFUSED: [(&str, &str); 5] = [
    ("BeginTransaction", NO_TRANSACTIONS),
    ("EndTransaction", NO_TRANSACTIONS),
    ("BeginSavepoint", NO_TRANSACTIONS),
    ("EndSavepoint", NO_TRANSACTIONS),
    (
        "CreatePreparedSubstraitPlan",
        "this server takes SQL and no Substrait plans",
    ),
];

const NO_TRANSACTIONS: &str =
    "this server has no transactions: each statement is a commit of its own";

/// Every action there is.
pub(super) fn list() -> impl Iterator<Item = ActionType> {
    ACTIONS.into_iter().map(|(name, description)| ActionType {
        r#type: name.to_owned(),
        description: description.to_owned(),
    })
}

/// Runs one action; gives the bodies of its results.
///
/// # Errors
/// When there is no such action, its message cannot be read, or it fails.
pub(super) async fn run(
    rooms: &Rooms,
    call: &Call,
    action: &Action,
) -> Result<std::option::IntoIter<Vec<u8>>> {
    let body = match action.r#type.as_str() {
        CREATE => {
            let request: ActionCreatePreparedStatementRequest = unpacked(&action.body)?;
            let result = prepared::create(rooms, call, &request.query).await?;
            Some(result.encode_to_vec())
        }
        CLOSE => {
            let request: ActionClosePreparedStatementRequest = unpacked(&action.body)?;
            prepared::close(rooms, call, &request.prepared_statement_handle);
            None
        }
        CANCEL => {
            let request = CancelFlightInfoRequest::decode(&*action.body).map_err(unreadable)?;
            let info = request.info.unwrap_or_default();
            let status = cancel::cancel(rooms, call, &info)?.into();
            Some(CancelFlightInfoResult { status }.encode_to_vec())
        }
        CANCEL_QUERY => {
            let request: ActionCancelQueryRequest = unpacked(&action.body)?;
            let info = FlightInfo::decode(request.info).map_err(unreadable)?;
            // The values of the older enumeration are those of the newer one.
            let result = cancel::cancel(rooms, call, &info)?.into();
            let result = ActionCancelQueryResult { result };
            Some(result.as_any().encode_to_vec())
        }
        RENEW => {
            let request = RenewFlightEndpointRequest::decode(&*action.body).map_err(unreadable)?;
            let endpoint = request.endpoint.unwrap_or_default();
            Some(cancel::renew(rooms, call, endpoint)?.encode_to_vec())
        }
        SET_OPTIONS => {
            let request = SetSessionOptionsRequest::decode(&*action.body).map_err(unreadable)?;
            Some(set_options(rooms, call, request).await?.encode_to_vec())
        }
        CLOSE_SESSION => {
            rooms.sessions.close(call.session_id);
            rooms.settings.take(call.session_id);
            let status = CloseStatus::Closed.into();
            Some(CloseSessionResult { status }.encode_to_vec())
        }
        other => {
            let known = REFUSED.iter().find(|(name, _)| *name == other);
            let text = known.map_or_else(
                || format!("this server does not take the action \"{other}\""),
                |(_, why)| (*why).to_owned(),
            );
            return Err(Refusal::Unimplemented(text));
        }
    };
    Ok(body.into_iter())
}

fn unpacked<M: ProstMessageExt>(body: &[u8]) -> Result<M> {
    let any = Any::decode(body).map_err(unreadable)?;
    let message = any.unpack::<M>()?;
    Ok(message.ok_or_else(|| Error::user("the action's message is of another kind"))?)
}

fn unreadable(error: prost::DecodeError) -> Error {
    Error::user("the action's message is unreadable").source(error)
}

async fn set_options(
    rooms: &Rooms,
    call: &Call,
    request: SetSessionOptionsRequest,
) -> Result<SetSessionOptionsResult> {
    let mut settings = rooms.settings.get(call.session_id).unwrap_or_default();
    let mut errors = HashMap::new();
    for (name, value) in request.session_options {
        let text = match value.value {
            Some(OptionValue::Text(text)) => Some(text),
            Some(OptionValue::Integer(number)) => Some(number.to_string()),
            // Without a value the option goes back to its default.
            None => None,
            // No option has a value of another type.
            Some(_) => Some(String::new()),
        };
        let fault = settings.set(&call.session, &name, text.as_deref()).await?;
        errors.extend(fault.map(|fault| {
            let fault = match fault {
                Fault::Name => OptionFault::Name,
                Fault::Value => OptionFault::Value,
            };
            let fault = fault.into();
            (name, OptionError { fault })
        }));
    }
    rooms.settings.put(call.session_id, settings);
    Ok(SetSessionOptionsResult { errors })
}

/// The answer to [`GET_OPTIONS`].
pub(super) fn options(all: impl IntoIterator<Item = (&'static str, String)>) -> Vec<u8> {
    let option = |(name, value): (&str, String)| {
        let value = Some(OptionValue::Text(value));
        (name.to_owned(), SessionOption { value })
    };
    let session_options = all.into_iter().map(option).collect();
    GetSessionOptionsResult { session_options }.encode_to_vec()
}

#[derive(Clone, PartialEq, Message)]
struct SetSessionOptionsRequest {
    #[prost(map = "string, message", tag = "1")]
    session_options: HashMap<String, SessionOption>,
}

#[derive(Clone, PartialEq, Message)]
struct SetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    errors: HashMap<String, OptionError>,
}

#[derive(Clone, PartialEq, Message)]
struct GetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    session_options: HashMap<String, SessionOption>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionOption {
    #[prost(oneof = "OptionValue", tags = "1, 2, 3, 4, 5")]
    value: Option<OptionValue>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum OptionValue {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Float(f64),
    #[prost(message, tag = "5")]
    List(TextList),
}

#[derive(Clone, PartialEq, Message)]
struct TextList {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct OptionError {
    #[prost(enumeration = "OptionFault", tag = "1")]
    fault: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum OptionFault {
    Unspecified = 0,
    Name = 1,
    Value = 2,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct CloseSessionResult {
    #[prost(enumeration = "CloseStatus", tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum CloseStatus {
    Unspecified = 0,
    Closed = 1,
}

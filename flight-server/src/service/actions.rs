//! Actions: creating and closing prepared statements, session options, closing a session. The
//! messages of the session actions are written out here, because arrow-flight does not have them.

use std::collections::HashMap;

use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, Any, ProstMessageExt,
};
use arrow_flight::{Action, ActionType};
use prost::Message;
use sluice_engine::context::{CATALOG, PUBLIC, SYSTEM};
use sluice_engine::error::Error;
use sluice_engine::session::Session;

use super::{Call, Rooms, prepared, statement};
use crate::status::{Refusal, Result};

const CREATE: &str = "CreatePreparedStatement";
const CLOSE: &str = "ClosePreparedStatement";
const SET_OPTIONS: &str = "SetSessionOptions";
const GET_OPTIONS: &str = "GetSessionOptions";
const CLOSE_SESSION: &str = "CloseSession";

/// Names and descriptions of all actions.
const ACTIONS: [(&str, &str); 5] = [
    (CREATE, "prepares a statement"),
    (CLOSE, "forgets a prepared statement"),
    (SET_OPTIONS, "sets the session's catalog and schema"),
    (GET_OPTIONS, "gives the session's catalog and schema"),
    (CLOSE_SESSION, "ends the session"),
];

/// The option with the catalog that unqualified names are looked up in.
const OPTION_CATALOG: &str = "catalog";
/// The option with the schema that unqualified names are looked up in.
const OPTION_SCHEMA: &str = "schema";

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
            Some(result.as_any().encode_to_vec())
        }
        CLOSE => {
            let request: ActionClosePreparedStatementRequest = unpacked(&action.body)?;
            prepared::close(rooms, &request.prepared_statement_handle);
            None
        }
        SET_OPTIONS => {
            let request = SetSessionOptionsRequest::decode(&*action.body).map_err(unreadable)?;
            Some(set_options(&call.session, request).await?.encode_to_vec())
        }
        GET_OPTIONS => Some(options(&call.session).encode_to_vec()),
        CLOSE_SESSION => {
            rooms.sessions.close(call.session_id);
            let status = CloseStatus::Closed.into();
            Some(CloseSessionResult { status }.encode_to_vec())
        }
        other => {
            let text = format!("this server does not take the action \"{other}\"");
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
    session: &Session,
    request: SetSessionOptionsRequest,
) -> Result<SetSessionOptionsResult> {
    let mut errors = HashMap::new();
    for (name, value) in request.session_options {
        let text = match value.value {
            Some(OptionValue::Text(text)) => text,
            // Without a value the option goes back to its default.
            None if name == OPTION_CATALOG => CATALOG.to_owned(),
            None => PUBLIC.to_owned(),
            Some(_) => String::new(),
        };
        let fault = match (name.as_str(), text.as_str()) {
            (OPTION_CATALOG, CATALOG) => None,
            (OPTION_SCHEMA, PUBLIC | SYSTEM | "information_schema") => {
                let sql = format!("SET datafusion.catalog.default_schema = '{text}'");
                let prepared = session.prepare(&sql).await?;
                statement::run(session, &prepared).await?;
                None
            }
            (OPTION_CATALOG | OPTION_SCHEMA, _) => Some(OptionFault::Value),
            _ => Some(OptionFault::Name),
        };
        errors.extend(fault.map(|fault| {
            (
                name,
                OptionError {
                    fault: fault.into(),
                },
            )
        }));
    }
    Ok(SetSessionOptionsResult { errors })
}

fn options(session: &Session) -> GetSessionOptionsResult {
    let state = session.context().state();
    let catalog = &state.config_options().catalog;
    let option = |name: &str, value: &str| {
        let value = Some(OptionValue::Text(value.to_owned()));
        (name.to_owned(), SessionOption { value })
    };
    let session_options = HashMap::from([
        option(OPTION_CATALOG, &catalog.default_catalog),
        option(OPTION_SCHEMA, &catalog.default_schema),
    ]);
    GetSessionOptionsResult { session_options }
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

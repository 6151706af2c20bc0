//! The Flight SQL service: each call finds its caller, then goes to the file of its command.
//!
//! | file | commands |
//! |---|---|
//! | `statement` | statements: planned or run for their flight info, redeemed by ticket |
//! | `prepared` | prepared statements: create, bind, run, close |
//! | `parameters` | `?` to `$n`, values out of batches |
//! | `metadata` | catalogs, schemas, tables, table types |
//! | `keys` | primary and foreign keys, of which there are none |
//! | `sql_info`, `type_info` | what the server can do, which types it has |
//! | `ingest` | rows of a client into a table |
//! | `cancel` | ending queries, and letting their tickets live longer |
//! | `settings` | what a client asks for by headers and session options |
//! | `actions` | session options, closing a session |
//! | `info` | flight infos |
//!
//! The service is written on [`FlightService`] itself: the blanket implementation that goes with
//! arrow-flight's Flight SQL trait fixes some calls as missing and some errors as internal ones.

mod info;
mod parameters;
mod statement;
mod settings;
mod prepared;

mod ingest;
mod cancel;

mod keys;
mod sql_info;
mod type_info;
mod metadata;

mod actions;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use arrow::datatypes::Schema;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{Any, Command, DoPutPreparedStatementResult, DoPutUpdateResult};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use prost::Message;
use sluice_engine::engine::Engine;
use sluice_engine::error::Error;
use sluice_engine::session::{Prepared, Session};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::auth::{Caller, Found, Gate};
use crate::handles::Shelf;
use crate::queries::Queries;
use crate::schema::Profile;
use crate::sessions::Sessions;
use crate::status::{Refusal, Result};
use crate::stream::{self as rows, Messages, Wishes};
use crate::ticket::{Signer, TICKET_LIFE, foreign};
use crate::users::Principal;
use settings::{Asked, Settings};

/// Plans kept between the flight info that made them and the call that redeems its ticket.
const PLANS_MAX: usize = 1_024;
/// A plan not redeemed for so long is made again.
const PLAN_IDLE: Duration = Duration::from_secs(60);
/// Prepared statements at a time, of all clients.
const STATEMENTS_MAX: usize = 10_000;
/// A prepared statement unused for so long is forgotten.
const STATEMENT_IDLE: Duration = Duration::from_secs(24 * 3_600);

/// Sessions whose settings are kept.
const SETTINGS_MAX: usize = 4_096;
/// Queries that were cancelled before they began.
const CANCELLED_MAX: usize = 10_000;

/// The service. Clones share all state.
#[derive(Debug, Clone)]
pub(crate) struct Service(Arc<Rooms>);

/// What calls share.
#[derive(Debug)]
pub(crate) struct Rooms {
    gate: Gate,
    signer: Signer,
    engine: Arc<Engine>,
    sessions: Arc<Sessions>,
    /// How the results of sessions are sent, where they have said it.
    settings: Shelf<Settings>,
    plans: Shelf<Arc<Planned>>,
    statements: Shelf<Arc<prepared::Statement>>,
    queries: Arc<Queries>,
    /// Queries that were cancelled before they began.
    cancelled: Shelf<()>,
    /// Statements with an effect that have ended: plans made before may be out of date.
    effects: AtomicU64,
}

/// A plan and the session that it was made in.
#[derive(Debug)]
struct Planned {
    prepared: Prepared,
    session: Session,
}

/// One call's caller.
#[derive(Debug)]
struct Call {
    principal: Principal,
    session_id: Uuid,
    session: Session,
    cookie: Option<String>,
    /// The types that its results leave in.
    profile: Profile,
    /// How they are sent.
    wishes: Wishes,
}

impl Deref for Service {
    type Target = Rooms;

    fn deref(&self) -> &Rooms {
        &self.0
    }
}

impl Service {
    /// A service over `engine` for callers whom `gate` lets in.
    pub(crate) fn new(engine: Arc<Engine>, gate: Gate, signer: Signer) -> Self {
        Self(Arc::new(Rooms {
            gate,
            signer,
            queries: Arc::new(Queries::new(Arc::clone(engine.metrics()))),
            sessions: Arc::new(Sessions::new(Arc::clone(&engine))),
            engine,
            settings: Shelf::new(SETTINGS_MAX, STATEMENT_IDLE),
            plans: Shelf::new(PLANS_MAX, PLAN_IDLE),
            statements: Shelf::new(STATEMENTS_MAX, STATEMENT_IDLE),
            cancelled: Shelf::new(CANCELLED_MAX, TICKET_LIFE),
            effects: AtomicU64::new(0),
        }))
    }

    /// The statements that run.
    pub(crate) fn queries(&self) -> Arc<Queries> {
        Arc::clone(&self.queries)
    }

    /// The sessions, for connections to end.
    pub(crate) fn sessions(&self) -> Arc<Sessions> {
        Arc::clone(&self.sessions)
    }

    fn entered<T>(&self, request: &Request<T>) -> Result<(Asked, Caller)> {
        Ok((Asked::read(request.metadata())?, self.gate.caller(request)?))
    }

    async fn call(&self, (asked, caller): (Asked, Caller)) -> Result<Call> {
        let (session_id, session) = self.sessions.get(caller.session, &caller.principal);
        let cookie = match caller.found {
            Found::Presented if session_id == caller.session => {
                self.sessions.keep(session_id);
                None
            }
            _ => Some(self.gate.set_cookie(session_id, &caller.principal)),
        };
        asked.apply(&session).await?;
        let settings = self.settings.get(session_id).unwrap_or_default();
        Ok(Call {
            principal: caller.principal,
            session_id,
            session,
            cookie,
            profile: asked.profile(settings),
            wishes: asked.wishes(settings),
        })
    }

    /// The options of the caller's session; makes none.
    fn options<T>(&self, request: &Request<T>) -> Result<Vec<u8>> {
        let (asked, caller) = self.entered(request)?;
        let session = self.sessions.find(caller.session, &caller.principal);
        let found = session
            .as_ref()
            .and_then(|_| self.settings.get(caller.session));
        let all = found.unwrap_or_default().all(session.as_ref(), &asked);
        Ok(actions::options(all))
    }

    async fn flight_info(&self, call: &Call, descriptor: FlightDescriptor) -> Result<FlightInfo> {
        let info = match command(&descriptor.cmd)? {
            Command::CommandStatementQuery(query) => {
                statement::info(self, call, &query.query).await?
            }
            Command::CommandPreparedStatementQuery(query) => {
                prepared::info(self, call, &query.prepared_statement_handle).await?
            }
            other => {
                let schema = metadata::schema(&other).ok_or_else(|| unknown(&other))?;
                // What was asked is the ticket: whoever may ask may redeem.
                info::metadata(&schema, descriptor.cmd.to_vec())?
            }
        };
        Ok(info.with_descriptor(descriptor))
    }

    async fn schema(&self, call: &Call, descriptor: &FlightDescriptor) -> Result<SchemaResult> {
        let schema = match command(&descriptor.cmd)? {
            Command::CommandStatementQuery(query) => statement::schema(call, &query.query).await?,
            Command::CommandPreparedStatementQuery(query) => {
                prepared::schema(self, call, &query.prepared_statement_handle).await?
            }
            Command::CommandStatementUpdate(_)
            | Command::CommandPreparedStatementUpdate(_)
            | Command::CommandStatementIngest(_) => Arc::new(Schema::empty()),
            other => metadata::schema(&other).ok_or_else(|| unknown(&other))?,
        };
        Ok(SchemaResult {
            schema: rows::schema_bytes(&schema)?,
        })
    }

    async fn redeem(&self, call: &Call, ticket: &Ticket) -> Result<Messages> {
        match command(&ticket.ticket) {
            Ok(Command::TicketStatementQuery(ticket)) => {
                statement::redeem(self, call, &ticket.statement_handle).await
            }
            Ok(other) => match metadata::batch(call, &other).await? {
                Some(batch) => rows::ready_rows(batch),
                None => Err(foreign().into()),
            },
            Err(_) => Err(foreign().into()),
        }
    }

    async fn put(&self, call: &Call, mut data: Streaming<FlightData>) -> Result<Vec<u8>> {
        let first = data.message().await.map_err(broken_off)?;
        let Some((first, descriptor)) =
            first.and_then(|mut first| first.flight_descriptor.take().map(|d| (first, d)))
        else {
            return Err(Error::user("the first message of a put names no command").into());
        };
        let record_count = match command(&descriptor.cmd)? {
            Command::CommandStatementUpdate(update) => {
                statement::update(self, call, &update.query).await?
            }
            Command::CommandStatementIngest(command) => {
                ingest::run(self, call, command, (first, data)).await?
            }
            Command::CommandPreparedStatementUpdate(update) => {
                let rows = parameters::read(first, data).await?;
                prepared::update(self, call, &update.prepared_statement_handle, rows).await?
            }
            Command::CommandPreparedStatementQuery(query) => {
                let handle = query.prepared_statement_handle;
                let rows = parameters::read(first, data).await?;
                prepared::bind(self, call, &handle, rows)?;
                let result = DoPutPreparedStatementResult {
                    prepared_statement_handle: Some(handle),
                };
                return Ok(result.encode_to_vec());
            }
            other => return Err(unknown(&other)),
        };
        Ok(DoPutUpdateResult { record_count }.encode_to_vec())
    }
}

impl Call {
    /// `body` as the answer to this call.
    fn answer<T>(&self, body: T) -> Response<T> {
        let mut response = Response::new(body);
        let cookie = self.cookie.as_ref().and_then(|cookie| header(cookie));
        if let Some(cookie) = cookie {
            response.metadata_mut().insert("set-cookie", cookie);
        }
        response
    }
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = Messages;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let bearer = self.gate.handshake(&request)?;
        let greeting = stream::once(async { Ok(HandshakeResponse::default()) });
        // Some clients read the answer before they end their side, others after.
        let rest = request.into_inner().filter_map(|_| async { None });
        let mut response = Response::new(greeting.chain(rest).boxed());
        if let Some(bearer) = header(&format!("Bearer {bearer}")) {
            response.metadata_mut().insert("authorization", bearer);
        }
        Ok(response)
    }

    async fn list_flights(
        &self,
        request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        let entered = self.entered(&request)?;
        let call = self.call(entered).await?;
        Ok(call.answer(stream::empty().boxed()))
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let entered = self.entered(&request)?;
        let call = self.call(entered).await?;
        let info = self.flight_info(&call, request.into_inner()).await?;
        Ok(call.answer(info))
    }

    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        let entered = self.entered(&request)?;
        let call = self.call(entered).await?;
        let info = self.flight_info(&call, request.into_inner()).await?;
        // Planning is all there is to wait for, so the first answer is the last.
        let mut poll = PollInfo::new().with_info(info);
        poll.progress = Some(1.0);
        let endpoints = poll.info.iter().flat_map(|info| &info.endpoint);
        poll.expiration_time = endpoints
            .filter_map(|endpoint| endpoint.expiration_time)
            .next();
        Ok(call.answer(poll))
    }

    async fn get_schema(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        let entered = self.entered(&request)?;
        let call = self.call(entered).await?;
        let schema = self.schema(&call, request.get_ref()).await?;
        Ok(call.answer(schema))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Messages>, Status> {
        let entered = self.entered(&request)?;
        let call = self.call(entered).await?;
        let messages = self.redeem(&call, request.get_ref()).await?;
        Ok(call.answer(messages))
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let entered = self.entered(&request)?;
        let call = self.call(entered).await?;
        let app_metadata = self.put(&call, request.into_inner()).await?.into();
        let result = stream::once(async { Ok(PutResult { app_metadata }) });
        Ok(call.answer(result.boxed()))
    }

    async fn do_action(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        if request.get_ref().r#type == actions::GET_OPTIONS {
            let body = self.options(&request)?.into();
            let result = stream::once(async { Ok(arrow_flight::Result { body }) });
            return Ok(Response::new(result.boxed()));
        }
        let entered = self.entered(&request)?;
        let call = self.call(entered).await?;
        let body = actions::run(self, &call, request.get_ref()).await?;
        let results = stream::iter(body.map(|body| Ok(arrow_flight::Result { body: body.into() })));
        Ok(call.answer(results.boxed()))
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        let entered = self.entered(&request)?;
        let call = self.call(entered).await?;
        Ok(call.answer(stream::iter(actions::list().map(Ok)).boxed()))
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.entered(&request)?;
        Err(Refusal::Unimplemented("Flight SQL has no exchange".to_owned()).into())
    }
}

/// The command in a descriptor or ticket.
fn command(bytes: &[u8]) -> Result<Command> {
    let unreadable = || Error::user("this is no Flight SQL command");
    let message = Any::decode(bytes).map_err(|error| unreadable().source(error))?;
    Ok(Command::try_from(message).map_err(|error| unreadable().source(error))?)
}

fn unknown(command: &Command) -> Refusal {
    let url = command.type_url();
    let name = url.rsplit_once('.').map_or(url, |(_, name)| name);
    if matches!(command, Command::CommandStatementSubstraitPlan(_)) {
        return Refusal::Unimplemented("this server takes SQL and no Substrait plans".to_owned());
    }
    Refusal::Unimplemented(format!("this server does not take the command \"{name}\""))
}

fn broken_off(status: Status) -> Refusal {
    Error::cancelled("the client broke off the call")
        .source(status)
        .into()
}

fn header(text: &str) -> Option<AsciiMetadataValue> {
    AsciiMetadataValue::try_from(text).ok()
}

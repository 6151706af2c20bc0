//! Bulk ingestion: the rows of a put become rows of a table, in one commit, while they arrive.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{CommandStatementIngest, TableExistsOption, TableNotExistOption};
use datafusion::error::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use sluice_engine::context::{CATALOG, PUBLIC};
use sluice_engine::error::Error;
use sluice_engine::runtime::spawn;
use sluice_engine::session::{IfExists, IfMissing, Ingest};
use tokio::sync::{mpsc, oneshot};
use tonic::Streaming;
use uuid::Uuid;

use super::{Call, Rooms, broken_off};
use crate::status::Result;

/// Stores the rows that begin with `first`; gives how many there were.
///
/// # Errors
/// When the command asks for what tables cannot be, the rows are no Arrow data or do not fit the
/// table, or the client goes away. Nothing is stored then.
pub(super) async fn run(
    rooms: &Rooms,
    call: &Call,
    command: CommandStatementIngest,
    (mut first, mut rest): (FlightData, Streaming<FlightData>),
) -> Result<i64> {
    check(&command)?;
    let (if_missing, if_exists) = modes(&command);
    // Some clients name the command in a message of its own.
    while first.data_header.is_empty() {
        let next = rest.message().await.map_err(broken_off)?;
        first = next.ok_or_else(|| Error::user("the rows to store come without a schema"))?;
    }
    let schema = Schema::try_from(&first)
        .map_err(|error| Error::user("the rows to store are no Arrow data").source(error))?;
    let data = stream::once(async { Ok(first) }).chain(rest.map_err(FlightError::from));
    let rows = FlightRecordBatchStream::new_from_flight_data(data).map_err(unreadable);
    let (ended, mut asked) = mpsc::channel(1);
    let rows = rows.chain(stream::once(still_there(ended)).filter_map(std::future::ready));
    let rows = Box::pin(RecordBatchStreamAdapter::new(Arc::new(schema), rows));
    let who = (call.principal.name(), call.session_id);
    let listed = rooms.queries.begin(Uuid::new_v4(), who);
    let ingest = Ingest {
        table: command.table,
        if_missing,
        if_exists,
        rows,
    };
    // The call is dropped with its client, but whoever stores rows is to end by himself: he then
    // takes back what he began.
    let session = call.session.clone();
    let storing = spawn(async move {
        let stored = session.ingest(ingest).await;
        listed.ended(stored.as_ref().err().map(Error::kind));
        stored
    });
    let fault = |error| Error::internal("storing the rows met a fault inside Sluice").source(error);
    tokio::pin!(storing);
    let stored = loop {
        tokio::select! {
            stored = &mut storing => break stored.map_err(fault)??,
            Some(answer) = asked.recv() => answer_if_there(answer).await,
        }
    };
    rooms.effects.fetch_add(1, Ordering::Release);
    Ok(i64::try_from(stored).unwrap_or(i64::MAX))
}

/// What a client reads as "still there?" when its rows have ended; see [`still_there`].
type Asked = oneshot::Sender<()>;

/// An error, if the rows have ended because their client is gone. The transport gives a call that
/// was reset the same end as one that was sent whole; but it drops the call of a client that is
/// gone whenever that waits, so a call that answers after waiting has its client.
async fn still_there(ended: mpsc::Sender<Asked>) -> Option<Result<RecordBatch, DataFusionError>> {
    let (answer, answered) = oneshot::channel();
    let asked = ended.send(answer).await.is_ok();
    if asked && answered.await.is_ok() {
        return None;
    }
    Some(Err(Error::cancelled("the client broke off the call").into()))
}

/// The call's side of [`still_there`].
async fn answer_if_there(answer: Asked) {
    tokio::task::yield_now().await;
    // Without an asker nothing is stored any more.
    let _unasked = answer.send(());
}

fn check(command: &CommandStatementIngest) -> Result<()> {
    if command.temporary {
        let error = Error::unsupported("there are no temporary tables to store rows in");
        return Err(error
            .hint("leave \"temporary\" out and DROP TABLE it when done")
            .into());
    }
    if command.transaction_id.is_some() {
        return Err(Error::unsupported("rows cannot be stored as a part of a transaction").into());
    }
    let named = |given: &Option<String>, there: &str| {
        given
            .as_deref()
            .is_none_or(|given| given.is_empty() || given == there)
    };
    if !named(&command.catalog, CATALOG) {
        let catalog = command.catalog.as_deref().unwrap_or_default();
        let error = Error::not_found(format!("there is no catalog \"{catalog}\""));
        return Err(error.hint(format!("the catalog is \"{CATALOG}\"")).into());
    }
    if !named(&command.schema, PUBLIC) {
        let schema = command.schema.as_deref().unwrap_or_default();
        let error = Error::not_found(format!("rows cannot be stored in a schema \"{schema}\""));
        return Err(error
            .hint(format!("tables live in the schema \"{PUBLIC}\""))
            .into());
    }
    Ok(())
}

/// What the command says of tables that are missing or there; without a word, rows are appended to
/// what is there.
fn modes(command: &CommandStatementIngest) -> (IfMissing, IfExists) {
    let options = command.table_definition_options.unwrap_or_default();
    let missing = match options.if_not_exist() {
        TableNotExistOption::Create => IfMissing::Create,
        _ => IfMissing::Fail,
    };
    let exists = match options.if_exists() {
        TableExistsOption::Fail => IfExists::Fail,
        TableExistsOption::Replace => IfExists::Replace,
        _ => IfExists::Append,
    };
    (missing, exists)
}

fn unreadable(error: FlightError) -> DataFusionError {
    let own = match error {
        FlightError::Tonic(status) => {
            Error::cancelled("the client broke off the call").source(status)
        }
        other => Error::user(format!("the rows to store are no Arrow data: {other}")).source(other),
    };
    own.into()
}

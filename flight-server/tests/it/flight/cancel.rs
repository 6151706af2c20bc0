//! Cancelling: a query ends when its client says so, goes away, or has waited long enough, and then
//! holds nothing any more.

use arrow_flight::sql::{ActionCancelQueryRequest, Any, ProstMessageExt};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightEndpoint,
    RenewFlightEndpointRequest,
};
use prost::Message;

use super::*;

const ENDLESS: &str = "SELECT sum(value) FROM generate_series(1, 1000000000000)";

async fn act(client: &mut Client, name: &str, body: Vec<u8>) -> Result<Vec<u8>, FlightError> {
    let mut results = client.do_action(Action::new(name, body)).await?;
    let first = results.try_next().await?;
    Ok(first.unwrap().body.to_vec())
}

async fn cancel(client: &mut Client, info: &FlightInfo) -> CancelStatus {
    let request = CancelFlightInfoRequest {
        info: Some(info.clone()),
    };
    let body = act(client, "CancelFlightInfo", request.encode_to_vec()).await;
    CancelFlightInfoResult::decode(&*body.unwrap())
        .unwrap()
        .status()
}

/// Waits until nothing runs.
async fn idle(served: &Served) {
    while served.running.running_queries() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_query_is_cancelled_by_its_flight_info() {
    let served = Served::start().await;
    let (mut one, mut other) = (served.client().await, served.client().await);
    let info = one.execute(ENDLESS.into(), None).await.unwrap();
    assert!(!info.app_metadata.is_empty());
    assert_eq!(served.running.running_queries(), 0);
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let rows = one.do_get(ticket.clone()).await.unwrap();
    assert_eq!(served.running.running_queries(), 1);
    assert_eq!(cancel(&mut other, &info).await, CancelStatus::Cancelled);
    let (code, text) = status(rows.try_collect::<Vec<_>>().await);
    assert_eq!(code, Code::Cancelled, "{text}");
    idle(&served).await;
    let (code, _) = status(one.do_get(ticket).await);
    assert_eq!(code, Code::Cancelled);
    assert_eq!(cancel(&mut one, &info).await, CancelStatus::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_nobody_redeemed_is_cancelled_too() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let info = client.execute(ENDLESS.into(), None).await.unwrap();
    let request = ActionCancelQueryRequest {
        info: info.encode_to_vec().into(),
    };
    let body = act(&mut client, "CancelQuery", request.as_any().encode_to_vec()).await;
    let result = Any::decode(&*body.unwrap()).unwrap();
    let result: arrow_flight::sql::ActionCancelQueryResult = result.unpack().unwrap().unwrap();
    assert_eq!(result.result, CancelStatus::Cancelled as i32);
    let (code, _) = status(
        client
            .do_get(info.endpoint[0].ticket.clone().unwrap())
            .await,
    );
    assert_eq!(code, Code::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_or_forged_is_not_cancelled() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let sql = "CREATE TABLE t (a BIGINT)";
    let info = client.execute(sql.into(), None).await.unwrap();
    assert_eq!(
        cancel(&mut client, &info).await,
        CancelStatus::NotCancellable
    );
    for info in [FlightInfo::new(), client.get_catalogs().await.unwrap()] {
        let request = CancelFlightInfoRequest { info: Some(info) };
        let refused = act(&mut client, "CancelFlightInfo", request.encode_to_vec()).await;
        assert_eq!(status(refused).0, Code::InvalidArgument);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_its_queries_with_it() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let info = client.execute(ENDLESS.into(), None).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let rows = client.do_get(ticket).await.unwrap();
    assert_eq!(served.running.running_queries(), 1);
    drop((client, rows));
    idle(&served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_at_the_deadline_of_its_call() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let info = client.execute(ENDLESS.into(), None).await.unwrap();
    client.set_header("grpc-timeout", "100m");
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let rows = client.do_get(ticket).await.unwrap();
    let (code, text) = status(rows.try_collect::<Vec<_>>().await);
    assert!(
        matches!(code, Code::DeadlineExceeded | Code::Cancelled),
        "{code}: {text}"
    );
    idle(&served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_renewed() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let info = client.execute("SELECT 7".into(), None).await.unwrap();
    let endpoint = info.endpoint.into_iter().next();
    let request = RenewFlightEndpointRequest { endpoint };
    let body = act(&mut client, "RenewFlightEndpoint", request.encode_to_vec()).await;
    let renewed = FlightEndpoint::decode(&*body.unwrap()).unwrap();
    assert!(renewed.expiration_time.is_some());
    let rows = client.do_get(renewed.ticket.unwrap()).await.unwrap();
    assert!(draw(&rows.try_collect::<Vec<_>>().await.unwrap()).contains("| 7 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_and_plans_are_refused_by_name() {
    let served = Served::start().await;
    let mut client = served.client().await;
    for (name, part) in [
        ("BeginTransaction", "no transactions"),
        ("EndTransaction", "no transactions"),
        ("BeginSavepoint", "no transactions"),
        ("EndSavepoint", "no transactions"),
        ("CreatePreparedSubstraitPlan", "Substrait"),
        ("Juggle", "\"Juggle\""),
    ] {
        let (code, text) = status(act(&mut client, name, Vec::new()).await);
        assert_eq!(code, Code::Unimplemented, "{name}");
        assert!(text.contains(part), "{text}");
    }
}

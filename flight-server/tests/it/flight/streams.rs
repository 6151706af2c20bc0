//! Rows on their way: a slow client holds the query back, and a client that goes away ends it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arrow::datatypes::DataType;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

use super::*;

/// The longest a test waits for something that is to happen at once.
const SOON: Duration = Duration::from_secs(30);

/// A function that gives back its argument and counts the rows it saw.
fn probe(rows: &Arc<AtomicI64>) -> Arc<ScalarUDF> {
    let rows = Arc::clone(rows);
    let body = move |args: &[ColumnarValue]| {
        if let ColumnarValue::Array(array) = &args[0] {
            rows.fetch_add(i64::try_from(array.len()).unwrap(), Ordering::Relaxed);
        }
        Ok(args[0].clone())
    };
    let number = DataType::Int64;
    let udf = create_udf(
        "probe",
        vec![number.clone()],
        number,
        Volatility::Volatile,
        Arc::new(body),
    );
    Arc::new(udf)
}

async fn probed() -> (Served, Arc<ScalarUDF>, Arc<AtomicI64>) {
    let rows = Arc::new(AtomicI64::new(0));
    let probe = probe(&rows);
    let plugin = Plugin {
        scalars: vec![Arc::clone(&probe)],
        ..Plugin::default()
    };
    (Served::with(options(), plugin).await, probe, rows)
}

const ENDLESS: &str = "SELECT probe(value) FROM generate_series(1, 1000000000000)";

#[tokio::test(flavor = "multi_thread")]
async fn the_query_is_never_far_ahead_of_its_reader() {
    let (served, _, produced) = probed().await;
    let mut client = served.client().await;
    let info = client.execute(ENDLESS.into(), None).await.unwrap();
    let ticket = info.endpoint.into_iter().next().unwrap().ticket.unwrap();
    let mut rows = client.do_get(ticket).await.unwrap();
    let (mut read, mut lead) = (0, 0);
    while read < 10_000_000 {
        read += i64::try_from(rows.try_next().await.unwrap().unwrap().num_rows()).unwrap();
        lead = lead.max(produced.load(Ordering::Relaxed) - read);
    }
    assert!(lead < 4_000_000, "the query was {lead} rows ahead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_with_its_stream() {
    let (served, probe, produced) = probed().await;
    let mut client = served.client().await;
    let info = client.execute(ENDLESS.into(), None).await.unwrap();
    let ticket = info.endpoint.into_iter().next().unwrap().ticket.unwrap();
    // A running plan holds the function; so do the session and the plan behind the ticket.
    let idle = Arc::strong_count(&probe);
    let mut rows = client.do_get(ticket).await.unwrap();
    rows.try_next().await.unwrap().unwrap();
    assert!(produced.load(Ordering::Relaxed) > 0);
    assert!(Arc::strong_count(&probe) > idle, "the plan is running");
    drop(rows);
    let ended = async {
        while Arc::strong_count(&probe) > idle {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, ended)
        .await
        .expect("the plan goes on without a reader");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_endless_queries() {
    let (served, _, _) = probed().await;
    let mut client = served.client().await;
    let info = client.execute(ENDLESS.into(), None).await.unwrap();
    let ticket = info.endpoint.into_iter().next().unwrap().ticket.unwrap();
    let mut rows = client.do_get(ticket).await.unwrap();
    rows.try_next().await.unwrap().unwrap();
    served.shutdown.cancel();
    tokio::time::timeout(SOON, served.running.finished())
        .await
        .unwrap()
        .unwrap();
}

//! Tickets: any server with the key and the tables redeems them, as the query was planned.

use std::path::Path;

use sluice_engine::authority::Authority;

use super::*;

/// A server over the table in `folder`.
async fn replica(folder: &Path, key: &str) -> (Served, Arc<Engine>) {
    let plugin = compose::plugin();
    let engine = Engine::open(Config::default(), plugin, None).await.unwrap();
    let owner = engine.session(Authority::Owner);
    let sql = format!(
        "CREATE EXTERNAL TABLE t (a BIGINT) STORED AS DELTA LOCATION '{}'",
        folder.display()
    );
    owner
        .execute(&owner.prepare(&sql).await.unwrap())
        .await
        .unwrap();
    let options = ServerOptions {
        ticket_key: Some(key.to_owned()),
        ..options()
    };
    let shutdown = CancellationToken::new();
    let running = serve(Arc::clone(&engine), options, shutdown.clone())
        .await
        .unwrap();
    (Served { running, shutdown }, engine)
}

const KEY: &str = "a key that all replicas are configured with";

#[tokio::test(flavor = "multi_thread")]
async fn another_server_redeems_a_ticket_over_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _one) = replica(folder.path(), KEY).await;
    let (two, _two) = replica(folder.path(), KEY).await;
    let (mut one, mut two) = (one.client().await, two.client().await);
    one.execute_update("INSERT INTO t VALUES (1)".into(), None)
        .await
        .unwrap();
    let sql = "SELECT count(*) AS n, max(a) AS a FROM t WHERE a IN (SELECT a FROM t)";
    let info = one.execute(sql.into(), None).await.unwrap();
    one.execute_update("INSERT INTO t VALUES (2), (3)".into(), None)
        .await
        .unwrap();
    for client in [&mut two, &mut one] {
        for _ in 0..2 {
            let (_, rows) = fetch(client, info.clone()).await;
            assert!(draw(&rows).contains("| 1 | 1 |"), "the rows of that time");
        }
        assert!(query(client, sql).await.contains("| 3 | 3 |"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_and_settings_travel_with_the_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _one) = replica(folder.path(), KEY).await;
    let (two, _two) = replica(folder.path(), KEY).await;
    let (mut one, mut two) = (one.client().await, two.client().await);
    one.set_header("x-sluice-schema", "system");
    one.set_header("x-sluice-timezone", "+02:00");
    one.set_header("x-sluice-types", "full");
    let sql = "SELECT arrow_cast(?, 'Utf8View') AS p, (SELECT count(*) FROM pipelines) AS n, \
               arrow_typeof(now()) AS zone";
    let mut statement = one.prepare(sql.into(), None).await.unwrap();
    let value: arrow::array::ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["hello"]));
    let row = RecordBatch::try_from_iter([("0", value)]).unwrap();
    statement.set_parameters(row).unwrap();
    let info = statement.execute().await.unwrap();
    let (here, there) = (
        fetch(&mut one, info.clone()).await,
        fetch(&mut two, info).await,
    );
    assert_eq!(draw(&here.1), draw(&there.1));
    let drawn = draw(&there.1);
    assert!(
        drawn.contains("hello") && drawn.contains("+02:00"),
        "{drawn}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_key_takes_no_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _one) = replica(folder.path(), KEY).await;
    let (two, _two) = replica(folder.path(), "another key, of which nobody else knows").await;
    let info = one
        .client()
        .await
        .execute("SELECT 1".into(), None)
        .await
        .unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let (code, _) = status(two.client().await.do_get(ticket).await);
    assert_eq!(code, Code::InvalidArgument);
}

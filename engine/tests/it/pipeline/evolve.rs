//! Undeclared keys become columns, and nothing of them is lost.

use std::sync::Arc;

use sluice_engine::authority::Authority;
use sluice_engine::engine::Engine;
use sluice_engine::session::Session;

use crate::memory::World;
use crate::statements::{engine, run, values};

use super::{until, verdicts};

const STREAM: &str = "CREATE EXTERNAL TABLE s STORED AS TOPIC LOCATION 'm://x/events' \
                      OPTIONS ('schema' 'evolve')";
const PIPELINE: &str =
    "CREATE PIPELINE p WITH (max_latency = '50ms') AS INSERT INTO t SELECT * FROM s";

async fn evolving(world: &Arc<World>, pipeline: &str) -> (Arc<Engine>, Session) {
    let engine = engine(world, None).await;
    let session = engine.session(Authority::Owner);
    run(&session, "CREATE TABLE t (v VARCHAR, _extra VARCHAR)")
        .await
        .unwrap();
    run(&session, STREAM).await.unwrap();
    run(&session, pipeline).await.unwrap();
    (engine, session)
}

async fn columns(session: &Session) -> Vec<String> {
    let sql = "SELECT column_name || ' ' || data_type FROM information_schema.columns \
               WHERE table_name = 't' AND column_name NOT LIKE '\\_%' ORDER BY 1";
    values(session, sql).await
}

#[tokio::test]
async fn keys_seen_often_become_columns_and_others_stay() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let records = [
        r#"a|{"n":1,"f":1,"ok":true,"s":"x","rare":1,"V":1,"_topic":"t"}"#,
        r#"b|{"n":2,"f":1.5,"ok":false,"s":"y","V":2,"_topic":"t","deep":{"a":1}}"#,
        r#"c|{"n":3,"f":2,"ok":true,"s":"z","V":3,"_topic":"t","deep":{}}"#,
        r#"d|{"n":"four","f":4,"deep":[1],"b d":1,"":2}"#,
        "e",
    ];
    topic.push(0, &records);
    let (engine, session) = evolving(&world, PIPELINE).await;
    engine.start_pipelines();
    until(&engine, 5).await;
    assert_eq!(
        columns(&session).await,
        [
            "f DOUBLE",
            "n BIGINT",
            "ok BOOLEAN",
            "s VARCHAR",
            "v VARCHAR"
        ]
    );
    let rows = "SELECT concat_ws(' ', v, n, f, ok, s, _extra) FROM t ORDER BY v";
    assert_eq!(
        values(&session, rows).await,
        [
            r#"a 1 1.0 true x {"rare":1,"V":1,"_topic":"t"}"#,
            r#"b 2 1.5 false y {"V":2,"_topic":"t","deep":{"a":1}}"#,
            r#"c 3 2.0 true z {"V":3,"_topic":"t","deep":{}}"#,
            r#"d 4.0 {"n":"four","deep":[1],"b d":1,"":2}"#,
            "e",
        ]
    );
    assert_eq!(engine.progress()[0].schema_conflicts, 1);
    // A single record is enough once there is a column, also one that somebody else has added.
    let field = arrow::datatypes::Field::new("rare", arrow::datatypes::DataType::Int64, true);
    let table = world.table("t");
    sluice_engine::table::Table::add_columns(table.as_ref(), &[Arc::new(field)])
        .await
        .unwrap();
    run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
    topic.push(0, &[r#"f|{"n":9,"rare":7}"#]);
    // The query gives fewer columns than the table has now, and is the same query.
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until(&engine, 1).await;
    let last = "SELECT concat_ws(' ', v, n, rare, _extra) FROM t WHERE v = 'f'";
    assert_eq!(values(&session, last).await, ["f 9 7"]);
    assert_eq!(verdicts(&session).await, ["ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_query_that_changes_the_keys_keeps_them_where_they_are() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &[r#"a|{"n":1}"#, r#"b|{"n":2}"#, r#"c|{"n":3}"#]);
    let redacted = PIPELINE.replace(
        "SELECT * FROM s",
        "SELECT value, replace(_extra, 'n', 'm') AS _extra FROM s",
    );
    let (engine, session) = evolving(&world, &redacted).await;
    engine.start_pipelines();
    until(&engine, 3).await;
    assert_eq!(columns(&session).await, ["v VARCHAR"]);
    let extra = "SELECT _extra FROM t ORDER BY v LIMIT 1";
    assert_eq!(values(&session, extra).await, [r#"{"m":1}"#]);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_record_of_very_many_keys_is_no_more_work_than_its_size() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    // Compared with one another, they are more work than anybody waits for.
    let keys: Vec<String> = (0..300_000).map(|n| format!(r#""{n:x}":0"#)).collect();
    let many = format!(r#"many|{{"n":7,{}}}"#, keys.join(","));
    topic.push(0, &[r#"a|{"n":1}"#, r#"b|{"n":2}"#, r#"c|{"n":3}"#, &many]);
    let (engine, session) = evolving(&world, PIPELINE).await;
    engine.start_pipelines();
    until(&engine, 4).await;
    assert_eq!(columns(&session).await, ["n BIGINT", "v VARCHAR"]);
    let last = "SELECT n || ' ' || length(_extra) FROM t WHERE v = 'many'";
    let left = keys.join(",").len() + 2;
    assert_eq!(values(&session, last).await, [format!("7 {left}")]);
    assert_eq!(verdicts(&session).await, ["ok"]);
    engine.shutdown().await;
}

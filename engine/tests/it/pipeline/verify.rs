//! What VERIFY TABLE says when not everything came from one pipeline, or is remembered.

use std::sync::Arc;
use std::time::Duration;

use sluice_engine::table::{Maintenance, Orphans, Table};

use crate::memory::World;
use crate::statements::run;

use super::{COPY, proven, set_up, until, until_query, verdicts};

#[tokio::test]
async fn after_the_log_is_cleaned_up_the_rest_is_still_proven() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "b", "c"]);
    let (engine, session) = set_up(&world, COPY).await;
    engine.start_pipelines();
    until(&engine, 3).await;
    let clean = Maintenance::CleanLog {
        retention: Duration::ZERO,
    };
    topic.push(0, &["d"]);
    until(&engine, 4).await;
    world.table("t").maintain(&clean).await.unwrap();
    topic.push(0, &["e"]);
    until(&engine, 5).await;
    assert_eq!(verdicts(&session).await, ["ok"]);
    assert_eq!(proven(&session, "first").await, ["3"]);
    assert_eq!(proven(&session, "rows").await, ["2"]);
    let notes = proven(&session, "notes").await.concat();
    assert!(notes.contains("not provable below offset 3"), "{notes}");
    engine.shutdown().await;
}

#[tokio::test]
async fn dead_letters_older_than_the_log_may_be_replayed() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["1", "two", "3", "four"]);
    let strict = COPY.replace("(v) SELECT value", "(n) SELECT CAST(value AS INT)");
    let (engine, session) = set_up(&world, &strict).await;
    engine.start_pipelines();
    until(&engine, 4).await;
    topic.push(0, &["5", "six"]);
    until(&engine, 6).await;
    let clean = Maintenance::CleanLog {
        retention: Duration::ZERO,
    };
    world.table("t").maintain(&clean).await.unwrap();
    topic.push(0, &["7"]);
    until(&engine, 7).await;
    let loose = strict
        .replace("CREATE", "CREATE OR REPLACE")
        .replace(" CAST", " TRY_CAST");
    run(&session, &loose).await.unwrap();
    run(&session, "CALL replay('t')").await.unwrap();
    let from: i64 = proven(&session, "first").await[0].parse().unwrap();
    assert!(from > 3, "{from}");
    assert_eq!(proven(&session, "replayed").await, ["3"]);
    assert_eq!(verdicts(&session).await, ["ok"]);
    let notes = proven(&session, "notes").await.concat();
    let told = format!("2 replayed dead letters lie below offset {from}");
    assert!(notes.contains(&told), "{notes}");
    // A record that is missing all the same is not taken for one of them.
    topic.push(0, &["8"]);
    until(&engine, 1).await;
    world.table("t").lose_newest();
    let verdict = verdicts(&session).await.concat();
    assert!(verdict.contains("records, the table holds"), "{verdict}");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_statement_that_doubles_a_record_is_found() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "b"]);
    let (engine, session) = set_up(&world, COPY).await;
    engine.start_pipelines();
    until(&engine, 2).await;
    run(&session, "INSERT INTO t SELECT * FROM t LIMIT 1")
        .await
        .unwrap();
    let verdicts = verdicts(&session).await.concat();
    let found = "1 rows of statements store records that the pipeline stores too";
    assert!(verdicts.contains(found), "{verdicts}");
    engine.shutdown().await;
}

#[tokio::test]
async fn rows_of_statements_are_told_and_make_no_false_alarm() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "!b", "c"]);
    let (engine, session) = set_up(&world, COPY).await;
    engine.start_pipelines();
    until(&engine, 3).await;
    let elsewhere = "INSERT INTO t (v, _topic, _partition, _offset) \
                     SELECT v, _topic, _partition, _offset + 100 FROM t";
    run(&session, elsewhere).await.unwrap();
    run(&session, "INSERT INTO t VALUES ('by hand', 1)")
        .await
        .unwrap();
    assert_eq!(verdicts(&session).await, ["ok"]);
    let notes = proven(&session, "notes").await.concat();
    assert!(
        notes.contains("2 rows beside these came from statements"),
        "{notes}"
    );
    assert_eq!(proven(&session, "rows").await, ["2"]);
    let vacuum = Maintenance::Vacuum {
        retention: Some(Duration::ZERO),
        dry_run: false,
        orphans: Orphans::All,
    };
    topic.push(0, &["d"]);
    until(&engine, 4).await;
    world.table("t").maintain(&vacuum).await.unwrap();
    assert_eq!(verdicts(&session).await, ["ok"]);
    let notes = proven(&session, "notes").await.concat();
    assert!(notes.contains("can no longer be told"), "{notes}");
    engine.shutdown().await;
}

#[tokio::test]
async fn two_pipelines_of_one_table_are_each_proven() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "!b", "c"]);
    world.topic("others").push(0, &["x", "y"]);
    let (engine, session) = set_up(&world, COPY).await;
    let others = "CREATE EXTERNAL TABLE o STORED AS TOPIC LOCATION 'm://x/others'";
    run(&session, others).await.unwrap();
    let second = COPY
        .replace("PIPELINE p", "PIPELINE q")
        .replace("FROM s", "FROM o");
    run(&session, &second).await.unwrap();
    let same = COPY
        .replace("PIPELINE p", "PIPELINE r")
        .replace("'5ms'", "'9ms'");
    run(&session, &same).await.unwrap();
    engine.start_pipelines();
    until_query(&session, "SELECT count(*) FROM t", "6").await;
    until_query(&session, "SELECT count(*) FROM t__dlq", "2").await;
    assert_eq!(proven(&session, "pipeline").await, ["p", "q", "r"]);
    assert_eq!(verdicts(&session).await, ["ok", "ok", "ok"]);
    engine.shutdown().await;
}

//! Streams that have lost records, or are not the ones they were.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sluice_engine::pipeline::status::State;
use sluice_engine::table::{Maintenance, Table};

use crate::memory::{Change, World};
use crate::statements::{run, values};

use super::{COPY, proven, set_up, until, until_figures, until_query, verdicts};

const CLEAN: Maintenance = Maintenance::CleanLog {
    retention: Duration::ZERO,
};
const ALL: &str = "SELECT string_agg(v, '' ORDER BY v) FROM t";

async fn stopped(world: &Arc<World>) -> (Arc<sluice_engine::engine::Engine>, super::Session) {
    world.topic("events").push(0, &["a", "b"]);
    let (engine, session) = set_up(world, COPY).await;
    engine.start_pipelines();
    until(&engine, 2).await;
    run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
    (engine, session)
}

#[tokio::test]
async fn records_that_are_gone_stop_the_pipeline_until_it_may_record_the_gap() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let (engine, session) = stopped(&world).await;
    topic.push(0, &["c", "d"]);
    topic.low.store(3, Ordering::SeqCst);
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    let figures = until_figures(&engine, |figures| figures.error.is_some()).await;
    let error = figures.error.unwrap();
    assert!(error.contains("1 records of events/0 are gone"), "{error}");
    assert!(error.contains("on_gap = 'record'"), "{error}");
    assert_eq!(values(&session, ALL).await, ["ab"]);
    let replace = COPY
        .replace("CREATE", "CREATE OR REPLACE")
        .replace("'5ms'", "'5ms', on_gap = 'record'");
    run(&session, &replace).await.unwrap();
    until_query(&session, ALL, "abd").await;
    assert_eq!(verdicts(&session).await, ["ok"]);
    assert_eq!(proven(&session, "gap").await, ["1"]);
    let notes = proven(&session, "notes").await.concat();
    assert!(
        notes.contains("recorded gap: 1 records before offset 3"),
        "{notes}"
    );
    let gap = "SELECT gap || ' ' || next_offset FROM system.partitions";
    until_query(&session, gap, "1 4").await;
    engine.shutdown().await;
}

#[tokio::test]
async fn a_truncated_stream_stops_the_pipeline_and_goes_on_after_a_rewind() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let (engine, session) = stopped(&world).await;
    topic.truncate(0, 1);
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    let figures = until_figures(&engine, |figures| figures.error.is_some()).await;
    let error = figures.error.unwrap();
    assert!(
        error.contains("ends at offset 1 and offset 2 comes next"),
        "{error}"
    );
    let way_out = "ALTER PIPELINE \"p\" REWIND TO OFFSET 1";
    assert!(error.contains(way_out), "{error}");
    run(&session, way_out).await.unwrap();
    topic.push(0, &["c"]);
    until_query(&session, ALL, "abc").await;
    let verdict = verdicts(&session).await.concat();
    assert!(verdict.contains("rewound to offset 1"), "{verdict}");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_recreated_topic_is_read_from_its_beginning() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let (engine, session) = stopped(&world).await;
    topic.recreate("other");
    topic.push(0, &["x", "y", "z"]);
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until_query(&session, ALL, "abxyz").await;
    assert_eq!(verdicts(&session).await, ["ok", "ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_topic_with_a_better_name_goes_on_where_it_was() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let (engine, session) = stopped(&world).await;
    topic.rename("uuid");
    topic.push(0, &["c", "!d"]);
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until_query(&session, ALL, "abc").await;
    until_query(&session, "SELECT count(*) FROM t__dlq", "1").await;
    assert_eq!(verdicts(&session).await, ["ok"]);
    assert_eq!(proven(&session, "next").await, ["4"]);
    // A position that the topic of that name never had is not taken over.
    run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
    topic.truncate(0, 1);
    topic.rename("another");
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    let figures = until_figures(&engine, |figures| figures.error.is_some()).await;
    assert_eq!(figures.state, State::Retrying);
    assert!(figures.error.unwrap().contains("offset 4 comes next"));
    engine.shutdown().await;
}

#[tokio::test]
async fn a_gap_below_a_better_name_is_recorded_too() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "b"]);
    let sql = COPY.replace("'5ms'", "'5ms', on_gap = 'record'");
    let (engine, session) = set_up(&world, &sql).await;
    engine.start_pipelines();
    until(&engine, 2).await;
    run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
    topic.rename("uuid");
    topic.push(0, &["c", "d"]);
    topic.low.store(3, Ordering::SeqCst);
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until_query(&session, ALL, "abd").await;
    assert_eq!(verdicts(&session).await, ["ok"]);
    assert_eq!(proven(&session, "gap").await, ["1"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn new_partitions_of_an_old_pipeline_and_latest_ones_begin_where_they_should() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["old"]);
    let sql = COPY.replace("'5ms'", "'5ms', start = 'latest'");
    let (engine, session) = set_up(&world, &sql).await;
    engine.start_pipelines();
    until_figures(&engine, |figures| figures.state == State::Running).await;
    // The claim is stored before the first record is read, so a restart skips nothing.
    run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
    topic.push(0, &["new"]);
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until_query(&session, ALL, "new").await;
    assert_eq!(proven(&session, "first").await, ["1"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_position_that_went_on_under_a_better_name_is_not_taken_over_again() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "!b"]);
    let (engine, session) = set_up(&world, COPY).await;
    engine.start_pipelines();
    until(&engine, 2).await;
    run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
    topic.rename("uuid");
    topic.push(0, &["c"]);
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until_query(&session, ALL, "ac").await;
    assert_eq!(verdicts(&session).await, ["ok"]);
    assert_eq!(world.table("t").offset("p", "events", 0), Some(3));
    // The topic is made anew, and its broker still tells the name that all topics had.
    run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
    topic.recreate("other");
    topic.push(0, &["x", "!y", "z"]);
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until_query(&session, ALL, "acxz").await;
    until_query(&session, "SELECT count(*) FROM t__dlq", "2").await;
    assert_eq!(verdicts(&session).await, ["ok", "ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_partition_is_not_read_again_under_the_name_that_it_had() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let (engine, session) = stopped(&world).await;
    topic.rename("uuid");
    topic.push(0, &["c"]);
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until_query(&session, ALL, "abc").await;
    run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
    // A broker answers that knows no ids of topics.
    topic.rename("m");
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    let figures = until_figures(&engine, |figures| figures.error.is_some()).await;
    let error = figures.error.unwrap();
    assert!(error.contains("is offered as \"m\" without"), "{error}");
    run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
    topic.rename("uuid");
    topic.push(0, &["d"]);
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until_query(&session, ALL, "abcd").await;
    assert_eq!(verdicts(&session).await, ["ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_pipeline_older_than_the_log_reads_new_partitions_from_their_first_record() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["old"]);
    let sql = COPY.replace("'5ms'", "'5ms', start = 'latest'");
    let (engine, session) = set_up(&world, &sql).await;
    engine.start_pipelines();
    until_figures(&engine, |figures| figures.state == State::Running).await;
    topic.push(0, &["a"]);
    until(&engine, 1).await;
    run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
    // The pipeline has no commit in the log any more.
    run(&session, "INSERT INTO t (n) VALUES (1)").await.unwrap();
    world.table("t").maintain(&CLEAN).await.unwrap();
    topic.push(1, &["b"]);
    topic.scripted.store(true, Ordering::SeqCst);
    let reader = topic.readers();
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until_figures(&engine, |figures| figures.state == State::Idle).await;
    topic.change(reader, Change::Assign(vec![1]));
    until_query(&session, ALL, "ab").await;
    // Its first commit in the log is a young one, which continues an older one.
    topic.push(1, &["c"]);
    until_query(&session, ALL, "abc").await;
    world.table("t").maintain(&CLEAN).await.unwrap();
    topic.push(2, &["d"]);
    topic.change(reader, Change::Assign(vec![2]));
    until_query(&session, ALL, "abcd").await;
    engine.shutdown().await;
}

#[tokio::test]
async fn a_rewind_goes_as_far_as_asked_whatever_the_log_has_forgotten() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(1, &["x", "y"]);
    let (engine, session) = stopped(&world).await;
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    topic.push(0, &["c"]);
    until_query(&session, ALL, "abcxy").await;
    // Nothing is left of partition 1, and little of partition 0.
    world.table("t").maintain(&CLEAN).await.unwrap();
    topic.push(0, &["d"]);
    until_query(&session, ALL, "abcdxy").await;
    let rewind = async |to: &str| {
        run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
        run(&session, &format!("ALTER PIPELINE p REWIND TO {to}"))
            .await
            .unwrap();
        run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    };
    rewind("OFFSET 1").await;
    until_query(&session, ALL, "abbccddxyy").await;
    // The stream has the first record of neither partition any more.
    topic.low.store(1, Ordering::SeqCst);
    world.table("t").maintain(&CLEAN).await.unwrap();
    rewind("EARLIEST").await;
    until_query(&session, ALL, "abbbcccdddxyyy").await;
    engine.shutdown().await;
}

#[tokio::test]
async fn a_stream_that_lost_its_end_goes_on_after_the_log_is_cleaned_up() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let (engine, session) = stopped(&world).await;
    run(&session, "INSERT INTO t (n) VALUES (1)").await.unwrap();
    world.table("t").maintain(&CLEAN).await.unwrap();
    topic.truncate(0, 1);
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until_figures(&engine, |figures| figures.error.is_some()).await;
    run(&session, "ALTER PIPELINE p REWIND TO OFFSET 1")
        .await
        .unwrap();
    topic.push(0, &["c"]);
    until_query(&session, ALL, "abc").await;
    engine.shutdown().await;
}

//! Several processes and one stream: whoever is late is fenced, and nobody stands still.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sluice_engine::pipeline::status::State;

use crate::memory::{Change, Fault, World};
use crate::statements::{run, values};

use super::{COPY, open, proven, set_up, until, until_figures, until_query, verdicts};

const COUNTS: &str = "SELECT count(*) || ' ' || count(DISTINCT _partition * 1000 + _offset) FROM t";

#[tokio::test]
async fn two_processes_that_both_read_everything_store_it_once() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "b", "!c", "d"]);
    topic.push(1, &["e"]);
    let (first, session) = set_up(&world, COPY).await;
    let (second, other) = open(&world).await;
    run(&other, COPY).await.unwrap();
    first.start_pipelines();
    second.start_pipelines();
    for round in 0..20 {
        topic.push(round % 2, &["x", "y"]);
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    until_query(&session, COUNTS, "44 44").await;
    first.shutdown().await;
    second.shutdown().await;
    assert_eq!(values(&session, "SELECT count(*) FROM t__dlq").await, ["1"]);
    assert_eq!(verdicts(&session).await, ["ok", "ok"]);
}

#[tokio::test]
async fn a_member_without_partitions_is_idle_and_takes_them_when_they_come() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.scripted.store(true, Ordering::SeqCst);
    topic.push(0, &["a"]);
    topic.push(1, &["b"]);
    let (engine, session) = set_up(&world, COPY).await;
    engine.start_pipelines();
    until_figures(&engine, |figures| figures.state == State::Idle).await;
    topic.change(0, Change::Assign(vec![1]));
    until(&engine, 1).await;
    topic.change(0, Change::Assign(vec![0]));
    until(&engine, 2).await;
    assert_eq!(engine.progress()[0].state, State::Running);
    topic.change(0, Change::Revoke(vec![0, 1]));
    until_figures(&engine, |figures| figures.state == State::Idle).await;
    assert_eq!(topic.readers(), 1);
    assert_eq!(
        values(&session, "SELECT count(*) FROM system.partitions").await,
        ["0"]
    );
    engine.shutdown().await;
}

#[tokio::test]
async fn lost_partitions_are_given_up_and_the_others_go_on() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.scripted.store(true, Ordering::SeqCst);
    // Nothing is committed before the loss: all is in one cut, and none of it was there before.
    topic.push(0, &[]);
    topic.push(1, &[]);
    let slow = COPY.replace("'5ms'", "'1h'");
    let (first, session) = set_up(&world, &slow).await;
    let (second, other) = open(&world).await;
    run(&other, COPY).await.unwrap();
    first.start_pipelines();
    until_figures(&first, |figures| figures.state == State::Idle).await;
    topic.change(0, Change::Assign(vec![0, 1]));
    until_query(&session, "SELECT count(*) FROM system.partitions", "2").await;
    topic.push(0, &["a", "!b"]);
    topic.push(1, &["c"]);
    until_query(
        &session,
        "SELECT sum(read_offset) FROM system.partitions",
        "3",
    )
    .await;
    topic.change(0, Change::Lose(vec![0]));
    topic.change(0, Change::Revoke(vec![1]));
    until(&first, 1).await;
    assert_eq!(values(&session, "SELECT v FROM t").await, ["c"]);
    second.start_pipelines();
    until_figures(&second, |figures| figures.state == State::Idle).await;
    topic.change(1, Change::Assign(vec![0]));
    until(&second, 2).await;
    // Neither has opened its stream anew.
    assert_eq!(topic.readers(), 2);
    first.shutdown().await;
    second.shutdown().await;
    assert_eq!(verdicts(&session).await, ["ok", "ok"]);
}

#[tokio::test]
async fn a_fenced_process_reads_again_what_is_left_to_it() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.scripted.store(true, Ordering::SeqCst);
    topic.push(0, &["a", "b"]);
    topic.push(1, &["c", "d"]);
    let (first, session) = set_up(&world, COPY).await;
    let (second, other) = open(&world).await;
    run(&other, COPY).await.unwrap();
    // The first sleeps in the middle of its commit, and the second takes partition 0 meanwhile.
    let claim_and_rows = Fault::Slow(Duration::from_millis(400));
    world.faults("t").lock().unwrap().push((1, claim_and_rows));
    first.start_pipelines();
    until_figures(&first, |figures| figures.state == State::Idle).await;
    topic.change(0, Change::Assign(vec![0, 1]));
    let table = world.table("t");
    while table.appends() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    second.start_pipelines();
    until_figures(&second, |figures| figures.state == State::Idle).await;
    topic.change(1, Change::Assign(vec![0]));
    until(&second, 2).await;
    // The zombie wakes, is refused, and opens the stream again; now it gets partition 1.
    until_figures(&first, |figures| figures.last_error.is_some()).await;
    topic.change(2, Change::Assign(vec![1]));
    until(&first, 2).await;
    assert_eq!(values(&session, COUNTS).await, ["4 4"]);
    first.shutdown().await;
    second.shutdown().await;
    assert_eq!(verdicts(&session).await, ["ok", "ok"]);
}

#[tokio::test]
async fn partitions_given_up_in_good_order_are_committed_first() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.scripted.store(true, Ordering::SeqCst);
    topic.push(0, &["a", "b"]);
    let slow = COPY.replace("'5ms'", "'1h'");
    let (engine, session) = set_up(&world, &slow).await;
    engine.start_pipelines();
    until_figures(&engine, |figures| figures.state == State::Idle).await;
    topic.change(0, Change::Assign(vec![0]));
    until_query(&session, "SELECT read_offset FROM system.partitions", "2").await;
    topic.change(0, Change::Revoke(vec![0]));
    until(&engine, 2).await;
    engine.shutdown().await;
    assert_eq!(proven(&session, "next").await, ["2"]);
}

#[tokio::test]
async fn rows_of_a_partition_that_is_not_owned_are_never_committed() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.scripted.store(true, Ordering::SeqCst);
    topic.push(0, &["a"]);
    topic.push(1, &["b"]);
    let (engine, session) = set_up(&world, COPY).await;
    engine.start_pipelines();
    until_figures(&engine, |figures| figures.state == State::Idle).await;
    topic.change(0, Change::Assign(vec![1]));
    until(&engine, 1).await;
    topic.change(0, Change::Stray(0));
    let figures = until_figures(&engine, |figures| figures.last_error.is_some()).await;
    let error = figures.last_error.unwrap();
    assert!(error.contains("offsets 0 to 1 of events/0"), "{error}");
    assert_eq!(values(&session, "SELECT v FROM t").await, ["b"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_full_disk_stops_the_pipeline_until_there_is_room() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "!b", "c"]);
    let full = (1..4).map(|number| (number, Fault::Full));
    world.faults("t").lock().unwrap().extend(full);
    let (engine, session) = set_up(&world, COPY).await;
    engine.start_pipelines();
    let figures = until_figures(&engine, |figures| figures.error.is_some()).await;
    assert_eq!(figures.state, State::Retrying);
    assert!(figures.error.unwrap().contains("no space left"));
    until(&engine, 3).await;
    let state = "SELECT state || coalesce(error, '') FROM system.pipelines";
    assert_eq!(values(&session, state).await, ["running"]);
    engine.shutdown().await;
    assert_eq!(values(&session, "SELECT count(*) FROM t__dlq").await, ["1"]);
    assert_eq!(verdicts(&session).await, ["ok"]);
}

//! Pipelines of one name on one table are one pipeline, or refused.

use std::sync::Arc;

use sluice_engine::authority::Authority;
use sluice_engine::error::Kind;
use sluice_engine::pipeline::status::State;
use sluice_engine::table::Table;

use crate::memory::World;
use crate::statements::{engine, run, values};

use super::{COPY, SOURCE, TABLE, open, set_up, until, until_figures, until_query};

#[tokio::test]
async fn another_definition_is_refused_with_both_shown_and_may_take_over() {
    let world = Arc::new(World::default());
    world.topic("events").push(0, &["a"]);
    let (_first, _) = set_up(&world, COPY).await;
    let (_second, session) = open(&world).await;
    let other = COPY.replace("SELECT value", "SELECT upper(value)");
    let error = run(&session, &other).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    let text = error.to_string();
    for part in [
        "INSERT INTO t (v) SELECT value FROM s",
        "INSERT INTO t (v) SELECT upper(value) FROM s",
        "CREATE OR REPLACE PIPELINE",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let later = COPY.replace("'5ms'", "'5ms', start = 'latest'");
    let error = run(&session, &later).await.unwrap_err().to_string();
    assert!(error.contains("start = 'latest'"), "{error}");
    // What changes no row is no other definition.
    let spaced = "create pipeline p with (max_latency = '7ms', max_rows = 9) as\n\
                  insert into t (v) -- the same\n select value from s";
    run(&session, spaced).await.unwrap();
    run(&session, "DROP PIPELINE p").await.unwrap();
    run(&session, &other.replace("CREATE", "CREATE OR REPLACE"))
        .await
        .unwrap();
}

#[tokio::test]
async fn another_stream_under_the_same_name_is_refused() {
    let world = Arc::new(World::default());
    world.topic("events").push(0, &["a"]);
    let (_first, _) = set_up(&world, COPY).await;
    for (other, shown) in [
        (
            SOURCE.replace("x/events", "x/others"),
            "a stream with topics 'events' there, a stream with topics 'others' here",
        ),
        (
            format!("{SOURCE} OPTIONS ('schema' 'evolve')"),
            "a stream with columns '\"value\" Utf8' there, a stream with columns \
             '\"value\" Utf8, \"_extra\" Utf8' here",
        ),
    ] {
        let second = engine(&world, None).await;
        let session = second.session(Authority::Owner);
        run(&session, TABLE).await.unwrap();
        run(&session, &other).await.unwrap();
        let error = run(&session, COPY).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert!(error.message().contains(shown), "{error}");
    }
    // Where it is, and what it is called there, makes no difference.
    let second = engine(&world, None).await;
    let session = second.session(Authority::Owner);
    run(&session, TABLE).await.unwrap();
    run(&session, &SOURCE.replace("m://x", "m://y"))
        .await
        .unwrap();
    run(&session, COPY).await.unwrap();
}

#[tokio::test]
async fn a_definition_without_its_stream_is_completed() {
    let world = Arc::new(World::default());
    world.topic("events").push(0, &["a"]);
    let (first, _) = set_up(&world, COPY).await;
    let table = world.table("t");
    let key = "pipeline.p";
    let whole = table.property(key).await.unwrap().unwrap();
    let mut older: serde_json::Value = serde_json::from_str(&whole).unwrap();
    older.as_object_mut().unwrap().remove("stream").unwrap();
    let older = older.to_string();
    table.set_property(key, Some(&whole), &older).await.unwrap();
    let (_second, session) = open(&world).await;
    run(&session, COPY).await.unwrap();
    assert_eq!(table.property(key).await.unwrap(), Some(whole));
    first.shutdown().await;
}

#[tokio::test]
async fn a_process_whose_definition_was_replaced_does_not_read_again() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a"]);
    let folder = tempfile::tempdir().unwrap();
    {
        let first = engine(&world, Some(folder.path())).await;
        let session = first.session(Authority::Owner);
        run(&session, TABLE).await.unwrap();
        run(&session, SOURCE).await.unwrap();
        run(&session, COPY).await.unwrap();
        first.start_pipelines();
        until(&first, 1).await;
        first.shutdown().await;
    }
    let (second, session) = open(&world).await;
    let other = COPY
        .replace("SELECT value", "SELECT upper(value)")
        .replace("CREATE", "CREATE OR REPLACE");
    run(&session, &other).await.unwrap();
    topic.push(0, &["b"]);

    let again = engine(&world, Some(folder.path())).await;
    let readers = topic.readers();
    again.start_pipelines();
    let figures = until_figures(&again, |figures| figures.error.is_some()).await;
    assert_eq!(figures.state, State::Retrying);
    let error = figures.error.unwrap();
    assert!(
        error.contains("upper(value)") && error.contains("SELECT value"),
        "{error}"
    );
    assert_eq!(topic.readers(), readers);
    second.start_pipelines();
    until_query(
        &session,
        "SELECT string_agg(v, '' ORDER BY _offset) FROM t",
        "aB",
    )
    .await;
    // It comes back by taking over, and the other one notices before it opens its stream anew.
    let session = again.session(Authority::Owner);
    run(&session, &COPY.replace("CREATE", "CREATE OR REPLACE"))
        .await
        .unwrap();
    until_figures(&again, |figures| figures.state == State::Running).await;
    again.shutdown().await;
    second.shutdown().await;
}

#[tokio::test]
async fn a_dropped_pipeline_frees_its_name() {
    let world = Arc::new(World::default());
    world.topic("events").push(0, &["a"]);
    let (engine, session) = set_up(&world, COPY).await;
    engine.start_pipelines();
    until(&engine, 1).await;
    run(&session, "DROP PIPELINE p").await.unwrap();
    let other = COPY.replace("SELECT value", "SELECT upper(value)");
    run(&session, &other).await.unwrap();
    world.topic("events").push(0, &["b"]);
    until_query(
        &session,
        "SELECT string_agg(v, '' ORDER BY _offset) FROM t",
        "aB",
    )
    .await;
    engine.shutdown().await;
}

#[tokio::test]
async fn options_are_checked_by_name_and_value() {
    let world = Arc::new(World::default());
    let (_engine, session) = open(&world).await;
    for (option, wanted) in [
        ("on_gap = 'skip'", "'stop' or 'record'"),
        ("event_time = 'v'", "no TIMESTAMP column \"v\""),
        ("event_time = 'nope'", "no TIMESTAMP column \"nope\""),
        ("nope = 1", "on_gap"),
    ] {
        let sql = COPY.replace("max_latency = '5ms'", option);
        let error = run(&session, &sql).await.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    assert_eq!(
        values(&session, "SELECT count(*) FROM system.pipelines").await,
        ["0"]
    );
}

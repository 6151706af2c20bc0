//! Functions of users: kept over a restart, seen by open sessions, held by pipelines.

use std::sync::Arc;

use sluice_engine::authority::Authority;
use sluice_engine::error::Kind;

use crate::memory::World;
use crate::statements::{engine, run, values};

#[tokio::test]
async fn functions_survive_a_restart_with_those_they_call() {
    let world = Arc::new(World::default());
    let folder = tempfile::tempdir().unwrap();
    {
        let engine = engine(&world, Some(folder.path())).await;
        let session = engine.session(Authority::Network);
        // The callee comes later in the order of names.
        for sql in [
            "CREATE FUNCTION z_half(x DOUBLE) RETURN x / 2",
            "CREATE FUNCTION a_quarter(x DOUBLE) AS 'z_half(z_half(x))'",
        ] {
            run(&session, sql).await.unwrap();
        }
    }
    let engine = engine(&world, Some(folder.path())).await;
    let session = engine.session(Authority::Owner);
    assert_eq!(values(&session, "SELECT a_quarter(8)").await, ["2.0"]);
    let definitions = "SELECT description FROM system.functions WHERE family = 'User-defined'";
    assert_eq!(
        values(&session, definitions).await,
        [
            "CREATE FUNCTION \"a_quarter\"(\"x\" DOUBLE) RETURN z_half(z_half(x))",
            "CREATE FUNCTION \"z_half\"(\"x\" DOUBLE) RETURN x / 2",
        ]
    );
}

#[tokio::test]
async fn sessions_that_are_open_see_what_others_make_and_drop() {
    let world = Arc::new(World::default());
    let engine = engine(&world, None).await;
    let (one, other) = (
        engine.session(Authority::Owner),
        engine.session(Authority::Network),
    );
    run(&one, "CREATE FUNCTION plus(x BIGINT) RETURN x + 1")
        .await
        .unwrap();
    assert_eq!(values(&other, "SELECT plus(1)").await, ["2"]);
    run(
        &other,
        "CREATE OR REPLACE FUNCTION plus(x BIGINT) RETURN x + 10",
    )
    .await
    .unwrap();
    assert_eq!(values(&one, "SELECT plus(1)").await, ["11"]);
    run(&one, "DROP FUNCTION plus").await.unwrap();
    let gone = run(&other, "SELECT plus(1)").await.unwrap_err();
    assert_eq!(gone.kind(), Kind::User);
}

#[tokio::test]
async fn a_definition_that_cannot_be_planned_keeps_nothing_from_starting() {
    let world = Arc::new(World::default());
    let folder = tempfile::tempdir().unwrap();
    drop(engine(&world, Some(folder.path())).await);
    let definitions = r#"{"tables":{},"pipelines":{},"functions":{
        "bad":"CREATE FUNCTION bad(x INT) RETURN no_such_function(x)",
        "uses_bad":"CREATE FUNCTION uses_bad(x INT) RETURN bad(x)",
        "good":"CREATE FUNCTION good(x INT) RETURN x"}}"#;
    std::fs::write(folder.path().join("catalog.json"), definitions).unwrap();
    let engine = engine(&world, Some(folder.path())).await;
    let session = engine.session(Authority::Owner);
    assert_eq!(values(&session, "SELECT good(7)").await, ["7"]);
    assert!(run(&session, "SELECT uses_bad(7)").await.is_err());
    // The definition is kept, and can be mended.
    run(
        &session,
        "CREATE OR REPLACE FUNCTION bad(x INT) RETURN x + 1",
    )
    .await
    .unwrap();
    assert_eq!(values(&session, "SELECT uses_bad(7)").await, ["8"]);
}

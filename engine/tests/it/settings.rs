//! Statements of sessions and drivers: what they change, show and refuse.

use std::sync::Arc;

use sluice_engine::authority::Authority;
use sluice_engine::error::Kind;

use crate::memory::World;
use crate::statements::{engine, fails, run, values};

#[tokio::test]
async fn what_is_set_is_shown_in_its_own_session_only() {
    let world = Arc::new(World::default());
    let engine = engine(&world, None).await;
    let (one, other) = (
        engine.session(Authority::Network),
        engine.session(Authority::Network),
    );
    for (set, show, own, others) in [
        (
            "SET extra_float_digits = 3",
            "SHOW extra_float_digits",
            "3",
            "1",
        ),
        (
            "SET SESSION application_name TO 'x'",
            "SHOW application_name",
            "x",
            "",
        ),
        (
            "SET TIME ZONE 'Europe/Vienna'",
            "SHOW TIME ZONE",
            "Europe/Vienna",
            "UTC",
        ),
        (
            "SET search_path = \"$user\", system",
            "SHOW search_path",
            "system",
            "public",
        ),
        (
            "SET DateStyle = German",
            "SHOW datestyle",
            "German",
            "ISO, MDY",
        ),
        ("SET NAMES 'utf8'", "SHOW client_encoding", "utf8", "UTF8"),
    ] {
        run(&one, set).await.unwrap();
        if own.is_empty() {
            continue;
        }
        assert_eq!(values(&one, show).await, [own], "{set}");
        let shown = values(&other, show).await;
        assert_eq!(shown.first().map_or("", String::as_str), others, "{set}");
    }
    run(&one, "DISCARD ALL").await.unwrap();
    assert_eq!(values(&one, "SHOW extra_float_digits").await, ["1"]);
    assert_eq!(values(&one, "SHOW TimeZone").await, ["UTC"]);
    assert_eq!(values(&one, "SHOW search_path").await, ["public"]);
}

#[tokio::test]
async fn settings_have_their_effect() {
    let world = Arc::new(World::default());
    let session = engine(&world, None).await.session(Authority::Network);
    run(&session, "SET TIME ZONE '+02:00'").await.unwrap();
    let zoned = "SELECT CAST(CAST('2026-01-01T00:00:00' AS TIMESTAMP WITH TIME ZONE) AS VARCHAR)";
    assert_eq!(values(&session, zoned).await, ["2026-01-01T00:00:00+02:00"]);
    run(&session, "RESET TIME ZONE").await.unwrap();
    run(&session, "SET search_path TO system").await.unwrap();
    let unqualified = "SELECT count(*) FROM pipelines";
    assert_eq!(values(&session, unqualified).await, ["0"]);
    run(&session, "USE sluice.public").await.unwrap();
    assert_eq!(fails(&session, unqualified).await.kind(), Kind::NotFound);
    run(&session, "SET statement_timeout = 1").await.unwrap();
    let slow = "SELECT count(*) FROM generate_series(1, 3000000000)";
    let error = fails(&session, slow).await;
    assert_eq!(error.kind(), Kind::Limit, "{error}");
}

#[tokio::test]
async fn what_goes_back_is_what_sessions_begin_with() {
    let world = Arc::new(World::default());
    let session = engine(&world, None).await.session(Authority::Network);
    let views = "SHOW datafusion.sql_parser.map_string_types_to_utf8view";
    let before = run(&session, views).await.unwrap();
    for back in [
        "RESET datafusion.sql_parser.map_string_types_to_utf8view",
        "SET datafusion.sql_parser.map_string_types_to_utf8view = DEFAULT",
        "RESET ALL",
    ] {
        run(
            &session,
            "SET datafusion.sql_parser.map_string_types_to_utf8view = true",
        )
        .await
        .unwrap();
        assert_ne!(run(&session, views).await.unwrap(), before);
        run(&session, back).await.unwrap();
        assert_eq!(run(&session, views).await.unwrap(), before, "{back}");
    }
}

/// Statements that are refused: what the message names, and what the hint says.
const REFUSED: &[(&str, &str, &str)] = &[
    ("SET no_such_thing = 1", "\"no_such_thing\"", "SHOW ALL"),
    (
        "SET statment_timeout = 1",
        "\"statment_timeout\"",
        "\"statement_timeout\"",
    ),
    (
        "SET datafusion.execution.batch_sise = 1",
        "batch_sise",
        "\"datafusion.execution.batch_size\"",
    ),
    (
        "SHOW serverversion",
        "\"serverversion\"",
        "\"server_version\"",
    ),
    (
        "SET TIME ZONE 'Middle/Earth'",
        "Middle/Earth",
        "Europe/Vienna",
    ),
    ("SET client_encoding = 'LATIN1'", "LATIN1", "utf8"),
    ("SET search_path = nowhere", "\"nowhere\"", "\"public\""),
    ("USE nowhere", "\"nowhere\"", "\"system\""),
    ("USE other.public", "\"other\"", "\"sluice\""),
    ("SET server_version = '9'", "server_version", "stays"),
    ("SET sluice.user = 'root'", "sluice.user", ""),
    (
        "SET datafusion.catalog.default_schema = 'nowhere'",
        "\"nowhere\"",
        "\"public\"",
    ),
];

#[tokio::test]
async fn what_is_not_known_is_refused_with_what_is() {
    let world = Arc::new(World::default());
    let session = engine(&world, None).await.session(Authority::Network);
    for (sql, named, hinted) in REFUSED {
        let error = fails(&session, sql).await;
        assert!(
            matches!(error.kind(), Kind::User | Kind::NotFound),
            "{sql}: {error}"
        );
        assert!(error.message().contains(named), "{sql}: {error}");
        assert!(
            error.hint_text().unwrap_or_default().contains(hinted),
            "{sql}: {error}"
        );
    }
    for sql in [
        "SET datafusion.runtime.memory_limit = '8G'",
        "RESET datafusion.runtime.memory_limit",
    ] {
        assert_eq!(fails(&session, sql).await.kind(), Kind::Denied, "{sql}");
    }
}

#[tokio::test]
async fn sessions_know_their_user() {
    let world = Arc::new(World::default());
    let engine = engine(&world, None).await;
    let named = engine.session_of("anna", Authority::Network);
    assert_eq!(values(&named, "SHOW SESSION AUTHORIZATION").await, ["anna"]);
    run(&named, "RESET ALL").await.unwrap();
    assert_eq!(values(&named, "SHOW SESSION AUTHORIZATION").await, ["anna"]);
    let unnamed = engine.session(Authority::Owner);
    assert_eq!(
        values(&unnamed, "SHOW SESSION AUTHORIZATION").await,
        ["sluice"]
    );
}

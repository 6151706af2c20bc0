//! What is wrong is named, with the way out.

use sluice_engine::error::Kind;
use sluice_engine::source::{Member, Wanted};
use tokio::time::timeout;

use super::{Broker, PATIENCE, source};

#[tokio::test]
async fn what_is_not_there_is_named() {
    let broker = Broker::with_topic("events", 1);
    let missing = broker.source("nothing", &[]).await;
    for error in [
        missing
            .follow(&Member::of("g"), Wanted::default())
            .await
            .err(),
        missing.scan(Wanted::default()).await.err(),
    ] {
        let error = error.expect("no such topic");
        assert_eq!(error.kind(), Kind::NotFound, "{error}");
        assert!(error.message().contains("\"nothing\""), "{error}");
        assert!(
            error
                .message()
                .contains(&broker.cluster.bootstrap_servers()),
            "{error}"
        );
        assert!(
            error
                .hint_text()
                .is_some_and(|hint| hint.contains("create")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_wrong_address_is_named() {
    // A port that was free a moment ago: nothing listens there.
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let address = address.expect("a free port").to_string();
    let source = source(&format!("kafka://{address}/events"), &[]).await;
    let source = source.expect("defined without a broker");
    let scan = timeout(PATIENCE, source.scan(Wanted::default()))
        .await
        .expect("an answer");
    let error = scan.err().expect("no broker");
    assert_eq!(error.kind(), Kind::Unavailable);
    let wanted = format!("cannot reach the Kafka broker at \"{address}\"");
    assert!(error.message().starts_with(&wanted), "{error}");
    assert!(error.hint_text().is_some(), "{error}");
}

/// Location, option, its value, and what the error names.
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("kafka://b:9092/t", "fromat", "json", "\"fromat\""),
    ("kafka://b:9092/t", "start", "middle", "\"middle\""),
    (
        "kafka://b:9092/t",
        "kafka.enable.auto.commit",
        "true",
        "\"kafka.enable.auto.commit\"",
    ),
    (
        "kafka://b:9092/t",
        "kafka.auto.offset.reset",
        "latest",
        "\"kafka.auto.offset.reset\"",
    ),
    (
        "kafka://b:9092/t",
        "kafka.group.id",
        "mine",
        "\"kafka.group.id\"",
    ),
    (
        "kafka://b:9092/t",
        "kafka.isolation.level",
        "read_uncommitted",
        "\"read_uncommitted\"",
    ),
    (
        "kafka://b:9092/t",
        "kafka.plugin.library.paths",
        "x.so",
        "\"kafka.plugin.library.paths\"",
    ),
    (
        "kafka://b:9092/t",
        "kafka.fetch.wait",
        "1",
        "\"kafka.fetch.wait\"",
    ),
    (
        "kafka://b:9092/t",
        "kafka.fetch.wait.max.ms",
        "soon",
        "\"kafka.fetch.wait.max.ms\"",
    ),
    ("kafka://b:9092", "format", "json", "no topic"),
    ("kafka:///t", "format", "json", "no broker"),
    ("kafka://b:port/t", "format", "json", "\"b:port\""),
    ("kafka://b:9092/a b", "format", "json", "\"a b\""),
    ("kafka://b:9092/a,a", "format", "json", "twice"),
    ("kafka://b:9092/^a(", "format", "json", "\"^a(\""),
    ("kafka://b:9092/^\\d", "format", "json", "no pattern"),
    ("kafka://b:9092/__x,^a", "format", "json", "pattern beside"),
    (
        "kafka://b:9092/^a",
        "kafka.group.protocol",
        "consumer",
        "\"kafka.group.protocol\"",
    ),
    (
        "kafka://b:9092/t",
        "kafka.group.instance.id",
        "mine",
        "\"kafka.group.instance.id\"",
    ),
    (
        "kafka://b:9092/t",
        "kafka.no.such.option",
        "${env:ANY}",
        "\"kafka.no.such.option\"",
    ),
    (
        "kafka://user:secret@b:9092/t",
        "format",
        "json",
        "credentials",
    ),
    ("b:9092/t", "format", "json", "kafka://"),
];

#[tokio::test]
async fn wrong_definitions_are_refused_with_a_way_out() {
    for &(location, key, value, wanted) in WRONG {
        let error = source(location, &[(key, value)]).await.expect_err(wanted);
        assert_eq!(error.kind(), Kind::User);
        assert!(error.message().contains(wanted), "{error}");
        assert!(error.hint_text().is_some(), "{error}");
    }
    let valid = [
        ("kafka.fetch.min.bytes", "1"),
        ("kafka.isolation.level", "read_committed"),
    ];
    for location in [
        "kafka://a:9092,[::1]:9093,c/t,u",
        "kafka://a/^logs-.*,^audit\\.[a-z]+$,t",
    ] {
        source(location, &valid).await.expect("valid options");
    }
}

//! What operators see: gRPC health, health over HTTP, metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Float64Type};
use sluice_engine::authority::Authority;
use sluice_engine::session::Session;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::*;

const FLIGHT: &str = "arrow.flight.protocol.FlightService";

fn watched() -> ServerOptions {
    ServerOptions {
        metrics_listen: Some("127.0.0.1:0".parse().unwrap()),
        ..options()
    }
}

/// Status and body of an answer over HTTP.
async fn get(running: &Running, path: &str) -> (u16, String) {
    let url = running.metrics_url().unwrap();
    let address = url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, body.to_owned())
}

/// The samples of `/metrics` by name and labels.
async fn scrape(running: &Running) -> BTreeMap<String, f64> {
    let (code, text) = get(running, "/metrics").await;
    assert_eq!(code, 200);
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    samples.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_clients_and_those_who_are_not_let_in() {
    let options = ServerOptions {
        token: Some("t0ken".to_owned()),
        ..watched()
    };
    let served = Served::with(options, Plugin::default()).await;
    let before = scrape(&served.running).await;
    assert_eq!(before["sluice_connections{protocol=\"flight\"}"], 0.0);
    let mut client = served.client().await;
    assert!(client.execute("SELECT 1".to_owned(), None).await.is_err());
    client.set_token("t0ken".to_owned());
    assert_eq!(number(&mut client, "SELECT 1").await, 1);
    let during = scrape(&served.running).await;
    assert_eq!(during["sluice_connections{protocol=\"flight\"}"], 1.0);
    assert_eq!(during["sluice_sessions"], 1.0);
    assert_eq!(during["sluice_logins_refused_total"], 1.0);
    assert!(during["process_resident_memory_bytes"] > 1e6);
    assert!(during["sluice_query_memory_limit_bytes"] > 1e6);
    let version = format!(
        "sluice_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(during[&version], 1.0);
    drop(client);
    let gone = async {
        while scrape(&served.running).await["sluice_connections{protocol=\"flight\"}"] > 0.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone)
        .await
        .unwrap();
    let after = scrape(&served.running).await;
    assert_eq!(after["sluice_sessions"], 0.0, "its session went with it");
    assert_eq!(
        after["sluice_connections_accepted_total{protocol=\"flight\"}"],
        1.0
    );
}

/// The one number that `sql` gives.
async fn told(session: &Session, sql: &str) -> f64 {
    let prepared = session.prepare(sql).await.unwrap();
    let answer = session.execute(&prepared).await.unwrap();
    let batches: Vec<RecordBatch> = answer.rows.try_collect().await.unwrap();
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return 0.0;
    };
    let number = arrow::compute::cast(batch.column(0), &DataType::Float64).unwrap();
    number.as_primitive::<Float64Type>().value(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_a_pipeline_are_those_of_its_tables() {
    const RECORDS: usize = 500;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.ndjson");
    let record = |n: usize| {
        let level = if n.is_multiple_of(10) { "high" } else { "1" };
        format!("{{\"level\":\"{level}\",\"message\":\"user{n}@example.com asked\"}}\n")
    };
    std::fs::write(&file, (0..RECORDS).map(record).collect::<String>()).unwrap();
    let engine = Engine::open(Config::default(), compose::plugin(), None)
        .await
        .unwrap();
    let session = engine.session(Authority::Owner);
    let stream = format!(
        "CREATE EXTERNAL TABLE events (level VARCHAR, message VARCHAR) STORED AS FILE \
         LOCATION '{}'",
        file.display()
    );
    for sql in [
        stream.as_str(),
        "CREATE TABLE logs (level BIGINT, message VARCHAR)",
        "CREATE PIPELINE ingest WITH (max_latency = '20ms', 'redact.message' = 'default') AS \
         INSERT INTO logs SELECT CAST(level AS BIGINT) AS level, message FROM events",
    ] {
        told(&session, sql).await;
    }
    let shutdown = CancellationToken::new();
    let running = serve(Arc::clone(&engine), watched(), shutdown)
        .await
        .unwrap();
    engine.start_pipelines();
    let events = "SELECT events FROM system.pipelines";
    let read = async {
        while told(&session, events).await < RECORDS as f64 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), read)
        .await
        .unwrap();

    let samples = scrape(&running).await;
    let of = |name: &str| samples[&format!("sluice_pipeline_{name}{{pipeline=\"ingest\"}}")];
    for (name, sql) in [
        ("records_total", events),
        ("rows_total", "SELECT count(*) FROM logs"),
        ("dead_letters_total", "SELECT count(*) FROM logs__dlq"),
        (
            "commits_total",
            "SELECT count(DISTINCT version) FROM system.commits WHERE \"table\" = 'logs' \
             AND pipeline = 'ingest' AND from_offset < to_offset",
        ),
        ("lag", "SELECT lag FROM system.pipelines"),
    ] {
        assert_eq!(of(name), told(&session, sql).await, "{name}");
    }
    assert_eq!(of("rows_total"), 450.0);
    assert!(of("bytes_total") > 450.0);
    let emails = "sluice_pipeline_redactions_total{pipeline=\"ingest\",category=\"email\"}";
    let ledger = "SELECT sum(count) FROM system.redactions WHERE category = 'email'";
    assert_eq!(samples[emails], told(&session, ledger).await);
    let running_state = "sluice_pipeline_state{pipeline=\"ingest\",state=\"running\"}";
    assert_eq!(samples[running_state], 1.0);
    let offset = samples
        .iter()
        .find(|(name, _)| name.starts_with("sluice_partition_next_offset{pipeline=\"ingest\""));
    let next = "SELECT next_offset FROM system.partitions";
    assert_eq!(*offset.unwrap().1, told(&session, next).await);
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_to_everyone_until_the_server_stops() {
    let options = ServerOptions {
        token: Some("t0ken".to_owned()),
        ..watched()
    };
    let served = Served::with(options, Plugin::default()).await;
    assert!(
        served
            .running
            .doors()
            .contains(" metrics=http://127.0.0.1:")
    );
    for path in ["/healthz", "/readyz", "/livez"] {
        assert_eq!(
            get(&served.running, path).await,
            (200, "ok\n".to_owned()),
            "{path}"
        );
    }
    assert_eq!(get(&served.running, "/").await.0, 404);

    let url = format!("http://{}", served.running.address());
    let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    for service in ["", FLIGHT] {
        let service = service.to_owned();
        let answer = health.check(HealthCheckRequest { service }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    }
    let request = HealthCheckRequest {
        service: FLIGHT.to_owned(),
    };
    let mut changes = health.watch(request).await.unwrap().into_inner();
    let first = changes.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    served.shutdown.cancel();
    let last = changes.message().await.unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    assert_eq!(
        get(&served.running, "/healthz").await,
        (503, "stopping\n".to_owned())
    );
    assert_eq!(get(&served.running, "/readyz").await.0, 503);
    assert_eq!(get(&served.running, "/livez").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_are_served_at_once() {
    let served = Served::with(watched(), Plugin::default()).await;
    let files = scrape(&served.running).await["process_max_fds"];
    // Both ends of each connection are files of this process.
    let most = if files < 3_000.0 {
        eprintln!("only {files} file handles: fewer clients");
        files / 4.0
    } else {
        1_000.0
    };
    let clients = (0..most as usize).map(|_| served.client());
    let mut clients = futures::future::join_all(clients).await;
    let asked = clients
        .iter_mut()
        .map(|client| client.execute("SELECT 1".to_owned(), None));
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(Result::is_ok));
    let samples = scrape(&served.running).await;
    assert_eq!(
        samples["sluice_connections{protocol=\"flight\"}"],
        most.floor()
    );
    assert_eq!(samples["sluice_sessions"], most.floor());
}

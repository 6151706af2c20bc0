//! What operators see: gRPC health, health over HTTP, metrics.

use std::collections::BTreeMap;
use std::time::Duration;

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
async fn get(served: &Served, path: &str) -> (u16, String) {
    let url = served.running.metrics_url().unwrap();
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
async fn scrape(served: &Served) -> BTreeMap<String, f64> {
    let (code, text) = get(served, "/metrics").await;
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
    let before = scrape(&served).await;
    assert_eq!(before["sluice_connections{protocol=\"flight\"}"], 0.0);
    let mut client = served.client().await;
    assert!(client.execute("SELECT 1".to_owned(), None).await.is_err());
    client.set_token("t0ken".to_owned());
    assert_eq!(number(&mut client, "SELECT 1").await, 1);
    let during = scrape(&served).await;
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
        while scrape(&served).await["sluice_connections{protocol=\"flight\"}"] > 0.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone)
        .await
        .unwrap();
    let after = scrape(&served).await;
    assert_eq!(after["sluice_sessions"], 0.0, "its session went with it");
    assert_eq!(
        after["sluice_connections_accepted_total{protocol=\"flight\"}"],
        1.0
    );
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
        assert_eq!(get(&served, path).await, (200, "ok\n".to_owned()), "{path}");
    }
    assert_eq!(get(&served, "/").await.0, 404);

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
        get(&served, "/healthz").await,
        (503, "stopping\n".to_owned())
    );
    assert_eq!(get(&served, "/readyz").await.0, 503);
    assert_eq!(get(&served, "/livez").await.0, 200);
}

//! Who is let in: TLS, passwords, addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use rcgen::generate_simple_self_signed;
use sluice_engine::config::Config;
use sluice_engine::error::Kind;
use sluice_flight_server::compose;
use sluice_flight_server::pgwire::server::{PostgresOptions, serve};
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::psql::psql;
use super::{Served, options};

const SSL: [u8; 8] = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];
const GSS: [u8; 8] = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x30];

/// A certificate and its key as files in `folder`.
fn certificate(folder: &tempfile::TempDir) -> (PathBuf, PathBuf) {
    let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_encryption_is_declined() {
    let served = Served::start().await;
    let mut client = Client::connect(served.address()).await;
    for request in [GSS, SSL] {
        client.raw(&request).await;
        assert_eq!(client.byte().await, Some(b'N'));
    }
    client.hello(196_610, &[("_pq_.what", "1")]).await;
    let answers = client.answers().await;
    assert_eq!(answers[0].kind, 'v', "a newer protocol is talked down");
    assert_eq!(answers.last().unwrap().kind, 'Z');
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_there_is_no_plain_text() {
    let folder = tempfile::tempdir().unwrap();
    let everywhere = PostgresOptions {
        listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        token: Some("a long secret".to_owned()),
        tls: Some(certificate(&folder)),
        insecure_listen: false,
    };
    let served = Served::with(everywhere.clone()).await;
    let mut client = Client::connect(served.address()).await;
    let answers = client.start(&[]).await;
    assert_eq!(answers[0].field('C').unwrap(), "28000");
    let mut client = Client::connect(served.address()).await;
    client.raw(&[SSL, SSL].concat()).await;
    assert_eq!(client.byte().await, Some(b'S'));
    assert_eq!(
        client.byte().await,
        None,
        "nothing in the clear is taken for TLS"
    );

    for missing in [
        PostgresOptions {
            tls: None,
            ..everywhere.clone()
        },
        PostgresOptions {
            token: None,
            ..everywhere.clone()
        },
        PostgresOptions {
            tls: Some(("/no".into(), "/no".into())),
            ..everywhere
        },
    ] {
        let engine = compose::engine(Config::default(), None).await.unwrap();
        let refused = serve(engine, missing, CancellationToken::new())
            .await
            .unwrap_err();
        assert!(
            matches!(refused.kind(), Kind::Denied | Kind::User),
            "{refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_proved_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::with(PostgresOptions {
        token: Some("a long secret".to_owned()),
        tls: Some(certificate(&folder)),
        ..options()
    })
    .await;
    let port = served.address().port();
    let url = format!("host=127.0.0.1 port={port} user=me dbname=sluice sslmode=require");
    let Some(right) = psql(&format!("{url} password='a long secret'"), "SELECT 41 + 1").await
    else {
        return;
    };
    assert_eq!(right.unwrap(), "42\n");
    let wrong = psql(&format!("{url} password=wrong"), "SELECT 1")
        .await
        .unwrap();
    assert!(
        wrong
            .unwrap_err()
            .contains("password authentication failed")
    );
}

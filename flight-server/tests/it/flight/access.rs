//! Who is let in: tokens in every shape, TLS, sessions by bearer, and where the server will not
//! listen.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tonic::transport::{Certificate, ClientTlsConfig};

use super::*;

const TOKEN: &str = "correct horse";

async fn guarded() -> Served {
    Served::with(
        ServerOptions {
            token: Some(TOKEN.to_owned()),
            ..options()
        },
        Plugin::default(),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_answered() {
    let served = guarded().await;
    let mut client = served.client().await;
    let (code, text) = status(client.execute("SELECT 1".into(), None).await);
    assert_eq!(code, Code::Unauthenticated, "{text}");
    assert!(text.contains("token"), "{text}");
    client.set_token("wrong".to_owned());
    let (code, _) = status(client.execute("SELECT 1".into(), None).await);
    assert_eq!(code, Code::Unauthenticated);
    assert!(client.handshake("anyone", "wrong").await.is_err());
    client.set_token(TOKEN.to_owned());
    assert_eq!(number(&mut client, "SELECT 1").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_gives_a_session_that_follows_its_bearer() {
    let served = guarded().await;
    let mut first = served.client().await;
    first.handshake("anyone", TOKEN).await.unwrap();
    query(&mut first, "SET datafusion.execution.batch_size = 77").await;
    let bearer = first.token().unwrap().clone();
    drop(first);
    let mut again = served.client().await;
    again.set_token(bearer);
    let size = "SHOW datafusion.execution.batch_size";
    assert!(query(&mut again, size).await.contains("77"));
    let mut other = served.client().await;
    other.handshake("anyone", TOKEN).await.unwrap();
    assert!(!query(&mut other, size).await.contains("77"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_server_shakes_any_hand() {
    let served = Served::start().await;
    let mut client = served.client().await;
    client.handshake("", "").await.unwrap();
    assert_eq!(number(&mut client, "SELECT 1").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_where_it_is_configured() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert_file, key_file) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&cert_file, cert.pem()).unwrap();
    std::fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let tls = Some((cert_file, key_file));
    let options = ServerOptions {
        token: Some(TOKEN.to_owned()),
        tls,
        ..options()
    };
    let served = Served::with(options, Plugin::default()).await;
    assert!(served.running.url().starts_with("grpc+tls://"));

    let url = format!("https://localhost:{}", served.running.address().port());
    let trust = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(cert.pem()));
    let endpoint = Endpoint::from_shared(url)
        .unwrap()
        .tls_config(trust)
        .unwrap();
    let mut client = FlightSqlServiceClient::new(endpoint.connect().await.unwrap());
    client.set_token(TOKEN.to_owned());
    assert_eq!(number(&mut client, "SELECT 1").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_it_takes_a_token_and_tls() {
    let everywhere = ServerOptions {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..options()
    };
    let refused = [
        everywhere.clone(),
        ServerOptions {
            token: Some(TOKEN.to_owned()),
            ..everywhere.clone()
        },
        ServerOptions {
            insecure_listen: true,
            ..everywhere.clone()
        },
    ];
    let engine = Engine::open(Config::default(), compose::plugin(), None)
        .await
        .unwrap();
    for options in refused {
        let started = serve(Arc::clone(&engine), options, CancellationToken::new()).await;
        let text = started.unwrap_err().to_string();
        for setting in ["server.token", "server.tls_cert", "server.insecure_listen"] {
            assert!(text.contains(setting), "{text}");
        }
    }
    let behind_a_proxy = ServerOptions {
        token: Some(TOKEN.to_owned()),
        insecure_listen: true,
        ..everywhere
    };
    assert!(
        serve(engine, behind_a_proxy, CancellationToken::new())
            .await
            .is_ok()
    );
}

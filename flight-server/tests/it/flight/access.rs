//! Who is let in: tokens in every shape, TLS, sessions by bearer, and where the server will not
//! listen.

use arrow_flight::Empty;
use arrow_flight::flight_service_client::FlightServiceClient;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use sha2::{Digest, Sha256};
use tonic::transport::{Certificate, ClientTlsConfig};
use tonic::{Request, Status};

use super::*;

const TOKEN: &str = "correct horse";
/// The verifier of "open:sesame".
const ALICE: &str = "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$\
                     hWY63d6BugAMSGSxTog5r4yDe1+6KJ6cMdeCtkW2Juk=:\
                     ocvPNbfxFXjRFZnZLf4zpCI3iGbW1qUhKUIKdf/Pqcs=";
const KEY: &str = "slk_of_a_test";

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

/// A user with a password, one without, and a program with a key.
fn with_users() -> ServerOptions {
    let users = [("alice", ALICE), ("robot", "certificate")];
    let key = Sha256::digest(KEY);
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    ServerOptions {
        users: users
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into(),
        api_keys: [("grafana".to_owned(), format!("sha256:{key}"))].into(),
        ..options()
    }
}

/// What a bare call with these headers is answered with.
async fn call(served: &Served, headers: &[(&'static str, String)]) -> Result<String, Status> {
    let url = format!("http://{}", served.running.address());
    let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
    let mut client = FlightServiceClient::new(channel);
    let mut request = Request::new(Empty {});
    for (name, value) in headers {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    let answer = client.list_actions(request).await?;
    let cookie = answer.metadata().get("set-cookie");
    Ok(cookie.map_or_else(String::new, |cookie| cookie.to_str().unwrap().to_owned()))
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_programs_come_with_what_is_theirs_and_nothing_else() {
    let served = Served::with(with_users(), Plugin::default()).await;
    let mut alice = served.client().await;
    alice.handshake("alice", "open:sesame").await.unwrap();
    assert_eq!(number(&mut alice, "SELECT 1").await, 1);
    for right in [
        ("authorization", basic("alice:open:sesame")),
        ("authorization", format!("Bearer {KEY}")),
        ("authorization", basic(&format!("any:{KEY}"))),
        ("x-api-key", KEY.to_owned()),
    ] {
        call(&served, &[right]).await.unwrap();
    }
    for wrong in [
        basic("alice:hunter2"),
        basic("bob:open:sesame"),
        basic("robot:certificate"),
        "Bearer hunter2".to_owned(),
    ] {
        let refused = call(&served, &[("authorization", wrong)])
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert!(!refused.message().contains("hunter2"), "{refused}");
        assert!(refused.message().contains("hint: "), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_guess_keep_nobody_else_out() {
    let served = Served::with(with_users(), Plugin::default()).await;
    let guess = |number: usize| call_wrong(&served, number);
    let guesses = futures::future::join_all((0..40).map(guess));
    let honest = async {
        let mut alice = served.client().await;
        alice.set_token(KEY.to_owned());
        number(&mut alice, "SELECT 1").await
    };
    let (codes, one) = tokio::join!(guesses, honest);
    assert_eq!(one, 1);
    let refused = [Code::Unauthenticated, Code::ResourceExhausted];
    assert!(codes.iter().all(|code| refused.contains(code)), "{codes:?}");
}

async fn call_wrong(served: &Served, number: usize) -> Code {
    let guess = basic(&format!("alice:guess {number}"));
    let refused = call(served, &[("authorization", guess)]).await;
    refused.unwrap_err().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_of_use_to_its_owner_alone() {
    let served = Served::with(with_users(), Plugin::default()).await;
    let alice = ("authorization", basic("alice:open:sesame"));
    let cookie = call(&served, std::slice::from_ref(&alice)).await.unwrap();
    assert!(cookie.starts_with("sluice_session="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly"), "{cookie}");
    let cookie = ("cookie", cookie.split(';').next().unwrap().to_owned());
    let again = call(&served, &[alice, cookie.clone()]).await.unwrap();
    assert_eq!(again, "", "who has a session needs no cookie");
    let key = ("x-api-key", KEY.to_owned());
    let other = call(&served, &[key, cookie]).await.unwrap();
    assert!(other.starts_with("sluice_session="), "{other}");
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

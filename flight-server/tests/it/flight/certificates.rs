//! TLS with certificates of clients, and certificates that are renewed under the server.

use std::path::Path;
use std::time::Duration;

use arrow_flight::error::Result as FlightResult;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::*;

/// What a server that hangs is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate of "localhost" for `name`, and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        (signed.pem(), key.serialize_pem())
    }

    /// Lets a server have a new certificate.
    fn certify(&self, folder: &Path) {
        let (cert, key) = self.sign("server");
        std::fs::write(folder.join("key.pem"), key).unwrap();
        std::fs::write(folder.join("cert.pem"), cert).unwrap();
    }
}

/// A server with a certificate of `authority`.
fn secure(authority: &Authority, folder: &TempDir) -> ServerOptions {
    authority.certify(folder.path());
    let file = |name| folder.path().join(name);
    ServerOptions {
        tls: Some((file("cert.pem"), file("key.pem"))),
        ..options()
    }
}

/// As [`secure`], for clients with certificates of `clients`.
fn mutual(authority: &Authority, clients: &Authority, folder: &TempDir) -> ServerOptions {
    let file = folder.path().join("clients.pem");
    std::fs::write(&file, &clients.pem).unwrap();
    ServerOptions {
        tls_client_ca: Some(file),
        ..secure(authority, folder)
    }
}

/// Connects with a certificate and asks something.
async fn ask(
    served: &Served,
    trusted: &Authority,
    identity: Option<(String, String)>,
    token: Option<&str>,
) -> FlightResult<FlightInfo> {
    let url = format!("https://localhost:{}", served.running.address().port());
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&trusted.pem));
    if let Some((cert, key)) = identity {
        tls = tls.identity(Identity::from_pem(cert, key));
    }
    let endpoint = Endpoint::from_shared(url).unwrap().tls_config(tls).unwrap();
    let unreachable =
        |error| FlightError::Tonic(Box::new(tonic::Status::unavailable(format!("{error:?}"))));
    let channel = endpoint.connect().await.map_err(unreachable)?;
    let mut client = FlightSqlServiceClient::new(channel);
    if let Some(token) = token {
        client.set_token(token.to_owned());
    }
    client.execute("SELECT 1".to_owned(), None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_lets_its_user_in_and_others_need_more() {
    let (authority, clients, folder) =
        (Authority::new(), Authority::new(), TempDir::new().unwrap());
    let options = ServerOptions {
        users: [("etl".to_owned(), "certificate".to_owned())].into(),
        token: Some("t0ken".to_owned()),
        ..mutual(&authority, &clients, &folder)
    };
    let served = Served::with(options, Plugin::default()).await;
    let known = clients.sign("etl");
    ask(&served, &authority, Some(known), None).await.unwrap();
    let stranger = clients.sign("stranger");
    let (code, text) = status(ask(&served, &authority, Some(stranger.clone()), None).await);
    assert_eq!(code, Code::Unauthenticated, "{text}");
    assert!(text.contains("certificate"), "{text}");
    let token = Some("t0ken");
    ask(&served, &authority, Some(stranger), token)
        .await
        .unwrap();
    let foreign = Some(authority.sign("etl"));
    assert!(ask(&served, &authority, foreign, token).await.is_err());
    assert!(ask(&served, &authority, None, token).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_else_configured_each_certificate_is_good() {
    let (authority, clients, folder) =
        (Authority::new(), Authority::new(), TempDir::new().unwrap());
    let options = ServerOptions {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..mutual(&authority, &clients, &folder)
    };
    let served = Served::with(options, Plugin::default()).await;
    let anyone = clients.sign("anyone");
    ask(&served, &authority, Some(anyone), None).await.unwrap();
    assert!(ask(&served, &authority, None, None).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_takes_no_restart_and_a_bad_one_does_no_harm() {
    let (first, second) = (Authority::new(), Authority::new());
    let folder = TempDir::new().unwrap();
    let served = Served::with(secure(&first, &folder), Plugin::default()).await;
    ask(&served, &first, None, None).await.unwrap();
    std::fs::write(folder.path().join("cert.pem"), "half a file").unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    ask(&served, &first, None, None).await.unwrap();
    second.certify(folder.path());
    let renewed = async {
        while ask(&served, &second, None, None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, renewed).await.unwrap();
    assert!(ask(&served, &first, None, None).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_without_tls_and_clients_that_say_nothing_hold_nobody_up() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let served = Served::with(secure(&authority, &folder), Plugin::default()).await;
    let address = served.running.address();
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "plaintext is answered with the end");
    ask(&served, &authority, None, None).await.unwrap();
    for mut socket in silent {
        let ended = tokio::time::timeout(PATIENCE, socket.read(&mut [0; 64])).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_contradict_each_other_are_refused() {
    let engine = Engine::open(Config::default(), compose::plugin(), None)
        .await
        .unwrap();
    for (options, setting) in [
        (
            ServerOptions {
                tls_client_ca: Some("ca.pem".into()),
                ..options()
            },
            "server.tls_cert",
        ),
        (
            ServerOptions {
                tls_client_users: true,
                ..options()
            },
            "server.tls_client_ca",
        ),
        (
            ServerOptions {
                postgres_listen: Some("0.0.0.0:0".parse().unwrap()),
                ..options()
            },
            "server.token",
        ),
    ] {
        let started = serve(Arc::clone(&engine), options, CancellationToken::new()).await;
        let text = started.unwrap_err().to_string();
        assert!(text.contains(setting), "{text}");
    }
}

//! Secrets in options are references, resolved for each connection and shown nowhere.

use sluice_engine::error::Kind;
use sluice_engine::source::Wanted;

use super::source;

const LOCATION: &str = "kafka://127.0.0.1:1/t";

#[tokio::test]
async fn a_secret_that_is_written_out_is_refused_and_not_shown() {
    for key in [
        "kafka.sasl.password",
        "kafka.ssl.key.password",
        "kafka.ssl.keystore.password",
        "kafka.ssl.key.pem",
        "kafka.sasl.oauthbearer.client.secret",
        "kafka.sasl.oauthbearer.config",
    ] {
        let error = source(LOCATION, &[(key, "hunter2")]).await.expect_err(key);
        assert_eq!(error.kind(), Kind::User);
        assert!(error.message().contains(key), "{error}");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_reference_is_resolved_when_a_connection_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    let reference = format!("${{file:{}}}", file.display());
    let options = [
        ("kafka.security.protocol", "SASL_PLAINTEXT"),
        ("kafka.sasl.mechanism", "PLAIN"),
        ("kafka.sasl.username", "sluice"),
        ("kafka.sasl.password", reference.as_str()),
        // Where a plain option is a reference, its value is checked with the connection.
        ("kafka.fetch.min.bytes", reference.as_str()),
    ];
    let source = source(LOCATION, &options)
        .await
        .expect("defined before its secret is there");
    let error = source.scan(Wanted::default()).await.err().expect("no file");
    assert_eq!(error.kind(), Kind::User, "{error}");
    assert!(
        error.message().contains(&reference[7..reference.len() - 1]),
        "{error}"
    );
    std::fs::write(&file, "hunter2\n").expect("a file");
    let error = source
        .scan(Wanted::default())
        .await
        .err()
        .expect("no number of bytes");
    assert!(error.message().contains("fetch.min.bytes"), "{error}");
    for shown in [
        format!("{source:?}"),
        format!("{error:?}"),
        error.to_string(),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    std::fs::write(&file, "1").expect("a file");
    let error = source
        .scan(Wanted::default())
        .await
        .err()
        .expect("no broker");
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}

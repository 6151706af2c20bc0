//! The channel to the brokers: passwords, certificates, and that neither is ever shown. Against a
//! real Apache Kafka with those listeners on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use sluice_engine::error::{Error, Kind};
use sluice_engine::source::{Event, Source, Wanted};
use tempfile::TempDir;

use super::{PATIENCE, source};

const TOPIC: &str = "secured";

/// A broker with listeners for SASL and TLS, and files that hold what they want to be shown.
struct Secured {
    folder: PathBuf,
    printed: BTreeMap<String, String>,
    secrets: TempDir,
}

impl Secured {
    async fn start() -> Self {
        let cache = std::env::var_os("SLUICE_CACHE")
            .map(PathBuf::from)
            .unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/sluice"));
        let name = format!("secured-{}", std::process::id());
        let folder = cache.join("kafka").join(name);
        let output = script(&folder, "start-secure");
        let text = String::from_utf8(output).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let printed: BTreeMap<_, _> = lines.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let secured = Self {
            folder,
            printed,
            secrets: TempDir::new().unwrap(),
        };
        secured.fill().await;
        std::fs::write(secured.secret("wrong"), "swordfish\n").unwrap();
        std::fs::write(
            secured.secret("right"),
            secured.printed["password"].as_bytes(),
        )
        .unwrap();
        secured
    }

    /// A topic with one record.
    async fn fill(&self) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.printed["kafka"]);
        let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
        let topic = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(1));
        let made = admin
            .create_topics([&topic], &AdminOptions::new())
            .await
            .unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        let producer: BaseProducer = config.create().unwrap();
        let record = BaseRecord::<(), str>::to(TOPIC).payload("{\"n\":1}");
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    }

    fn secret(&self, name: &str) -> PathBuf {
        self.secrets.path().join(name)
    }

    fn password(&self, name: &str) -> String {
        format!("${{file:{}}}", self.secret(name).display())
    }

    async fn open(&self, listener: &str, options: &[(&str, &str)]) -> Arc<dyn Source> {
        let location = format!("kafka://{}/{TOPIC}", self.printed[listener]);
        source(&location, options)
            .await
            .expect("a right definition")
    }

    fn credentials<'a>(&'a self, mechanism: &'a str, password: &'a str) -> [(&'a str, &'a str); 3] {
        [
            ("kafka.sasl.mechanism", mechanism),
            ("kafka.sasl.username", &self.printed["user"]),
            ("kafka.sasl.password", password),
        ]
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        script(&self.folder, "wipe");
    }
}

fn script(folder: &Path, verb: &str) -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/kafka.sh");
    let mut command = Command::new(script);
    let output = command.arg(verb).env("KAFKA_DIR", folder).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "no Kafka ({errors}); `make setup-test` installs what it needs"
    );
    output.stdout
}

/// Reads the topic's records; gives their number.
async fn read(source: &Arc<dyn Source>) -> Result<usize, Error> {
    let mut reader = source.scan(Wanted::default()).await?;
    let mut rows = 0;
    while let Some(event) = reader.next().await? {
        if let Event::Batch(batch) = event {
            rows += batch.rows.num_rows();
        }
    }
    Ok(rows)
}

/// What goes wrong, which never shows a secret.
async fn refused(source: &Arc<dyn Source>) -> Error {
    let error = read(source).await.expect_err("no entry");
    for shown in [
        format!("{source:?}"),
        format!("{error:?}"),
        error.to_string(),
    ] {
        for secret in ["swordfish", "sluice-secret", "PRIVATE KEY"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_is_open_to_those_who_may_and_closed_to_others() {
    let broker = Secured::start().await;
    let (right, wrong) = (broker.password("right"), broker.password("wrong"));
    let ca = ("kafka.ssl.ca.location", broker.printed["ca"].as_str());
    let plain = ("kafka.security.protocol", "SASL_PLAINTEXT");
    let both = ("kafka.security.protocol", "SASL_SSL");
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        for (listener, channel) in [
            ("sasl_plaintext", vec![plain]),
            ("sasl_ssl", vec![both, ca]),
        ] {
            let with = |password| {
                let mut options = channel.clone();
                options.extend(broker.credentials(mechanism, password));
                options
            };
            let source = broker.open(listener, &with(&right)).await;
            assert_eq!(read(&source).await.unwrap(), 1, "{mechanism} {listener}");
            let error = refused(&broker.open(listener, &with(&wrong)).await).await;
            assert_eq!(
                error.kind(),
                Kind::Denied,
                "{mechanism} {listener}: {error}"
            );
            assert!(error.to_string().contains("sasl"), "{error}");
        }
    }
    // Without the authority's certificate nobody knows whom he talks to.
    let mut options = vec![both];
    options.extend(broker.credentials("PLAIN", &right));
    let error = refused(&broker.open("sasl_ssl", &options).await).await;
    assert!(
        error.to_string().to_lowercase().contains("certificate"),
        "{error}"
    );

    let tls = ("kafka.security.protocol", "SSL");
    let certificate = (
        "kafka.ssl.certificate.location",
        broker.printed["client_cert"].as_str(),
    );
    let key = (
        "kafka.ssl.key.location",
        broker.printed["client_key"].as_str(),
    );
    let source = broker.open("ssl", &[tls, ca, certificate, key]).await;
    assert_eq!(read(&source).await.unwrap(), 1);
    let error = refused(&broker.open("ssl", &[tls, ca]).await).await;
    assert!(
        error.to_string().to_lowercase().contains("certificate"),
        "{error}"
    );
    // The key may be a secret of its own instead of a file that librdkafka reads.
    let pem = format!("${{file:{}}}", broker.printed["client_key"]);
    let source = broker
        .open("ssl", &[tls, ca, certificate, ("kafka.ssl.key.pem", &pem)])
        .await;
    assert_eq!(read(&source).await.unwrap(), 1);
    // A plain client at a door for others, and the other way round.
    let error = refused(&broker.open("sasl_ssl", &[]).await).await;
    assert!(
        error.to_string().contains("kafka.security.protocol"),
        "{error}"
    );
    let error = refused(&broker.open("kafka", &[tls, ca]).await).await;
    assert!(
        error.to_string().contains("kafka.security.protocol"),
        "{error}"
    );
    sink(&broker).await;
}

/// A sink uses the same channel.
async fn sink(broker: &Secured) {
    let (right, wrong) = (broker.password("right"), broker.password("wrong"));
    let channel = [
        ("kafka.security.protocol", "SASL_SSL"),
        ("kafka.ssl.ca.location", broker.printed["ca"].as_str()),
    ];
    let with = |password| {
        let mut options = channel.to_vec();
        options.extend(broker.credentials("SCRAM-SHA-512", password));
        options
    };
    let source = broker.open("sasl_ssl", &with(&right)).await;
    assert_eq!(super::sink::write_some(&source).await.unwrap(), 1000);
    assert_eq!(read(&source).await.unwrap(), 1001);
    let source = broker.open("sasl_ssl", &with(&wrong)).await;
    let error = super::sink::write_some(&source).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(
        !format!("{error:?} {error}").contains("swordfish"),
        "{error}"
    );
}

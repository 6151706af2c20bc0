//! A model that finds names, from its directory in the configuration to the ledger.

#[path = "../../../udfs/tests/it/ner_model.rs"]
mod model;

use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::error::Result;
use sluice_flight_server::compose;

use self::model::Files;

const FILES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];

async fn open(model: &Path, data: Option<&Path>) -> Result<Arc<Engine>> {
    let mut config = Config::default();
    config.redaction.ner.model = model.to_owned();
    let names = [("ner", "label"), ("email", "mask")];
    let names = names.map(|(category, mode)| (category.to_owned(), mode.to_owned()));
    let policies = &mut config.redaction.policies;
    policies.insert("names".to_owned(), names.into());
    Engine::open(config, compose::plugin(), data).await
}

async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let session = engine.session(Authority::Owner);
    let prepared = session.prepare(sql).await.unwrap();
    let answer = session.execute(&prepared).await.unwrap();
    let batches: Vec<_> = answer.rows.try_collect().await.unwrap();
    let table = arrow::util::pretty::pretty_format_batches(&batches).unwrap();
    let table = table.to_string();
    let cells = table.lines().filter(|line| line.starts_with('|')).skip(1);
    cells.map(|line| line.replace(' ', "")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_labelled_told_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("model");
    std::fs::create_dir(&directory).unwrap();
    for (name, content) in FILES.iter().zip(Files::new(64).bytes()) {
        std::fs::write(directory.join(name), content).unwrap();
    }
    let events = folder.path().join("events.ndjson");
    let lines = ["Anna Smith called", "bob@x.com in Berlin", "called"];
    let lines = lines.map(|line| format!("{{\"message\":\"{line}\"}}\n"));
    std::fs::write(&events, lines.concat()).unwrap();
    let data = folder.path().join("data");
    let engine = open(&directory, Some(&data)).await.unwrap();
    let location = events.display();
    for sql in [
        &format!(
            "CREATE EXTERNAL TABLE events (message VARCHAR) STORED AS FILE LOCATION '{location}'"
        ),
        "CREATE TABLE logs (message VARCHAR, pii VARCHAR[])",
        "CREATE PIPELINE ingest WITH (max_latency = '10ms', 'redact.message' = 'names') AS \
         INSERT INTO logs SELECT message FROM events",
    ] {
        rows(&engine, sql).await;
    }
    engine.start_pipelines();
    let count = "SELECT count(*) FROM logs";
    let since = std::time::Instant::now();
    while rows(&engine, count).await != ["|3|"] {
        assert!(
            since.elapsed().as_secs() < 60,
            "{:?}",
            rows(&engine, count).await
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let stored = rows(&engine, "SELECT message, pii FROM logs ORDER BY 1").await;
    let want = [
        "|[PERSON]called|[person]|",
        "|b***@x.comin[ADDRESS]|[address,email]|",
        "|called|[]|",
    ];
    assert_eq!(stored, want);
    let ledger = "SELECT policy, category, sum(count) FROM system.redactions \
                  GROUP BY 1, 2 ORDER BY 2";
    let want = ["|names|address|1|", "|names|email|1|", "|names|person|1|"];
    assert_eq!(rows(&engine, ledger).await, want);
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_be_used_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    let error = async || open(directory, None).await.unwrap_err().to_string();
    for (name, content) in FILES.iter().zip(Files::new(64).bytes()) {
        let missing = error().await;
        assert!(missing.contains(&format!("{name}\"")), "{missing}");
        assert!(missing.contains("leave `model` empty"), "{missing}");
        std::fs::write(directory.join(name), content).unwrap();
    }
    open(directory, None).await.unwrap();
    std::fs::write(directory.join(FILES[2]), "nothing").unwrap();
    let broken = error().await;
    let told = "redaction.ner.model: cannot use";
    assert!(
        broken.contains(told) && broken.contains("model.safetensors"),
        "{broken}"
    );
    assert!(broken.contains("copy the whole file again"), "{broken}");
    // Without a model a policy that needs one is refused.
    let none = open(Path::new(""), None).await.unwrap_err().to_string();
    assert!(none.contains("\"names\" names organization"), "{none}");
}

//! The SQL that is shipped: it runs, it may run again, every query plans against its tables, and
//! the pipelines do with records what their comments say.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sluice_engine::config::Config;
use sluice_engine::statement::split;
use tempfile::TempDir;

use crate::adapter::Memory;

/// The longest a test waits for a pipeline.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reference tables and a feed below `folder`.
fn config(folder: &Path) -> Config {
    let at = folder.display();
    for (name, content) in [
        ("hosts.csv", "host,tier\npay-1,critical\n"),
        ("customers.csv", "id,tier\nuser-7,gold\n"),
        ("bad.netset", "198.51.100.0/29\n"),
    ] {
        fs::write(folder.join(name), content).unwrap();
    }
    let settings = format!(
        "[enrichment.tables]\nhosts = {{ path = \"{at}/hosts.csv\", key = \"host\" }}\n\
         customers = {{ path = \"{at}/customers.csv\", key = \"id\" }}\n\
         [enrichment.feeds.bad]\npath = \"{at}/bad.netset\"\nscore = 60\ncategories = [\"scan\"]\n\
         reserved = true\n"
    );
    Config::load(None, [], settings.parse().unwrap()).unwrap()
}

async fn run(memory: &Memory, sql: &str) {
    if let Err(error) = memory.execute(sql).await {
        panic!("{sql}\n{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_sql_runs_twice_and_the_queries_plan() {
    let folder = TempDir::new().unwrap();
    let configured = || config(folder.path());
    for (pipeline, config) in [
        (sluice_sql::PIPELINE, Config::default()),
        (sluice_sql::PIPELINE_ENRICHED, configured()),
    ] {
        let memory = Memory::open_with(config).await.unwrap();
        // Nothing listens there: a stream is defined before or after its broker.
        let pipeline = sluice_sql::at_broker(pipeline, "127.0.0.1:1");
        let script = format!("{}{pipeline}", sluice_sql::SCHEMA);
        let statements = split(&script).unwrap();
        for sql in statements.iter().chain(&statements) {
            run(&memory, sql).await;
        }
        for query in sluice_sql::QUERIES {
            run(&memory, query).await;
        }
        let columns = memory.execute("SELECT * FROM logs").await.unwrap().0;
        let names: Vec<&str> = columns
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        let first = [
            "timestamp",
            "severity",
            "source",
            "message",
            "host",
            "service_version",
        ];
        assert_eq!(names[..6], first);
        assert_eq!(names[names.len() - 4..], sluice_engine::lineage::NAMES);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_enriched_pipeline_says_which_table_it_lacks() {
    let memory = Memory::open().await.unwrap();
    let pipeline = sluice_sql::at_broker(sluice_sql::PIPELINE_ENRICHED, "127.0.0.1:1");
    let script = format!("{}{pipeline}", sluice_sql::SCHEMA);
    let statements = split(&script).unwrap();
    let (last, before) = statements.split_last().unwrap();
    for sql in before {
        run(&memory, sql).await;
    }
    let error = memory.execute(last).await.unwrap_err().to_string();
    assert!(
        error.contains("no reference table \"hosts\"") && error.contains("[enrichment.tables]"),
        "{error}"
    );
}

/// DEBUG lines among the [`records`], one for each request.
const DETAILS: usize = 400;
/// Rows that the other records become: of the two that are equal and have a trace one, and both of
/// those without a trace.
const KEPT: usize = 6;
/// Records in all, one of which is no JSON.
const ALL: usize = KEPT + 2 + DETAILS;

/// Records of every kind.
fn records() -> String {
    let payment = r#"
"timestamp":"2026-02-05T10:00:04Z","severity":"Info","source":"payment","host":"pay-1",
"trace_id":"t-4","user_id":"user-7","client_ip":"192.0.2.9","status":200,
"message":"card 4111 1111 1111 1111 charged","attributes":"{\"password\":\"hunter2\"}"
"#;
    let odd = r#"
"timestamp":"2026-02-05T10:00:05Z","severity":"odd","source":"x","message":"kept"
"#;
    let members = [
        r#"
"timestamp":"2026-02-05T10:00:01Z","source":"edge","host":"edge-1","trace_id":"t-1",
"message":"198.51.100.3 - - [05/Feb/2026:10:00:00 +0000] \"GET /orders?customer=
anna.brown@example.com HTTP/1.1\" 503 12 \"-\" \"curl\""
"#,
        r#"
"timestamp":"2026-02-05T10:00:02Z","source":"stock",
"message":"level=warn trace_id=t-2 msg=\"low\""
"#,
        r#"
"source":"mail","message":"{\"ts\":\"2026-02-05T10:00:03Z\",\"level\":\"error\",
\"msg\":\"bounced\",\"host\":\"mail-1\"}"
"#,
        payment,
        payment,
        odd,
        odd,
    ];
    let objects = members.map(|members| format!("{{{}}}\n", members.replace('\n', "")));
    let mut lines = format!("{}not JSON at all\n", objects.concat());
    for number in 0..DETAILS {
        let message = format!("level=debug trace_id=d-{number} msg=detail");
        let at = "2026-02-05T10:00:06Z";
        writeln!(
            lines,
            r#"{{"timestamp":"{at}","source":"x","host":"h","message":"{message}"}}"#
        )
        .unwrap();
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stage_does_its_part_and_every_record_is_accounted_for() {
    for enriched in [false, true] {
        let folder = TempDir::new().unwrap();
        let (pipeline, config) = match enriched {
            false => (sluice_sql::PIPELINE, Config::default()),
            true => (sluice_sql::PIPELINE_ENRICHED, config(folder.path())),
        };
        let file = folder.path().join("events.ndjson");
        fs::write(&file, records()).unwrap();
        let memory = Memory::open_with(config).await.unwrap();
        let kafka = "STORED AS KAFKA LOCATION 'kafka://${KAFKA}/log-events'";
        let of_file = format!("STORED AS FILE LOCATION '{}'", file.display());
        assert!(pipeline.contains(kafka));
        let script = format!(
            "{}{}",
            sluice_sql::SCHEMA,
            pipeline.replace(kafka, &of_file)
        );
        for sql in split(&script).unwrap() {
            run(&memory, &sql).await;
        }
        memory.start();
        let began = Instant::now();
        while memory.events() < ALL as u64 {
            assert!(
                began.elapsed() < PATIENCE,
                "{:?}",
                memory.value("SHOW PIPELINES").await
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        check_columns(&memory, enriched).await;
        let sampled =
            format!("SELECT count(*) FROM range({DETAILS}) AS d(n) WHERE sample('d-' || n, 0.1)");
        let sampled: usize = memory.value(&sampled).await.concat().parse().unwrap();
        assert!((10..90).contains(&sampled), "{sampled}");
        let stored = (KEPT + sampled).to_string();
        assert_eq!(memory.value("SELECT count(*) FROM logs").await, [stored]);
        assert_eq!(memory.value("SELECT count(*) FROM logs__dlq").await, ["1"]);
        let filtered = "SELECT sum(filtered) FROM system.commits WHERE \"table\" = 'logs'";
        let left_out = (ALL - KEPT - sampled - 1).to_string();
        assert_eq!(memory.value(filtered).await, [left_out]);
        let proof = memory.value("VERIFY TABLE logs").await.concat();
        assert!(proof.contains("ok"), "{proof}");
        for query in sluice_sql::QUERIES {
            run(&memory, query).await;
        }
        let accounts = memory.value(sluice_sql::QUERIES[6]).await.join(";");
        for none in ["missing,0", "stored twice,0"] {
            assert!(accounts.contains(none), "{accounts}");
        }
    }
}

async fn check_columns(memory: &Memory, enriched: bool) {
    let row = |source: &str, columns: &str| {
        format!("SELECT concat_ws(',', {columns}) FROM logs WHERE source = '{source}' LIMIT 1")
    };
    let cases = [
        (
            "edge",
            "severity, severity_number, status, client_ip, \
             message LIKE '%=anna***@example.com HTTP%', array_to_string(pii, '+')",
            "ERROR,17,503,198.51.100.3,true,email",
        ),
        (
            "stock",
            "severity, severity_number, trace_id, cardinality(pii)",
            "WARN,13,t-2,0",
        ),
        (
            "mail",
            "severity, host, to_char(timestamp, '%T')",
            "ERROR,mail-1,10:00:03",
        ),
        (
            "payment",
            "severity, client_ip, message, attributes, array_to_string(pii, '+')",
            "INFO,192.0.2.9,card xxxx-xxxx-xxxx-1111 charged,{\"password\":\"\"},\
             credit_card+password",
        ),
        (
            "x",
            "severity, severity_number IS NULL, message",
            "ODD,true,kept",
        ),
    ];
    for (source, columns, want) in cases {
        assert_eq!(
            memory.value(&row(source, columns)).await,
            [want],
            "{columns}"
        );
    }
    let known = "SELECT concat_ws(',', max(threat_score), max(service_tier), max(customer_tier), \
                 max(client_country)) FROM logs";
    let want = if enriched { "60.0,critical,gold" } else { "" };
    assert_eq!(memory.value(known).await, [want]);
    let ledger = "SELECT category, sum(count) FROM system.redactions GROUP BY 1 ORDER BY 1";
    // Of the line that was sent twice each finding counts once.
    let want = ["credit_card,1", "email,1", "password,1"];
    assert_eq!(memory.value(ledger).await, want);
}

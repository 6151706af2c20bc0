//! Policies and the ledger, as a session has them in its configuration.

use std::collections::BTreeMap;

use datafusion::arrow::array::AsArray;
use datafusion::prelude::{SessionConfig, SessionContext};
use sluice_udfs::pii::ledger::{Ledger, Redaction};
use sluice_udfs::pii::policy::{HashKey, Policies, PolicyText};

fn policies() -> Policies {
    let bank = PolicyText {
        categories: vec!["credit_card".to_owned()],
        mode: None,
        modes: BTreeMap::from([("email".to_owned(), "hash".to_owned())]),
    };
    let texts = BTreeMap::from([("bank".to_owned(), bank)]);
    Policies::parse(&texts, Some(HashKey::new(b"a key of tests"))).unwrap()
}

fn session(ledger: &Ledger) -> SessionContext {
    let config = SessionConfig::new()
        .with_option_extension(policies())
        .with_option_extension(ledger.clone());
    let mut context = SessionContext::new_with_config(config);
    sluice_udfs::register_all(&mut context).unwrap();
    context
}

async fn texts(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let rows = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_string::<i32>());
    rows.map(|text| text.unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_policy_of_the_configuration_is_used_and_counted() {
    let ledger = Ledger::default();
    let context = session(&ledger);
    let sql = "SELECT redact(t, NULL, NULL, 'bank') FROM (VALUES \
               ('bob@x.com paid 4111111111111111'), ('BOB@x.com'), ('(212) 555-7890')) AS v(t)";
    let got = texts(&context, sql).await;
    let (hash, rest) = got[0].split_once(']').unwrap();
    assert!(
        hash.starts_with("[EMAIL:") && hash.len() == "[EMAIL:".len() + 16,
        "{hash}"
    );
    assert_eq!(rest, " paid xxxx-xxxx-xxxx-1111");
    assert_eq!(
        got[1],
        format!("{hash}]"),
        "equal addresses have equal hashes"
    );
    assert_eq!(got[2], "(212) 555-7890");
    let policy_hash = policies().get("bank").unwrap().hash().to_owned();
    let count = |category, count| Redaction {
        policy_hash: policy_hash.clone(),
        category,
        count,
    };
    assert_eq!(ledger.take(), [count("credit_card", 1), count("email", 2)]);
    assert_eq!(ledger.take(), []);
}

#[tokio::test]
async fn a_call_without_a_policy_counts_under_its_own_rules() {
    let ledger = Ledger::default();
    let context = session(&ledger);
    let sql = "SELECT redact(t) FROM (VALUES ('bob@x.com'), ('password=hunter2')) AS v(t)";
    assert_eq!(texts(&context, sql).await, ["b***@x.com", "password="]);
    let taken = ledger.take();
    let default = Policies::default()
        .get("default")
        .unwrap()
        .hash()
        .to_owned();
    assert!(
        taken.iter().all(|one| one.policy_hash == default),
        "{taken:?}"
    );
    let counts: Vec<_> = taken.iter().map(|one| (one.category, one.count)).collect();
    assert_eq!(counts, [("email", 1), ("password", 1)]);
}

//! Names that a model finds: which text is a finding at which place, and when the model is asked.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;
use sluice_udfs::model::ModelFiles;
use sluice_udfs::pii::ledger::Ledger;
use sluice_udfs::pii::ner::{Ner, NerError, NerSettings};
use sluice_udfs::pii::policy::{HashKey, Policies, PolicyText};

use crate::ner_model::Files;

/// The model of `files`.
pub(crate) fn load(files: &Files, labels: &[(&str, &str)]) -> Result<Ner, NerError> {
    let [config, tokenizer, weights] = files.bytes();
    let files = ModelFiles {
        config: &config,
        tokenizer: &tokenizer,
        weights: &weights,
    };
    let labels = labels.iter().copied();
    let settings = NerSettings {
        minimum_score: 80,
        labels: labels
            .map(|(one, other)| (one.to_owned(), other.to_owned()))
            .collect(),
    };
    Ner::load(files, &settings)
}

fn context(policies: Policies, ledger: &Ledger) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .with_option_extension(policies)
        .with_option_extension(ledger.clone());
    let mut context = SessionContext::new_with_config(config);
    sluice_udfs::register_all(&mut context).unwrap();
    context
}

/// A session with a model of this many positions.
fn session(positions: usize) -> SessionContext {
    let model = load(&Files::new(positions), &[]).unwrap();
    let key = HashKey::new(b"a key of tests");
    let policies = Policies::with_model(&BTreeMap::new(), Some(key), Some(model)).unwrap();
    context(policies, &Ledger::default())
}

/// A finding: its row, category, text, score and rule.
type Found = (usize, String, String, f64, String);

/// What `redact_spans` finds in `texts`, all in one batch.
async fn spans(context: &SessionContext, texts: &[&str], categories: &str) -> Vec<Found> {
    let rows: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    let sql = format!(
        "SELECT t, redact_spans(t, '{categories}') FROM (VALUES {}) AS v(t)",
        rows.join(", ")
    );
    let batches = context.sql(&sql).await.unwrap().collect().await.unwrap();
    let mut found = Vec::new();
    let mut before = 0;
    for batch in batches {
        let texts = batch.column(0).as_string::<i32>();
        let lists = batch.column(1).as_list::<i32>();
        for row in 0..batch.num_rows() {
            let list = lists.value(row);
            let list = list.as_struct();
            let number = |at: usize| list.column(at).as_primitive::<Int64Type>();
            for one in 0..list.len() {
                let (from, to) = (number(1).value(one), number(2).value(one));
                let text = texts.value(row).chars().skip(from as usize);
                found.push((
                    before + row,
                    list.column(0).as_string::<i32>().value(one).to_owned(),
                    text.take((to - from) as usize).collect(),
                    list.column(3).as_primitive::<Float64Type>().value(one),
                    list.column(4).as_string::<i32>().value(one).to_owned(),
                ));
            }
        }
        before += batch.num_rows();
    }
    found
}

fn quoted(text: &str) -> String {
    format!("('{}')", text.replace('\'', "''"))
}

async fn text(context: &SessionContext, sql: &str) -> String {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let column = cast(batches[0].column(0), &DataType::Utf8).unwrap();
    column.as_string::<i32>().value(0).to_owned()
}

async fn redacted(context: &SessionContext, text_: &str, options: &str) -> String {
    let sql = format!(
        "SELECT redact(t, {options}) FROM (VALUES {}) AS v(t)",
        quoted(text_)
    );
    text(context, &sql).await
}

async fn error(context: &SessionContext, sql: &str) -> String {
    match context.sql(sql).await {
        Ok(planned) => planned.collect().await.unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn findings_are_at_exact_places() {
    let context = session(64);
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("Anna called", &[("person", "Anna")]),
        ("ANNA SMITH called", &[("person", "ANNA SMITH")]),
        // A name begins anew at `B-`.
        (
            "Anna Anna Smith",
            &[("person", "Anna"), ("person", "Anna Smith")],
        ),
        // The first token of a word has the say.
        (
            "Annason called, Smithson",
            &[("person", "Annason"), ("person", "Smithson")],
        ),
        ("calledson", &[]),
        // Accents are folded and characters of several bytes counted.
        (
            "\u{1f600}caf\u{e9} Ren\u{e9} Smith \u{1f600}\u{e9} Berlin.",
            &[("person", "Ren\u{e9} Smith"), ("address", "Berlin")],
        ),
        ("Rene\u{301} called", &[("person", "Rene\u{301}")]),
        (
            "(Anna) of ACME, Berlin!",
            &[
                ("person", "Anna"),
                ("organization", "ACME"),
                ("address", "Berlin"),
            ],
        ),
        // What is not of ours, and what is not likely enough.
        ("friday maybe 12:30", &[]),
        (
            "\u{0}Anna\u{7}\u{1b}[0m\tSmith\u{200b}",
            &[("person", "Anna"), ("person", "Smith")],
        ),
        ("", &[]),
        (" \t ", &[]),
        ("\u{0}\u{1}", &[]),
        ("\u{301}\u{fe0f}", &[]),
    ];
    for (text, want) in cases {
        let got = spans(&context, &[text], "ner").await;
        let got: Vec<_> = got
            .iter()
            .map(|one| (one.1.as_str(), one.2.as_str()))
            .collect();
        assert_eq!(&got, want, "{text:?}");
    }
}

#[tokio::test]
async fn the_score_is_that_of_the_category_and_the_rule_is_ner() {
    let context = session(64);
    let found = spans(&context, &["mixed", "Anna called"], "ner").await;
    let told: Vec<_> = found
        .iter()
        .map(|one| (one.0, one.3, one.4.as_str()))
        .collect();
    // Two labels of one category have the probability of both.
    assert_eq!(told, [(0, 1.0, "ner"), (1, 1.0, "ner")]);
}

#[tokio::test]
async fn the_model_is_asked_by_name_only() {
    let with = session(64);
    let without = context(Policies::default(), &Ledger::default());
    let line = "Anna called full_name=Li user@x.com";
    for (categories, mask) in [
        ("tier1", "Anna called full_name=Li u***@x.com"),
        ("tier2", "Anna called full_name=[PERSON] user@x.com"),
        ("all", "Anna called full_name=[PERSON] u***@x.com"),
    ] {
        for session in [&with, &without] {
            let options = format!("'{categories}'");
            assert_eq!(
                redacted(session, line, &options).await,
                mask,
                "{categories}"
            );
        }
    }
    let strict = "NULL, NULL, 'strict'";
    let want = "Anna called full_name=[PERSON] [EMAIL]";
    assert_eq!(redacted(&with, line, strict).await, want);
    let by_rule = "Anna called full_name=[PERSON] user@x.com";
    assert_eq!(redacted(&without, line, "'person'").await, by_rule);
    let by_model = "[PERSON] called full_name=[PERSON] user@x.com";
    assert_eq!(redacted(&with, line, "'person'").await, by_model);
    assert_eq!(
        redacted(&with, "Anna at ACME", "'address'").await,
        "Anna at ACME"
    );
    let default = spans(&with, &["Anna called"], "tier1,tier2").await;
    assert!(default.is_empty(), "{default:?}");
}

#[tokio::test]
async fn what_only_a_model_finds_needs_one() {
    let context = context(Policies::default(), &Ledger::default());
    for call in [
        "redact('x', 'ner')",
        "redact(t, 'organization')",
        "redact_spans(t, 'ner')",
        "pii_categories(t, 'email,ner')",
    ] {
        let sql = format!("SELECT {call} FROM (VALUES ('x')) AS v(t)");
        let error = error(&context, &sql).await;
        assert!(
            error.contains("name one under [redaction.ner]"),
            "{call}: {error}"
        );
    }
    let text = PolicyText {
        categories: vec!["ner".to_owned()],
        ..PolicyText::default()
    };
    let texts = BTreeMap::from([("names".to_owned(), text)]);
    let refused = Policies::parse(&texts, None).unwrap_err().to_string();
    assert!(
        refused.contains("\"names\" names organization"),
        "{refused}"
    );
    let model = load(&Files::new(64), &[]).unwrap();
    Policies::with_model(&texts, None, Some(model)).unwrap();
}

#[tokio::test]
async fn long_texts_are_read_in_windows() {
    for positions in [8, 16, 61] {
        let context = session(positions);
        for before in 0..70 {
            let filler = "called ".repeat(before);
            let line = format!("{filler}Anna Smith {filler}Berlin {filler}ACME");
            let found = spans(&context, &[&line], "ner").await;
            let found: Vec<_> = found.iter().map(|one| one.2.as_str()).collect();
            assert_eq!(
                found,
                ["Anna Smith", "Berlin", "ACME"],
                "{positions} {before}"
            );
        }
    }
    // Pieces, at whose ends names stand too.
    let context = session(64);
    for before in 0..12 {
        let line = "x".repeat(before) + &" Rene\u{301} Smith called".repeat(2_000);
        let found = spans(&context, &[&line], "ner").await;
        assert!(
            found.iter().all(|one| one.2 == "Rene\u{301} Smith"),
            "{before}"
        );
        assert_eq!(found.len(), 2_000, "{before}");
    }
}

#[tokio::test]
async fn a_text_is_read_alike_alone_and_in_company() {
    let context = session(32);
    let long = "called Anna ".repeat(300);
    let texts = [
        "Anna",
        "",
        "Berlin, ACME",
        &long,
        "Anna",
        "called",
        "Smith of ACME",
        "12",
    ];
    let together = spans(&context, &texts, "ner").await;
    let mut alone = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        let found = spans(&context, &[text], "ner").await;
        alone.extend(
            found
                .into_iter()
                .map(|one| (row, one.1, one.2, one.3, one.4)),
        );
    }
    assert_eq!(together, alone);
    assert_eq!(together.len(), 306);
}

#[tokio::test]
async fn rules_go_before_the_model_and_masks_are_no_names() {
    let context = session(64);
    let cases = [
        // What lies beside the finding of a rule stays found.
        ("anna smith@x.com", "'person,email'", "[PERSON] sm***@x.com"),
        (
            "full_name=\"Anna Smith\"",
            "'person'",
            "full_name=\"[PERSON]\"",
        ),
        (
            r#"{"m":"Anna\nAnna","n":"\u00e9Berlin"}"#,
            "'ner', 'label'",
            r#"{"m":"[PERSON]\n[PERSON]","n":"\u00e9[ADDRESS]"}"#,
        ),
        (r#"["Anna","Smith"]"#, "'ner'", r#"["[PERSON]","[PERSON]"]"#),
        (
            "Anna and [ANNA] anna***",
            "'ner', 'remove'",
            " and [] anna***",
        ),
    ];
    for (line, options, want) in cases {
        let once = redacted(&context, line, options).await;
        assert_eq!(once, want, "{line}");
        assert_eq!(
            redacted(&context, &once, options).await,
            want,
            "twice: {line}"
        );
    }
    for mode in ["mask", "label", "hash", "remove"] {
        let options = format!("'ner', '{mode}'");
        let once = redacted(&context, "AnnAnnaa Anna Smith (Berlin) ACME", &options).await;
        assert_eq!(redacted(&context, &once, &options).await, once, "{mode}");
    }
}

#[tokio::test]
async fn other_functions_know_the_names_too() {
    let context = session(64);
    let line = "Anna Smith of ACME wrote to bob@x.com";
    let sql = format!("SELECT array_to_string(pii_categories('{line}', 'ner,email'), ' ')");
    assert_eq!(text(&context, &sql).await, "email organization person");
    let sql = format!(
        "SELECT CAST(match_pii('{line}', 'Anna Smith', 'person') AS VARCHAR) || \
         match_pii('{line}', 'Anna Smith') || match_pii(redact('{line}', 'person', 'hash'), \
         'Anna Smith')"
    );
    assert_eq!(text(&context, &sql).await, "truefalsetrue");
    let sql = format!(
        "SELECT redact('{line}', 'person', 'hash') = pii_token('Anna Smith', 'person') || \
         ' of ACME wrote to bob@x.com'"
    );
    assert_eq!(text(&context, &sql).await, "true");
}

#[tokio::test]
async fn the_ledger_counts_names() {
    let text = PolicyText {
        categories: vec!["person".to_owned(), "email".to_owned()],
        ..PolicyText::default()
    };
    let texts = BTreeMap::from([("names".to_owned(), text.clone())]);
    let model = load(&Files::new(64), &[]).unwrap();
    let policies = Policies::with_model(&texts, None, Some(model)).unwrap();
    let hash = policies.get("names").unwrap().hash().to_owned();
    let ledger = Ledger::default();
    let context = context(policies, &ledger);
    let sql = "SELECT redact(t, NULL, NULL, 'names') FROM (VALUES ('Anna and Rene, bob@x.com'), \
               ('Anna and Rene, bob@x.com'), ('Berlin')) AS v(t)";
    context.sql(sql).await.unwrap().collect().await.unwrap();
    let taken = ledger.take();
    assert!(taken.iter().all(|one| one.policy_hash == hash));
    let counts: Vec<_> = taken.iter().map(|one| (one.category, one.count)).collect();
    assert_eq!(counts, [("email", 2), ("person", 4)]);
    // The same categories in a set are other rules, for which no model is run.
    let set = PolicyText {
        categories: vec!["tier2".to_owned()],
        ..text.clone()
    };
    let mut named = set.clone();
    named.categories.push("person".to_owned());
    let texts = BTreeMap::from([("a".to_owned(), set), ("b".to_owned(), named)]);
    let policies = Policies::parse(&texts, None).unwrap();
    let hash = |name| policies.get(name).unwrap().hash();
    assert_ne!(hash("a"), hash("b"));
}

#[tokio::test]
async fn labels_may_be_given_a_category() {
    let model = load(&Files::new(64), &[("misc", "organization")]).unwrap();
    let policies = Policies::with_model(&BTreeMap::new(), None, Some(model)).unwrap();
    let context = context(policies, &Ledger::default());
    let got = redacted(&context, "Friday at ACME", "'organization'").await;
    assert_eq!(got, "[ORGANIZATION] at [ORGANIZATION]");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_read_and_redacted_once_for_all(
        parts in prop::collection::vec(prop_oneof![
            any::<String>(),
            Just("Anna ".to_owned()),
            Just("Smith".to_owned()),
            Just("[PERSON]".to_owned()),
            Just("\\".to_owned()),
            Just("\"".to_owned()),
            Just(" Berlin".to_owned()),
        ], 0..12),
        mode in prop_oneof![Just("mask"), Just("label"), Just("hash"), Just("remove")],
    ) {
        let line = parts.concat();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let context = session(16);
            let options = format!("'ner', '{mode}'");
            let once = redacted(&context, &line, &options).await;
            let twice = redacted(&context, &once, &options).await;
            prop_assert_eq!(once, twice, "{:?}", line);
            Ok(())
        })?;
    }
}

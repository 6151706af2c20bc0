//! Spans, tokens and matches as SQL asks for them, and what they say when they cannot answer.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::prelude::SessionContext;

use crate::call::{keyed_session, redact, session, spans};

async fn value(sql: &str) -> String {
    let frame = keyed_session().sql(sql).await.unwrap();
    let batches = frame.collect().await.unwrap();
    let column = cast(batches[0].column(0), &DataType::Utf8);
    column.unwrap().as_string::<i32>().value(0).to_owned()
}

async fn planning_error(context: &SessionContext, call: &str) -> String {
    let sql = format!("SELECT {call} FROM (SELECT column1 AS t FROM (VALUES ('a'), ('b')))");
    match context.sql(&sql).await {
        Err(error) => error.to_string(),
        Ok(frame) => frame.create_physical_plan().await.unwrap_err().to_string(),
    }
}

#[tokio::test]
async fn wrong_options_are_planning_errors_that_name_the_way_out() {
    let cases = [
        (
            "redact_spans(t, 'emial')",
            "valid are credit_card, card_track",
        ),
        ("redact_spans(t, t)", "literals, not columns"),
        ("redact_spans(t, 'email', 'x')", "at most the categories"),
        ("redact_spans(7)", "CAST(... AS VARCHAR)"),
        ("pii_token(t, 'emial')", "valid are credit_card, card_track"),
        (
            "pii_token(t, 'tier1')",
            "does not know the category \"tier1\"",
        ),
        ("pii_token(t, t)", "a literal, not a column"),
        ("pii_token(t)", "pii_token(value, category)"),
        (
            "match_pii(t, 'a', 'emial')",
            "valid are credit_card, card_track",
        ),
        ("match_pii(t, 'a', t)", "a literal, not a column"),
        ("match_pii(t)", "match_pii(message, value [, category])"),
    ];
    for (call, want) in cases {
        let error = planning_error(&keyed_session(), call).await;
        assert!(error.contains(want), "{call}: {error}");
    }
}

#[tokio::test]
async fn tokens_need_a_key() {
    let context = session();
    for call in ["pii_token(t, 'email')", "match_pii(t, 'a')"] {
        let error = planning_error(&context, call).await;
        assert!(
            error.contains("set the hash key of the policies"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_token_stands_for_its_value_wherever_it_is() {
    let same = "pii_token('4111 1111 1111 1111', 'credit_card') \
                = redact('4111111111111111', 'credit_card', 'hash')";
    assert_eq!(value(&format!("SELECT {same}")).await, "true");
    let other = "pii_token('a@x.com', 'email') = pii_token('a@x.com', 'username')";
    assert_eq!(value(&format!("SELECT {other}")).await, "false");
    let joined = "SELECT count(*) FROM (VALUES ('A@x.com'), ('b@x.com')) AS people(mail) \
                  JOIN (SELECT redact(column1, 'email', 'hash') AS who \
                        FROM (VALUES ('a@x.com'), ('c@x.com'))) AS logs \
                  ON logs.who = pii_token(people.mail, 'email')";
    assert_eq!(value(joined).await, "1");
    let text = "redact('call (212) 555-7890 of a@x.com', 'phone,email', 'hash')";
    for (subject, category, want) in [
        ("212.555.7890", "", "true"),
        ("212.555.7890", ", 'phone'", "true"),
        ("212.555.7890", ", 'email'", "false"),
        ("212.555.7891", "", "false"),
        ("A@X.COM", "", "true"),
    ] {
        let sql = format!("SELECT match_pii({text}, '{subject}'{category})");
        assert_eq!(value(&sql).await, want, "{sql}");
    }
}

#[test]
fn spans_are_what_is_redacted() {
    let texts = [
        "caf\u{e9} bob@x.com \u{1f600} 536-90-4399; password=hunter2",
        "from 10.1.2.3 user=bob vin 1M8GDM9AXKP042788",
        "nothing",
        "",
    ];
    for categories in ["tier1", "tier2", "all"] {
        let labelled = redact(&texts, &[categories, "label"]);
        for ((text, found), labelled) in texts.iter().zip(spans(&texts, categories)).zip(labelled) {
            let letters: Vec<char> = text.chars().collect();
            let mut rebuilt = String::new();
            let mut at = 0;
            for (category, start, end) in found {
                assert!(at <= start && start < end, "{text}");
                rebuilt.extend(&letters[at..start]);
                rebuilt += &format!("[{}]", category.to_uppercase());
                at = end;
            }
            rebuilt.extend(&letters[at..]);
            assert_eq!(rebuilt, labelled, "{categories}");
        }
    }
}

#[test]
fn masks_of_what_is_looked_for_by_name() {
    let cases = [
        ("from 10.20.30.40:80", "from 10.20.30.xxx:80"),
        (
            "{\"lat\":52.520008,\"id\":1}",
            "{\"lat\":\"52.52\",\"id\":1}",
        ),
        ("mac=00:1a:2b:3c:4d:5e", "mac=00:1a:2b:xx:xx:xx"),
        (
            "dob=1980-05-12 nhs 943 476 5919",
            "dob=[DATE_OF_BIRTH] nhs xxxx5919",
        ),
        (
            "user=bob last_name=\"Li\"",
            "user=b*** last_name=\"[PERSON]\"",
        ),
    ];
    for (text, want) in cases {
        let got = redact(&[text], &["tier2,uk_nhs"]);
        assert_eq!(got, [want]);
        assert_eq!(redact(&[want], &["tier2,uk_nhs"]), [want], "twice");
    }
}

//! Options of functions as SQL gives them: by position, by name, as a string or a list, wrong.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

use crate::call::session;

async fn value(sql: &str) -> Result<String, String> {
    let frame = session()
        .sql(sql)
        .await
        .map_err(|error| error.to_string())?;
    let batches = frame.collect().await.map_err(|error| error.to_string())?;
    let column = cast(batches[0].column(0), &DataType::Utf8);
    Ok(column.unwrap().as_string::<i32>().value(0).to_owned())
}

/// The error of planning alone: nothing is executed.
async fn planning_error(sql: &str) -> String {
    match session().sql(sql).await {
        Err(error) => error.to_string(),
        Ok(frame) => frame.create_physical_plan().await.unwrap_err().to_string(),
    }
}

const TEXT: &str = "bob@x.com 4111111111111111";

#[tokio::test]
async fn options_come_by_position_and_by_name() {
    let cases = [
        ("", "b***@x.com xxxx-xxxx-xxxx-1111"),
        (", 'email'", "b***@x.com 4111111111111111"),
        (", 'email, credit_card', 'label'", "[EMAIL] [CREDIT_CARD]"),
        (", ARRAY['email','credit_card'], 'remove'", " "),
        (
            ", categories => ARRAY['credit_card']",
            "bob@x.com xxxx-xxxx-xxxx-1111",
        ),
        (
            ", mode => 'label', categories => 'all'",
            "[EMAIL] [CREDIT_CARD]",
        ),
        (", NULL, 'label'", "[EMAIL] [CREDIT_CARD]"),
        (", NULL, NULL, 'pci'", "bob@x.com xxxx-xxxx-xxxx-1111"),
        (
            ", categories => 'tier1', mode => NULL, policy => NULL",
            "b***@x.com xxxx-xxxx-xxxx-1111",
        ),
    ];
    for (options, want) in cases {
        let sql = format!("SELECT redact('{TEXT}'{options})");
        assert_eq!(value(&sql).await.as_deref(), Ok(want), "{sql}");
        let sql = format!("SELECT redact(t{options}) FROM (VALUES ('{TEXT}')) AS v(t)");
        assert_eq!(value(&sql).await.as_deref(), Ok(want), "{sql}");
    }
}

#[tokio::test]
async fn wrong_options_are_planning_errors_that_name_the_way_out() {
    let cases = [
        (
            "redact(t, 'emial')",
            "valid are credit_card, card_track, cvv",
        ),
        ("redact(t, ARRAY['email','emial'])", "valid are credit_card"),
        (
            "redact(t, 'email', 'blur')",
            "valid are mask, label, hash, remove",
        ),
        (
            "redact(t, modus => 'label')",
            "Valid parameters are: [text, categories, mode, policy]",
        ),
        ("redact(t, t)", "literals, not columns"),
        (
            "redact(t, 'email', 'mask', NULL, 'x')",
            "at most four arguments",
        ),
        (
            "redact(t, 'email', NULL, 'pci')",
            "leave out one or the other",
        ),
        (
            "redact(t, NULL, NULL, 'bank')",
            "valid are default, pci, secrets, strict",
        ),
        ("redact(t, 'email', 'hash')", "set the hash key"),
        ("redact(t, 7)", "of redact is a string or a list"),
        ("redact(7)", "CAST(... AS VARCHAR)"),
    ];
    for (call, want) in cases {
        let sql = format!("SELECT {call} FROM (SELECT column1 AS t FROM (VALUES ('a'), ('b')))");
        let error = planning_error(&sql).await;
        assert!(error.contains(want), "{sql}: {error}");
    }
}

//! Statements in parts: parameters, portals that rest, errors up to the next Sync.

use super::Served;
use super::client::{kinds, tags};

#[tokio::test(flavor = "multi_thread")]
async fn parameters_and_results_in_text_and_binary() {
    let served = Served::start().await;
    let mut client = served.client().await;
    client
        .execute("SELECT CAST($1 AS BIGINT) + 1 AS n", &["41"], 0)
        .await;
    client.send('S', b"").await;
    let answers = client.answers().await;
    assert_eq!(kinds(&answers), "12TDCZ");
    assert_eq!(answers[3].values(), [Some(b"42".to_vec())]);

    // An int4 and a text in binary, results in binary.
    let parse = b"s\0SELECT $1 AS a, $2 AS b\0\0\x02\0\0\0\x17\0\0\0\x19";
    client.send('P', parse).await;
    client.send('D', b"Ss\0").await;
    let bind = b"\0s\0\0\x01\0\x01\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x02hi\0\x01\0\x01";
    client.send('B', bind).await;
    client.send('E', b"\0\0\0\0\0").await;
    client.send('S', b"").await;
    let answers = client.answers().await;
    assert_eq!(kinds(&answers), "1tT2DCZ", "{answers:?}");
    assert_eq!(answers[1].body, [0, 2, 0, 0, 0, 0x17, 0, 0, 0, 0x19]);
    assert_eq!(
        answers[2].columns(),
        [("a".to_owned(), 23), ("b".to_owned(), 25)]
    );
    let values = answers[4].values();
    assert_eq!(values, [Some(vec![0, 0, 0, 7]), Some(b"hi".to_vec())]);

    client.send('C', b"Ss\0").await;
    client.send('D', b"Ss\0").await;
    client.send('S', b"").await;
    let answers = client.answers().await;
    assert_eq!(kinds(&answers), "3EZ");
    assert_eq!(answers[1].field('C').unwrap(), "26000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_gives_its_rows_in_parts() {
    let served = Served::start().await;
    let mut client = served.client().await;
    client.query("BEGIN").await;
    let sql = "SELECT value FROM generate_series(1, 7)";
    client.execute(sql, &[], 3).await;
    client.send('S', b"").await;
    assert_eq!(kinds(&client.answers().await), "12TDDDsZ");
    client.send('E', b"\0\0\0\0\x03").await;
    client.send('E', b"\0\0\0\0\0").await;
    client.send('S', b"").await;
    let answers = client.answers().await;
    assert_eq!(kinds(&answers), "DDDsDCZ");
    assert_eq!(tags(&answers), ["SELECT 1"]);
    client.query("COMMIT").await;
    client.send('E', b"\0\0\0\0\0").await;
    client.send('S', b"").await;
    assert_eq!(
        kinds(&client.answers().await),
        "EZ",
        "the portal ended with its transaction"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_error_messages_are_left_out_up_to_sync() {
    let served = Served::start().await;
    let mut client = served.client().await;
    client.execute("SELECT nothing", &[], 0).await;
    client.execute("SELECT 1", &[], 0).await;
    client.send('S', b"").await;
    client.execute("SELECT 2", &[], 0).await;
    client.send('S', b"").await;
    assert_eq!(kinds(&client.answers().await), "EZ");
    assert_eq!(kinds(&client.answers().await), "12TDCZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_values_are_the_clients_to_mend() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let sql = "SELECT CAST($1 AS BIGINT)";
    for (values, want) in [
        (&["x"][..], "22P02"),
        (&[][..], "08P01"),
        (&["1", "2"][..], "08P01"),
    ] {
        client.execute(sql, values, 0).await;
        client.send('S', b"").await;
        let answers = client.answers().await;
        let error = answers.iter().find(|answer| answer.kind == 'E').unwrap();
        assert_eq!(error.field('C').unwrap(), want, "{values:?}");
    }
    assert_eq!(client.refused("SELECT $1").await.0, "42P02");
    client.execute("SELECT 1; SELECT 2", &[], 0).await;
    client.send('S', b"").await;
    assert_eq!(kinds(&client.answers().await), "EZ");
    client.execute("", &[], 0).await;
    client.send('S', b"").await;
    assert_eq!(kinds(&client.answers().await), "12nIZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_in_sql() {
    let served = Served::start().await;
    let mut client = served.client().await;
    client.query("BEGIN").await;
    let declared = "DECLARE \"C 1\" CURSOR FOR SELECT value FROM generate_series(1, 5)";
    assert_eq!(tags(&client.query(declared).await), ["DECLARE CURSOR"]);
    let answers = client.query("FETCH 2 IN \"C 1\"").await;
    assert_eq!(kinds(&answers), "TDDCZ");
    assert_eq!(tags(&answers), ["FETCH 2"]);
    assert_eq!(tags(&client.query("MOVE 1 IN \"C 1\"").await), ["MOVE 1"]);
    let answers = client.query("FETCH ALL FROM \"C 1\"").await;
    assert_eq!(tags(&answers), ["FETCH 2"]);
    assert_eq!(answers[1].values(), [Some(b"4".to_vec())]);
    assert_eq!(tags(&client.query("CLOSE \"C 1\"").await), ["CLOSE CURSOR"]);
    assert_eq!(client.refused("FETCH 1 FROM \"C 1\"").await.0, "34000");
}

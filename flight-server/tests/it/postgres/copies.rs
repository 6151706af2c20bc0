//! `COPY .. TO STDOUT`.

use super::Served;
use super::client::{kinds, tags};

#[tokio::test(flavor = "multi_thread")]
async fn copies_in_text_csv_and_binary() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let rows = "SELECT * FROM (VALUES (1, 'a,\"b\"'), (2, NULL), (3, E'x\\ty\\\\')) AS t(n, s)";
    for (style, wanted) in [
        ("", "1\ta,\"b\"\n2\t\\N\n3\tx\\ty\\\\\n"),
        (
            "WITH (FORMAT csv, HEADER true)",
            "n,s\n1,\"a,\"\"b\"\"\"\n2,\n3,x\ty\\\n",
        ),
        (
            "CSV DELIMITER ';' NULL '-'",
            "1;\"a,\"\"b\"\"\"\n2;-\n3;x\ty\\\n",
        ),
    ] {
        let answers = client
            .query(&format!("COPY ({rows}) TO STDOUT {style}"))
            .await;
        let kinds = kinds(&answers);
        assert!(
            kinds.starts_with("Hd") && kinds.ends_with("dcCZ"),
            "{style}: {answers:?}"
        );
        let data = answers.iter().filter(|answer| answer.kind == 'd');
        let text: Vec<u8> = data.flat_map(|answer| answer.body.clone()).collect();
        assert_eq!(String::from_utf8(text).unwrap(), wanted, "{style}");
        assert_eq!(tags(&answers), ["COPY 3"]);
    }
    let answers = client
        .query("COPY (SELECT 7 AS a) TO STDOUT (FORMAT binary)")
        .await;
    assert_eq!(kinds(&answers), "HddcCZ");
    let (header, row) = answers[1].body.split_at(19);
    assert_eq!(header, b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    assert_eq!(row, [0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7]);
    assert_eq!(answers[2].body, [0xff, 0xff]);
}

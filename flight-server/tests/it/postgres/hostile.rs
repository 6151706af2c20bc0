//! Bytes that no client sends, and clients that go away: they end their own connection and nothing
//! else.

use std::time::Duration;

use super::Served;
use super::client::Client;

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_ends_only_its_own_connection() {
    let served = Served::start().await;
    let greetings: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0, 0, 0, 0, 0, 0, 0, 0],
        &[0xff; 64],
        &[0, 0, 0, 8, 0, 2, 0, 0],
        &[0, 0, 0, 9, 0, 3, 0, 0, b'x'],
    ];
    for greeting in greetings {
        let mut client = Client::connect(served.address()).await;
        client.raw(greeting).await;
        let answers = client.answers().await;
        assert!(
            answers.iter().all(|answer| answer.kind == 'E'),
            "{greeting:?}"
        );
    }
    let messages: [&[u8]; 5] = [
        b"Q\0\0\0\0",
        b"Q\xff\xff\xff\xff",
        b"\x01\0\0\0\x04",
        b"B\0\0\0\x08\0\0\xff\xff",
        b"Q\0\0\0\x06\xff\0",
    ];
    for message in messages {
        let mut client = served.client().await;
        client.raw(message).await;
        client.send('S', b"").await;
        let answer = client.answer().await.unwrap();
        assert_eq!(answer.kind, 'E', "{message:?}");
    }
    let mut client = served.client().await;
    assert_eq!(client.value("SELECT 1").await.unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stops_a_statement_from_outside() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let endless = "SELECT count(*) FROM generate_series(1, 1000000000) a, \
                   generate_series(1, 1000000000) b";
    client.send('Q', format!("{endless}\0").as_bytes()).await;
    let key = client.key.clone();
    // The request may come before the statement begins; it is made until it was heard.
    let canceller = async {
        loop {
            let mut other = Client::connect(served.address()).await;
            let request = [&[0, 0, 0, 16, 4, 0xd2, 0x16, 0x2e][..], &key].concat();
            other.raw(&request).await;
            assert_eq!(other.byte().await, None);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answers = tokio::select! {
        answers = client.answers() => answers,
        () = canceller => unreachable!(),
    };
    let error = answers.iter().find(|answer| answer.kind == 'E').unwrap();
    assert_eq!(error.field('C').unwrap(), "57014");
    assert_eq!(client.value("SELECT 1").await.unwrap(), "1");
    client.query("SET statement_timeout = '50ms'").await;
    assert_eq!(client.refused(endless).await.0, "57014");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_server_is_told() {
    let served = Served::start().await;
    let mut client = served.client().await;
    served.shutdown.cancel();
    let answer = client.answer().await.unwrap();
    assert_eq!(answer.field('C').unwrap(), "57P01");
    assert_eq!(client.answer().await, None);
    served.running.finished().await;
}

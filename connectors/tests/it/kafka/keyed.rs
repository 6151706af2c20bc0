//! Keys and headers of records, for those who want them.

use std::io::{Read, Write};
use std::net::TcpStream;

use arrow::array::{Array, AsArray};
use rdkafka::message::{Header, OwnedHeaders};
use sluice_engine::lineage;
use sluice_engine::source::{Member, Wanted};

use super::broker::{Kafka, Pipeline, send};

#[tokio::test]
async fn keys_and_headers_come_when_they_are_wanted() {
    let kafka = Kafka::shared();
    kafka.create("keyed", 1).await;
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "trace",
            value: Some(b"\xff\x01"),
        })
        .insert(Header {
            key: "trace",
            value: None::<&[u8]>,
        });
    let producer = kafka.producer("none");
    send(&producer, ("keyed", 0), &[b"{\"n\":1}"], Some(&headers));
    send(&producer, ("keyed", 0), &[b"{\"n\":2}"], None);
    let source = kafka.source("keyed", &[]).await;
    for (group, wanted) in [
        (
            "keyed-all",
            Wanted {
                key: true,
                headers: true,
            },
        ),
        ("keyed-none", Wanted::default()),
    ] {
        let mut pipeline = Pipeline::wanting(&source, Member::of(group), wanted).await;
        pipeline.until("both records", |of| of.count() == 2).await;
        let mut seen = Vec::new();
        for batch in pipeline.batches.iter().map(|of| &of.rows) {
            assert_eq!(batch.schema(), source.schema());
            let keys = batch[lineage::KEY].as_binary::<i32>();
            let lists = batch[lineage::HEADERS].as_list::<i32>();
            for row in 0..batch.num_rows() {
                if !wanted.headers {
                    assert!(keys.is_null(row) && lists.is_null(row));
                    continue;
                }
                assert_eq!(keys.value(row), b"k");
                let list = lists.value(row);
                let (names, values) = (list.as_struct().column(0), list.as_struct().column(1));
                let (names, values) = (names.as_string::<i32>(), values.as_binary::<i32>());
                seen.extend((0..list.len()).map(|at| {
                    let value = values.is_valid(at).then(|| values.value(at).to_vec());
                    (names.value(at).to_owned(), value)
                }));
            }
        }
        if wanted.headers {
            let first = ("trace".to_owned(), Some(vec![0xff, 1]));
            assert_eq!(seen, [first, ("trace".to_owned(), None)]);
        }
    }
}

#[tokio::test]
async fn a_header_whose_name_is_no_text_is_a_reject_for_those_who_want_headers() {
    let kafka = Kafka::shared();
    kafka.create("misnamed", 1).await;
    produce_misnamed(&kafka.address, "misnamed", b"{\"n\":1}");
    kafka.send_numbers("misnamed", 0, 2..3);
    let source = kafka.source("misnamed", &[]).await;
    for (headers, rows, rejects) in [(true, 1, 1), (false, 2, 0)] {
        let wanted = Wanted {
            key: false,
            headers,
        };
        let group = format!("misnamed-{headers}");
        let mut pipeline = Pipeline::wanting(&source, Member::of(group), wanted).await;
        pipeline.until("both records", |of| of.count() == 2).await;
        assert_eq!(pipeline.rows().len(), rows);
        let rejected = pipeline.batches.iter().flat_map(|batch| &batch.rejects);
        let codes: Vec<_> = rejected.map(|of| (of.offset, of.code)).collect();
        assert_eq!(codes, vec![(0, "bad_headers"); rejects]);
    }
}

/// Produces one record with a header that no client library would write: its name is not UTF-8.
fn produce_misnamed(address: &str, topic: &str, value: &[u8]) {
    fn text(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap();
        [&length.to_be_bytes()[..], text.as_bytes()].concat()
    }
    // Lengths below 64 are one byte each, zigzag.
    let length = |of: usize| u8::try_from(of * 2).unwrap();
    let fields = [
        &[0, 0, 0, 1, length(value.len())],
        value,
        &[2, 4, 0xff, 0xfe, 0],
    ]
    .concat();
    let record = [&[length(fields.len())], &fields[..]].concat();
    // Attributes, the last offset delta, two timestamps, producer, epoch, sequence, and the count.
    let head = [
        &[0; 6][..],
        &1_770_286_830_123_i64.to_be_bytes().repeat(2),
        &[0xff; 14],
    ];
    let checked = [&head.concat()[..], &1_i32.to_be_bytes(), &record].concat();
    let checksum = crc32c(&checked).to_be_bytes();
    let rest = [&[0xff; 4], &[2][..], &checksum, &checked].concat();
    let size = |of: usize| i32::try_from(of).unwrap().to_be_bytes();
    let batch = [&[0; 8][..], &size(rest.len()), &rest].concat();
    // Produce, version 3: no transaction, acknowledged by the leader, within 30 seconds.
    let request = [
        &[0, 0, 0, 3, 0, 0, 0, 7][..],
        &text("test"),
        &[0xff, 0xff, 0, 1],
        &size(30_000),
        &size(1),
        &text(topic),
        &size(1),
        &size(0),
        &size(batch.len()),
        &batch,
    ]
    .concat();
    let mut broker = TcpStream::connect(address).expect("a broker");
    broker
        .write_all(&size(request.len()))
        .expect("a broker that reads");
    broker.write_all(&request).expect("a broker that reads");
    // Size, correlation, one topic by name, one partition by number, and its error.
    let mut answer = vec![0; 4 + 4 + 4 + 2 + topic.len() + 4 + 4 + 2];
    broker.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer[answer.len() - 2..], [0, 0], "no error");
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(u32::MAX, byte)
}

//! What clients ask for by headers and session options: types, compression, schema, time zone.

use std::collections::HashMap;

use arrow::datatypes::{DataType, TimeUnit};
use arrow_flight::Action;
use prost::Message;

use super::*;

#[derive(Clone, PartialEq, Message)]
struct Options {
    #[prost(map = "string, message", tag = "1")]
    options: HashMap<String, Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Errors {
    #[prost(map = "string, message", tag = "1")]
    errors: HashMap<String, Fault>,
}

#[derive(Clone, PartialEq, Message)]
struct Fault {
    #[prost(int32, tag = "1")]
    value: i32,
}

async fn set(client: &mut Client, name: &str, value: Option<&str>) -> Option<i32> {
    let text = value.map(str::to_owned);
    let options = HashMap::from([(name.to_owned(), Value { text })]);
    let body = Options { options }.encode_to_vec();
    let action = Action::new("SetSessionOptions", body);
    let mut results = client.do_action(action).await.unwrap();
    let body = results.try_next().await.unwrap().unwrap().body;
    let errors = Errors::decode(body).unwrap().errors;
    errors.get(name).map(|fault| fault.value)
}

async fn get(client: &mut Client) -> HashMap<String, String> {
    let action = Action::new("GetSessionOptions", Vec::new());
    let mut results = client.do_action(action).await.unwrap();
    let body = results.try_next().await.unwrap().unwrap().body;
    let options = Options::decode(body).unwrap().options.into_iter();
    options
        .map(|(name, value)| (name, value.text.unwrap_or_default()))
        .collect()
}

async fn types(client: &mut Client) -> Vec<DataType> {
    let sql = "SELECT arrow_cast('v', 'Utf8View') v, arrow_cast(1, 'UInt8') u, \
               to_timestamp('2026-01-01') AT TIME ZONE 'UTC' z, \
               arrow_cast('d', 'Dictionary(Int32, Utf8)') d";
    let info = client.execute(sql.into(), None).await.unwrap();
    let (schema, rows) = fetch(client, info).await;
    assert!(draw(&rows).contains("2026-01-01T00:00:00"));
    schema
        .fields()
        .iter()
        .map(|f| f.data_type().clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_those_that_the_client_names() {
    let served = Served::start().await;
    let zoned = || DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let compat = [DataType::Utf8, DataType::UInt8, zoned(), DataType::Utf8];
    let mut client = served.client().await;
    assert_eq!(types(&mut client).await, compat);
    assert_eq!(set(&mut client, "types", Some("full")).await, None);
    let dictionary = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
    let full = [DataType::Utf8View, DataType::UInt8, zoned(), dictionary];
    assert_eq!(types(&mut client).await, full);
    client.set_header("x-sluice-types", "jdbc");
    let naive = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let jdbc = [DataType::Utf8, DataType::Int16, naive, DataType::Utf8];
    assert_eq!(types(&mut client).await, jdbc);
    client.set_header("x-sluice-types", "all");
    let (code, text) = status(client.execute("SELECT 1".into(), None).await);
    assert_eq!(code, Code::InvalidArgument, "{text}");
    assert!(text.contains("compat, jdbc, full"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_statement_keeps_the_types_it_announced() {
    let served = Served::start().await;
    let mut client = served.client().await;
    client.set_header("x-sluice-types", "full");
    let sql = "SELECT arrow_cast('v', 'Utf8View')";
    let mut statement = client.prepare(sql.into(), None).await.unwrap();
    let announced = statement.dataset_schema().unwrap().clone();
    assert_eq!(announced.field(0).data_type(), &DataType::Utf8View);
    set(&mut client, "types", Some("compat")).await;
    let info = statement.execute().await.unwrap();
    let (schema, _) = fetch(&mut client, info).await;
    assert_eq!(bare(&schema), bare(&announced));
}

#[tokio::test(flavor = "multi_thread")]
async fn options_are_set_given_back_and_refused() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let usual = get(&mut client).await;
    for (name, value) in [
        ("catalog", "sluice"),
        ("schema", "public"),
        ("timezone", "UTC"),
        ("types", "compat"),
        ("compression", "none"),
        ("row_bytes", "16000000"),
    ] {
        assert_eq!(usual[name], value);
    }
    for (name, value) in [
        ("catalog", "sluice"),
        ("schema", "system"),
        ("timezone", "Europe/Berlin"),
        ("types", "jdbc"),
        ("compression", "zstd"),
        ("row_bytes", "1000"),
    ] {
        assert_eq!(set(&mut client, name, Some(value)).await, None, "{name}");
        assert_eq!(get(&mut client).await[name], value);
        for wrong in ["", "no such value"] {
            assert_eq!(set(&mut client, name, Some(wrong)).await, Some(2), "{name}");
        }
        assert_eq!(get(&mut client).await[name], value);
    }
    assert_eq!(set(&mut client, "colour", Some("red")).await, Some(1));
    assert_eq!(set(&mut client, "colour", None).await, Some(1));
    assert_eq!(
        number(&mut client, "SELECT count(*) FROM pipelines").await,
        0
    );
    for name in usual.keys() {
        assert_eq!(set(&mut client, name, None).await, None, "{name}");
    }
    assert_eq!(get(&mut client).await, usual);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_name_the_schema_and_the_time_zone() {
    let served = Served::start().await;
    let mut client = served.client().await;
    client.set_header("x-sluice-schema", "system");
    client.set_header("x-sluice-timezone", "+02:00");
    client.set_header("x-sluice-compression", "lz4");
    assert_eq!(
        number(&mut client, "SELECT count(*) FROM pipelines").await,
        0
    );
    assert_eq!(get(&mut client).await["timezone"], "+02:00");
}

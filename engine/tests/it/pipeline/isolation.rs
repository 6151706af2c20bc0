//! Records that the query fails over, in whatever way, harm no other record.

use std::any::Any;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::pipeline::status::State;
use sluice_engine::session::Session;

use crate::memory::World;
use crate::statements::{run, values};

use super::{SOURCE, set_up, until, until_figures, verdicts};

/// Gives its argument back, and panics over one that begins with `boom`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fragile(Signature);

impl ScalarUDFImpl for Fragile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &'static str {
        "fragile"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let texts = args.args[0].to_array(args.number_rows)?;
        let mut texts = texts.as_string::<i32>().iter().flatten();
        assert!(!texts.any(|text| text.starts_with("boom")), "as told");
        Ok(args.args[0].clone())
    }
}

async fn fragile(world: &Arc<World>) -> (Arc<Engine>, Session) {
    let mut plugin = world.plugin();
    let signature = Signature::exact(vec![DataType::Utf8], Volatility::Immutable);
    plugin
        .scalars
        .push(Arc::new(ScalarUDF::from(Fragile(signature))));
    let engine = Engine::open(Config::default(), plugin, None).await.unwrap();
    let session = engine.session(Authority::Owner);
    run(&session, "CREATE TABLE t (v VARCHAR, n INT)")
        .await
        .unwrap();
    run(&session, SOURCE).await.unwrap();
    let sql = "CREATE PIPELINE p WITH (max_latency = '300ms') AS \
               INSERT INTO t (v) SELECT fragile(value) FROM s";
    run(&session, sql).await.unwrap();
    (engine, session)
}

#[tokio::test]
async fn a_panic_over_one_value_costs_that_record_alone() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "boom", "b", "c", "boom 2"]);
    let (engine, session) = fragile(&world).await;
    engine.start_pipelines();
    until(&engine, 5).await;
    assert_eq!(
        values(&session, "SELECT string_agg(v, '' ORDER BY v) FROM t").await,
        ["abc"]
    );
    let dead = "SELECT _offset || arrow_cast(raw, 'Utf8') || code FROM t__dlq ORDER BY 1";
    assert_eq!(
        values(&session, dead).await,
        ["1boomrefused", "4boom 2refused"]
    );
    assert_eq!(verdicts(&session).await, ["ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_fault_over_every_record_stops_the_pipeline_and_fills_no_dead_letters() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["boom"; 40]);
    let (engine, session) = fragile(&world).await;
    engine.start_pipelines();
    let figures = until_figures(&engine, |figures| figures.error.is_some()).await;
    assert_eq!(figures.state, State::Retrying);
    assert_eq!(values(&session, "SELECT count(*) FROM t__dlq").await, ["0"]);
    // One that passes shows that the others are at fault.
    topic.push(0, &["fine"]);
    until(&engine, 41).await;
    assert_eq!(
        values(&session, "SELECT count(*) FROM t__dlq").await,
        ["40"]
    );
    engine.shutdown().await;
}

#[tokio::test]
async fn refused_records_keep_their_bytes_and_the_order_of_the_others() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let records: Vec<String> = (0..2000)
        .map(|n| match n % 97 {
            0 => format!("no number {n}"),
            _ => n.to_string(),
        })
        .collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    topic.push(0, &records);
    let sql = "CREATE PIPELINE p WITH (max_latency = '50ms') AS \
               INSERT INTO t SELECT value, CAST(value AS INT) AS n FROM s";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 2000).await;
    let raw = "SELECT arrow_cast(raw, 'Utf8') FROM t__dlq ORDER BY _offset LIMIT 2";
    assert_eq!(values(&session, raw).await, ["no number 0", "no number 97"]);
    let counts = "SELECT count(*) || ' ' || sum(CASE WHEN n = _offset THEN 1 ELSE 0 END) FROM t";
    assert_eq!(values(&session, counts).await, ["1979 1979"]);
    assert_eq!(
        values(&session, "SELECT count(*) FROM t__dlq").await,
        ["21"]
    );
    assert_eq!(verdicts(&session).await, ["ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_record_that_asks_for_too_much_costs_that_record_alone() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["3", "1000000000000", "2", "20000000", "1"]);
    let sql = "CREATE PIPELINE p WITH (max_latency = '50ms') AS INSERT INTO t (v) \
               SELECT repeat(array_to_string(array_repeat('x', CAST(value AS BIGINT)), ''), 1) \
               FROM s";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 5).await;
    let stored = "SELECT string_agg(v, ' ' ORDER BY _offset) FROM t";
    assert_eq!(values(&session, stored).await, ["xxx xx x"]);
    let dead = "SELECT _offset || ' ' || reason FROM t__dlq ORDER BY 1";
    let dead = values(&session, dead).await;
    assert_eq!(dead.len(), 2, "{dead:?}");
    for (letter, asked) in dead.iter().zip(["1 function", "3 function"]) {
        let named = letter.contains("\"array_repeat\" was asked for") && letter.contains("256 MiB");
        assert!(letter.starts_with(asked) && named, "{letter}");
    }
    assert_eq!(verdicts(&session).await, ["ok"]);
    engine.shutdown().await;
}

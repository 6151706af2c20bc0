//! Enrichment with databases, feeds and reference tables that the tests write.

mod feeds;
mod files;

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{SessionConfig, SessionContext};
use sluice_udfs::enrich::database::Database;
use sluice_udfs::enrich::feed::{Feed, FeedFormat, FeedOptions};
use sluice_udfs::enrich::snapshot::{Enrichment, Parts};
use sluice_udfs::enrich::table::{ReferenceTable, TableFormat};

use crate::mmdb::{self, Value};

fn map(pairs: &[(&'static str, Value)]) -> Value {
    Value::Map(pairs.to_vec())
}

fn country(code: &'static str, english: &'static str, german: &'static str) -> Value {
    let names = map(&[("en", Value::Text(english)), ("de", Value::Text(german))]);
    map(&[("iso_code", Value::Text(code)), ("names", names)])
}

fn city() -> Database {
    let names = |name| map(&[("names", map(&[("en", Value::Text(name))]))]);
    let place = [
        ("latitude", Value::Double(58.41)),
        ("longitude", Value::Double(15.62)),
    ];
    let sweden = map(&[
        ("country", country("SE", "Sweden", "Schweden")),
        ("city", names("Link\u{f6}ping")),
        ("location", map(&place)),
    ]);
    let other = map(&[("country", country("SE", "Sweden", "Schweden"))]);
    let networks = [
        ([203, 0, 113, 0], 25, sweden),
        ([203, 0, 113, 128], 25, other),
    ];
    Database::parse(mmdb::file("Test-City", &networks)).unwrap()
}

fn asn() -> Database {
    let network = map(&[
        ("autonomous_system_number", Value::Count(64500)),
        ("autonomous_system_organization", Value::Text("Example Net")),
    ]);
    Database::parse(mmdb::file("Test-ASN", &[([203, 0, 112, 0], 23, network)])).unwrap()
}

const CUSTOMERS: &str = "id,tier,region\nc-1,gold,eu\nc-2,silver,apac\n";

fn feed(name: &str, text: &str, options: FeedOptions) -> Arc<Feed> {
    Arc::new(Feed::parse(name, text.as_bytes(), options).unwrap())
}

fn csv(text: &str, key: Option<&str>) -> ReferenceTable {
    ReferenceTable::parse(text.as_bytes().to_vec(), TableFormat::Csv, key, None).unwrap()
}

/// What the examples in the documentation look up.
pub(crate) fn example() -> Parts {
    let local = FeedOptions {
        score: 80.0,
        reserved: true,
        ..FeedOptions::default()
    };
    let mut parts = Parts::default();
    parts
        .databases
        .insert("city".to_owned(), Ok(Arc::new(city())));
    parts
        .databases
        .insert("asn".to_owned(), Ok(Arc::new(asn())));
    let listed = "198.51.100.0/24\nbad.example\n";
    parts
        .feeds
        .insert("local".to_owned(), Ok(feed("local", listed, local)));
    parts
        .tables
        .insert("customers".to_owned(), Ok(Arc::new(csv(CUSTOMERS, None))));
    parts
}

/// A session that reads `parts`.
pub(crate) fn session(config: SessionConfig, parts: Parts) -> SessionContext {
    let mut config = config.with_target_partitions(1);
    config
        .options_mut()
        .extensions
        .insert(Enrichment::new(parts).unwrap());
    let mut context = SessionContext::new_with_config(config);
    sluice_udfs::register_all(&mut context).unwrap();
    // Registered functions learn of the configuration by any change of it.
    let learn = context.state_ref();
    let mut state = learn.write();
    let options = Arc::clone(state.config_options());
    let functions = state.scalar_functions().values();
    let updated: Vec<_> = functions
        .filter_map(|function| function.inner().with_updated_config(&options))
        .collect();
    for function in updated {
        datafusion::execution::FunctionRegistry::register_udf(&mut *state, Arc::new(function))
            .unwrap();
    }
    drop(state);
    context
}

/// The only column of a query's answer, as text.
async fn column(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let options = FormatOptions::default().with_null("NULL");
    let texts = |batch: &RecordBatch| {
        let column = ArrayFormatter::try_new(batch.column(0), &options).unwrap();
        (0..batch.num_rows())
            .map(|row| column.value(row).to_string())
            .collect::<Vec<_>>()
    };
    batches.iter().flat_map(texts).collect()
}

async fn error(context: &SessionContext, sql: &str) -> String {
    match context.sql(sql).await {
        Err(error) => error.to_string(),
        Ok(frame) => frame.create_physical_plan().await.unwrap_err().to_string(),
    }
}

#[tokio::test]
async fn databases_are_merged_field_by_field() {
    let context = session(SessionConfig::new(), example());
    let sql = "SELECT concat_ws('|', g['country_iso'], g['city'], g['latitude'], g['asn'], \
               g['org'], g['network']) FROM (SELECT geoip(ip) AS g FROM (VALUES ('203.0.113.1'), \
               ('203.0.113.200'), ('203.0.112.9'), ('::ffff:203.0.113.1'), ('9.9.9.9'), ('x'), \
               ('2001:db8::1')) AS t(ip))";
    let want = [
        "SE|Link\u{f6}ping|58.41|64500|Example Net|203.0.113.0/25",
        "SE|64500|Example Net|203.0.113.128/25",
        "64500|Example Net|203.0.112.0/23",
        "SE|Link\u{f6}ping|58.41|64500|Example Net|203.0.113.0/25",
        "",
        "",
        "",
    ];
    assert_eq!(column(&context, sql).await, want);
    let one = "SELECT geoip('203.0.113.1', 'asn')['country_iso'] IS NULL";
    assert_eq!(column(&context, one).await, ["true"]);
    assert_eq!(
        column(&context, "SELECT geoip(CAST(NULL AS VARCHAR)) IS NULL").await,
        ["true"]
    );
}

#[tokio::test]
async fn wrong_names_are_planning_errors_that_list_the_valid_ones() {
    let context = session(SessionConfig::new(), example());
    let cases = [
        (
            "geoip(ip, 'town')",
            "no database \"town\"; valid are asn, city",
        ),
        ("geoip(ip, NULL, 'xx')", "\"xx\"; valid are de, en"),
        ("geoip(ip, ip)", "\"database\" of geoip is a literal"),
        (
            "lookup('clients', ip)",
            "no reference table \"clients\"; valid are customers",
        ),
        (
            "lookup('customers', ip, 'age')",
            "no column \"age\"; valid are id, tier, region",
        ),
        ("lookup(ip, ip)", "the table of lookup is a literal"),
        (
            "lookup('customers', ip, ip)",
            "the column of lookup is a literal",
        ),
        (
            "cidr_match(ip, '10.0.0.0/40')",
            "the network \"10.0.0.0/40\"",
        ),
        (
            "cidr_match(ip, ARRAY['10.0.0.0/8', 'x'])",
            "the network \"x\"",
        ),
        (
            "ip_trunc(ip, 33)",
            "\"bits\" of ip_trunc is 0 to 32, not 33",
        ),
        ("threat_lookup(7)", "threat_lookup reads text"),
    ];
    for (call, want) in cases {
        let sql = format!("SELECT {call} FROM (VALUES ('a'), ('b')) AS t(ip)");
        let error = error(&context, &sql).await;
        assert!(error.contains(want), "{sql}: {error}");
    }
    let bare = session(SessionConfig::new(), Parts::default());
    let wanted = error(&bare, "SELECT lookup('customers', 'x')").await;
    assert!(wanted.contains("[enrichment.tables]"), "{wanted}");
    let nothing = "SELECT threat_lookup('198.51.100.9')['matched'] IS NULL AND \
                   geoip('203.0.113.1')['country'] IS NULL";
    assert_eq!(column(&bare, nothing).await, ["true"]);
}

#[tokio::test]
async fn every_form_of_text_gives_the_same_answer() {
    let texts = [
        Some("203.0.113.7"),
        None,
        Some("10.0.0.1"),
        Some(""),
        Some("198.51.100.77"),
        Some("no address"),
        Some("2001:db8::1"),
        Some("login.bad.example"),
        Some("c-1"),
        Some("203.0.113.7"),
    ];
    let plain: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    let text =
        |value: &DataType| DataType::Dictionary(Box::new(DataType::Int8), Box::new(value.clone()));
    let forms = [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View];
    let coded = forms.each_ref().map(text);
    let calls = [
        "geoip(x)",
        "threat_lookup(x)",
        "ip_info(x)",
        "ip_trunc(x)",
        "lookup('customers', x)",
        "cidr_match(x, '203.0.113.0/24')",
        "cidr_match(x, ARRAY['203.0.113.0/24', '10.0.0.1'])",
    ];
    for call in calls {
        let mut wanted = None;
        for form in forms.iter().chain(&coded) {
            let context = session(SessionConfig::new(), example());
            let input = cast(&plain, form).unwrap();
            let batch = RecordBatch::try_from_iter([("x", input)]).unwrap();
            context.register_batch("t", batch).unwrap();
            let got = column(&context, &format!("SELECT {call} FROM t")).await;
            let nulls = format!("SELECT ({call}) IS NULL FROM t WHERE x IS NULL");
            assert_eq!(column(&context, &nulls).await, ["true"], "{call} {form}");
            assert_eq!(
                wanted.get_or_insert_with(|| got.clone()),
                &got,
                "{call} {form}"
            );
        }
    }
}

#[tokio::test]
async fn networks_in_columns_are_read_row_by_row() {
    let context = session(SessionConfig::new(), Parts::default());
    let sql = "SELECT cidr_match(ip, n) FROM (VALUES ('10.0.0.1', '10.0.0.0/8'), \
               ('10.0.0.1', '11.0.0.0/8'), ('10.0.0.1', 'x'), (NULL, '10.0.0.0/8'), \
               ('10.0.0.1', NULL), ('x', '10.0.0.0/8')) AS t(ip, n)";
    let want = ["true", "false", "NULL", "NULL", "NULL", "NULL"];
    assert_eq!(column(&context, sql).await, want);
    let lists = "SELECT cidr_match('10.0.0.1', make_array(n, '1.1.1.1')) \
                 FROM (VALUES ('10.0.0.0/8'), ('x'), (NULL)) AS t(n)";
    assert_eq!(column(&context, lists).await, ["true", "false", "false"]);
    assert_eq!(
        column(&context, "SELECT cidr_match('1.1.1.1', NULL)").await,
        ["NULL"]
    );
}

#[tokio::test]
async fn feeds_add_up_and_the_longest_prefix_counts() {
    let with = |score: f64, weight: f64, categories: &[&str], format| FeedOptions {
        format,
        score,
        weight,
        categories: categories.iter().map(|one| (*one).to_owned()).collect(),
        ..FeedOptions::default()
    };
    let netset = "# Category : attacks\n# This File Date : Mon Nov  3 00:00:00 UTC 2026\n\
                  5.0.0.0/8\n10.0.0.0/8\n2a00::/16 ; comment\n0.0.0.0 evil.example\n";
    let json = r#"{"meta":{"generatedAt":"2026-11-01T00:00:00+00:00"},"data":[
        {"ipAddress":"5.6.7.8","countryCode":"US","abuseConfidenceScore":50,
         "lastReportedAt":"2026-10-31T10:00:00+00:00"},
        {"ipAddress":"5.6.7.9","abuseConfidenceScore":100}]}"#;
    let drop = "{\"cidr\":\"5.6.0.0/16\",\"sblid\":\"SBL1\",\"rir\":\"arin\"}\n\
                {\"type\":\"metadata\",\"timestamp\":1764000000,\"size\":70,\"records\":1}\n";
    let abuse = "# abuse list\n# \"first_seen_utc\",\"dst_ip\",\"dst_port\",\"last_online\"\n\
                 \"2026-01-02 03:04:05\",\"5.6.7.8\",\"443\",\"2026-11-01\"\n";
    let mut parts = Parts::default();
    let feeds = [
        feed("level1", netset, with(20.0, 1.0, &[], FeedFormat::List)),
        feed(
            "abuseipdb",
            json,
            with(100.0, 0.5, &["abuse"], FeedFormat::AbuseIpDb),
        ),
        feed(
            "drop",
            drop,
            with(60.0, 1.0, &["hijacked"], FeedFormat::SpamhausDrop),
        ),
        feed(
            "feodo",
            abuse,
            with(100.0, 0.9, &["botnet"], FeedFormat::Csv),
        ),
    ];
    assert_eq!(feeds[0].version(), Some("Mon Nov  3 00:00:00 UTC 2026"));
    assert_eq!(
        feeds[0].indicators(),
        3,
        "what is not on the Internet is left out"
    );
    for feed in feeds {
        let name = format!("{feed:?}");
        parts.feeds.insert(name, Ok(feed));
    }
    let context = session(SessionConfig::new(), parts);
    let sql = "SELECT concat_ws(' ', t['score'], array_to_string(t['feeds'], ','), \
               array_to_string(t['categories'], ','), t['first_seen'], t['last_seen'], \
               t['reference']) FROM (SELECT threat_lookup(x) AS t FROM (VALUES ('5.1.1.1'), \
               ('5.6.1.1'), ('5.6.7.8'), ('2a00::1'), ('a.evil.example'), \
               ('https://user@EVIL.example:8443/x'), ('10.1.1.1'), ('example')) AS v(x))";
    let got = column(&context, sql).await;
    assert_eq!(got[0], "20.0 level1 attacks");
    // 1 - (1 - 0.2)(1 - 0.6)
    assert_eq!(got[1], "68.0 drop,level1 attacks,hijacked SBL1");
    // 1 - (1 - 0.2)(1 - 0.5 * 0.5)(1 - 0.6)(1 - 0.9)
    let all = "97.6 abuseipdb,drop,feodo,level1 abuse,attacks,botnet,hijacked \
               2026-01-02T03:04:05Z 2026-11-01T00:00:00Z SBL1";
    assert_eq!(got[2], all);
    assert_eq!(got[3..6], ["20.0 level1 attacks"; 3].map(str::to_owned));
    assert_eq!(got[6..], ["", ""].map(str::to_owned));
}

#[tokio::test]
async fn rows_are_found_by_text_and_by_number() {
    let mut parts = Parts::default();
    let numbers = csv("code,name,rate\n200,ok,0.5\n404,missing,\n", Some("code"));
    let json = "{\"host\":\"a\",\"tags\":[\"x\"]}\n{\"host\":\"b\",\"tags\":[]}\n".as_bytes();
    let json = ReferenceTable::parse(json.to_vec(), TableFormat::NdJson, Some("host"), None);
    parts
        .tables
        .insert("codes".to_owned(), Ok(Arc::new(numbers)));
    parts
        .tables
        .insert("hosts".to_owned(), Ok(Arc::new(json.unwrap())));
    parts
        .tables
        .insert("gone".to_owned(), Err("no such file".to_owned()));
    let context = session(SessionConfig::new(), parts);
    let cases = [
        ("lookup('codes', 404, 'name')", "missing"),
        ("lookup('codes', '200', 'name')", "ok"),
        ("lookup('codes', 7, 'name')", "NULL"),
        ("lookup('codes', 'x')", "NULL"),
        ("lookup('codes', 200)", "{code: 200, name: ok, rate: 0.5}"),
        ("lookup('codes', 404, 'rate') IS NULL", "true"),
        ("lookup('hosts', 'a', column => 'tags')", "[x]"),
        ("arrow_typeof(lookup('codes', NULL, 'rate'))", "Float64"),
    ];
    for (call, want) in cases {
        assert_eq!(
            column(&context, &format!("SELECT {call}")).await,
            [want],
            "{call}"
        );
    }
    let gone = error(&context, "SELECT lookup('gone', 'x')").await;
    assert!(
        gone.contains("\"gone\" is not loaded: no such file"),
        "{gone}"
    );
}

//! Everything that Sluice ships written in SQL: the log table, the pipelines that fill it and some
//! questions to ask it. The files are the product; this crate only embeds them, so that the binary
//! needs none beside it. `sql/README.md` says how they are written.

/// The table `logs`; its statements may run any number of times.
pub const SCHEMA: &str = include_str!("../schema/logs.sql");

/// The stream `log_events` and the pipeline `ingest` from it into `logs`, which runs whatever the
/// configuration says. Holds [`BROKER`] where the broker's address belongs, so it is not SQL to run
/// before [`at_broker`] has filled that in.
pub const PIPELINE: &str = include_str!("../pipelines/logs.sql");

/// The same, which looks up hosts and customers in reference tables of the configuration too.
pub const PIPELINE_ENRICHED: &str = include_str!("../pipelines/logs_enriched.sql");

/// What stands in a pipeline for the broker's `HOST:PORT`.
pub const BROKER: &str = "${KAFKA}";

/// Questions to the table `logs`, one statement each, in the order in which `sluice demo` asks.
pub const QUERIES: [&str; 7] = [
    include_str!("../queries/1_errors_by_service.sql"),
    include_str!("../queries/2_incident_timeline.sql"),
    include_str!("../queries/3_redaction.sql"),
    include_str!("../queries/4_slowest_services.sql"),
    include_str!("../queries/5_customers_hit.sql"),
    include_str!("../queries/6_listed_clients.sql"),
    include_str!("../queries/7_every_record.sql"),
];

/// The statements of `pipeline` that read from the broker at `broker`, a `HOST:PORT`.
#[must_use]
pub fn at_broker(pipeline: &str, broker: &str) -> String {
    // A quote would end the location's string early and turn the rest into SQL.
    pipeline.replace(BROKER, &broker.replace('\'', "''"))
}

/// What a query answers, from the comment in its first line.
#[must_use]
pub fn title(query: &str) -> &str {
    query
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("--")
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broker_is_filled_in_and_cannot_end_its_string() {
        for pipeline in [PIPELINE, PIPELINE_ENRICHED] {
            let sql = at_broker(pipeline, "kafka-1:9092");
            assert!(sql.contains("LOCATION 'kafka://kafka-1:9092/log-events'"));
            assert!(
                !sql.lines()
                    .filter(|line| !line.starts_with("--"))
                    .any(|l| l.contains("${"))
            );
            let sql = at_broker(pipeline, "x'; DROP TABLE logs; --");
            assert!(sql.contains("'kafka://x''; DROP"));
        }
    }

    #[test]
    fn the_pipelines_differ_in_what_is_looked_up() {
        let statements = |pipeline: &'static str| {
            let beside = |line: &&str| {
                let line = line.trim_start();
                !line.starts_with("--")
                    && !line.starts_with("lookup(")
                    && line != "service_tier, customer_tier,"
            };
            pipeline.lines().filter(beside).collect::<Vec<_>>()
        };
        assert_eq!(statements(PIPELINE), statements(PIPELINE_ENRICHED));
        assert!(PIPELINE_ENRICHED.contains("lookup('hosts', host, 'tier'),"));
    }

    #[test]
    fn every_query_is_one_statement_under_a_title() {
        for query in QUERIES {
            assert!(query.starts_with("-- "), "no title: {query}");
            assert!(!title(query).is_empty());
            assert_eq!(
                query.matches(";\n").count(),
                1,
                "not one statement: {query}"
            );
        }
    }
}

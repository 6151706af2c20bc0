//! Everything that Sluice ships written in SQL: the log table, the pipeline that fills it and some
//! questions to ask it. The files are the product; this crate only embeds them, so that the binary
//! needs none beside it. `sql/README.md` says how they are written.

/// The table `logs`; its statements may run any number of times.
pub const SCHEMA: &str = include_str!("../schema/logs.sql");

/// The stream `log_events` and the pipeline `ingest` from it into `logs`. Holds [`BROKER`] where
/// the broker's address belongs, so it is not SQL to run before [`pipelines`] has filled that in.
pub const PIPELINES: &str = include_str!("../pipelines/logs.sql");

/// What stands in [`PIPELINES`] for the broker's `HOST:PORT`.
pub const BROKER: &str = "${KAFKA}";

/// Questions to the table `logs`, one statement each, in the order in which `sluice demo` asks.
pub const QUERIES: [&str; 5] = [
    include_str!("../queries/1_errors_by_service.sql"),
    include_str!("../queries/2_incident_timeline.sql"),
    include_str!("../queries/3_redaction.sql"),
    include_str!("../queries/4_slowest_services.sql"),
    include_str!("../queries/5_every_record.sql"),
];

/// The statements of [`PIPELINES`] that read from the broker at `broker`, a `HOST:PORT`.
#[must_use]
pub fn pipelines(broker: &str) -> String {
    // A quote would end the location's string early and turn the rest into SQL.
    PIPELINES.replace(BROKER, &broker.replace('\'', "''"))
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
        let sql = pipelines("kafka-1:9092");
        assert!(sql.contains("LOCATION 'kafka://kafka-1:9092/log-events'"));
        assert!(
            !sql.lines()
                .filter(|line| !line.starts_with("--"))
                .any(|l| l.contains("${"))
        );
        assert!(pipelines("x'; DROP TABLE logs; --").contains("'kafka://x''; DROP"));
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

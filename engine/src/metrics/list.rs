//! Every metric there is. The names follow the rules of Prometheus: base units, and what is counted
//! in the name; no label holds text of a user's.

/// What a metric's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from the start of the process; scraped as its name with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many observations fell below each of some bounds.
    Histogram,
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name; the unit, where it has one, is the last word.
    pub name: &'static str,
    /// What its values mean.
    pub kind: Kind,
    /// The labels of its values.
    pub labels: &'static [&'static str],
    /// One sentence, without the dot.
    pub help: &'static str,
}

impl Metric {
    /// The name of its samples; those of a histogram have suffixes of their own.
    #[must_use]
    pub fn sample(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }
}

macro_rules! metrics {
    ($($id:ident $kind:ident $name:literal $labels:expr, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub(super) const $id: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                labels: &$labels,
                help: $help,
            };
        )*

        /// Every metric, in the order in which they are shown.
        pub const METRICS: &[&Metric] = &[$(&$id,)*];
    };
}

metrics! {
    PIPELINE_STATE Gauge "sluice_pipeline_state" ["pipeline", "state"],
        "1 for the state the pipeline is in";
    PIPELINE_RECORDS Counter "sluice_pipeline_records" ["pipeline"],
        "Records of the stream that were read and committed";
    PIPELINE_ROWS Counter "sluice_pipeline_rows" ["pipeline"],
        "Rows committed";
    PIPELINE_BYTES Counter "sluice_pipeline_bytes" ["pipeline"],
        "Bytes that the committed rows took in memory, about";
    PIPELINE_COMMITS Counter "sluice_pipeline_commits" ["pipeline"],
        "Commits to the target";
    PIPELINE_DEAD_LETTERS Counter "sluice_pipeline_dead_letters" ["pipeline"],
        "Records that went to the dead letters";
    PIPELINE_REDACTIONS Counter "sluice_pipeline_redactions" ["pipeline", "category"],
        "Findings of personal data that were replaced in committed rows";
    PIPELINE_CONFLICTS Counter "sluice_pipeline_schema_conflicts" ["pipeline"],
        "Values of undeclared keys whose column has another type";
    PIPELINE_LAG Gauge "sluice_pipeline_lag" ["pipeline"],
        "Records in the stream that are not committed";
    PIPELINE_FRESHNESS Gauge "sluice_pipeline_freshness_seconds" ["pipeline"],
        "Age of the oldest row of the newest commit when it became visible";
    PARTITION_LAG Gauge "sluice_partition_lag" ["pipeline", "topic", "partition"],
        "Records in the partition that are not committed";
    PARTITION_OFFSET Gauge "sluice_partition_next_offset" ["pipeline", "topic", "partition"],
        "The offset that the table says to read next";
    PARTITION_END Gauge "sluice_partition_high_watermark" ["pipeline", "topic", "partition"],
        "One past the newest record in the partition";
    PARTITION_GAP Counter "sluice_partition_gap_records" ["pipeline", "topic", "partition"],
        "Records that the stream had given up before they were read";
    QUERIES Counter "sluice_queries" ["outcome"],
        "Statements that ended";
    QUERIES_RUNNING Gauge "sluice_queries_running" [],
        "Statements that run";
    QUERY_SECONDS Histogram "sluice_query_duration_seconds" [],
        "From the start of a statement to its last row";
    FIRST_BATCH_SECONDS Histogram "sluice_query_first_batch_seconds" [],
        "From the start of a statement to its first rows";
    ROWS_SENT Counter "sluice_sent_rows" [],
        "Rows sent to clients";
    BYTES_SENT Counter "sluice_sent_bytes" [],
        "Bytes of rows sent to clients";
    CONNECTIONS Gauge "sluice_connections" ["protocol"],
        "Open connections";
    CONNECTIONS_ACCEPTED Counter "sluice_connections_accepted" ["protocol"],
        "Connections accepted";
    LOGINS_REFUSED Counter "sluice_logins_refused" [],
        "Calls and logins with wrong or missing credentials";
    SESSIONS Gauge "sluice_sessions" [],
        "Sessions of clients";
    STATEMENTS Gauge "sluice_prepared_statements" [],
        "Prepared statements of clients";
    MEMORY_USED Gauge "sluice_query_memory_bytes" [],
        "Memory that queries have taken from their pool";
    MEMORY_LIMIT Gauge "sluice_query_memory_limit_bytes" [],
        "Memory that queries may take from their pool";
    SPILLED Gauge "sluice_query_spilled_bytes" [],
        "Bytes that running queries have spilled to disk";
    RESIDENT Gauge "process_resident_memory_bytes" [],
        "Resident memory of the process";
    OPEN_FILES Gauge "process_open_fds" [],
        "Open file handles, connections among them";
    MAX_FILES Gauge "process_max_fds" [],
        "File handles that the process may open";
    STARTED Gauge "process_start_time_seconds" [],
        "When the process started, in seconds since 1970";
    BUILD Gauge "sluice_build_info" ["version"],
        "1, with the version of Sluice";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_single_and_in_the_form_that_scrapers_take() {
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            let form = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(metric.name.chars().all(form), "{}", metric.name);
            assert!(!metric.name.ends_with("_total"), "{}", metric.name);
            assert!(!metric.help.ends_with('.') && !metric.help.contains('\n'));
            if metric.kind == Kind::Histogram {
                assert!(metric.name.ends_with("_seconds"), "{}", metric.name);
            }
        }
    }
}

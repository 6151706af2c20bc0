//! Metrics as OpenMetrics text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use sluice_engine::metrics::{Family, Kind, Point, Value};

/// `families` as text.
///
/// # Errors
/// Never, but for a text that cannot grow.
pub(super) fn text(families: &[Family]) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    let families = families.iter().map(|family| Taken {
        name: family.metric.name,
        help: family.metric.help,
        kind: family.metric.kind,
        labels: family.metric.labels,
        points: family.points.clone(),
    });
    registry.register_collector(Box::new(All(families.collect())));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct All(Vec<Taken>);

#[derive(Debug)]
struct Taken {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    points: Vec<Point>,
}

impl Collector for All {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in self.0.iter().filter(|family| !family.points.is_empty()) {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let help = format!("{}.", family.help);
            let mut metric = encoder.encode_descriptor(family.name, &help, None, kind)?;
            for point in &family.points {
                if family.labels.is_empty() {
                    put(&mut metric, &point.value)?;
                } else {
                    let labels: Vec<(&str, &str)> = family
                        .labels
                        .iter()
                        .copied()
                        .zip(point.labels.iter().map(String::as_str))
                        .collect();
                    put(&mut metric.encode_family(&labels)?, &point.value)?;
                }
            }
        }
        Ok(())
    }
}

fn put(metric: &mut MetricEncoder<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Counter(count) => metric.encode_counter::<NoLabelSet, u64, f64>(count, None),
        Value::Gauge(value) => metric.encode_gauge(value),
        Value::Histogram { sum, buckets } => {
            let count = buckets.iter().map(|(_, count)| count).sum();
            metric.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_engine::metrics::METRICS;

    use super::*;

    #[test]
    fn values_are_written_with_their_labels_escaped() {
        let find = |name: &str| *METRICS.iter().find(|metric| metric.name == name).unwrap();
        let point = |label: &str, value| Point {
            labels: vec![label.to_owned()],
            value,
        };
        let families = [
            Family {
                metric: find("sluice_pipeline_rows"),
                points: vec![
                    point("a\"b\\c\nd", Value::Counter(3)),
                    point("e", Value::Counter(4)),
                ],
            },
            Family {
                metric: find("sluice_query_duration_seconds"),
                points: vec![Point {
                    labels: Vec::new(),
                    value: Value::Histogram {
                        sum: 1.5,
                        buckets: vec![(1.0, 2), (f64::INFINITY, 1)],
                    },
                }],
            },
        ];
        let want = "\
# HELP sluice_pipeline_rows Rows committed.
# TYPE sluice_pipeline_rows counter
sluice_pipeline_rows_total{pipeline=\"a\\\"b\\\\c\\nd\"} 3
sluice_pipeline_rows_total{pipeline=\"e\"} 4
# HELP sluice_query_duration_seconds From the start of a statement to its last row.
# TYPE sluice_query_duration_seconds histogram
sluice_query_duration_seconds_sum 1.5
sluice_query_duration_seconds_count 3
sluice_query_duration_seconds_bucket{le=\"1.0\"} 2
sluice_query_duration_seconds_bucket{le=\"+Inf\"} 3
# EOF
";
        assert_eq!(text(&families).unwrap(), want);
    }
}

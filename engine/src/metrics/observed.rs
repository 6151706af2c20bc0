//! The values of all metrics at a moment.

use super::counters::{BOUNDS, Histogram, Metrics, Outcome, Protocol, get};
use super::list::{self, Metric};
use crate::pipeline::status::{PartitionProgress, PipelineProgress, State};

/// A metric with its values.
#[derive(Debug)]
pub struct Family {
    /// The metric.
    pub metric: &'static Metric,
    /// One for each combination of labels.
    pub points: Vec<Point>,
}

/// A value with the values of the metric's labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// As many as the metric has labels.
    pub labels: Vec<String>,
    /// The value.
    pub value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of a counter.
    Counter(u64),
    /// Of a gauge.
    Gauge(f64),
    /// Of a histogram.
    Histogram {
        /// What all observations add up to.
        sum: f64,
        /// Upper bounds and how many observations each bucket has of its own; the last bound is
        /// infinite.
        buckets: Vec<(f64, u64)>,
    },
}

/// What is not counted but looked at.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The counters.
    pub metrics: &'a Metrics,
    /// Every pipeline.
    pub pipelines: &'a [PipelineProgress],
    /// Every partition that this process reads.
    pub partitions: &'a [PartitionProgress],
    /// Bytes that queries have taken, and may take.
    pub memory: (u64, Option<u64>),
    /// Bytes that queries have spilled.
    pub spilled: u64,
}

impl Observed<'_> {
    /// Every metric that has values, with them, in the order of the list.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let mut families = self.pipelines();
        families.extend(self.partitions());
        families.extend(self.queries());
        families.extend(self.clients());
        families.extend(self.process());
        families
    }

    fn pipelines(&self) -> Vec<Family> {
        let counter = |metric, get: fn(&PipelineProgress) -> u64| {
            let points = self.pipelines.iter();
            let points = points.map(|p| point([&p.pipeline], Value::Counter(get(p))));
            family(metric, points)
        };
        let states = self.pipelines.iter().flat_map(|p| {
            State::ALL.into_iter().map(|state| {
                let here = f64::from(u8::from(p.state == state));
                point([p.pipeline.as_str(), state.as_str()], Value::Gauge(here))
            })
        });
        let redactions = self.pipelines.iter().flat_map(|p| {
            p.redactions
                .iter()
                .map(|(category, count)| point([&p.pipeline, category], Value::Counter(*count)))
        });
        let lag = |p: &PipelineProgress| point([&p.pipeline], Value::Gauge(p.lag as f64));
        let freshness = |p: &PipelineProgress| {
            let seconds = p.freshness_ms? as f64 / 1_000.0;
            Some(point([&p.pipeline], Value::Gauge(seconds)))
        };
        vec![
            family(&list::PIPELINE_STATE, states),
            counter(&list::PIPELINE_RECORDS, |p| p.events),
            counter(&list::PIPELINE_ROWS, |p| p.rows),
            counter(&list::PIPELINE_BYTES, |p| p.bytes),
            counter(&list::PIPELINE_COMMITS, |p| p.commits),
            counter(&list::PIPELINE_DEAD_LETTERS, |p| p.rejected),
            family(&list::PIPELINE_REDACTIONS, redactions),
            counter(&list::PIPELINE_CONFLICTS, |p| p.schema_conflicts),
            family(&list::PIPELINE_LAG, self.pipelines.iter().map(lag)),
            family(
                &list::PIPELINE_FRESHNESS,
                self.pipelines.iter().filter_map(freshness),
            ),
        ]
    }

    fn partitions(&self) -> Vec<Family> {
        let each = |metric, get: fn(&PartitionProgress) -> Option<Value>| {
            let points = self.partitions.iter().filter_map(|p| {
                let index = p.partition.index.to_string();
                Some(point([&p.pipeline, &p.partition.topic, &index], get(p)?))
            });
            family(metric, points)
        };
        vec![
            each(&list::PARTITION_LAG, |p| {
                Some(Value::Gauge(p.lag()? as f64))
            }),
            each(&list::PARTITION_OFFSET, |p| {
                Some(Value::Gauge(p.next_offset as f64))
            }),
            each(&list::PARTITION_END, |p| {
                Some(Value::Gauge(p.high_watermark? as f64))
            }),
            each(&list::PARTITION_GAP, |p| Some(Value::Counter(p.gap))),
        ]
    }

    fn queries(&self) -> Vec<Family> {
        let metrics = self.metrics;
        let ended = Outcome::ALL.into_iter().zip(&metrics.queries);
        let ended =
            ended.map(|(outcome, count)| point([outcome.as_str()], Value::Counter(get(count))));
        vec![
            family(&list::QUERIES, ended),
            gauge(&list::QUERIES_RUNNING, get(&metrics.running) as f64),
            histogram(&list::QUERY_SECONDS, &metrics.query_seconds),
            histogram(&list::FIRST_BATCH_SECONDS, &metrics.first_batch_seconds),
            counter(&list::ROWS_SENT, get(&metrics.rows_sent)),
            counter(&list::BYTES_SENT, get(&metrics.bytes_sent)),
        ]
    }

    fn clients(&self) -> Vec<Family> {
        let metrics = self.metrics;
        let open = Protocol::ALL.into_iter().zip(&metrics.connections);
        let open = open
            .map(|(protocol, count)| point([protocol.as_str()], Value::Gauge(get(count) as f64)));
        let accepted = Protocol::ALL.into_iter().zip(&metrics.accepted);
        let accepted = accepted
            .map(|(protocol, count)| point([protocol.as_str()], Value::Counter(get(count))));
        vec![
            family(&list::CONNECTIONS, open),
            family(&list::CONNECTIONS_ACCEPTED, accepted),
            counter(&list::LOGINS_REFUSED, get(&metrics.logins_refused)),
            gauge(&list::SESSIONS, get(&metrics.sessions) as f64),
            gauge(&list::STATEMENTS, get(&metrics.statements) as f64),
        ]
    }

    fn process(&self) -> Vec<Family> {
        let (used, limit) = self.memory;
        let version = point([env!("CARGO_PKG_VERSION")], Value::Gauge(1.0));
        let optional = |metric, value: Option<u64>| {
            let points = value.map(|value| point::<&str>([], Value::Gauge(value as f64)));
            family(metric, points)
        };
        vec![
            gauge(&list::MEMORY_USED, used as f64),
            optional(&list::MEMORY_LIMIT, limit),
            gauge(&list::SPILLED, self.spilled as f64),
            optional(&list::RESIDENT, resident_bytes()),
            optional(&list::OPEN_FILES, open_files()),
            optional(&list::MAX_FILES, max_files()),
            gauge(&list::STARTED, self.metrics.started),
            family(&list::BUILD, [version]),
        ]
    }
}

fn family(metric: &'static Metric, points: impl IntoIterator<Item = Point>) -> Family {
    Family {
        metric,
        points: points.into_iter().collect(),
    }
}

fn point<T: AsRef<str>>(labels: impl IntoIterator<Item = T>, value: Value) -> Point {
    let labels = labels.into_iter().map(|label| label.as_ref().to_owned());
    Point {
        labels: labels.collect(),
        value,
    }
}

fn gauge(metric: &'static Metric, value: f64) -> Family {
    family(metric, [point::<&str>([], Value::Gauge(value))])
}

fn counter(metric: &'static Metric, value: u64) -> Family {
    family(metric, [point::<&str>([], Value::Counter(value))])
}

fn histogram(metric: &'static Metric, histogram: &Histogram) -> Family {
    let (sum, counts) = histogram.read();
    let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
    let buckets = bounds.zip(counts).collect();
    let value = Value::Histogram { sum, buckets };
    family(metric, [point::<&str>([], value)])
}

/// What Linux says of this process; `None` elsewhere.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

fn open_files() -> Option<u64> {
    let files = std::fs::read_dir("/proc/self/fd").ok()?;
    u64::try_from(files.count()).ok()
}

fn max_files() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::METRICS;

    #[test]
    fn every_metric_is_observed_once_in_the_order_of_the_list_with_its_labels() {
        let mut pipeline = PipelineProgress {
            pipeline: "p".to_owned(),
            rows: 7,
            freshness_ms: Some(1_500),
            ..PipelineProgress::default()
        };
        pipeline.redactions.insert("email".to_owned(), 3);
        let observed = Observed {
            metrics: &Metrics::default(),
            pipelines: &[pipeline],
            partitions: &[],
            memory: (1, Some(2)),
            spilled: 0,
        };
        let families = observed.families();
        let found: Vec<&str> = families.iter().map(|family| family.metric.name).collect();
        let listed: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(found, listed);
        for family in &families {
            for point in &family.points {
                assert_eq!(point.labels.len(), family.metric.labels.len(), "{family:?}");
            }
        }
        let value = |metric: &Metric| {
            let family = families.iter().find(|family| family.metric == metric);
            family.unwrap().points[0].value.clone()
        };
        assert_eq!(value(&list::PIPELINE_ROWS), Value::Counter(7));
        assert_eq!(value(&list::PIPELINE_REDACTIONS), Value::Counter(3));
        assert_eq!(value(&list::PIPELINE_FRESHNESS), Value::Gauge(1.5));
    }
}

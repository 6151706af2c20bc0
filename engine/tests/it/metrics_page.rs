//! `docs/metrics.md` lists every metric there is; `UPDATE=1` rewrites it.

use std::fmt::Write as _;
use std::path::Path;

use sluice_engine::metrics::{Kind, METRICS};

const HEAD: &str = "\
# Metrics

`/metrics` of the address `server.metrics_listen` serves these as OpenMetrics text, which Prometheus
and its relatives read. Figures of pipelines and partitions are those of `system.pipelines` and
`system.partitions`, since this process started the pipeline; a counter begins at 0 with it.

| sample | kind | labels | what it is |
|---|---|---|---|
";

const TAIL: &str = "
A histogram has the samples `_bucket` with the label `le`, `_sum` and `_count`.

<!-- Written by a test of the engine from engine/src/metrics/list.rs; UPDATE=1 rewrites it. -->
";

#[test]
fn the_page_lists_every_metric() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let mut want = HEAD.to_owned();
    for metric in METRICS {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let (sample, labels, help) = (metric.sample(), labels.join(", "), metric.help);
        writeln!(want, "| `{sample}` | {kind} | {labels} | {help} |").unwrap();
    }
    want.push_str(TAIL);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, &want).unwrap();
    }
    let found = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(
        found == want,
        "docs/metrics.md is stale: run `UPDATE=1 make test-rust`"
    );
}

//! What operators watch: the one list of metrics, counters that cost an atomic addition, and their
//! values at a moment. Figures of pipelines are the very ones of `SHOW PIPELINES`.

mod counters;
mod list;
mod observed;

pub use counters::{Counted, Metrics, Outcome, Protocol, RunningQuery};
pub use list::{Kind, METRICS, Metric};
pub use observed::{Family, Observed, Point, Value};

//! What happens while the demo runs: the live line, the questions at their moments, the end.

use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Result};
use sluice_engine::session::Session;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::incident::Incident;
use super::report::{Live, Report, connections, grouped};
use super::table;

/// The first answers come when the table holds enough to look at.
const FIRST_ANSWERS: Duration = Duration::from_secs(10);
/// A demo of at most this length answers only at its end.
const SHORT: Duration = Duration::from_secs(60);
/// From the end of the incident to the answers that show it.
const AFTER_INCIDENT: Duration = Duration::from_secs(5);
/// How long the pipeline may take over the last records.
const DRAIN_MAX: Duration = Duration::from_secs(10);
const DRAIN_POLL: Duration = Duration::from_millis(100);
/// Proves that every offset was stored once, or says where not.
const PROOF: &str = "VERIFY TABLE logs";
/// The queries that show the incident: the first two of those that are shipped.
const INCIDENT_QUERIES: usize = 2;

/// A running demo.
pub(crate) struct Course {
    engine: Arc<Engine>,
    url: String,
    session: Session,
    incident: Incident,
    length: Option<Duration>,
    began: Instant,
    /// When the live line was last shown, and the events of that moment.
    shown: (Instant, u64),
}

/// What a moment of the course is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Every question.
    Answers,
    /// Those that show the incident.
    Incident,
}

impl Course {
    /// Begins.
    pub(crate) fn new(
        (engine, url): (&Arc<Engine>, &str),
        incident: Incident,
        length: Option<Duration>,
    ) -> Self {
        let began = Instant::now();
        let session = engine.session(Authority::Owner);
        let (engine, url) = (Arc::clone(engine), url.to_owned());
        Self {
            engine,
            url,
            session,
            incident,
            length,
            began,
            shown: (began, 0),
        }
    }

    /// Runs until the length is over; for ever without one.
    ///
    /// # Errors
    /// When a question fails or nobody reads the output.
    pub(crate) async fn run(&mut self, report: &mut Report) -> Result<()> {
        let mut ticks = interval(report.live_every());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut moments = moments(self.incident, self.length).into_iter().peekable();
        let end = self.length.map(|length| self.began + length);
        loop {
            let moment = moments.peek().map(|(at, _)| self.began + *at);
            tokio::select! {
                () = until(end) => return Ok(()),
                () = until(moment) => match moments.next() {
                    Some((_, Moment::Answers)) => self.answer_all(report).await?,
                    Some((_, Moment::Incident)) => self.answer_incident(report).await?,
                    None => {}
                },
                _ = ticks.tick() => self.live(report)?,
            }
        }
    }

    /// Asks every question, prints the answers, the proof of the table and how to ask more.
    ///
    /// # Errors
    /// When a question fails or nobody reads the output.
    pub(crate) async fn answer_all(&self, report: &mut Report) -> Result<()> {
        for query in sluice_sql::QUERIES {
            self.answer(query, report).await?;
        }
        let proof = table::draw(&self.ask(PROOF).await?)?;
        report.answer("The proof from the commits: sluice verify logs", &proof)?;
        let now = self.began.elapsed();
        if now < self.incident.from {
            let left = (self.incident.from - now).as_secs();
            report.print(&format!("\n(the incident begins in {left} s)\n"))?;
        }
        report.print(&connections(&self.url))
    }

    /// Waits until the pipeline has committed `sent` records and nothing is left to read, some
    /// seconds at most, and says what became of them.
    ///
    /// # Errors
    /// When nobody reads the output.
    pub(crate) async fn drain(&mut self, sent: u64, report: &mut Report) -> Result<()> {
        let deadline = Instant::now() + DRAIN_MAX;
        loop {
            let live = self.now();
            let settled = live.lag == 0 && live.events >= sent;
            if settled || Instant::now() >= deadline {
                break;
            }
            sleep(DRAIN_POLL).await;
        }
        let live = self.now();
        report.print(&format!(
            "\n{} events sent, {} rows committed, {} left out by the pipeline, {} dead letters, \
             {} left to read\n",
            grouped(sent),
            grouped(live.rows),
            grouped(live.events.saturating_sub(live.rows + live.rejected)),
            grouped(live.rejected),
            grouped(live.lag),
        ))
    }

    async fn answer_incident(&self, report: &mut Report) -> Result<()> {
        report.print("\nThe incident is over. What the logs say:\n")?;
        for query in sluice_sql::QUERIES.into_iter().take(INCIDENT_QUERIES) {
            self.answer(query, report).await?;
        }
        Ok(())
    }

    async fn answer(&self, query: &str, report: &mut Report) -> Result<()> {
        let title = sluice_sql::title(query);
        let batches = self
            .ask(query)
            .await
            .map_err(|error: Error| error.context(format!("query \"{title}\"")))?;
        let text = table::draw(&batches)?;
        report.answer(title, &text)
    }

    async fn ask(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        let prepared = self.session.prepare(sql).await?;
        let mut answer = self.session.execute(&prepared).await?;
        let mut batches = Vec::new();
        while let Some(batch) = answer.rows.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }

    fn live(&mut self, report: &mut Report) -> Result<()> {
        let live = self.now();
        let (since, before) = std::mem::replace(&mut self.shown, (Instant::now(), live.events));
        let rate =
            live.events.saturating_sub(before) as f64 / since.elapsed().as_secs_f64().max(0.001);
        report.live(&Live { rate, ..live })
    }

    /// Where all pipelines stand together, without the rate.
    fn now(&self) -> Live {
        let mut live = Live {
            at: self.began.elapsed(),
            ..Live::default()
        };
        for pipeline in self.engine.progress() {
            live.events += pipeline.events;
            live.rows += pipeline.rows;
            live.rejected += pipeline.rejected;
            live.lag += pipeline.lag;
            live.freshness_ms = live.freshness_ms.max(pipeline.freshness_ms);
            live.error = live.error.or(pipeline.error);
        }
        live
    }
}

/// When to ask what, counted from the beginning. What is asked at the end is not among it.
fn moments(incident: Incident, length: Option<Duration>) -> Vec<(Duration, Moment)> {
    if length.is_some_and(|length| length <= SHORT) {
        return Vec::new();
    }
    let after = incident.to + AFTER_INCIDENT;
    let mut moments = vec![(FIRST_ANSWERS, Moment::Answers)];
    if length.is_none_or(|length| length > after + SHORT) {
        moments.push((after, Moment::Incident));
    }
    moments
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_demos_answer_once_and_long_ones_again_after_the_incident() {
        let kinds = |length: Option<u64>| -> Vec<Moment> {
            let length = length.map(Duration::from_secs);
            moments(Incident::within(length), length)
                .into_iter()
                .map(|(_, kind)| kind)
                .collect()
        };
        assert_eq!(kinds(Some(30)), []);
        assert_eq!(kinds(Some(120)), [Moment::Answers]);
        assert_eq!(kinds(Some(900)), [Moment::Answers, Moment::Incident]);
        assert_eq!(kinds(None), [Moment::Answers, Moment::Incident]);
    }
}

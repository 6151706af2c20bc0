//! One statement, from its text to its last row on standard output.

use futures::StreamExt;
use sluice_engine::error::Result;

use super::format::{Encoder, Format};
use super::output::print;
use super::progress::{Progress, count};
use super::target::Place;

/// Runs `sql` and writes its rows as they come; gives a line about them for people.
///
/// # Errors
/// What is wrong with the statement, or with the output.
pub(crate) async fn run(place: &mut Place, sql: &str, format: Format) -> Result<String> {
    let mut progress = Progress::start();
    let mut reply = progress.during(place.run(sql)).await?;
    if let Some(affected) = reply.affected {
        // Takes what little is left, so that the statement is known to have ended.
        while let Some(rest) = reply.batches.next().await {
            rest?;
        }
        let seconds = progress.elapsed().as_secs_f64();
        return Ok(match affected {
            0 => format!("done in {seconds:.3} s"),
            rows => format!("{} inserted in {seconds:.3} s", count(rows)),
        });
    }
    let mut encoder = Encoder::new(format, &reply.schema)?;
    while let Some(batch) = progress.during(reply.batches.next()).await {
        let batch = batch?;
        progress.rows += u64::try_from(batch.num_rows()).unwrap_or_default();
        let bytes = encoder.encode(batch)?;
        if !bytes.is_empty() {
            progress.clear();
            progress.during(print(bytes)).await?;
        }
    }
    progress.clear();
    print(encoder.finish()?).await?;
    let seconds = progress.elapsed().as_secs_f64();
    Ok(format!("{} in {seconds:.3} s", count(progress.rows)))
}

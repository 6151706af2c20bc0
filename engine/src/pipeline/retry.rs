//! Runs a pipeline until it is told to stop: whatever happens it tries again, as what is committed
//! says where to go on.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::error::{Error, Result};
use crate::pipeline::drive::Drive;
use crate::pipeline::runner::Runner;
use crate::pipeline::status::State;

const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(15);

/// Readings that fail one after the other before the pipeline is opened anew: the table may have
/// changed under its plan.
const FAILURES_MAX: u32 = 6;

/// Why a pipeline no longer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was told to.
    Stopped,
    /// It does not get on as it was opened.
    Stuck,
}

/// Runs `opened` until `stop`, or until it is stuck.
pub async fn run(opened: &Runner, stop: &CancellationToken) -> End {
    let (name, status) = (&opened.definition.name, &opened.committer.status);
    let _share = opened.share();
    let _care = opened.look_after();
    let (mut backoff, mut failures) = (BACKOFF_MIN, 0);
    while !stop.is_cancelled() {
        status.update(|progress| progress.state = State::Starting);
        let mut progressed = false;
        let drive = AssertUnwindSafe(drive(opened, stop, &mut progressed)).catch_unwind();
        let error = match drive.await {
            Ok(Ok(())) => break,
            Ok(Err(error)) => error,
            Err(_) => Error::internal("the pipeline met a fault inside Sluice"),
        };
        // One that gets on loses partitions to others now and then; it need not wait longer and
        // longer.
        if progressed {
            (backoff, failures) = (BACKOFF_MIN, 0);
        }
        failures += 1;
        let wait = jitter(backoff);
        warn!(pipeline = name, error = %error, retry_in = ?wait, "pipeline failed");
        status.set(State::Retrying, Some(&error));
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
        backoff = (backoff * 2).min(BACKOFF_MAX);
        if failures >= FAILURES_MAX {
            return End::Stuck;
        }
    }
    status.forget_all();
    status.set(State::Stopped, None);
    End::Stopped
}

async fn drive(opened: &Runner, stop: &CancellationToken, progressed: &mut bool) -> Result<()> {
    let reader = async {
        // A process whose definition was replaced must not read at all.
        opened.committer.registration.check().await?;
        let wanted = opened.committer.transform.wanted();
        opened.source.follow(&opened.member(), wanted).await
    };
    let reader = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        reader = reader => reader?,
    };
    // Those of the reading before may have gone to others.
    opened.committer.status.forget_all();
    let mut drive = Drive::new(opened, reader);
    let end = drive.run(stop).await;
    *progressed = drive.progressed();
    end
}

/// Processes that met the same fault do not come back at the same moment.
fn jitter(wait: Duration) -> Duration {
    let spread = uuid::Uuid::new_v4().as_u128() % 256;
    let spread = u32::try_from(spread).unwrap_or(0);
    (wait / 2 + wait * spread / 256).min(BACKOFF_MAX)
}

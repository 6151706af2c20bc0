//! The way from a thread that reads to a [`Reader`]: a short queue of events, so that a slow engine
//! slows the thread and not the memory, and one that a dropped reader ends.
//!
//! A thread that has other things to do than wait for the engine waits in slices ([`wait_for`]).

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sluice_engine::error::{Error, Result};
use sluice_engine::source::{Assigned, Event, Offered, Partition, Reader, Revoked};
use tokio::sync::{mpsc, oneshot};

use crate::decode::Chunk;

/// Events that wait for the engine at most.
const WAITING: usize = 4;

/// Why a thread stops reading before the end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The reader is gone, so there is nobody to read for.
    Gone,
    /// The stream cannot be read further.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The reading thread's end.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    events: mpsc::Sender<Result<Option<Event>>>,
    board: Arc<Mutex<Board>>,
}

/// What both ends may look at without an event.
#[derive(Debug, Default)]
struct Board {
    high: Vec<(Partition, i64)>,
    committed: Vec<(Partition, i64)>,
}

impl Outlet {
    /// Whether the reader is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.events.is_closed()
    }

    /// Sends an event, waiting while the engine has enough to do.
    pub(crate) async fn send(&self, event: Event) -> Result<(), Stop> {
        let sent = self.events.send(Ok(Some(event))).await;
        sent.map_err(|_| Stop::Gone)
    }

    /// Sends what the chunk holds, if anything.
    pub(crate) fn flush(&self, chunk: &mut Chunk) -> Result<(), Stop> {
        let Some(batch) = chunk.finish()? else {
            return Ok(());
        };
        wait(self.send(Event::Batch(batch)))
    }

    /// Offers partitions and waits for the offset to read next of each.
    pub(crate) fn assign(&self, offered: Vec<Offered>) -> Result<Vec<i64>, Stop> {
        wait(self.assigned(offered))
    }

    /// The offset to read next of each partition offered. Without partitions it says that there are
    /// none for this reader.
    pub(crate) async fn assigned(&self, offered: Vec<Offered>) -> Result<Vec<i64>, Stop> {
        let (reply, answer) = oneshot::channel();
        let count = offered.len();
        self.send(Event::Assigned(Assigned { offered, reply }))
            .await?;
        let next = answer.await.map_err(|_| Stop::Gone)??;
        if next.len() == count {
            return Ok(next);
        }
        Err(Error::internal("the reply to an assignment has the wrong length").into())
    }

    /// Tells that partitions are lost and waits until what was read of them is dealt with.
    pub(crate) async fn revoked(&self, partitions: Vec<Partition>, lost: Lost) -> Result<(), Stop> {
        let (reply, answer) = oneshot::channel();
        let lost = lost == Lost::Already;
        self.send(Event::Revoked(Revoked {
            partitions,
            lost,
            reply,
        }))
        .await?;
        answer.await.map_err(|_| Stop::Gone)
    }

    /// Publishes the ends of the partitions being read.
    pub(crate) fn set_high(&self, high: Vec<(Partition, i64)>) {
        board(&self.board).high = high;
    }

    /// Takes what the engine has committed since the last call.
    pub(crate) fn take_committed(&self) -> Vec<(Partition, i64)> {
        std::mem::take(&mut board(&self.board).committed)
    }
}

/// Waits on this thread, which has nothing else to do.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Some(output) = wait_for(future.as_mut(), Duration::from_secs(3600)) {
            return output;
        }
    }
}

/// Waits on this thread for at most `patience`; `None` when more is needed, and the future goes on
/// where it stands in the next call.
pub(crate) fn wait_for<F: Future>(
    mut future: Pin<&mut F>,
    patience: Duration,
) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let since = Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let left = patience.saturating_sub(since.elapsed());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

/// Whether revoked partitions may still be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// They are given up in good order.
    Orderly,
    /// Somebody else may have them already.
    Already,
}

/// The engine's end.
#[derive(Debug)]
pub(crate) struct Inlet {
    events: mpsc::Receiver<Result<Option<Event>>>,
    board: Arc<Mutex<Board>>,
    complete: bool,
}

/// Says that a thread has opened its stream.
#[derive(Debug)]
pub(crate) struct Opened(oneshot::Sender<()>);

impl Opened {
    /// From here on errors are those of reading.
    pub(crate) fn announce(self) {
        // Nobody hears it when the reader is not wanted any more; the outlet tells that.
        let _ = self.0.send(());
    }
}

/// Runs `read` on a thread of its own and waits until it has opened its stream. The end of `read`
/// is the end of the stream, its error the reader's.
///
/// # Errors
/// The error of `read` if it fails before it has opened the stream.
pub(crate) async fn open<F>(name: &str, read: F) -> Result<Box<dyn Reader>>
where
    F: FnOnce(&Outlet, Opened) -> Result<(), Stop> + Send + 'static,
{
    let (sender, events) = mpsc::channel(WAITING);
    let (opened, is_open) = oneshot::channel();
    let shared = Arc::new(Mutex::new(Board::default()));
    let outlet = Outlet {
        events: sender,
        board: Arc::clone(&shared),
    };
    let body = move || {
        let end = match read(&outlet, Opened(opened)) {
            Ok(()) => Ok(None),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Gone) => return,
        };
        // It fails only when nobody is left to tell.
        let _ = wait(outlet.events.send(end));
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| {
            Error::unavailable("cannot start a thread to read a stream").source(error)
        })?;
    let mut inlet = Inlet {
        events,
        board: shared,
        complete: false,
    };
    if is_open.await.is_err() {
        // The thread has ended; why is all it has sent.
        inlet.next().await?;
    }
    Ok(Box::new(inlet))
}

fn board(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Reader for Inlet {
    async fn next(&mut self) -> Result<Option<Event>> {
        if self.complete {
            return Ok(None);
        }
        let event = self.events.recv().await.unwrap_or_else(|| {
            Err(Error::internal(
                "the thread that reads the stream ended without a word",
            ))
        });
        self.complete = matches!(event, Ok(None) | Err(_));
        event
    }

    fn acknowledge(&mut self, next: &[(Partition, i64)]) {
        board(&self.board).committed.extend_from_slice(next);
    }

    fn high_watermarks(&self) -> Vec<(Partition, i64)> {
        board(&self.board).high.clone()
    }
}

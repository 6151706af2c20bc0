//! Something to say while there is nothing to send. Only a call that asks for its next message gets
//! it, so that nothing piles up before a client that does not read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arrow_flight::FlightData;
use futures::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;

use crate::status::Result;

/// A stream that says `silence` when it has said nothing for `period`.
pub(super) struct KeepAlive<S> {
    inner: S,
    silence: FlightData,
    period: Duration,
    timer: Pin<Box<Sleep>>,
}

impl<S> KeepAlive<S> {
    /// `inner`, with `silence` after each `period` without a message.
    pub(super) fn new(inner: S, silence: FlightData, period: Duration) -> Self {
        Self {
            inner,
            silence,
            period,
            timer: Box::pin(sleep(period)),
        }
    }
}

impl<S: Stream<Item = Result<FlightData, Status>> + Unpin> Stream for KeepAlive<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = match self.inner.poll_next_unpin(cx) {
            Poll::Ready(next) => next,
            Poll::Pending => {
                ready!(self.timer.poll_unpin(cx));
                Some(Ok(self.silence.clone()))
            }
        };
        let later = Instant::now() + self.period;
        self.timer.as_mut().reset(later);
        Poll::Ready(next)
    }
}

//! The two runtimes, made in one place: one for I/O (sockets, brokers, stores), one for CPU work
//! (planning, query plans, pipeline transforms). A heavy query cannot starve the service's
//! heartbeats, and deep plans get large stacks.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// Stack of each CPU thread: planning recurses over expressions and plans.
const CPU_STACK_BYTES: usize = 16 << 20;

/// The runtime that `main` blocks on.
///
/// # Errors
/// When the operating system gives no threads.
pub fn io() -> Result<Runtime> {
    build(Builder::new_multi_thread().thread_name("sluice-io"))
}

fn build(builder: &mut Builder) -> Result<Runtime> {
    builder.enable_all().build().map_err(|error| {
        Error::unavailable(format!("cannot start the runtime: {error}")).source(error)
    })
}

/// Starts `work` on the runtime of the caller, which is the one for I/O: commits, readers,
/// services. The only other way to start work is [`Cpu::spawn`].
pub fn spawn<T, F>(work: F) -> JoinHandle<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    tokio::spawn(work)
}

/// The runtime for work that occupies a core.
#[derive(Debug)]
pub struct Cpu(Option<Runtime>);

impl Cpu {
    /// One thread for each core.
    ///
    /// # Errors
    /// When the operating system gives no threads.
    pub fn new() -> Result<Arc<Self>> {
        let number = AtomicUsize::new(0);
        let mut builder = Builder::new_multi_thread();
        builder
            .thread_stack_size(CPU_STACK_BYTES)
            .thread_name_fn(move || {
                format!("sluice-cpu-{}", number.fetch_add(1, Ordering::Relaxed))
            });
        Ok(Arc::new(Self(Some(build(&mut builder)?))))
    }

    /// Runs `work` and waits for it; dropping the returned future ends the work.
    ///
    /// # Errors
    /// What `work` returns, or [`crate::error::Kind::Internal`] when it panicked.
    pub async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let mut task = AbortOnDrop(self.spawn(work)?);
        match (&mut task.0).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => {
                Err(Error::internal("this statement met a fault inside Sluice").source(error))
            }
            Err(error) => Err(Error::cancelled("the work was stopped").source(error)),
        }
    }

    /// Starts `work`.
    ///
    /// # Errors
    /// When the runtime has ended.
    pub fn spawn<T, F>(&self, work: F) -> Result<JoinHandle<T>>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let runtime = self
            .0
            .as_ref()
            .ok_or_else(|| Error::cancelled("the process is ending"))?;
        Ok(runtime.spawn(work))
    }
}

impl Drop for Cpu {
    fn drop(&mut self) {
        // A runtime may not wait for its threads inside another one.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A task that ends when nobody waits for it.
#[derive(Debug)]
pub struct AbortOnDrop<T>(pub JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

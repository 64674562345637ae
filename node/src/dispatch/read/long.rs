//! Reads that take long run on threads of their own, a few at a time, so that the threads of the
//! clients stay free for others.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::base::interrupt::Interrupt;
use crate::base::limits::LONG_READS_MAX;
use crate::base::threads::Threads;

type Job = Box<dyn FnOnce() + Send>;

/// The threads for long reads. They end with the last clone of this.
#[derive(Debug, Clone)]
pub struct LongReads {
    jobs: mpsc::UnboundedSender<Job>,
    turns: Arc<Semaphore>,
}

/// The right to run one long read. Without threads for them, the caller runs it itself.
pub(in crate::dispatch) struct Turn(Option<(LongReads, OwnedSemaphorePermit)>);

/// Asks a read to end when its client does not wait for it any more.
struct InterruptOnDrop(Interrupt);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.request();
    }
}

impl LongReads {
    /// Starts the threads.
    pub fn start(threads: &dyn Threads) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..LONG_READS_MAX {
            let queue = Arc::clone(&queue);
            let main = async move {
                loop {
                    // The queue must be free for the other threads while a job runs.
                    let job = queue.lock().await.recv().await;
                    let Some(job) = job else { return };
                    job();
                }
            };
            drop(threads.spawn(&format!("read-{number}"), Box::new(move || Box::pin(main))));
        }
        Self { jobs, turns: Arc::new(Semaphore::new(LONG_READS_MAX)) }
    }

    /// Waits in line. A read takes its snapshot only after this, so that those that wait keep no
    /// old data in memory.
    pub(in crate::dispatch) async fn turn(of: Option<&Self>) -> Turn {
        let Some(own) = of else { return Turn(None) };
        let permit = Arc::clone(&own.turns).acquire_owned().await;
        Turn(permit.ok().map(|permit| (own.clone(), permit)))
    }
}

impl Turn {
    /// Runs `work`; it is asked to end early when the caller stops waiting. `None` when it failed.
    pub(in crate::dispatch) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let Some((threads, permit)) = self.0 else { return Some(work()) };
        let (done, result) = oneshot::channel();
        let guard = InterruptOnDrop(Interrupt::default());
        let interrupt = guard.0.clone();
        let job = move || {
            // The turn ends with the work, and not when the caller stops waiting for it.
            let _permit = permit;
            if !done.is_closed() {
                // The client may have left.
                let _ = done.send(interrupt.during(work));
            }
        };
        threads.jobs.send(Box::new(job)).ok()?;
        let result = result.await.ok();
        drop(guard);
        result
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;
    use crate::base::interrupt::is_interrupted;
    use crate::base::threads::RealThreads;

    #[tokio::test]
    async fn a_read_without_a_waiting_client_ends_and_lets_the_next_one_in() {
        let reads = LongReads::start(&RealThreads);
        for _ in 0..2 * LONG_READS_MAX {
            let turn = LongReads::turn(Some(&reads)).await;
            let endless = turn.run(|| {
                while !is_interrupted() {
                    std::thread::yield_now();
                }
            });
            assert!(tokio::time::timeout(Duration::from_millis(20), endless).await.is_err());
        }
        let turn = LongReads::turn(Some(&reads)).await;
        assert_eq!(turn.run(|| 7).await, Some(7));
        assert_eq!(LongReads::turn(None).await.run(|| 8).await, Some(8));
    }
}

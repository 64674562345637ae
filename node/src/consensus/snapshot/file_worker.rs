//! A thread that does blocking work in the order in which it is asked for, so that no thread that
//! answers others ever waits for a disk.

use std::io;

use tokio::sync::{mpsc, oneshot};

use crate::base::threads::Threads;

type Job = Box<dyn FnOnce() + Send>;

/// Hands work to its thread. Clones use the same one, which ends with the last of them.
#[derive(Clone)]
pub(crate) struct Worker {
    jobs: mpsc::UnboundedSender<Job>,
}

impl Worker {
    pub(crate) fn start(threads: &dyn Threads, name: &str) -> Self {
        let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
        let main = async move {
            while let Some(job) = queue.recv().await {
                job();
            }
        };
        drop(threads.spawn(name, Box::new(move || Box::pin(main))));
        Self { jobs }
    }

    /// Does `work` on the thread. It is done even when the caller stops to wait. The error says
    /// that the thread has ended.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let ended = || io::Error::other("the thread for this work has ended");
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            // The caller may have stopped to wait; the work counts all the same.
            let _ = reply.send(work());
        });
        self.jobs.send(job).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())
    }
}

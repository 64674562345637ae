//! Work on the two threads of a group: the raft thread, which must never wait, and the disk thread,
//! which may wait for the disk.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::base::blocking::RAFT_THREAD;
use crate::base::threads::{ThreadMain, Threads};
use crate::data::meta::{Facts, Meta};

/// Hands work to both threads. They end with the last clone.
#[derive(Clone)]
pub(crate) struct Tasks {
    raft: mpsc::UnboundedSender<ThreadMain>,
    disk: mpsc::UnboundedSender<ThreadMain>,
}

impl Tasks {
    /// Starts the threads.
    pub(crate) fn start(threads: &dyn Threads) -> Self {
        let (raft, queue) = mpsc::unbounded_channel::<ThreadMain>();
        drop(threads.spawn(RAFT_THREAD, Box::new(move || Box::pin(run_tasks(queue)))));
        let (disk, disk_queue) = mpsc::unbounded_channel::<ThreadMain>();
        drop(threads.spawn("disk", Box::new(move || Box::pin(run_tasks(disk_queue)))));
        Self { raft, disk }
    }

    /// Without threads: what is for the disk thread is kept, the rest is dropped.
    #[cfg(test)]
    pub(crate) fn kept() -> (Self, mpsc::UnboundedReceiver<ThreadMain>) {
        let (disk, kept) = mpsc::unbounded_channel();
        (Self { raft: mpsc::unbounded_channel().0, disk }, kept)
    }

    /// Runs a future on the raft thread, beside the core; `false` when the thread has stopped.
    pub(crate) fn run_on_raft_thread(&self, main: ThreadMain) -> bool {
        self.raft.send(main).is_ok()
    }

    /// Runs a future on the thread that may wait for the disk; `false` when it has stopped.
    pub(crate) fn run_on_disk_thread(&self, main: ThreadMain) -> bool {
        self.disk.send(main).is_ok()
    }

    /// Changes what is noted about this node, durably, on the thread that may wait for the disk.
    pub(crate) async fn note(
        &self,
        meta: &Arc<Meta>,
        change: impl FnOnce(&mut Facts) + Send + 'static,
    ) -> Result<(), String> {
        let (done, noted) = oneshot::channel();
        let meta = meta.clone();
        let main: ThreadMain = Box::new(move || {
            Box::pin(async move {
                // It is noted even if the caller has given up.
                let _ = done.send(meta.update(change));
            })
        });
        let stopped = || "the disk thread has stopped".to_owned();
        if !self.run_on_disk_thread(main) {
            return Err(stopped());
        }
        noted.await.map_err(|_| stopped())?.map_err(|error| error.to_string())
    }
}

/// The raft or the disk thread: runs what it is given until every handle is gone.
async fn run_tasks(mut queue: mpsc::UnboundedReceiver<ThreadMain>) {
    while let Some(main) = queue.recv().await {
        tokio::task::spawn_local(main());
    }
}

//! A client that reads what another client has just written, while everything changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ironkv_tests::clients::session::{Outcome, Session};
use ironkv_tests::cluster::Cluster;
use tokio::task::JoinHandle;

use crate::load::writer::Writer;

/// Reads the last acknowledged write through any node until it is stopped.
#[derive(Debug)]
pub struct Reader {
    stop: Arc<AtomicBool>,
    task: JoinHandle<(u64, u64)>,
}

impl Reader {
    /// Starts to read what `writer` writes.
    pub fn start(cluster: &Cluster, writer: &Writer) -> Self {
        let addresses = cluster.nodes.iter().map(|node| node.resp_address.clone()).collect();
        let mut session = Session::new(Arc::new(addresses));
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), writer.acknowledged());
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut reads, mut without_answer) = (0, 0);
            while !stopped.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(2)).await;
                let last = acknowledged.lock().last().map(|(number, _)| *number);
                let Some(number) = last else { continue };
                match session.line(&format!("GET writer:{number}")).await {
                    Outcome::Done(reply) => {
                        let found = reply.integer().map(|value| value as u64);
                        assert_eq!(found, Some(number), "a read misses what was acknowledged");
                        reads += 1;
                    }
                    Outcome::Refused(_) => session.leave(),
                    Outcome::Unknown(_) => {
                        without_answer += 1;
                        session.leave();
                    }
                }
            }
            (reads, without_answer)
        });
        Self { stop, task }
    }

    /// Stops; returns how many reads had no answer. Fails if one was stale or too few were
    /// answered.
    pub async fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let (reads, without_answer) = self.task.await.expect("a read was stale");
        assert!(reads > 20, "only {reads} reads were answered");
        without_answer
    }
}

//! A client that writes without pause and records what was acknowledged, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::session::{Outcome, Session};
use ironkv_tests::cluster::Cluster;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Numbers of acknowledged writes and their times, in order.
pub type Acknowledged = Arc<Mutex<Vec<(u64, Instant)>>>;

/// Writes `writer:N` = N through any node until it is stopped.
#[derive(Debug)]
pub struct Writer {
    stop: Arc<AtomicBool>,
    acknowledged: Acknowledged,
    task: JoinHandle<()>,
}

impl Writer {
    /// Starts to write.
    pub fn start(cluster: &Cluster) -> Self {
        let addresses = cluster.nodes.iter().map(|node| node.resp_address.clone()).collect();
        let mut session = Session::new(Arc::new(addresses));
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Acknowledged::default());
        let (stopped, log) = (Arc::clone(&stop), Arc::clone(&acknowledged));
        let task = tokio::spawn(async move {
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                match session.line(&format!("SET writer:{number} {number}")).await {
                    Outcome::Done(reply) => {
                        assert!(!reply.is_error(), "SET answers {reply:?}");
                        log.lock().push((number, Instant::now()));
                    }
                    // The next request may reach a node that serves.
                    Outcome::Refused(_) | Outcome::Unknown(_) => session.leave(),
                }
            }
        });
        Self { stop, acknowledged, task }
    }

    /// The growing list of acknowledged writes.
    pub fn acknowledged(&self) -> Acknowledged {
        Arc::clone(&self.acknowledged)
    }

    /// How many writes were acknowledged so far.
    pub fn count(&self) -> usize {
        self.acknowledged.lock().len()
    }

    /// Waits until this many more writes were acknowledged.
    pub async fn wait_for(&self, more: usize) {
        let goal = self.count() + more;
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.count() < goal {
            assert!(Instant::now() < deadline, "only {} of {goal} writes", self.count());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops, reads everything that was acknowledged through `client`, and returns the longest time
    /// between two acknowledgements.
    pub async fn finish(self, client: &mut Client) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the writer panicked");
        let acknowledged = self.acknowledged.lock().clone();
        for chunk in acknowledged.chunks(500) {
            let mut words = vec!["MGET".to_owned()];
            words.extend(chunk.iter().map(|(number, _)| format!("writer:{number}")));
            let reply = client.command(&words).await.expect("an answer");
            let values = reply.elements().unwrap_or_else(|| panic!("MGET answers {reply:?}"));
            for ((number, _), value) in chunk.iter().zip(values) {
                let found = value.integer().map(|value| value as u64);
                assert_eq!(found, Some(*number), "an acknowledged write is lost");
            }
        }
        let times: Vec<Instant> = acknowledged.iter().map(|(_, at)| *at).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }
}

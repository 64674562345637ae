//! A client of one node that sends the same command without pause and records the results.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ironkv_tests::clients::client::{Client, ClientError};
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// Far above the timeout of a request in the server.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// The results of one client.
#[derive(Debug, Default)]
pub struct Seen {
    /// Replies that are not errors.
    pub done: u64,
    /// Error replies, in full.
    pub errors: Vec<String>,
    /// Requests that ended with a closed connection.
    pub closed: u64,
    /// The longest time between a request and its reply.
    pub longest: Duration,
}

/// A client of one node that sends the same command without pause.
#[derive(Debug)]
pub struct Steady {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Steady {
    /// Starts to send.
    pub fn start(cluster: &Cluster, node: usize, command: &str) -> Self {
        let (address, command) = (cluster.nodes[node].resp_address.clone(), command.to_owned());
        let (seen, stop) =
            (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
        let (noted, stopped) = (seen.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let mut client = None;
            while !stopped.load(Ordering::Relaxed) {
                let connected = match client.take() {
                    Some(client) => Ok(client),
                    None => Client::connect_with_timeout(&address, REPLY_TIMEOUT).await,
                };
                let Ok(mut connected) = connected else { break };
                let sent = Instant::now();
                let reply = connected.line(&command).await;
                let mut seen = noted.lock();
                seen.longest = seen.longest.max(sent.elapsed());
                match reply {
                    Ok(reply) if reply.is_error() => seen.errors.push(reply.text()),
                    Ok(_) => seen.done += 1,
                    Err(ClientError::Lost(_) | ClientError::Refused(_)) => {
                        seen.closed += 1;
                        continue;
                    }
                }
                drop(seen);
                client = Some(connected);
            }
        });
        Self { seen, stop, task }
    }

    /// Waits until this many more commands succeeded.
    pub async fn wait_for(&self, more: u64) {
        let goal = self.seen.lock().done + more;
        let deadline = Instant::now() + SETTLE_LIMIT;
        while self.seen.lock().done < goal {
            assert!(Instant::now() < deadline, "no answers any more: {:?}", self.seen.lock());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until a connection was closed, no longer than `limit`.
    pub async fn wait_for_closed_or(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.seen.lock().closed == 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Stops; returns the results.
    pub async fn finish(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        std::mem::take(&mut self.seen.lock())
    }
}

/// [`Steady::wait_for`] of all of them.
pub async fn wait_for_all(clients: &[Steady], more: u64) {
    for client in clients {
        client.wait_for(more).await;
    }
}

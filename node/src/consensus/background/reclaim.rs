//! Gives memory back: keys past their deadline, and keys to evict. Both are looked for under the
//! lock of the keyspace, which a long command may hold for seconds, so it happens on a thread of
//! its own: the raft thread asks for keys and goes on with heartbeats until it has them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::evictions::{Choice, Evictions};
use crate::base::limits::{EXPIRE_BATCH_KEYS, REMOVAL_BATCH_BYTES};
use crate::base::random::Random;
use crate::base::seeded::{Bug, seeded};
use crate::base::threads::Threads;
use crate::consensus::proposal::entry::Item;
use crate::consensus::shared::Shared;
use crate::data::keyspace::VictimsEnd;

const INTERVAL: Duration = Duration::from_millis(100);

/// Asks for keys to evict.
pub(crate) struct Reclaim {
    pub(crate) evictions: Evictions,
    questions: mpsc::UnboundedSender<Question>,
}

/// Bytes to free. There is never more than one: the proposer waits for the answer.
pub(crate) struct Question {
    bytes: u64,
    answer: oneshot::Sender<Choice>,
}

impl Reclaim {
    /// The thread that answers is started by [`start`].
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Question>) {
        let (questions, queue) = mpsc::unbounded_channel();
        (Self { evictions: Evictions::default(), questions }, queue)
    }

    /// Keys that hold `bytes`, or as many of them as one entry takes; `None` when the group stops.
    pub(crate) async fn choose(&self, bytes: u64) -> Option<Choice> {
        let (answer, chosen) = oneshot::channel();
        self.questions.send(Question { bytes, answer }).ok()?;
        chosen.await.ok()
    }
}

/// Starts the thread. It ends when the group stops.
pub(crate) fn start(
    shared: &Arc<Shared>,
    threads: &dyn Threads,
    questions: mpsc::UnboundedReceiver<Question>,
) {
    let shared = shared.clone();
    let main = async move {
        tokio::join!(
            answer(&shared, questions),
            async {
                if !seeded(Bug::ExpiryOnRaftThread) {
                    expire(shared.clone()).await;
                }
            },
            evict(&shared),
        );
    };
    drop(threads.spawn("reclaim", Box::new(move || Box::pin(main))));
}

async fn answer(shared: &Shared, mut questions: mpsc::UnboundedReceiver<Question>) {
    let mut random = Random::new(shared.seed.rotate_left(17));
    while !shared.stopping.load(Ordering::Relaxed) {
        let Ok(question) = tokio::time::timeout(INTERVAL, questions.recv()).await else { continue };
        let Some(Question { bytes, answer }) = question else { return };
        // The proposer may be gone.
        let _ = answer.send(choose(shared, bytes, &mut random));
    }
}

/// Writers get in between two steps of a choice.
fn choose(shared: &Shared, bytes: u64, random: &mut Random) -> Choice {
    let now_ms = shared.time.take().ms();
    let mut choice = shared.reclaim.evictions.choice(bytes);
    while choice.go_on(&shared.keyspace.read(), now_ms, random) {}
    choice
}

/// Evicts when memory is above its maximum though nothing is written: the maximum was lowered.
async fn evict(shared: &Shared) {
    let mut random = Random::new(shared.seed.rotate_left(34));
    while pause(shared).await {
        while shared.is_leader() {
            let excess = shared.applied.excess_bytes();
            let missing = shared.reclaim.evictions.missing_bytes(excess);
            if missing == 0 {
                break;
            }
            let choice = choose(shared, missing, &mut random);
            let end = choice.end();
            let mut removed = !choice.is_empty();
            for item in choice.items() {
                removed &= matches!(shared.queue_item(item, false).await, Ok(Ok(_)));
            }
            if !removed || end == VictimsEnd::NoneLeft {
                break;
            }
        }
    }
}

/// Proposes the removal of keys that are due. Their owners cannot see them any more; this gives the
/// memory back and lets every node tell its subscribers.
pub(crate) async fn expire(shared: Arc<Shared>) {
    while pause(&shared).await {
        while shared.is_leader() && propose_due(&shared).await {}
    }
}

/// Whether to go on.
async fn pause(shared: &Shared) -> bool {
    tokio::time::sleep(INTERVAL).await;
    !shared.stopping.load(Ordering::Relaxed)
}

/// Whether there may be more.
async fn propose_due(shared: &Shared) -> bool {
    let now_ms = shared.time.take().ms();
    let mut more = false;
    let batches: Vec<Item> = {
        let keyspace = shared.keyspace.read();
        if !keyspace.settings.active_expire {
            return false;
        }
        let due = keyspace.databases().map(|(database, content)| {
            let due = content.due(now_ms, EXPIRE_BATCH_KEYS, REMOVAL_BATCH_BYTES);
            more |= due.more;
            Item::Expire { database, keys: due.keys }
        });
        due.filter(|item| matches!(item, Item::Expire { keys, .. } if !keys.is_empty())).collect()
    };
    for item in batches {
        let outcome = shared.queue_item(item, false).await;
        more &= matches!(outcome, Ok(Ok(_)));
    }
    more
}

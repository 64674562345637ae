//! Whether all replicas hold the same data, looked at while they run. Every few minutes the leader
//! puts a group entry without items into the log: it changes nothing, every version of the program
//! executes it, and it is a place in the log that all replicas pass. Each takes a cut there, as for
//! a checkpoint, works out its digest on a thread of its own at a slow pace, and tells the leader
//! with its answers to replication. A difference means that a replica is wrong, whatever the cause,
//! and that no election may hide it: it is logged, counted and shown in the status.
//!
//! Nothing waits for a digest, and one that comes too late, from a slow or restarted member, is not
//! compared. Digests cover keys, values, deadlines, cluster-wide parameters and the replicated
//! state beside them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ironkv_proto::raft::v1 as proto;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

use super::apply_worker::Cut;
use crate::base::ids::NodeId;
use crate::base::threads::Threads;
use crate::consensus::proposal::entry::GroupEntry;
use crate::consensus::shared::Shared;
use crate::consensus::types::GroupEntryBytes;
use crate::data::keyspace::Keyspace;
use crate::services::cluster::topology::ReplicaDigests;

/// What the number is made of. Programs that make it otherwise tell another form, and digests of
/// different forms are not compared.
const FORM: u32 = 1;

/// How often a leader looks whether a comparison is due.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Digests that a leader keeps to compare what slower members tell.
const KEPT: usize = 16;

/// Keys between two looks at the clock.
const KEYS_PER_STEP: usize = 64;

/// Work without a pause.
const STEP_MAX: Duration = Duration::from_millis(1);

/// Pause for each unit of time worked: a fifth of one processor at most.
const PAUSE_FACTOR: u32 = 4;

/// The digest of one replica at one place of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Digest {
    index: u64,
    number: u128,
}

/// What one group knows of its own digests and those of others.
pub(crate) struct Digests {
    /// The newest cut that waits for the thread; an older one is not worth the work any more.
    cut: watch::Sender<Option<Arc<Cut>>>,
    state: Mutex<State>,
    differences: AtomicU64,
}

#[derive(Default)]
struct State {
    own: VecDeque<Digest>,
    told: BTreeMap<NodeId, Digest>,
    /// The last place of the log at which each was compared, and whether it was equal.
    compared: BTreeMap<NodeId, (u64, bool)>,
}

impl Digests {
    /// Starts the thread; it ends with the group.
    pub(crate) fn start(threads: &dyn Threads) -> Arc<Self> {
        let (cut, mut cuts) = watch::channel(None::<Arc<Cut>>);
        let digests =
            Arc::new(Self { cut, state: Mutex::default(), differences: AtomicU64::new(0) });
        let known = Arc::downgrade(&digests);
        let main = async move {
            while cuts.changed().await.is_ok() {
                let Some(cut) = cuts.borrow_and_update().clone() else { continue };
                let digest = digest_of(&cut).await;
                drop(cut);
                let Some(digests) = known.upgrade() else { return };
                // The memory that only the cut still held goes.
                digests.cut.send_if_modified(|waiting| {
                    let done = waiting.as_ref().is_some_and(|cut| index_of(cut) == digest.index);
                    if done {
                        *waiting = None;
                    }
                    false
                });
                digests.note_own(digest);
            }
        };
        drop(threads.spawn("digest-0", Box::new(move || Box::pin(main))));
        digests
    }

    /// The state right after an entry without items. Returns at once.
    pub(crate) fn take(&self, cut: Cut) {
        self.cut.send_replace(Some(Arc::new(cut)));
    }

    fn note_own(&self, digest: Digest) {
        let mut state = self.state.lock();
        state.own.push_back(digest);
        if state.own.len() > KEPT {
            state.own.pop_front();
        }
        let waiting: Vec<_> = state.told.iter().map(|(id, told)| (*id, *told)).collect();
        drop(state);
        for (from, told) in waiting {
            self.compare(from, told);
        }
    }

    /// What this node tells its leader.
    pub(crate) fn tell(&self, report: &mut proto::FollowerReport) {
        if let Some(digest) = self.state.lock().own.back() {
            report.digest_form = FORM;
            report.digest_index = digest.index;
            report.digest_high = (digest.number >> 64) as u64;
            report.digest_low = digest.number as u64;
        }
    }

    /// What a follower tells this leader.
    pub(crate) fn note_told(&self, from: NodeId, report: &proto::FollowerReport) {
        if report.digest_form != FORM {
            return;
        }
        let number = u128::from(report.digest_high) << 64 | u128::from(report.digest_low);
        let digest = Digest { index: report.digest_index, number };
        if self.state.lock().told.insert(from, digest) != Some(digest) {
            self.compare(from, digest);
        }
    }

    fn compare(&self, from: NodeId, told: Digest) {
        let mut state = self.state.lock();
        let Some(own) = state.own.iter().find(|own| own.index == told.index).copied() else {
            return;
        };
        let equal = own.number == told.number;
        let before = state.compared.insert(from, (told.index, equal));
        if equal || before.is_some_and(|(index, _)| index == told.index) {
            return;
        }
        self.differences.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            node = %from,
            index = told.index,
            its_digest = format!("{:032x}", told.number),
            digest_here = format!("{:032x}", own.number),
            "a replica holds other data than this leader: see operations.md, replicas that differ"
        );
    }

    /// For the status; comparisons are a leader's.
    pub(crate) fn report(&self, members: impl Iterator<Item = NodeId>) -> ReplicaDigests {
        let state = self.state.lock();
        let compared = members.filter_map(|id| Some((id, *state.compared.get(&id)?)));
        ReplicaDigests {
            index: state.own.back().map_or(0, |own| own.index),
            compared: compared.collect(),
            differences: self.differences.load(Ordering::Relaxed),
        }
    }

    /// What was compared before this node led says nothing of now.
    fn forget(&self) {
        let mut state = self.state.lock();
        state.told.clear();
        state.compared.clear();
    }
}

fn index_of(cut: &Cut) -> u64 {
    cut.state.applied.map_or(0, |applied| applied.index)
}

async fn digest_of(cut: &Cut) -> Digest {
    let keys = digest_of_keys(&cut.keyspace).await;
    let mut rest = cut.keyspace.settings.fingerprint(cut.state.feature_level);
    rest.extend_from_slice(&cut.state.encode());
    Digest { index: index_of(cut), number: keys.wrapping_add(xxh3_128(&rest)) }
}

async fn digest_of_keys(keyspace: &Keyspace) -> u128 {
    let mut sum = 0_u128;
    let mut began = Instant::now();
    for (count, part) in keyspace.digest_parts().enumerate() {
        sum = sum.wrapping_add(part);
        if count % KEYS_PER_STEP == KEYS_PER_STEP - 1 && began.elapsed() >= STEP_MAX {
            tokio::time::sleep(began.elapsed() * PAUSE_FACTOR).await;
            began = Instant::now();
        }
    }
    sum
}

impl Shared {
    /// Puts the entry into the log at which all replicas take a digest. Its time is 0, so that it
    /// moves no clock.
    async fn mark_digest(&self) {
        let Some(raft) = self.raft() else { return };
        let entry = GroupEntry { now_ms: 0, seed: 0, items: Vec::new() };
        // On an error the core has stopped.
        let _ = raft.client_write_ff(GroupEntryBytes(entry.encode()), None).await;
    }
}

/// Runs beside the core: on the leader, one comparison in every interval.
pub(crate) async fn compare_replicas(shared: Arc<Shared>) {
    let mut leads = false;
    let mut compared_at = Instant::now();
    while !shared.stopping.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK_INTERVAL).await;
        // Read each time: a shorter interval counts from the last comparison on.
        let interval = Duration::from_secs(shared.config.load().cluster.digest_interval_s);
        if shared.is_leader() != leads {
            leads = shared.is_leader();
            shared.apply.digests.forget();
            compared_at = Instant::now();
        }
        if leads && !interval.is_zero() && compared_at.elapsed() >= interval {
            compared_at = Instant::now();
            shared.mark_digest().await;
        }
    }
}

//! All parts of a group, put together. Only this folder sees them all: every task and function
//! below takes the parts that it needs.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};

use crate::base::clock::Clock;
use crate::base::config::LiveConfig;
use crate::base::disk::Disk;
use crate::base::ids::GroupId;
use crate::consensus::background::checkpoint_trigger::CheckpointTrigger;
use crate::consensus::background::disk_space::Room;
use crate::consensus::background::reclaim::{Reclaim, Reclaimer};
use crate::consensus::leadership::participation::Participation;
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::lifetime::Lifetime;
use crate::consensus::membership::change::making::Changes;
use crate::consensus::membership::change::transfer::Transfers;
use crate::consensus::membership::feature_level::{LevelRise, Levels};
use crate::consensus::membership::incarnation::trust::Trust;
use crate::consensus::network::channels::Peers;
use crate::consensus::network::contacts::Contacts;
use crate::consensus::network::early_election::EarlyElection;
use crate::consensus::network::reports::Reports;
use crate::consensus::proposal::forward::Job;
use crate::consensus::proposal::forward::delivery::Delivery;
use crate::consensus::proposal::forward::forwards::Forwards;
use crate::consensus::proposal::forward::on_leader::OnLeader;
use crate::consensus::proposal::queue::Proposal;
use crate::consensus::proposal::queue_bytes::Queued;
use crate::consensus::proposal::request_sizes::RequestSizes;
use crate::consensus::proposal::submission::Proposals;
use crate::consensus::raft_handle::RaftHandle;
use crate::consensus::read::freshness::Freshness;
use crate::consensus::read::read_index::{MajorityReads, ReadQueue, Waiter};
use crate::consensus::snapshot::checkpoints::Checkpoints;
use crate::consensus::snapshot::incoming::Incoming;
use crate::consensus::state_machine::apply_worker::ApplyHandle;
use crate::consensus::state_machine::progress::Applied;
use crate::consensus::storage::contradictions::Contradictions;
use crate::consensus::storage::flushed::{FlushedLog, Flushes};
use crate::consensus::storage::log::Log;
use crate::consensus::storage::reversions::Reversions;
use crate::consensus::tasks::Tasks;
use crate::consensus::time::ClusterTime;
use crate::consensus::time::reset::Resets;
use crate::consensus::types::MemberAddresses;
use crate::data::keyspace::KeyspaceLock;
use crate::data::meta::Meta;

/// See the module.
pub(super) struct Parts {
    pub(super) own: Own,
    pub(super) data: Data,
    pub(super) cluster: Cluster,
    pub(super) requests: Requests,
    pub(super) control: Control,
}

/// This node and its directory.
pub(super) struct Own {
    pub(super) group_id: GroupId,
    /// The one source of settings, those that change while the group runs included.
    pub(super) config: Arc<LiveConfig>,
    pub(super) addresses: MemberAddresses,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) directory: PathBuf,
    pub(super) meta: Arc<Meta>,
    pub(super) tasks: Tasks,
    pub(super) lifetime: Arc<Lifetime>,
    /// Feeds the seeds of entries.
    pub(super) seed: u64,
}

/// The log and what was applied.
pub(super) struct Data {
    pub(super) log: Log,
    /// How far the log is on this node's disk.
    pub(super) flushed: Arc<FlushedLog>,
    pub(super) room: Arc<Room>,
    pub(super) keyspace: Arc<KeyspaceLock>,
    pub(super) applied: Arc<Applied>,
    pub(super) apply: ApplyHandle,
    pub(super) checkpoints: Arc<Checkpoints>,
    pub(super) incoming: Incoming,
    pub(super) time: Arc<ClusterTime>,
    pub(super) reclaim: Arc<Reclaim>,
}

/// The core and the other members.
pub(super) struct Cluster {
    pub(super) raft: Arc<RaftHandle>,
    pub(super) peers: Peers,
    pub(super) leadership: Arc<LeadershipState>,
    pub(super) participation: Arc<Participation>,
    pub(super) trust: Arc<Trust>,
    pub(super) levels: Arc<Levels>,
    pub(super) contacts: Arc<Contacts>,
    pub(super) freshness: Arc<Freshness>,
    pub(super) reports: Arc<Reports>,
    pub(super) reversions: Arc<Reversions>,
}

/// The way of reads and writes.
pub(super) struct Requests {
    pub(super) sizes: RequestSizes,
    /// Permits for entries on their way to the log.
    pub(super) window: Arc<Semaphore>,
    /// What waits in the queues, and what was sent to a leader that has not answered.
    pub(super) queued: Queued,
    pub(super) proposals: Arc<Proposals>,
    pub(super) forwards: Arc<Forwards>,
    pub(super) on_leader: Arc<OnLeader>,
    pub(super) delivery: Arc<Delivery>,
    pub(super) reads: MajorityReads,
    pub(super) read_queue: Arc<ReadQueue>,
    /// Until the core starts.
    pub(super) queues: Mutex<Option<Queues>>,
}

/// What is decided about the group and its members.
pub(super) struct Control {
    pub(super) changes: Changes,
    pub(super) transfers: Arc<Transfers>,
    pub(super) resets: Resets,
    pub(super) rise: LevelRise,
    pub(super) trigger: Arc<CheckpointTrigger>,
    pub(super) flushes: Arc<Flushes>,
    pub(super) contradictions: Arc<Contradictions>,
    pub(super) early_election: Arc<EarlyElection>,
    /// Held while the node gets its identity.
    pub(super) forming: tokio::sync::Mutex<()>,
}

/// The receiving ends, until the core starts.
pub(super) struct Queues {
    pub(super) proposals: mpsc::UnboundedReceiver<Proposal>,
    pub(super) large_requests: mpsc::UnboundedReceiver<Proposal>,
    pub(super) forwards: mpsc::UnboundedReceiver<Job>,
    pub(super) reads: mpsc::UnboundedReceiver<Waiter>,
}

impl Parts {
    /// What looks for keys that can go.
    pub(super) fn reclaimer(&self) -> Reclaimer {
        Reclaimer {
            reclaim: self.data.reclaim.clone(),
            lifetime: self.own.lifetime.clone(),
            leadership: self.cluster.leadership.clone(),
            keyspace: self.data.keyspace.clone(),
            time: self.data.time.clone(),
            applied: self.data.applied.clone(),
            proposals: self.requests.proposals.clone(),
            seed: self.own.seed,
        }
    }
}

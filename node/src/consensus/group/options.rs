//! What a group is started with.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::config::LiveConfig;
use crate::base::disk::Disk;
use crate::base::ids::GroupId;
use crate::base::net::Net;
use crate::base::telemetry::Metrics;
use crate::base::threads::Threads;
use crate::consensus::state_machine::apply::ApplyObserver;
use crate::consensus::storage::log::LogOptions;
use crate::consensus::types::MemberAddresses;

/// What a group needs to run.
pub struct GroupOptions {
    /// Which one.
    pub group_id: GroupId,
    /// The node's data directory; must exist and be locked by the caller.
    pub directory: PathBuf,
    /// How others reach this node.
    pub addresses: MemberAddresses,
    /// Timings, reads, checkpoints, room on the disk; what may change while the group runs does.
    pub config: Arc<LiveConfig>,
    /// Sizes of the log.
    pub log: LogOptions,
    /// The doors.
    pub disk: Arc<dyn Disk>,
    /// To peers.
    pub net: Arc<dyn Net>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// To threads.
    pub threads: Arc<dyn Threads>,
    /// Told of every applied entry.
    pub observer: Option<Arc<dyn ApplyObserver>>,
    /// Counts what apply deletes.
    pub metrics: Arc<Metrics>,
    /// Feeds the seeds of entries.
    pub seed: u64,
}

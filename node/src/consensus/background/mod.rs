//! What the group does without being asked: expiry, eviction, checkpoints, a look at the disk, the
//! clock and the replicas.

pub(crate) mod checkpoint_trigger;
pub(crate) mod compare_replicas;
pub(crate) mod disk_space;
pub(crate) mod evictions;
pub(crate) mod reclaim;
pub(crate) mod slow_apply;
pub(crate) mod stalled_disk;
pub(crate) mod wrong_clock;

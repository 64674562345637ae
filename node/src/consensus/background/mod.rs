//! What the group does without being asked: expiry, eviction, checkpoints, a look at the disk.

pub(crate) mod checkpoint_trigger;
pub(crate) mod disk_space;
pub(crate) mod evictions;
pub(crate) mod reclaim;

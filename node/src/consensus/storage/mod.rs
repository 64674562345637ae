//! The log on disk, and what is known of its durability.

pub(crate) mod contradictions;
pub(crate) mod disk_stall;
pub(crate) mod flushed;
pub mod log;
pub(crate) mod log_store;
pub mod new_cluster;
pub mod parts;
pub mod recover;
pub(crate) mod reversions;

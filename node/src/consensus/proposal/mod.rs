//! How a write becomes an entry of the log: queued, forwarded to the leader, gathered, stamped and
//! proposed.

pub(crate) mod claim;
pub(crate) mod entry;
pub(crate) mod forward;
pub(crate) mod large_requests;
pub(crate) mod pieces;
pub(crate) mod proposer;
pub(crate) mod queue;
pub(crate) mod queue_bytes;
pub(crate) mod stamping;

//! Checkpoints of the whole state, and how one travels to a node that lacks the log before it.

pub(crate) mod checkpoints;
pub(crate) mod file_worker;
pub(crate) mod incoming;
pub(crate) mod transfer;

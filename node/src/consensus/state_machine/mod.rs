//! What the log does to the data: every node applies the same entries in the same order.

pub(crate) mod apply;
pub(crate) mod apply_worker;
pub(crate) mod digests;
pub mod fuzzing;
pub(crate) mod machine;
pub(crate) mod progress;
pub(crate) mod replicated_state;

//! What makes a read linearizable, or bounds how stale it may be.

pub(crate) mod freshness;
pub(crate) mod lease;
pub(crate) mod pauses;
pub(crate) mod read_index;

//! The cluster as this node sees it.

pub mod topology;

pub use topology::{Member, MemberRole, RaftRole, RaftStatus};

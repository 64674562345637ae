//! The cluster as this node sees it.

pub mod topology;

pub use topology::{Contact, Member, MemberRole, RaftRole, RaftStatus, is_close};

//! Who leads, and whether this node may.

pub(crate) mod observe;
pub(crate) mod participation;
pub(crate) mod silent_members;
pub(crate) mod who_leads;

//! Who leads, and whether this node may.

pub(crate) mod observe;
pub(crate) mod participation;
pub(crate) mod who_leads;

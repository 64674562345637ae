//! Messages between the nodes of a group, in both directions.

pub(crate) mod append_room;
pub(crate) mod channels;
pub(crate) mod contacts;
pub(crate) mod convert;
pub(crate) mod early_election;
pub(crate) mod in_flight;
pub(crate) mod pacing;
pub(crate) mod peer;
pub(crate) mod reports;
pub(crate) mod service;

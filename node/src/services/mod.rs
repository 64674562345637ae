//! What commands lean on. Nothing here knows a command.

pub mod cluster;
pub mod sessions;

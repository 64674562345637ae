//! State that commands use. It does not depend on any command.

pub mod cluster;
pub mod sessions;

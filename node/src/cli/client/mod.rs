//! What subcommands need to communicate with nodes.

pub(super) mod admin;
pub(super) mod connection;
pub(super) mod hints;
pub(super) mod tls;

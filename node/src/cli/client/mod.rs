//! What subcommands need to communicate with nodes.

pub(super) mod admin;
pub(super) mod connection;
pub(super) mod hints;
pub(super) mod password;
pub(super) mod redirect;
pub(super) mod tls;

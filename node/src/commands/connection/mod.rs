//! Commands about the connection itself.

mod auth;
mod basic;
mod client;
mod cluster_mode;
mod shared;

use crate::commands::declare::Family;

pub(super) const FAMILY: Family = Family {
    group: "connection",
    category: "@connection",
    commands: &[
        cluster_mode::ASKING,
        auth::AUTH,
        client::CLIENT,
        basic::ECHO,
        auth::HELLO,
        basic::PING,
        basic::QUIT,
        cluster_mode::READONLY,
        cluster_mode::READWRITE,
        basic::RESET,
        basic::SELECT,
    ],
};

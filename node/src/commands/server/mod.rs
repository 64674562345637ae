//! Commands about the node itself: its state, its data and its configuration.

mod command;
mod config;
mod databases;
mod debug;
mod info;
mod latency;
mod memory;
mod modules;
mod persistence;
mod replication;
mod slowlog;
mod time_lolwut;

use crate::commands::declare::Family;

pub(super) const FAMILY: Family = Family {
    group: "server",
    category: "",
    commands: &[
        command::COMMAND,
        config::CONFIG,
        databases::DBSIZE,
        databases::FLUSHALL,
        databases::FLUSHDB,
        databases::SWAPDB,
        debug::DEBUG,
        info::INFO,
        latency::LATENCY,
        memory::MEMORY,
        modules::MODULE,
        persistence::BGREWRITEAOF,
        persistence::BGSAVE,
        persistence::LASTSAVE,
        persistence::SAVE,
        persistence::SHUTDOWN,
        replication::FAILOVER,
        replication::REPLICAOF,
        replication::ROLE,
        replication::SLAVEOF,
        replication::WAIT,
        replication::WAITAOF,
        slowlog::SLOWLOG,
        time_lolwut::LOLWUT,
        time_lolwut::TIME,
    ],
};

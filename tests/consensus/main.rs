//! Three real processes and more: who leads, what is kept, who belongs, what a broken disk does.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod changes;
mod disks;
mod failures;
mod membership;
mod partitions;
mod reader;
mod replication;
mod settings;
mod snapshots;
mod starting;
mod status;
mod tls;
mod transfers;
mod writer;

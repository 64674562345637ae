//! Three or more real processes: elections, durability, membership, broken disks.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod changes;
mod cluster_clients;
mod copies;
mod disks;
mod failing_disks;
mod failover;
mod divergence;
mod failures;
mod forwarding;
mod large_values;
mod member_views;
mod membership;
mod long_reads;
mod long_writes;
mod memory;
mod old_states;
mod pacing;
mod partitions;
mod poison;
mod queues;
mod reader;
mod removals;
mod replication;
mod settings;
mod small_disks;
mod sizes;
mod snapshots;
mod stale_reads;
mod starting;
mod status;
mod steady;
mod timings;
mod tls;
mod transfers_of_snapshots;
mod transfers;
mod waiting;
mod writer;

//! Three or more real processes: elections, durability, membership, broken disks.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

/// Disks that are small, full, slow or broken; memory limits.
mod disk {
    pub(crate) mod disks;
    pub(crate) mod failing_disks;
    pub(crate) mod memory;
    pub(crate) mod small_disks;
}

/// Large values, and commands that take long.
mod large {
    pub(crate) mod large_values;
    pub(crate) mod long_reads;
    pub(crate) mod long_writes;
    pub(crate) mod pacing;
    pub(crate) mod sizes;
}

/// Elections, and what clients notice of them.
mod leadership {
    pub(crate) mod cluster_clients;
    pub(crate) mod failover;
    pub(crate) mod failures;
    pub(crate) mod forwarding;
    pub(crate) mod partitions;
    pub(crate) mod queues;
    pub(crate) mod waiting;
}

/// Clients that write and read all the time.
mod load {
    pub(crate) mod reader;
    pub(crate) mod steady;
    pub(crate) mod writer;
}

/// Which nodes belong to a cluster.
mod members {
    pub(crate) mod changes;
    pub(crate) mod copies;
    pub(crate) mod member_views;
    pub(crate) mod membership;
    pub(crate) mod old_states;
    pub(crate) mod removals;
    pub(crate) mod starting;
    pub(crate) mod transfers;
}

/// Settings, status and TLS of one node.
mod node {
    pub(crate) mod settings;
    pub(crate) mod status;
    pub(crate) mod timings;
    pub(crate) mod tls;
}

/// All nodes hold the same data.
mod replicas {
    pub(crate) mod divergence;
    pub(crate) mod poison;
    pub(crate) mod replication;
    pub(crate) mod snapshots;
    pub(crate) mod stale_reads;
    pub(crate) mod transfers_of_snapshots;
}

//! The cluster in the terms of Redis Cluster's clients (CLUSTER) and in those of Raft (RAFT).

mod describe;
mod nodes;
mod raft;
mod slots;

use crate::commands::declare::container::container;
use crate::commands::declare::help::{help, help_of};
use crate::commands::declare::{Command, Family, Run};

pub(super) use describe::{host_and_port, node_name};

pub(super) const FAMILY: Family =
    Family { group: "cluster", category: "", commands: &[CLUSTER, raft::RAFT] };

const CLUSTER: Command = container(
    "CLUSTER",
    "A container for cluster commands.",
    "3.0.0",
    &[
        slots::COUNTKEYSINSLOT,
        slots::GETKEYSINSLOT,
        HELP,
        nodes::INFO,
        slots::KEYSLOT,
        nodes::LINKS,
        nodes::MYID,
        nodes::MYSHARDID,
        nodes::NODES,
        nodes::SHARDS,
        nodes::SLOTS,
    ],
);

const HELP: Command = help("5.0.0", Run::Describe(|_, _| help_of(&CLUSTER)));

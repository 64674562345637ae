//! The cluster as Redis Cluster's clients see it (CLUSTER), and as it is (RAFT).

mod describe;
mod nodes;
mod raft;
mod slots;

use super::command::{Arity, Command, Family, Flags, Keys};
use super::server::{at_once, container, help};
use crate::commands::args::Args;
use crate::commands::command::CommandResult;
use crate::commands::context::NodeContext;

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

const HELP: Command = Command {
    name: "HELP",
    summary: "Lists the subcommands.",
    since: "5.0.0",
    complexity: "O(1)",
    syntax: "",
    arity: Arity::Exactly(2),
    keys: Keys::None,
    flags: Flags::LOADING.with(Flags::STALE),
    run: at_once!(show_help),
};

fn show_help(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(help(
        "CLUSTER",
        &[
            "COUNTKEYSINSLOT <slot>",
            "    Return the number of keys in <slot>.",
            "GETKEYSINSLOT <slot> <count>",
            "    Return key names stored by current node in a slot.",
            "INFO",
            "    Return information about the cluster.",
            "KEYSLOT <key>",
            "    Return the hash slot for <key>.",
            "LINKS",
            "    Return links of the cluster bus; there is none here, so no links.",
            "MYID",
            "    Return the node id.",
            "MYSHARDID",
            "    Return the node's shard id.",
            "NODES",
            "    Return cluster configuration seen by node. Output format:",
            "    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
            "SHARDS",
            "    Return information about slot range mappings and the nodes associated with them.",
            "SLOTS",
            "    Return information about slots range mappings. Each range is made of:",
            "    start, end, master and replicas IP addresses, ports and ids",
        ],
    ))
}

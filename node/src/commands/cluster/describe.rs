//! Names and orders of members in the terms of Redis Cluster.

use crate::base::hash::stable_hash;
use crate::base::ids::NodeId;
use crate::services::cluster::{Member, RaftStatus};

/// Redis's clients know nodes by 40 hexadecimal digits. They are derived from the cluster id and
/// the node id, so that a node has the same name on every node.
pub(in crate::commands) fn node_name(status: &RaftStatus, node: NodeId) -> String {
    forty_digits(&format!("{}/node/{node}", cluster_of(status)))
}

/// The name of the only shard.
pub(super) fn shard_name(status: &RaftStatus) -> String {
    forty_digits(&format!("{}/shard", cluster_of(status)))
}

fn cluster_of(status: &RaftStatus) -> &str {
    status.cluster_id.as_ref().map_or("", |cluster| cluster.0.as_str())
}

fn forty_digits(text: &str) -> String {
    let part = |salt: u8| stable_hash(format!("{salt}{text}").as_bytes());
    let mut digits = format!("{:016x}{:016x}{:016x}", part(0), part(1), part(2));
    digits.truncate(40);
    digits
}

/// Splits `host:port`; the port is 0 when there is none.
pub(in crate::commands) fn host_and_port(address: &str) -> (&str, u16) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    (host.trim_start_matches('[').trim_end_matches(']'), port.parse().unwrap_or(0))
}

/// The members, the leader first: clients assume that the first one is the master.
pub(super) fn leader_first(status: &RaftStatus) -> Vec<&Member> {
    let mut members: Vec<&Member> = status.members.iter().collect();
    members.sort_by_key(|member| (Some(member.node_id) != status.leader, member.node_id));
    members
}

/// Whether a member is the leader.
pub(super) fn leads(status: &RaftStatus, member: &Member) -> bool {
    status.leader == Some(member.node_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_forty_digits_and_differ() {
        let status = RaftStatus::default();
        let (first, second) = (node_name(&status, NodeId(1)), node_name(&status, NodeId(2)));
        assert_eq!((first.len(), second.len()), (40, 40));
        assert_ne!(first, second);
        assert_ne!(first, shard_name(&status));
    }

    #[test]
    fn addresses_are_split() {
        assert_eq!(host_and_port("kv-0.kv:6379"), ("kv-0.kv", 6379));
        assert_eq!(host_and_port("[::1]:6379"), ("::1", 6379));
        assert_eq!(host_and_port("nothing"), ("nothing", 0));
    }
}

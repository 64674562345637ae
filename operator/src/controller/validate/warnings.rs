//! What works and yet is not what we would advise: the condition `ConfigurationWarning`.

use super::ValidatedCluster;
use crate::controller::quantity;
use crate::crd::{SpreadMode, TlsMode};

/// What is not advised, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A single member.
    #[error(
        "spec.replicas is 1: the data is on one disk and every restart is an outage; write 3 to \
         survive the loss of a member"
    )]
    OneReplica,
    /// Several members may share a machine.
    #[error(
        "spec.scheduling.spread.node is Disabled: the loss of one machine may take a majority; \
         write Preferred or Required"
    )]
    NoSpread,
    /// Nothing bounds memory.
    #[error(
        "nothing bounds the memory of the pods: write spec.config.maxmemory, and \
         spec.resources.limits.memory above it"
    )]
    UnboundedMemory,
    /// The kernel kills before `maxmemory` refuses.
    #[error(
        "spec.resources.limits.memory is {limit} bytes, less than spec.config.maxmemory needs: \
         write at least {needed} or lower maxmemory"
    )]
    SmallMemoryLimit {
        /// As it is, bytes.
        limit: u64,
        /// As it should be, bytes.
        needed: u64,
    },
    /// Anybody who reaches the pods can join the conversation of the peers.
    #[error(
        "spec.tls.peers is Disabled and spec.networkPolicy.enabled is false: whoever reaches \
         the pods can administer the cluster; switch one of them on"
    )]
    OpenPeers,
    /// Anybody who reaches the Service is a client.
    #[error(
        "spec.auth.enabled is false: whoever reaches the Service can read and write; write true"
    )]
    NoPassword,
    /// Too little time to hand over and to stop.
    #[error(
        "spec.terminationGracePeriodSeconds is {0}: a pod may be killed before it has handed over \
         the leadership; write 30 or more"
    )]
    ShortGrace(i64),
}

/// Grace below which a stop may be cut short, seconds.
const GRACE_SECONDS_MIN: i64 = 20;

/// What is not advised about a cluster.
pub fn warnings(cluster: &ValidatedCluster) -> Vec<Warning> {
    let spec = &cluster.spec;
    let mut found = Vec::new();
    if spec.replicas == 1 {
        found.push(Warning::OneReplica);
    }
    if spec.replicas > 1 && spec.scheduling.spread.node == SpreadMode::Disabled {
        found.push(Warning::NoSpread);
    }
    found.extend(memory(cluster));
    if spec.tls.peers == TlsMode::Off && !spec.network_policy.enabled {
        found.push(Warning::OpenPeers);
    }
    if !spec.auth.enabled {
        found.push(Warning::NoPassword);
    }
    if spec.termination_grace_period_seconds < GRACE_SECONDS_MIN {
        found.push(Warning::ShortGrace(spec.termination_grace_period_seconds));
    }
    found
}

fn memory(cluster: &ValidatedCluster) -> Option<Warning> {
    let limits = cluster.spec.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    let limit = limits.and_then(|limits| quantity::bytes(&limits.get("memory")?.0));
    let parameters = cluster.cluster_parameters();
    let asked = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case("maxmemory"));
    let asked = asked.and_then(|(_, size)| quantity::redis_bytes(size)).filter(|size| *size > 0);
    match (limit, asked) {
        (None, None) => Some(Warning::UnboundedMemory),
        (Some(limit), Some(asked)) if limit < needed(asked) => {
            Some(Warning::SmallMemoryLimit { limit, needed: needed(asked) })
        }
        _ => None,
    }
}

/// Memory of a process whose data has this size, bytes: a quarter more for the allocator and for
/// what changes while a checkpoint is written, the cache of the log, and buffers.
fn needed(maxmemory: u64) -> u64 {
    const LOG_CACHE_AND_BUFFERS: u64 = 256 << 20;
    maxmemory.saturating_add(maxmemory / 4).saturating_add(LOG_CACHE_AND_BUFFERS)
}

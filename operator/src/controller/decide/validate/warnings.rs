//! Settings that work but are not recommended: the condition `ConfigurationWarning`.

use super::ValidatedCluster;
use crate::controller::decide::quantity;
use crate::crd::{SpreadMode, TlsMode};

/// A setting that is not recommended. The text says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Warning {
    /// The cluster has a single member.
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
    /// Neither the store nor the container has a memory limit.
    #[error(
        "nothing bounds the memory of the pods: write spec.config.maxmemory, and \
         spec.resources.limits.memory above it"
    )]
    UnboundedMemory,
    /// The kernel would kill the process before `maxmemory` takes effect.
    #[error(
        "spec.resources.limits.memory is {limit} bytes, less than spec.config.maxmemory needs: \
         write at least {needed} or lower maxmemory"
    )]
    SmallMemoryLimit {
        /// The limit in bytes.
        limit: u64,
        /// The lowest safe limit in bytes.
        needed: u64,
    },
    /// Any client that reaches the pods can act as a peer or as an administrator.
    #[error(
        "spec.tls.peers is Disabled and spec.networkPolicy.enabled is false: whoever reaches \
         the pods can administer the cluster; switch one of them on"
    )]
    OpenPeers,
    /// Any client that reaches the Service can read and write.
    #[error(
        "spec.auth.enabled is false: whoever reaches the Service can read and write; write true"
    )]
    NoPassword,
    /// The grace period is too short for a leadership transfer and an orderly stop.
    #[error(
        "spec.terminationGracePeriodSeconds is {0}: a pod may be killed before it has handed over \
         the leadership; write 30 or more"
    )]
    ShortGrace(i64),
}

/// With a shorter grace period, the kubelet may kill a node that is still stopping. In seconds.
const GRACE_SECONDS_MIN: i64 = 20;

/// The settings of a cluster that are not recommended.
pub(crate) fn warnings(cluster: &ValidatedCluster) -> Vec<Warning> {
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
    let maxmemory = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case("maxmemory"));
    let maxmemory =
        maxmemory.and_then(|(_, size)| quantity::redis_bytes(size)).filter(|size| *size > 0);
    match (limit, maxmemory) {
        (None, None) => Some(Warning::UnboundedMemory),
        (Some(limit), Some(maxmemory)) if limit < needed(maxmemory) => {
            Some(Warning::SmallMemoryLimit { limit, needed: needed(maxmemory) })
        }
        _ => None,
    }
}

/// Memory that a process needs for data of this size, in bytes: a quarter more for the allocator
/// and for changes during a checkpoint, and a constant for the log cache and buffers.
fn needed(maxmemory: u64) -> u64 {
    const LOG_CACHE_AND_BUFFERS: u64 = 256 << 20;
    maxmemory.saturating_add(maxmemory / 4).saturating_add(LOG_CACHE_AND_BUFFERS)
}

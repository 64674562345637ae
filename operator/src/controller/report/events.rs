//! Events: what `kubectl describe` shows about the steps.

use super::problem::Reason;
use crate::controller::decide::{Step, Stop};
use crate::names::{self, ClusterName};

/// The text of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventText {
    /// What happened, for machines.
    pub(crate) reason: Reason,
    /// What happened, for people.
    pub(crate) note: String,
}

fn event(reason: Reason, note: impl Into<String>) -> EventText {
    EventText { reason, note: note.into() }
}

/// The event for a step that was executed; `None` for a step without an effect.
pub(crate) fn of_step(step: &Step, cluster: &ClusterName) -> Option<EventText> {
    let pod = |ordinal: u32| names::pod(cluster, ordinal);
    Some(match step {
        Step::Done | Step::Wait(_) | Step::Stop(_) | Step::FinishChange(_) => return None,
        Step::RecordBootstrap { ordinal } => {
            event(Reason::BootstrapBegun, format!("the cluster begins with {}", pod(*ordinal)))
        }
        Step::RecordFormed => event(Reason::Bootstrapped, "the cluster was formed"),
        Step::Init { ordinal, .. } => {
            event(Reason::MemberInitialized, format!("{} is the first member", pod(*ordinal)))
        }
        Step::Join { ordinal, .. } => {
            event(Reason::MemberJoined, format!("{} joined as a learner", pod(*ordinal)))
        }
        Step::Promote(id, _) => event(Reason::MemberPromoted, format!("node {} votes", id.0)),
        Step::Demote(id, _) => event(Reason::MemberDemoted, format!("node {} votes no more", id.0)),
        Step::Remove(id, _) => {
            event(Reason::MemberRemoved, format!("node {} is no member any more", id.0))
        }
        Step::TransferLeader(id, _) => {
            event(Reason::LeaderMoved, format!("the leadership was handed over to node {}", id.0))
        }
        Step::DeletePod { ordinal, .. } => event(
            Reason::PodRolled,
            format!("{} was deleted to come back with the newest template", pod(*ordinal)),
        ),
        Step::DiscardDisk { ordinal, .. } => event(
            Reason::DiskDiscarded,
            format!("the volume of {}, which holds no member, was deleted", pod(*ordinal)),
        ),
        Step::SetOrdinals { ordinals, .. } => {
            event(Reason::Scaled, format!("the StatefulSet was set to {ordinals} pods"))
        }
    })
}

/// The name of a step in the metrics.
pub(crate) const fn step_name(step: &Step) -> &'static str {
    match step {
        Step::Done => "done",
        Step::Wait(_) => "wait",
        Step::Stop(Stop::QuorumLost { .. }) => "stop_quorum_lost",
        Step::Stop(Stop::ClusterIdMismatch { .. }) => "stop_cluster_id_mismatch",
        Step::Stop(Stop::DataLost) => "stop_data_lost",
        Step::RecordBootstrap { .. } => "record_bootstrap",
        Step::RecordFormed => "record_formed",
        Step::Init { .. } => "init",
        Step::Join { .. } => "join",
        Step::FinishChange(_) => "finish_change",
        Step::Promote(..) => "promote",
        Step::Demote(..) => "demote",
        Step::Remove(..) => "remove",
        Step::TransferLeader(..) => "transfer_leader",
        Step::DeletePod { .. } => "delete_pod",
        Step::DiscardDisk { .. } => "discard_disk",
        Step::SetOrdinals { .. } => "set_ordinals",
    }
}

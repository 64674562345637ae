//! Events: what `kubectl describe` shows of the steps.

use super::{Step, Stop};
use crate::names;

/// An event's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// In one word.
    pub(super) reason: &'static str,
    /// For people.
    pub(super) note: String,
}

fn words(reason: &'static str, note: impl Into<String>) -> Words {
    Words { reason, note: note.into() }
}

/// What a step that was made is called; nothing when it makes no difference to anybody.
pub(super) fn of_step(step: &Step, name: &str) -> Option<Words> {
    let pod = |ordinal: u32| names::pod(name, ordinal);
    Some(match step {
        Step::Done | Step::Wait(_) | Step::Stop(_) | Step::FinishChange(_) => return None,
        Step::RecordBootstrap { ordinal } => {
            words("BootstrapBegun", format!("the cluster begins with {}", pod(*ordinal)))
        }
        Step::RecordFormed => words("Bootstrapped", "the cluster was formed"),
        Step::Init { ordinal, .. } => {
            words("MemberInitialized", format!("{} is the first member", pod(*ordinal)))
        }
        Step::Join { ordinal, .. } => {
            words("MemberJoined", format!("{} joined as a learner", pod(*ordinal)))
        }
        Step::Promote(id, _) => words("MemberPromoted", format!("node {} votes", id.0)),
        Step::Demote(id, _) => words("MemberDemoted", format!("node {} votes no more", id.0)),
        Step::Remove(id, _) => {
            words("MemberRemoved", format!("node {} is no member any more", id.0))
        }
        Step::TransferLeader(id, _) => {
            words("LeaderMoved", format!("the leadership was handed over to node {}", id.0))
        }
        Step::DeletePod { ordinal, .. } => words(
            "PodRolled",
            format!("{} was deleted to come back with the newest template", pod(*ordinal)),
        ),
        Step::DiscardDisk { ordinal, .. } => words(
            "DiskDiscarded",
            format!("the volume of {}, which holds no member, was deleted", pod(*ordinal)),
        ),
        Step::SetOrdinals { ordinals, .. } => {
            words("Scaled", format!("the StatefulSet was set to {ordinals} pods"))
        }
    })
}

/// A step's name in the metrics.
pub(super) const fn step_name(step: &Step) -> &'static str {
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

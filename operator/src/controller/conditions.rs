//! The conditions of a status, in the order in which they are shown. Every one that is not as it
//! should be says what to do next.

use super::problem::{self, Problem};
use super::status::{Facts, is_ready};
use super::{Membership, Step, Stop, Waiting};
use crate::crd::ConditionType;

/// What a condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Whether it holds.
    pub(super) status: Truth,
    /// In one word.
    pub(super) reason: &'static str,
    /// For people.
    pub(super) message: String,
}

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It cannot be told.
    Unknown,
}

impl Truth {
    /// As Kubernetes writes it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Yes => "True",
            Self::No => "False",
            Self::Unknown => "Unknown",
        }
    }
}

fn said(status: Truth, reason: &'static str, message: impl Into<String>) -> Said {
    Said { status, reason, message: message.into() }
}

/// All of them.
pub(super) fn all(facts: &Facts<'_>) -> [(ConditionType, Said); 9] {
    [
        (ConditionType::Ready, ready(facts)),
        (ConditionType::Available, available(facts)),
        (ConditionType::Progressing, progressing(facts)),
        (ConditionType::Degraded, degraded(facts)),
        (ConditionType::Bootstrapped, bootstrapped(facts)),
        (ConditionType::QuorumLost, quorum_lost(facts)),
        (ConditionType::ClusterIDMismatch, mismatch(facts)),
        (ConditionType::ConfigurationWarning, warning(facts)),
        (ConditionType::StorageResizing, resizing(facts)),
    ]
}

fn ready(facts: &Facts<'_>) -> Said {
    if let Some(problem) = facts.obstacle {
        return said(Truth::No, problem.reason, problem.message.clone());
    }
    match facts.step {
        Some(Step::Done) if facts.target.replicas == 0 => {
            said(Truth::No, "Hibernated", "no pods run; set spec.replicas to wake the cluster")
        }
        Some(Step::Done | Step::Wait(Waiting::Paused)) if leader_is_full(facts) => {
            said(Truth::No, problem::DISK_FULL, listed(facts.problems))
        }
        Some(Step::Done) if ready_pods(facts) < facts.target.replicas as usize => {
            let (reason, message) = awaited(Waiting::Pods);
            said(Truth::No, reason, message)
        }
        Some(Step::Done) => {
            let members = facts.target.replicas;
            said(Truth::Yes, "AllMembersServe", format!("all {members} members serve"))
        }
        Some(Step::Wait(Waiting::Paused)) => match &facts.observed.membership {
            Some(group) if serving(group) >= facts.target.replicas as usize => {
                said(Truth::Yes, "AllMembersServe", "all members serve; spec.paused is set")
            }
            _ => said(Truth::No, "Paused", PAUSED),
        },
        Some(step) => {
            let (reason, message) = doing(step, facts);
            said(Truth::No, reason, message)
        }
        None => said(Truth::Unknown, "NotObserved", "nothing was observed yet"),
    }
}

/// It refuses all writes.
fn leader_is_full(facts: &Facts<'_>) -> bool {
    facts.survey.leader(facts.cluster_id).is_some_and(|(_, told)| told.disk_full)
}

fn ready_pods(facts: &Facts<'_>) -> usize {
    facts.kubernetes.pods.values().filter(|pod| is_ready(pod)).count()
}

const PAUSED: &str = "spec.paused is set: nothing is changed until it is false";

fn serving(group: &Membership) -> usize {
    group.voters().filter(|voter| group.takes_part(voter)).count()
}

fn available(facts: &Facts<'_>) -> Said {
    if facts.target.replicas == 0 && facts.kubernetes.pods.is_empty() {
        return said(Truth::No, "Hibernated", "no pods run; all data is kept");
    }
    let Some(group) = &facts.observed.membership else {
        return match facts.latches.formed {
            true => said(Truth::Unknown, "NoMemberAnswers", "no member answers the operator"),
            false => said(Truth::No, "NotFormed", "the cluster is not formed yet"),
        };
    };
    let voters = group.voters().count();
    match (&group.leader, facts.step) {
        (Some(_), _) => {
            let message = format!("{} of {voters} voters follow the leader", serving(group));
            said(Truth::Yes, "MajorityServes", message)
        }
        (None, Some(Step::Wait(Waiting::Unknown))) => {
            said(Truth::Unknown, "NoMemberAnswers", "the operator does not reach the members")
        }
        (None, _) => said(Truth::No, "NoLeader", "no leader that a majority follows answers"),
    }
}

fn progressing(facts: &Facts<'_>) -> Said {
    if let Some(problem) = facts.obstacle {
        return said(Truth::No, problem.reason, problem.message.clone());
    }
    match facts.step {
        Some(Step::Done) => said(Truth::No, "Done", "everything asked for is there"),
        Some(Step::Wait(Waiting::Paused)) => said(Truth::No, "Paused", PAUSED),
        Some(step @ (Step::Stop(_) | Step::Wait(Waiting::Roll | Waiting::Replacement))) => {
            let (reason, message) = doing(step, facts);
            said(Truth::No, reason, message)
        }
        Some(step) => {
            let (reason, message) = doing(step, facts);
            said(Truth::Yes, reason, message)
        }
        None => said(Truth::Unknown, "NotObserved", "nothing was observed yet"),
    }
}

/// What is going on, for the one who waits for it.
fn doing(step: &Step, facts: &Facts<'_>) -> (&'static str, String) {
    let text = |reason, message: &str| (reason, message.to_owned());
    match step {
        Step::Done => text("Done", "everything asked for is there"),
        Step::Wait(waiting) => awaited(*waiting),
        Step::Stop(stop) => stopped(stop, facts.name),
        Step::RecordBootstrap { .. } | Step::RecordFormed | Step::Init { .. } => {
            text("Bootstrapping", "the first member is made")
        }
        Step::Join { .. } | Step::Promote(..) => text("MemberJoining", "a member joins"),
        Step::FinishChange(_) => text("MembershipChange", "a membership change is being finished"),
        Step::Demote(..) | Step::Remove(..) => text("MemberLeaving", "a member leaves"),
        Step::TransferLeader(..) => text("LeaderMoving", "the leadership is handed over"),
        Step::DeletePod { .. } => text("Rolling", "pods get the newest template, one at a time"),
        Step::DiscardDisk { .. } => {
            text("DiskDiscarded", "a disk that holds no member is given up")
        }
        Step::SetOrdinals { ordinals, .. } => {
            ("Scaling", format!("the StatefulSet is set to {ordinals} pods"))
        }
    }
}

fn awaited(waiting: Waiting) -> (&'static str, String) {
    let (reason, message) = match waiting {
        Waiting::Paused => ("Paused", PAUSED),
        Waiting::Pods => ("WaitingForPods", "pods come or go"),
        Waiting::Unknown => {
            ("MembersUnknown", "the operator does not reach a member that the others reach")
        }
        Waiting::Election => ("Electing", "a majority answers and elects a leader"),
        Waiting::CatchUp => ("CatchingUp", "a member receives the log"),
        Waiting::Replacement => (
            "MemberMissing",
            "a member does not answer; it is replaced after spec.memberReplacement.afterSeconds \
             when the policy is Auto",
        ),
        Waiting::Roll => (
            "RollWaits",
            "a pod has an older template; it goes when a majority stands without it, or by hand \
             when spec.update.strategy is Manual",
        ),
        Waiting::Leave => {
            ("LeaveWaits", "a member can only leave once a majority stands without it")
        }
    };
    (reason, message.to_owned())
}

fn stopped(stop: &Stop, name: &str) -> (&'static str, String) {
    match stop {
        Stop::QuorumLost { answering, voters } => (
            "QuorumLost",
            format!(
                "only {answering} of {voters} voters answer and a majority is needed, so nothing \
                 is changed; bring the others' pods and volumes back: kubectl get pods,pvc -l \
                 app.kubernetes.io/instance={name}"
            ),
        ),
        Stop::ClusterIdMismatch { ordinal, found } => {
            let (claim, pod) =
                (crate::names::volume_claim(name, *ordinal), crate::names::pod(name, *ordinal));
            (
                "ClusterIDMismatch",
                format!(
                    "the volume of {pod} belongs to cluster {found}; to use that data set \
                     spec.clusterID to {found}; to give it up: kubectl delete pvc {claim} and \
                     kubectl delete pod {pod}"
                ),
            )
        }
        Stop::DataLost => (
            "DataLost",
            "the cluster was formed and every volume is empty; nothing is done so that they can be \
             restored; to begin anew delete this resource and make it again"
                .to_owned(),
        ),
    }
}

fn degraded(facts: &Facts<'_>) -> Said {
    if let Some(problem) = facts.problems.first() {
        return said(Truth::Yes, problem.reason, listed(facts.problems));
    }
    if let Some(Step::Stop(stop)) = facts.step {
        let (reason, message) = stopped(stop, facts.name);
        return said(Truth::Yes, reason, message);
    }
    let Some(group) = facts.observed.membership.as_ref().filter(|_| facts.target.replicas > 0)
    else {
        return said(Truth::No, "NotFormed", "there are no members");
    };
    let absent = group.members.iter().filter(|member| !group.takes_part(member));
    let absent: Vec<String> = absent.map(|member| name_of(member, facts)).collect();
    if absent.is_empty() {
        return said(Truth::No, "AllMembersServe", "every member takes part");
    }
    said(Truth::Yes, "MemberMissing", format!("not taking part: {}", absent.join(", ")))
}

fn name_of(member: &super::Member, facts: &Facts<'_>) -> String {
    let pod = member.ordinal.map(|ordinal| crate::names::pod(facts.name, ordinal));
    pod.unwrap_or_else(|| format!("node {}", member.id.0))
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<&str>>().join("; ")
}

fn bootstrapped(facts: &Facts<'_>) -> Said {
    match facts.latches.formed {
        true => said(Truth::Yes, "Formed", "the cluster was formed"),
        false => said(Truth::No, "NotFormed", "the cluster is not formed yet"),
    }
}

fn quorum_lost(facts: &Facts<'_>) -> Said {
    match facts.step {
        Some(Step::Stop(stop @ (Stop::QuorumLost { .. } | Stop::DataLost))) => {
            let (reason, message) = stopped(stop, facts.name);
            said(Truth::Yes, reason, message)
        }
        None | Some(Step::Wait(Waiting::Unknown)) => {
            said(Truth::Unknown, "NotObserved", "the members could not be asked")
        }
        Some(_) => said(Truth::No, "MajorityAnswers", "no majority is missing"),
    }
}

fn mismatch(facts: &Facts<'_>) -> Said {
    match facts.step {
        Some(Step::Stop(stop @ Stop::ClusterIdMismatch { .. })) => {
            let (reason, message) = stopped(stop, facts.name);
            said(Truth::Yes, reason, message)
        }
        _ => said(Truth::No, "OneCluster", "every volume belongs to this cluster or is empty"),
    }
}

fn warning(facts: &Facts<'_>) -> Said {
    match facts.warnings.first() {
        None => said(Truth::No, "NoWarning", "nothing to advise"),
        Some(first) => said(Truth::Yes, first.reason, listed(facts.warnings)),
    }
}

fn resizing(facts: &Facts<'_>) -> Said {
    match &facts.resizing {
        None => said(Truth::No, "SizesAsAsked", "every volume has the size that is asked for"),
        Some(problem) => said(Truth::Yes, problem.reason, problem.message.clone()),
    }
}

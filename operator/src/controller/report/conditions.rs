//! The conditions of a status, in the order in which they are shown. Each one that indicates a
//! problem says what to do next.

use super::diagnosis;
use super::facts::Facts;
use super::problem::{Problem, Reason};
use crate::controller::decide::{Member, Membership, Step, Stop, Waiting};
use crate::controller::observe::is_ready;
use crate::crd::ConditionType;
use crate::names::{self, ClusterName};

/// The state of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConditionState {
    /// Whether the condition holds.
    pub(super) status: ConditionStatus,
    /// Why, for machines.
    pub(super) reason: Reason,
    /// Why, for people.
    pub(super) message: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConditionStatus {
    True,
    False,
    Unknown,
}

impl ConditionStatus {
    /// The text that Kubernetes uses.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

pub(super) fn yes(reason: Reason, message: impl Into<String>) -> ConditionState {
    ConditionState { status: ConditionStatus::True, reason, message: message.into() }
}

pub(super) fn no(reason: Reason, message: impl Into<String>) -> ConditionState {
    ConditionState { status: ConditionStatus::False, reason, message: message.into() }
}

fn unknown(reason: Reason, message: impl Into<String>) -> ConditionState {
    ConditionState { status: ConditionStatus::Unknown, reason, message: message.into() }
}

/// All conditions.
pub(super) fn all(facts: &Facts<'_>) -> [(ConditionType, ConditionState); 9] {
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

fn ready(facts: &Facts<'_>) -> ConditionState {
    if let Some(problem) = &facts.findings.blocker {
        return no(problem.reason, problem.message.clone());
    }
    match facts.step {
        Some(Step::Done) if facts.target.replicas == 0 => {
            no(Reason::Hibernated, "no pods run; set spec.replicas to wake the cluster")
        }
        Some(Step::Done | Step::Wait(Waiting::Paused)) if leader_is_full(facts) => {
            no(Reason::DiskFull, listed(&facts.findings.problems))
        }
        Some(Step::Done) if ready_pods(facts) < facts.target.replicas as usize => {
            let (reason, message) = waiting_for(Waiting::Pods);
            no(reason, message)
        }
        Some(Step::Done) => {
            let members = facts.target.replicas;
            yes(Reason::AllMembersServe, format!("all {members} members serve"))
        }
        Some(Step::Wait(Waiting::Paused)) => match &facts.observed.membership {
            Some(group) if serving(group) >= facts.target.replicas as usize => {
                yes(Reason::AllMembersServe, "all members serve; spec.paused is set")
            }
            _ => no(Reason::Paused, PAUSED),
        },
        Some(step) => {
            let (reason, message) = doing(step, facts);
            no(reason, message)
        }
        None => unknown(Reason::NotObserved, "nothing was observed yet"),
    }
}

/// Whether the disk of the leader is full, so that it refuses all writes.
fn leader_is_full(facts: &Facts<'_>) -> bool {
    facts.nodes.leader().is_some_and(|(_, status)| status.disk_full)
}

fn ready_pods(facts: &Facts<'_>) -> usize {
    facts.objects.pods.values().filter(|pod| is_ready(pod)).count()
}

const PAUSED: &str = "spec.paused is set: nothing is changed until it is false";

fn serving(group: &Membership) -> usize {
    group.voters().filter(|voter| group.takes_part(voter)).count()
}

fn available(facts: &Facts<'_>) -> ConditionState {
    if facts.target.replicas == 0 && facts.objects.pods.is_empty() {
        return no(Reason::Hibernated, "no pods run; all data is kept");
    }
    let Some(group) = &facts.observed.membership else {
        return match facts.latches.formed {
            true => unknown(Reason::NoMemberAnswers, "no member answers the operator"),
            false => no(Reason::NotFormed, "the cluster is not formed yet"),
        };
    };
    let voters = group.voters().count();
    match (&group.leader, facts.step) {
        (Some(_), _) => {
            let message = format!("{} of {voters} voters follow the leader", serving(group));
            yes(Reason::MajorityServes, message)
        }
        (None, Some(Step::Wait(Waiting::Unknown))) => {
            unknown(Reason::NoMemberAnswers, "the operator does not reach the members")
        }
        (None, _) => no(Reason::NoLeader, "no leader that a majority follows answers"),
    }
}

fn progressing(facts: &Facts<'_>) -> ConditionState {
    if let Some(problem) = &facts.findings.blocker {
        return no(problem.reason, problem.message.clone());
    }
    match facts.step {
        Some(Step::Done) => no(Reason::Done, "everything asked for is there"),
        Some(Step::Wait(Waiting::Paused)) => no(Reason::Paused, PAUSED),
        Some(step @ (Step::Stop(_) | Step::Wait(Waiting::Roll | Waiting::Replacement))) => {
            let (reason, message) = doing(step, facts);
            no(reason, message)
        }
        Some(step) => {
            let (reason, message) = doing(step, facts);
            yes(reason, message)
        }
        None => unknown(Reason::NotObserved, "nothing was observed yet"),
    }
}

/// What the operator is doing.
fn doing(step: &Step, facts: &Facts<'_>) -> (Reason, String) {
    let text = |reason, message: &str| (reason, message.to_owned());
    match step {
        Step::Done => text(Reason::Done, "everything asked for is there"),
        Step::Wait(waiting) => waiting_for(*waiting),
        Step::Stop(stop) => stopped(stop, &facts.cluster.name),
        Step::RecordBootstrap { .. } | Step::RecordFormed | Step::Init { .. } => {
            text(Reason::Bootstrapping, "the first member is made")
        }
        Step::Join { .. } | Step::Promote(..) => text(Reason::MemberJoining, "a member joins"),
        Step::FinishChange(_) => {
            text(Reason::MembershipChange, "a membership change is being finished")
        }
        Step::Demote(..) | Step::Remove(..) => text(Reason::MemberLeaving, "a member leaves"),
        Step::TransferLeader(..) => text(Reason::LeaderMoving, "the leadership is handed over"),
        Step::DeletePod { .. } => {
            text(Reason::Rolling, "pods get the newest template, one at a time")
        }
        Step::DiscardDisk { .. } => {
            text(Reason::DiskDiscarded, "a disk that holds no member is given up")
        }
        Step::SetOrdinals { ordinals, .. } => {
            (Reason::Scaling, format!("the StatefulSet is set to {ordinals} pods"))
        }
    }
}

fn waiting_for(waiting: Waiting) -> (Reason, String) {
    let (reason, message) = match waiting {
        Waiting::Paused => (Reason::Paused, PAUSED),
        Waiting::Pods => (Reason::WaitingForPods, "pods come or go"),
        Waiting::Unknown => {
            (Reason::MembersUnknown, "the operator does not reach a member that the others reach")
        }
        Waiting::Election => (Reason::Electing, "a majority answers and elects a leader"),
        Waiting::CatchUp => (Reason::CatchingUp, "a member receives the log"),
        Waiting::Replacement => (
            Reason::MemberMissing,
            "a member does not answer; it is replaced after spec.memberReplacement.afterSeconds \
             when the policy is Auto",
        ),
        Waiting::Roll => (
            Reason::RollWaits,
            "a pod has an older template; it goes when a majority stands without it, or by hand \
             when spec.update.strategy is Manual",
        ),
        Waiting::Leave => {
            (Reason::LeaveWaits, "a member can only leave once a majority stands without it")
        }
    };
    (reason, message.to_owned())
}

pub(super) fn stopped(stop: &Stop, cluster: &ClusterName) -> (Reason, String) {
    match stop {
        Stop::QuorumLost { answering, voters } => (
            Reason::QuorumLost,
            format!(
                "only {answering} of {voters} voters answer and a majority is needed, so nothing \
                 is changed; bring the others' pods and volumes back: kubectl get pods,pvc -l \
                 app.kubernetes.io/instance={cluster}"
            ),
        ),
        Stop::ClusterIdMismatch { ordinal, found } => {
            let (claim, pod) =
                (names::volume_claim(cluster, *ordinal), names::pod(cluster, *ordinal));
            (
                Reason::ClusterIDMismatch,
                format!(
                    "the volume of {pod} belongs to cluster {found}; to use that data set \
                     spec.clusterID to {found}; to give it up: kubectl delete pvc {claim} and \
                     kubectl delete pod {pod}"
                ),
            )
        }
        Stop::DataLost => (
            Reason::DataLost,
            "the cluster was formed and every volume is empty; nothing is done so that they can be \
             restored; to begin anew delete this resource and make it again"
                .to_owned(),
        ),
    }
}

fn degraded(facts: &Facts<'_>) -> ConditionState {
    if let Some(problem) = facts.findings.problems.first() {
        return yes(problem.reason, listed(&facts.findings.problems));
    }
    if let Some(Step::Stop(stop)) = facts.step {
        let (reason, message) = stopped(stop, &facts.cluster.name);
        return yes(reason, message);
    }
    let Some(group) = facts.observed.membership.as_ref().filter(|_| facts.target.replicas > 0)
    else {
        return no(Reason::NotFormed, "there are no members");
    };
    let absent = group.members.iter().filter(|member| !group.takes_part(member));
    let absent: Vec<String> = absent.map(|member| name_of(member, facts)).collect();
    if absent.is_empty() {
        return no(Reason::AllMembersServe, "every member takes part");
    }
    yes(Reason::MemberMissing, format!("not taking part: {}", absent.join(", ")))
}

fn name_of(member: &Member, facts: &Facts<'_>) -> String {
    let pod = member.ordinal.map(|ordinal| names::pod(&facts.cluster.name, ordinal));
    pod.unwrap_or_else(|| format!("node {}", member.id.0))
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<&str>>().join("; ")
}

fn bootstrapped(facts: &Facts<'_>) -> ConditionState {
    match facts.latches.formed {
        true => yes(Reason::Formed, "the cluster was formed"),
        false => no(Reason::NotFormed, "the cluster is not formed yet"),
    }
}

fn quorum_lost(facts: &Facts<'_>) -> ConditionState {
    match facts.step {
        Some(Step::Stop(stop @ (Stop::QuorumLost { .. } | Stop::DataLost))) => {
            let (reason, message) = stopped(stop, &facts.cluster.name);
            yes(reason, message)
        }
        None | Some(Step::Wait(Waiting::Unknown)) => {
            unknown(Reason::NotObserved, "the members could not be asked")
        }
        Some(_) => no(Reason::MajorityAnswers, "no majority is missing"),
    }
}

fn mismatch(facts: &Facts<'_>) -> ConditionState {
    match facts.step {
        Some(Step::Stop(stop @ Stop::ClusterIdMismatch { .. })) => {
            let (reason, message) = stopped(stop, &facts.cluster.name);
            yes(reason, message)
        }
        _ => no(Reason::OneCluster, "every volume belongs to this cluster or is empty"),
    }
}

fn warning(facts: &Facts<'_>) -> ConditionState {
    match facts.findings.warnings.first() {
        None => no(Reason::NoWarning, "nothing to advise"),
        Some(first) => yes(first.reason, listed(&facts.findings.warnings)),
    }
}

fn resizing(facts: &Facts<'_>) -> ConditionState {
    match diagnosis::resizing(facts.cluster, facts.objects) {
        None => no(Reason::SizesAsAsked, "every volume has the size that is asked for"),
        Some(problem) => yes(problem.reason, problem.message),
    }
}

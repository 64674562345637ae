//! The planner: it chooses the next step. It is a pure function, so that a model checker can try it
//! in every situation.

use std::time::Duration;

use super::{
    Answer, Member, Membership, NodeId, Observed, Place, Pod, PodState, Step, Stop, Target, Waiting,
};
use crate::crd::{RetentionPolicy, UpdateStrategy};

/// A running pod may be unready for this long before it counts as faulty. A start, the restart
/// guard and an election take less.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// A pod whose node was removed keeps its address for this long after it was last ready. Until all
/// machines have updated their Services, some still send clients there: the pod refuses their
/// connections at once, whereas connections to an unused address would hang until they time out.
const ADDRESS_RETENTION: Duration = Duration::from_secs(2);

/// The next step towards the target.
pub(crate) fn plan(observed: &Observed, target: &Target) -> Step {
    if target.paused {
        return Step::Wait(Waiting::Paused);
    }
    if let Some(stop) = foreign_disk(observed) {
        return stop;
    }
    if target.replicas == 0 {
        return hibernate(observed);
    }
    match &observed.membership {
        None => form(observed, target),
        Some(membership) => Planner { observed, target, membership }.step(),
    }
}

fn foreign_disk(observed: &Observed) -> Option<Step> {
    observed.places.iter().find_map(|place| match place.answer() {
        Answer::Foreign(found) => {
            let (ordinal, found) = (place.ordinal, found.clone());
            Some(Step::Stop(Stop::ClusterIdMismatch { ordinal, found }))
        }
        _ => None,
    })
}

fn hibernate(observed: &Observed) -> Step {
    if observed.stateful_set.ordinals > 0 {
        return set_ordinals(observed, 0);
    }
    let has_no_pods = observed.places.iter().all(|place| place.pod.is_none());
    if has_no_pods { Step::Done } else { Step::Wait(Waiting::Pods) }
}

/// Plans while no node has a membership: the cluster is new, wakes from hibernation, or has lost
/// all its data.
fn form(observed: &Observed, target: &Target) -> Step {
    // Every disk that may hold a member must be inspected, even those beyond the target.
    let ours = |place: &&Place| place.volume.as_ref().is_some_and(|volume| volume.ours);
    let last = observed.places.iter().filter(ours).map(|place| place.ordinal + 1).max();
    let needed = target.replicas.max(last.unwrap_or(0));
    if observed.stateful_set.ordinals < needed {
        return set_ordinals(observed, needed);
    }
    if let Some(step) = recreate_idle_pod(observed, target, None) {
        return step;
    }
    let empty =
        |ordinal: u32| observed.place(ordinal).is_some_and(|p| *p.answer() == Answer::Empty);
    if !(0..observed.stateful_set.ordinals).all(empty) {
        return Step::Wait(Waiting::Pods);
    }
    if observed.formed {
        return Step::Stop(Stop::DataLost);
    }
    let Some(seed) = observed.bootstrap else { return Step::RecordBootstrap { ordinal: 0 } };
    match observed.place(seed).and_then(|place| place.pod.as_ref()) {
        Some(pod) => Step::Init { ordinal: seed, pod_uid: pod.uid.clone() },
        None => Step::Wait(Waiting::Pods),
    }
}

/// Deletes an outdated pod that takes no part. That is safe, and its old template may be the reason
/// why it takes no part.
fn recreate_idle_pod(
    observed: &Observed,
    target: &Target,
    membership: Option<&Membership>,
) -> Option<Step> {
    if target.roll == UpdateStrategy::Manual {
        return None;
    }
    let idle = |place: &Place, pod: &Pod| match pod.state {
        PodState::Terminating => false,
        PodState::Pending | PodState::Failing => true,
        PodState::Running => {
            let member = membership.and_then(|group| group.at(place.ordinal));
            let leads = |id| membership.is_some_and(|group| group.leader == Some(id));
            let needed = member.is_some_and(|member| member.reachable || leads(member.id));
            let useless = matches!(pod.answer, Answer::Empty | Answer::Removed);
            !needed && (useless || place.unready_for >= START_TIME_MAX)
        }
    };
    let silent = |place: &Place| {
        place.pod.as_ref().is_some_and(|pod| !pod.outdated && pod.answer == Answer::Silent)
    };
    let held = target.pause_on_failure && observed.places.iter().any(silent);
    observed.places.iter().find_map(|place| {
        let pod = place.pod.as_ref().filter(|pod| pod.outdated)?;
        (idle(place, pod) && !held).then(|| delete_pod(place, pod))
    })
}

/// Whether Kubernetes sends clients to this pod. A member takes part shortly before that.
fn is_ready(place: &Place) -> bool {
    place.pod.is_some() && place.unready_for.is_zero()
}

fn set_ordinals(observed: &Observed, ordinals: u32) -> Step {
    Step::SetOrdinals { ordinals, version: observed.stateful_set.version.clone() }
}

fn delete_pod(place: &Place, pod: &Pod) -> Step {
    Step::DeletePod { ordinal: place.ordinal, pod_uid: pod.uid.clone() }
}

/// Plans for a cluster that has a membership.
struct Planner<'a> {
    observed: &'a Observed,
    target: &'a Target,
    membership: &'a Membership,
}

/// What a rule requires before it may be applied.
#[derive(PartialEq)]
enum Requires {
    /// The rule is safe even when the state of a member is unknown.
    Nothing,
    /// The rule removes something, so the state of every member must be known.
    AllMembersKnown,
}

type Rule<'a> = fn(&Planner<'a>) -> Option<Step>;

impl<'a> Planner<'a> {
    /// The rules by priority: the first one that returns a step determines the plan.
    const RULES: [(Requires, Rule<'a>); 14] = [
        (Requires::Nothing, Self::record_formed),
        (Requires::Nothing, Self::restore_places),
        // This comes before the check for a quorum, because a new template may restore the quorum.
        (Requires::Nothing, Self::recreate_idle_pod),
        (Requires::Nothing, Self::await_leader),
        (Requires::Nothing, Self::finish_change),
        // This comes before additions: with four voters, one of them dead, a majority needs all
        // three others.
        (Requires::AllMembersKnown, Self::remove_lost_member),
        (Requires::AllMembersKnown, Self::discard_disk),
        (Requires::Nothing, Self::promote_learner),
        (Requires::Nothing, Self::join),
        (Requires::AllMembersKnown, Self::roll_follower),
        (Requires::AllMembersKnown, Self::roll_leader),
        (Requires::AllMembersKnown, Self::scale_in),
        (Requires::AllMembersKnown, Self::shrink),
        (Requires::AllMembersKnown, Self::discard_volume),
    ];

    fn step(&self) -> Step {
        let known = !self.is_member_unknown();
        let rules = Self::RULES.iter();
        let allowed = rules.filter(|(requires, _)| known || *requires == Requires::Nothing);
        allowed.filter_map(|(_, rule)| rule(self)).next().unwrap_or_else(|| self.done_or_wait())
    }

    /// Whether the leader reaches a member that the operator does not reach: then the operator or
    /// the member is partitioned from a part of the network.
    fn is_member_unknown(&self) -> bool {
        let silent = |member: &Member| {
            let place = member.ordinal.and_then(|ordinal| self.observed.place(ordinal));
            place.is_some_and(|place| *place.answer() == Answer::Silent)
        };
        self.membership.members.iter().any(|member| member.reachable && silent(member))
    }

    /// The number of ordinals that must have a pod: those of the target and those of members.
    fn needed_ordinals(&self) -> u32 {
        let members = self.membership.members.iter().filter_map(|member| member.ordinal);
        members.map(|ordinal| ordinal + 1).max().unwrap_or(0).max(self.target.replicas)
    }

    fn is_wanted(&self, member: &Member) -> bool {
        member.ordinal.is_none_or(|ordinal| ordinal < self.target.replicas)
    }

    /// The place and the pod of each ordinal of the target.
    fn wanted_pods(&self) -> impl Iterator<Item = (&Place, &Pod)> {
        let places = self.observed.places.iter();
        let wanted = places.filter(|place| place.ordinal < self.target.replicas);
        wanted.filter_map(|place| Some((place, place.pod.as_ref()?)))
    }

    fn record_formed(&self) -> Option<Step> {
        (!self.observed.formed).then_some(Step::RecordFormed)
    }

    fn restore_places(&self) -> Option<Step> {
        let needed = self.needed_ordinals();
        (self.observed.stateful_set.ordinals < needed).then(|| set_ordinals(self.observed, needed))
    }

    fn recreate_idle_pod(&self) -> Option<Step> {
        recreate_idle_pod(self.observed, self.target, Some(self.membership))
    }

    fn await_leader(&self) -> Option<Step> {
        if self.membership.leader.is_some() {
            return None;
        }
        let voters = self.membership.voters().count();
        let count = |fits: fn(&Place, NodeId) -> bool| {
            let place = |voter: &Member| self.observed.place(voter.ordinal?);
            let fits = |voter: &&Member| place(voter).is_some_and(|place| fits(place, voter.id));
            self.membership.voters().filter(fits).count()
        };
        let answering = count(|place, id| *place.answer() == Answer::Node(id));
        if answering > voters / 2 {
            return Some(Step::Wait(Waiting::Election));
        }
        // Kubernetes sees these pods ready, so the operator is the one that is partitioned.
        let unseen = count(|place, _| is_ready(place) && *place.answer() == Answer::Silent);
        if answering + unseen > voters / 2 {
            return Some(Step::Wait(Waiting::Unknown));
        }
        let (answering, voters) = (answering as u32, voters as u32);
        Some(Step::Stop(Stop::QuorumLost { answering, voters }))
    }

    fn finish_change(&self) -> Option<Step> {
        self.membership.joint.then_some(Step::FinishChange(self.membership.version))
    }

    fn remove_lost_member(&self) -> Option<Step> {
        let lost = self.membership.members.iter().find(|member| self.is_lost(member))?;
        let safe = !lost.voter || self.membership.has_majority_after_removal_of(lost.id);
        safe.then_some(Step::Remove(lost.id, self.membership.version))
    }

    /// Whether its disk is lost, or it did not answer for so long that it counts as lost.
    fn is_lost(&self, member: &Member) -> bool {
        let Some(place) = member.ordinal.and_then(|ordinal| self.observed.place(ordinal)) else {
            return false;
        };
        match place.answer() {
            Answer::Node(id) => *id != member.id,
            Answer::Empty | Answer::Removed => true,
            Answer::Foreign(_) => false,
            Answer::Silent => !member.reachable && self.is_given_up(place),
        }
    }

    fn is_given_up(&self, place: &Place) -> bool {
        let late = self.target.replace_after.is_some_and(|after| place.unready_for >= after);
        // A template that fails everywhere must not lead to the loss of one disk after another.
        let blameless = place.pod.as_ref().is_none_or(|pod| pod.state != PodState::Failing);
        late && (blameless || self.is_template_proven())
    }

    fn is_template_proven(&self) -> bool {
        self.wanted_pods().any(|(place, pod)| {
            !pod.outdated
                && self.membership.at(place.ordinal).is_some_and(|m| self.membership.takes_part(m))
        })
    }

    /// Discards a disk that belongs to a former member.
    fn discard_disk(&self) -> Option<Step> {
        let useless = |place: &&Place| {
            place.ordinal < self.target.replicas
                && self.membership.at(place.ordinal).is_none()
                && match place.answer() {
                    Answer::Removed => true,
                    Answer::Silent => self.is_given_up(place),
                    Answer::Empty | Answer::Node(_) | Answer::Foreign(_) => false,
                }
        };
        self.observed.places.iter().filter(useless).find_map(discard)
    }

    fn promote_learner(&self) -> Option<Step> {
        let mut learners = self.membership.members.iter().filter(|member| !member.voter);
        let ready = |member: &&Member| {
            member.ordinal.is_some() && self.is_wanted(member) && self.membership.takes_part(member)
        };
        let learner = learners.find(ready)?;
        Some(Step::Promote(learner.id, self.membership.version))
    }

    fn join(&self) -> Option<Step> {
        let is_learner = |m: &Member| !m.voter && m.ordinal.is_some() && self.is_wanted(m);
        if self.membership.members.iter().any(is_learner) {
            return None;
        }
        self.wanted_pods().find_map(|(place, pod)| {
            let alone = self.membership.at(place.ordinal).is_none();
            let able = matches!(pod.answer, Answer::Empty | Answer::Node(_))
                && pod.state == PodState::Running;
            let (ordinal, pod_uid) = (place.ordinal, pod.uid.clone());
            (alone && able).then_some(Step::Join { ordinal, pod_uid })
        })
    }

    /// The outdated pods of members, if the roll may continue.
    fn rollable(&self) -> Option<impl Iterator<Item = (&Place, &Pod, &Member)>> {
        let whole = self.wanted_pods().all(|(place, pod)| {
            let member = self.membership.at(place.ordinal);
            let is_back = member.is_some_and(|m| self.membership.takes_part(m)) && is_ready(place);
            pod.state != PodState::Terminating && (pod.outdated || is_back)
        });
        let complete = self.wanted_pods().count() == self.target.replicas as usize;
        let allowed = whole && complete && self.target.roll == UpdateStrategy::Auto;
        let outdated = self.wanted_pods().filter(|(_, pod)| pod.outdated);
        allowed.then_some(outdated.filter_map(|(place, pod)| {
            self.membership.at(place.ordinal).map(|member| (place, pod, member))
        }))
    }

    fn roll_follower(&self) -> Option<Step> {
        let free = |member: &Member| {
            self.membership.leader != Some(member.id)
                && (!member.voter || self.membership.has_majority_without(member.id))
        };
        let free = self.rollable()?.filter(|(_, _, member)| free(member));
        let (place, pod, _) = free.min_by_key(|(place, ..)| is_ready(place))?;
        Some(delete_pod(place, pod))
    }

    fn roll_leader(&self) -> Option<Step> {
        let leads = |member: &Member| self.membership.leader == Some(member.id);
        let (place, pod, _) = self.rollable()?.find(|(_, _, member)| leads(member))?;
        // The cluster has one member by design: no other can lead, and its disk keeps all data.
        if self.membership.voters().count() == 1 && self.target.replicas == 1 {
            return Some(delete_pod(place, pod));
        }
        self.transfer_leader()
    }

    /// Transfers the leadership to a voter that stays and takes part, if possible one whose pod has
    /// the newest template.
    fn transfer_leader(&self) -> Option<Step> {
        let outdated = |member: &Member| {
            let place = member.ordinal.and_then(|ordinal| self.observed.place(ordinal));
            place.and_then(|place| place.pod.as_ref()).is_none_or(|pod| pod.outdated)
        };
        let able = |member: &&Member| {
            self.membership.leader != Some(member.id)
                && self.is_wanted(member)
                && self.membership.takes_part(member)
        };
        let successors = self.membership.voters().filter(able);
        let successor = successors.min_by_key(|member| (outdated(member), member.ordinal))?;
        Some(Step::TransferLeader(successor.id, self.membership.version))
    }

    /// Removes one member beyond the target: a dead one, else a learner, else the follower with the
    /// highest ordinal, else the leader once it has transferred its leadership.
    fn scale_in(&self) -> Option<Step> {
        let group = self.membership;
        let dead = |member: &Member| group.leader != Some(member.id) && !member.reachable;
        let leads = |member: &Member| group.leader == Some(member.id);
        let rank = |member: &&Member| {
            let highest_first = std::cmp::Reverse(member.ordinal);
            (leads(member), !dead(member), member.voter, highest_first)
        };
        let leaving = group.members.iter().filter(|member| !self.is_wanted(member));
        let leaving = leaving.min_by_key(rank)?;
        if !leaving.voter || (dead(leaving) && group.has_majority_after_removal_of(leaving.id)) {
            return Some(Step::Remove(leaving.id, group.version));
        }
        if !self.is_target_healthy() {
            return None;
        }
        if leads(leaving) {
            return self.transfer_leader();
        }
        let safe = group.has_majority_after_removal_of(leaving.id);
        safe.then_some(Step::Demote(leaving.id, group.version))
    }

    /// Whether every ordinal of the target has a voter that takes part.
    fn is_target_healthy(&self) -> bool {
        (0..self.target.replicas).all(|ordinal| {
            let member = self.membership.at(ordinal);
            member.is_some_and(|member| member.voter && self.membership.takes_part(member))
        })
    }

    fn shrink(&self) -> Option<Step> {
        let needed = self.needed_ordinals();
        let left = |place: &Place| {
            place.ordinal < needed || place.pod.is_none() || place.unready_for >= ADDRESS_RETENTION
        };
        let shrinks = self.observed.stateful_set.ordinals > needed;
        (shrinks && self.observed.places.iter().all(left))
            .then(|| set_ordinals(self.observed, needed))
    }

    fn discard_volume(&self) -> Option<Step> {
        if self.target.removed_volumes == RetentionPolicy::Retain {
            return None;
        }
        let needed = self.needed_ordinals();
        let unused = |place: &&Place| place.ordinal >= needed && place.pod.is_none();
        self.observed.places.iter().filter(unused).find_map(discard)
    }

    /// Plans when no rule applies: the target is reached, or something must happen without the
    /// operator.
    fn done_or_wait(&self) -> Step {
        let group = self.membership;
        if self.is_member_unknown() {
            return Step::Wait(Waiting::Unknown);
        }
        if group.members.iter().any(|member| !member.reachable && group.leader != Some(member.id)) {
            return Step::Wait(Waiting::Replacement);
        }
        if !group.members.iter().all(|member| group.takes_part(member)) {
            return Step::Wait(Waiting::CatchUp);
        }
        if self.wanted_pods().count() < self.target.replicas as usize || !self.is_target_healthy() {
            return Step::Wait(Waiting::Pods);
        }
        if self.wanted_pods().any(|(_, pod)| pod.outdated) {
            let back = self.wanted_pods().all(|(place, pod)| pod.outdated || is_ready(place));
            return Step::Wait(if back { Waiting::Roll } else { Waiting::Pods });
        }
        if !group.members.iter().all(|member| self.is_wanted(member)) {
            return Step::Wait(Waiting::Leave);
        }
        let gone = |place: &Place| place.ordinal < self.target.replicas || place.pod.is_none();
        if self.observed.places.iter().all(gone) { Step::Done } else { Step::Wait(Waiting::Pods) }
    }
}

/// Deletes a volume that was made for this cluster. For any other volume a person decides.
fn discard(place: &Place) -> Option<Step> {
    let volume = place.volume.as_ref().filter(|volume| volume.ours)?;
    let (ordinal, volume_version) = (place.ordinal, volume.version.clone());
    Some(Step::DiscardDisk { ordinal, volume_version })
}

//! What is said about a cluster. Pure; equal facts make an equal status, so that nothing is written
//! when nothing changed.

use std::collections::BTreeMap;

use ironkv_proto::admin::v1::{Role, StatusResponse};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::assemble::{self, Latches};
use super::conditions::{self, Said, Truth};
use super::observe::Kubernetes;
use super::problem::Problem;
use super::survey::Survey;
use super::{Observed, Step, Target};
use crate::crd::{Bootstrap, ConditionType, IronKVClusterStatus, MemberRole, MemberStatus};
use crate::names;

/// Applied indexes are shown in thousands, so that the status of a busy cluster stays still.
const APPLIED_STEP: u64 = 1000;

/// All that the status is made of.
pub(super) struct Facts<'a> {
    /// The cluster resource's name.
    pub(super) name: &'a str,
    /// Generation of the spec that was worked on.
    pub(super) generation: Option<i64>,
    /// Identity of the store's cluster.
    pub(super) cluster_id: &'a str,
    /// What must not be forgotten.
    pub(super) latches: Latches,
    /// What is asked for.
    pub(super) target: &'a Target,
    /// What Kubernetes told.
    pub(super) kubernetes: &'a Kubernetes,
    /// What the nodes told.
    pub(super) survey: &'a Survey,
    /// The planner's picture.
    pub(super) observed: &'a Observed,
    /// What is done next; nothing when something stands in the way.
    pub(super) step: Option<&'a Step>,
    /// What stands in the way of the operator itself.
    pub(super) obstacle: Option<&'a Problem>,
    /// What is wrong with pods and volumes.
    pub(super) problems: &'a [Problem],
    /// What we would not advise.
    pub(super) warnings: &'a [Problem],
    /// Label selector of the pods.
    pub(super) selector: String,
    /// Volumes that wait for more space: what is asked for and what is missing.
    pub(super) resizing: Option<Problem>,
}

/// The new status.
pub(super) fn status(
    previous: Option<&IronKVClusterStatus>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> IronKVClusterStatus {
    let members = members(facts);
    let leader = members.iter().find(|member| member.role == MemberRole::Leader);
    let pods = facts.kubernetes.pods.values();
    let has_begun = facts.latches.formed || facts.latches.bootstrap.is_some();
    let updated = facts.observed.places.iter().filter_map(|place| place.pod.as_ref());
    IronKVClusterStatus {
        observed_generation: facts.generation,
        conditions: merged(previous, facts, now),
        // Until then another id may still be asked for, to adopt volumes.
        cluster_id: has_begun.then(|| facts.cluster_id.to_owned()),
        bootstrap: facts.latches.bootstrap.map(|ordinal| Bootstrap {
            seed: names::pod(facts.name, ordinal),
            cluster_id: facts.cluster_id.to_owned(),
        }),
        leader: leader.and_then(|leader| leader.pod.clone()),
        replicas: count(facts.kubernetes.pods.values()),
        ready_replicas: count(pods.filter(|pod| is_ready(pod))),
        updated_replicas: count(updated.filter(|pod| !pod.outdated)),
        selector: facts.selector.clone(),
        current_version: version(previous, facts),
        members,
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> i32 {
    i32::try_from(items.count()).unwrap_or(i32::MAX)
}

/// Whether Kubernetes sends clients to it.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let ready = assemble::condition(pod, "Ready").is_some_and(|ready| ready.status == "True");
    pod.metadata.deletion_timestamp.is_none() && ready
}

fn members(facts: &Facts<'_>) -> Vec<MemberStatus> {
    let Some(group) = &facts.observed.membership else { return Vec::new() };
    let told: BTreeMap<u64, (u32, &StatusResponse)> =
        facts.survey.told().map(|(ordinal, told)| (told.node_id, (ordinal, told))).collect();
    let member = |member: &super::Member| {
        let told = told.get(&member.id.0);
        let applied = told.and_then(|(_, told)| told.applied.as_ref()).map(|id| id.index);
        MemberStatus {
            id: member.id.0,
            pod: member.ordinal.map(|ordinal| names::pod(facts.name, ordinal)),
            role: match member {
                _ if group.leader == Some(member.id) => MemberRole::Leader,
                member if member.voter => MemberRole::Follower,
                _ => MemberRole::Learner,
            },
            applied: applied.map(|index| index - index % APPLIED_STEP),
            caught_up: group.takes_part(member),
            version: told.map(|(_, told)| told.version.clone()),
        }
    };
    let mut members: Vec<MemberStatus> = group.members.iter().map(member).collect();
    members.sort_by_key(|member| member.id);
    members
}

/// The oldest version among the members; what it was while none tells.
fn version(previous: Option<&IronKVClusterStatus>, facts: &Facts<'_>) -> Option<String> {
    let ours = |told: &&StatusResponse| told.cluster_id.as_deref() == Some(facts.cluster_id);
    let told = facts.survey.told().map(|(_, told)| told).filter(ours);
    let numbers = |version: &String| {
        let parts = version.split(['.', '-', '+']).map(|part| part.parse::<u64>().unwrap_or(0));
        parts.collect::<Vec<u64>>()
    };
    let oldest = told.map(|told| told.version.clone()).min_by_key(numbers);
    oldest.or_else(|| previous.and_then(|status| status.current_version.clone()))
}

/// The part that a pod's node plays, for the label by which `<name>-leader` and `<name>-replicas`
/// select.
pub(super) fn role_label(survey: &Survey, cluster_id: &str, ordinal: u32) -> Option<&'static str> {
    let told = survey.of(ordinal).filter(|told| told.cluster_id.as_deref() == Some(cluster_id))?;
    if survey.leader(cluster_id).is_some_and(|(leader, _)| leader == ordinal) {
        return Some(names::LEADER);
    }
    let role = Role::try_from(told.role).unwrap_or(Role::Unspecified);
    matches!(role, Role::Follower | Role::Learner).then_some(names::REPLICA)
}

fn merged(
    previous: Option<&IronKVClusterStatus>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Vec<Condition> {
    let before = |type_: ConditionType| {
        let known = previous?.conditions.iter();
        known.into_iter().find(|condition| condition.type_ == type_.name())
    };
    let said = conditions::all(facts);
    said.into_iter()
        .map(|(type_, said)| condition(type_, said, before(type_), facts.generation, now))
        .collect()
}

fn condition(
    type_: ConditionType,
    said: Said,
    before: Option<&Condition>,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let same = before.filter(|before| before.status == said.status.word());
    Condition {
        type_: type_.name().to_owned(),
        status: said.status.word().to_owned(),
        reason: said.reason.to_owned(),
        message: said.message,
        observed_generation: generation,
        last_transition_time: same.map_or(Time(now), |before| before.last_transition_time.clone()),
    }
}

/// From the status: what must not be forgotten.
pub(super) fn latches(name: &str, status: Option<&IronKVClusterStatus>) -> Latches {
    let Some(status) = status else { return Latches::default() };
    let seed = status.bootstrap.as_ref().and_then(|begun| names::ordinal(name, &begun.seed));
    let formed = status.conditions.iter().any(|condition| {
        condition.type_ == ConditionType::Bootstrapped.name() && condition.status == "True"
    });
    Latches { bootstrap: seed, formed }
}

/// The status of a resource that cannot be understood: what was known stays, and why it is refused.
pub(super) fn refused(
    previous: Option<&IronKVClusterStatus>,
    generation: Option<i64>,
    problem: &Problem,
    now: Timestamp,
) -> IronKVClusterStatus {
    let mut status = previous.cloned().unwrap_or_default();
    status.observed_generation = generation;
    let said = |status| Said { status, reason: problem.reason, message: problem.message.clone() };
    let changed = [
        (ConditionType::Progressing, said(Truth::No)),
        (ConditionType::ConfigurationWarning, said(Truth::Yes)),
    ];
    for (type_, said) in changed {
        let known = status.conditions.iter_mut().find(|known| known.type_ == type_.name());
        let new = condition(type_, said, known.as_deref(), generation, now);
        match known {
            Some(known) => *known = new,
            None => status.conditions.push(new),
        }
    }
    status
}

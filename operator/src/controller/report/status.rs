//! The status of a cluster. Pure: equal facts give an equal status, so that an unchanged status is
//! not written again.

use std::collections::BTreeMap;

use ironkv_proto::admin::v1::StatusResponse;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::conditions::{self, ConditionState, no, yes};
use super::facts::Facts;
use super::problem::Problem;
use crate::controller::decide::{Member, StatusLatches};
use crate::controller::observe::is_ready;
use crate::crd::{Bootstrap, ConditionType, IronKVClusterStatus, MemberRole, MemberStatus};
use crate::names::{self, ClusterName};

/// Applied indexes are rounded down to a multiple of this, so that the status of a busy cluster
/// does not change constantly.
const APPLIED_STEP: u64 = 1000;

/// The new status.
pub(crate) fn status(
    previous: Option<&IronKVClusterStatus>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> IronKVClusterStatus {
    let members = members(facts);
    let leader = members.iter().find(|member| member.role == MemberRole::Leader);
    let pods = facts.objects.pods.values();
    let has_begun = facts.latches.formed || facts.latches.bootstrap.is_some();
    let updated = facts.observed.places.iter().filter_map(|place| place.pod.as_ref());
    IronKVClusterStatus {
        observed_generation: facts.cluster.generation,
        conditions: merged(previous, facts, now),
        // Before that, the user may still set another id, to adopt volumes.
        cluster_id: has_begun.then(|| facts.cluster.cluster_id.clone()),
        bootstrap: facts.latches.bootstrap.map(|ordinal| Bootstrap {
            seed: names::pod(&facts.cluster.name, ordinal),
            cluster_id: facts.cluster.cluster_id.clone(),
        }),
        leader: leader.and_then(|leader| leader.pod.clone()),
        replicas: count(facts.objects.pods.values()),
        ready_replicas: count(pods.filter(|pod| is_ready(pod))),
        updated_replicas: count(updated.filter(|pod| !pod.outdated)),
        selector: selector(&facts.cluster.name),
        current_version: version(previous, facts),
        members,
    }
}

fn selector(cluster: &ClusterName) -> String {
    let pairs = names::selector(cluster).into_iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<String>>().join(",")
}

fn count<T>(items: impl Iterator<Item = T>) -> i32 {
    i32::try_from(items.count()).unwrap_or(i32::MAX)
}

fn members(facts: &Facts<'_>) -> Vec<MemberStatus> {
    let Some(group) = &facts.observed.membership else { return Vec::new() };
    let answers = facts.nodes.answered();
    let answers: BTreeMap<u64, &StatusResponse> =
        answers.map(|(_, status)| (status.node_id, status)).collect();
    let member = |member: &Member| {
        let status = answers.get(&member.id.0);
        let applied = status.and_then(|status| status.applied.as_ref()).map(|id| id.index);
        MemberStatus {
            id: member.id.0,
            pod: member.ordinal.map(|ordinal| names::pod(&facts.cluster.name, ordinal)),
            role: match member {
                _ if group.leader == Some(member.id) => MemberRole::Leader,
                member if member.voter => MemberRole::Follower,
                _ => MemberRole::Learner,
            },
            applied: applied.map(|index| index - index % APPLIED_STEP),
            caught_up: group.takes_part(member),
            version: status.map(|status| status.version.clone()),
        }
    };
    let mut members: Vec<MemberStatus> = group.members.iter().map(member).collect();
    members.sort_by_key(|member| member.id);
    members
}

/// The oldest version among the members; the previous value while no member answers.
fn version(previous: Option<&IronKVClusterStatus>, facts: &Facts<'_>) -> Option<String> {
    let answers = facts.nodes.answered().map(|(_, status)| status);
    let ours = answers.filter(|status| facts.nodes.is_ours(status));
    let numbers = |version: &String| {
        let parts = version.split(['.', '-', '+']).map(|part| part.parse::<u64>().unwrap_or(0));
        parts.collect::<Vec<u64>>()
    };
    let oldest = ours.map(|status| status.version.clone()).min_by_key(numbers);
    oldest.or_else(|| previous.and_then(|status| status.current_version.clone()))
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
    let generation = facts.cluster.generation;
    let states = conditions::all(facts).into_iter();
    states.map(|(type_, state)| condition(type_, state, before(type_), generation, now)).collect()
}

fn condition(
    type_: ConditionType,
    state: ConditionState,
    before: Option<&Condition>,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let same = before.filter(|before| before.status == state.status.as_str());
    Condition {
        type_: type_.name().to_owned(),
        status: state.status.as_str().to_owned(),
        reason: state.reason.as_str().to_owned(),
        message: state.message,
        observed_generation: generation,
        last_transition_time: same.map_or(Time(now), |before| before.last_transition_time.clone()),
    }
}

/// The latches in a status.
pub(crate) fn latches(
    cluster: &ClusterName,
    status: Option<&IronKVClusterStatus>,
) -> StatusLatches {
    let Some(status) = status else { return StatusLatches::default() };
    let seed = status.bootstrap.as_ref().and_then(|begun| names::ordinal(cluster, &begun.seed));
    let formed = status.conditions.iter().any(|condition| {
        condition.type_ == ConditionType::Bootstrapped.name() && condition.status == "True"
    });
    StatusLatches { bootstrap: seed, formed }
}

/// The status of a resource with an invalid spec: the previous status, with the reason why the spec
/// is invalid.
pub(crate) fn invalid(
    previous: Option<&IronKVClusterStatus>,
    generation: Option<i64>,
    problem: &Problem,
    now: Timestamp,
) -> IronKVClusterStatus {
    let mut status = previous.cloned().unwrap_or_default();
    status.observed_generation = generation;
    let Problem { reason, message } = problem;
    let changed = [
        (ConditionType::Progressing, no(*reason, message)),
        (ConditionType::ConfigurationWarning, yes(*reason, message)),
    ];
    for (type_, state) in changed {
        let known = status.conditions.iter_mut().find(|known| known.type_ == type_.name());
        let new = condition(type_, state, known.as_deref(), generation, now);
        match known {
            Some(known) => *known = new,
            None => status.conditions.push(new),
        }
    }
    status
}

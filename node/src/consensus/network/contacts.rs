//! Which members answer the leader, and how far their logs are. The leader sees it and tells it
//! with every request that carries no entries, so with every heartbeat; a follower believes that
//! for as long as it is recent, and no other source.

use std::collections::BTreeMap;
use std::time::Duration;

use ironkv_proto::raft::v1::{LeaderReport, MemberReport};
use openraft::{Instant as _, ServerState};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::base::ids::NodeId;
use crate::base::limits::MEMBER_SILENCE_MAX;
use crate::consensus::status::matched;
use crate::consensus::types::Metrics;
use crate::services::cluster::Contact;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Mutex<Seen>);

/// What one leader saw.
#[derive(Debug, Default)]
struct Seen {
    term: u64,
    leader: Option<NodeId>,
    /// The leader leads since then at least.
    since: Option<Instant>,
    committed: u64,
    members: BTreeMap<NodeId, SeenMember>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SeenMember {
    matched: Option<u64>,
    /// `None` for never under this leader.
    answered: Option<Instant>,
}

impl Seen {
    /// Forgets what an older leader saw.
    fn of(&mut self, term: u64, leader: NodeId) -> &mut Self {
        if (self.term, self.leader) != (term, Some(leader)) {
            *self = Self { term, leader: Some(leader), ..Self::default() };
        }
        self
    }

    fn contact(&self, member: SeenMember, now: Instant) -> Contact {
        let recent = |at: Instant| now.saturating_duration_since(at) < MEMBER_SILENCE_MAX;
        match member.answered {
            Some(answered) if recent(answered) => Contact::Answers,
            // A new leader has to ask first.
            None if self.since.is_none_or(recent) => Contact::Unknown,
            _ => Contact::Silent,
        }
    }
}

impl Contacts {
    /// Takes over what the core of a leader reports.
    pub(crate) fn lead(&self, metrics: &Metrics) {
        if metrics.state != ServerState::Leader {
            return;
        }
        let mut seen = self.0.lock();
        let seen = seen.of(metrics.current_term, metrics.id);
        seen.since.get_or_insert_with(Instant::now);
        let now = Instant::now();
        let answered = |id: NodeId| {
            let at = metrics.heartbeat.as_ref()?.get(&id).copied().flatten()?;
            now.checked_sub(at.into_inner().elapsed())
        };
        let member = |id| SeenMember { matched: matched(metrics, id), answered: answered(id) };
        let ids = metrics.membership_config.nodes().map(|(id, _)| *id);
        seen.members = ids.map(|id| (id, member(id))).collect();
    }

    /// What a leader tells its followers.
    pub(crate) fn tell(&self, report: &mut LeaderReport) {
        let seen = self.0.lock();
        let now = Instant::now();
        let ago = |at: Instant| now.saturating_duration_since(at).as_millis() as u64;
        let told = seen.members.iter().map(|(id, member)| MemberReport {
            node_id: id.0,
            matched: member.matched,
            answered_ms_ago: match member.answered {
                _ if Some(*id) == seen.leader => Some(0),
                answered => answered.map(ago),
            },
        });
        report.members = told.collect();
        report.leading_ms = seen.since.map_or(0, ago);
    }

    /// What the leader of a term told `age` ago.
    pub(crate) fn heard(&self, leader: (u64, NodeId), report: &LeaderReport, age: Duration) {
        let mut seen = self.0.lock();
        if leader.0 < seen.term {
            return;
        }
        let seen = seen.of(leader.0, leader.1);
        seen.committed = seen.committed.max(report.committed_index);
        if report.members.is_empty() {
            return;
        }
        let now = Instant::now();
        let before = |ms: u64| now.checked_sub(age + Duration::from_millis(ms));
        seen.since = Some(report.leading_ms).and_then(before);
        let members = report.members.iter().map(|told| {
            let answered = told.answered_ms_ago.and_then(before);
            (NodeId(told.node_id), SeenMember { matched: told.matched, answered })
        });
        seen.members = members.collect();
    }

    /// The highest commit index that the newest leader told. It may lie far beyond the log of this
    /// node, for example when a snapshot does not fit on its disk.
    pub(crate) fn committed(&self) -> u64 {
        self.0.lock().committed
    }

    /// Whether a member answers, and the last log index known to be on its disk.
    /// `leader_contact_ms` is as in [`crate::services::cluster::RaftStatus`].
    pub(crate) fn of(
        &self,
        metrics: &Metrics,
        leader_contact_ms: Option<u64>,
        id: NodeId,
    ) -> (Contact, Option<u64>) {
        let seen = self.0.lock();
        let member = seen.members.get(&id).copied();
        if id == metrics.id {
            return (Contact::Answers, metrics.last_log_index);
        }
        let known = member.and_then(|member| member.matched);
        if metrics.state == ServerState::Leader {
            let contact = member.map(|member| seen.contact(member, Instant::now()));
            return (contact.unwrap_or_default(), known);
        }
        let silence_ms_max = MEMBER_SILENCE_MAX.as_millis() as u64;
        let hears_leader = leader_contact_ms.is_some_and(|age_ms| age_ms <= silence_ms_max);
        let contact = match member {
            // Whatever was told before, now this node knows of itself alone.
            _ if !hears_leader => Contact::Unknown,
            _ if metrics.current_leader == Some(id) => Contact::Answers,
            // An older version of the leader does not tell.
            None => Contact::Unknown,
            Some(member) => seen.contact(member, Instant::now()),
        };
        (contact, known)
    }
}

#[cfg(test)]
#[path = "contacts_test.rs"]
mod tests;

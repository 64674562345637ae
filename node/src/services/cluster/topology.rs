//! A snapshot of a group: its members, the leader, and the progress of each member. Consensus fills
//! it in; INFO, ROLE, CLUSTER, RAFT, metrics and the admin service show it.

use std::collections::BTreeMap;

use crate::base::feature_level::FeatureLevel;
use crate::base::ids::{ClusterId, GroupId, NodeId};
use crate::base::limits::{CAUGHT_UP_ENTRIES, MEMBER_SILENCE_MAX, READY_LAG_ENTRIES_MAX};

/// The current role of this node in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RaftRole {
    /// Executes writes.
    Leader,
    /// Asks for votes.
    Candidate,
    /// Follows a leader, or waits for one.
    Follower,
    /// Receives the log but has no vote.
    #[default]
    Learner,
    /// Does not take part: not initialised, removed or shut down.
    Stopped,
}

impl RaftRole {
    /// Lower case, for INFO and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Candidate => "candidate",
            Self::Follower => "follower",
            Self::Learner => "learner",
            Self::Stopped => "stopped",
        }
    }
}

/// Whether a member counts for majorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberRole {
    /// Counts.
    Voter,
    /// Does not count.
    Learner,
}

impl MemberRole {
    /// Lower case, for INFO and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Voter => "voter",
            Self::Learner => "learner",
        }
    }
}

/// Whether a member answers. The leader knows it and reports it to the members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Contact {
    /// It answered the leader recently.
    Answers,
    /// It does not answer the leader.
    Silent,
    /// This node cannot know: it has no contact to a leader, or the leader does not know it yet.
    #[default]
    Unknown,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its identity.
    pub node_id: NodeId,
    /// Whether it votes.
    pub role: MemberRole,
    /// `host:port` of its gRPC port.
    pub raft_address: String,
    /// `host:port` of its RESP port, as clients reach it.
    pub client_address: String,
    /// `host:port` of its HTTP port.
    pub http_address: String,
    /// The last log index known to be on its disk, as the leader reported last; `None` when it is
    /// not known.
    pub matched: Option<u64>,
    /// Whether it answers.
    pub contact: Contact,
}

impl Member {
    /// Whether it is known to answer.
    pub fn is_reachable(&self) -> bool {
        self.contact == Contact::Answers
    }
}

/// Whether a log that ends at `matched` is close enough to one that ends at `last` that a majority
/// with it does not stall.
pub const fn is_close(matched: u64, last: u64) -> bool {
    matched + CAUGHT_UP_ENTRIES >= last
}

/// Durations of a repeated operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// How often so far.
    pub count: u64,
    /// Microseconds spent in all of them.
    pub total_us: u64,
    /// Half took at most this many microseconds.
    pub p50_us: u64,
    /// Ninety-nine of a hundred took at most this many microseconds.
    pub p99_us: u64,
    /// The longest, microseconds.
    pub max_us: u64,
}

/// The state of a group as this node sees it.
#[derive(Debug, Clone, Default)]
pub struct RaftStatus {
    /// This node; `None` before it has an identity.
    pub node_id: Option<NodeId>,
    /// The cluster; `None` before `Init` or the first contact.
    pub cluster_id: Option<ClusterId>,
    /// The group; `None` before it started.
    pub group: Option<GroupId>,
    /// The current term.
    pub term: u64,
    /// The role of this node.
    pub role: RaftRole,
    /// The leader, if known.
    pub leader: Option<NodeId>,
    /// Index of the last log entry on this node.
    pub last_log: u64,
    /// Index of the last committed entry that this node knows of.
    pub committed: u64,
    /// Index of the last applied entry.
    pub applied: u64,
    /// Index of the last entry removed from the log behind a checkpoint.
    pub purged: u64,
    /// Index of the current checkpoint, 0 without one.
    pub checkpoint_index: u64,
    /// Bytes of the current checkpoint file.
    pub checkpoint_bytes: u64,
    /// How long the last checkpoint took to write, milliseconds.
    pub checkpoint_ms: u64,
    /// Checkpoints written since the start.
    pub checkpoints: u64,
    /// When the current checkpoint was finished, Unix milliseconds; 0 without one.
    pub checkpoint_at_ms: u64,
    /// Whether one is being written.
    pub checkpoint_running: bool,
    /// Whether the checkpoint that is due, or the leader's snapshot, does not fit on the disk.
    pub checkpoint_no_room: bool,
    /// Elections this node has seen since it started.
    pub elections: u64,
    /// Requests forwarded to the leader.
    pub forwarded: u64,
    /// Bytes of the log on disk.
    pub log_bytes: u64,
    /// Bytes of the newest entries that are kept in memory.
    pub log_cache_bytes: u64,
    /// Segment files of the log.
    pub log_segments: u64,
    /// Flushes of the log.
    pub flush: Timings,
    /// Times of log entries that were applied here.
    pub apply: Timings,
    /// Free bytes of the disk that holds the data; 0 before the first check.
    pub disk_free_bytes: u64,
    /// Whether this node leads and refuses writes because its disk is full.
    pub disk_full: bool,
    /// Whether a write or flush of the log takes longer than allowed, or did recently: this node
    /// does not lead then.
    pub disk_stalled: bool,
    /// Age of the pending write or flush of the log, milliseconds; 0 without one.
    pub disk_silent_ms: u64,
    /// Bytes of log entries in memory that are not flushed.
    pub log_unflushed_bytes: u64,
    /// Bytes of requests that wait to be proposed or forwarded, or for the reply of the leader.
    pub queued_bytes: u64,
    /// Requests refused since the start because too many bytes were waiting.
    pub queue_refusals: u64,
    /// Followers whose log had lost acknowledged entries, since the start.
    pub log_reversions: u64,
    /// How far this machine's clock is ahead of a majority's, milliseconds; `None` while no
    /// majority agrees.
    pub clock_offset_ms: Option<i64>,
    /// Whether that is too much for this node to lead while another one can.
    pub clock_wrong: bool,
    /// On the leader: how far the cluster's time is ahead of a majority's clocks, milliseconds;
    /// `None` while no majority agrees.
    pub time_ahead_ms: Option<i64>,
    /// Whether the difference is so large that the time should be set back.
    pub time_spoiled: bool,
    /// Log index at which the incarnation of this process was registered, as far as this node has
    /// applied the log; 0 before.
    pub incarnation_index: u64,
    /// Why this node takes no part until the members have confirmed its data.
    pub unconfirmed: Option<String>,
    /// Milliseconds since this node last heard from its leader; on the leader since a majority last
    /// acknowledged it. `None` when that never happened since the start.
    pub leader_contact_ms: Option<u64>,
    /// The address, for peers or else for clients, by which the members know this node, when it now
    /// advertises another one.
    pub known_as: Option<String>,
    /// All members, by node id.
    pub members: Vec<Member>,
    /// What every member understands, and so what the log may contain.
    pub feature_level: FeatureLevel,
    /// The levels that each member reported last; only of this node when it does not lead.
    pub feature_levels: BTreeMap<NodeId, MemberLevel>,
    /// Whether replicas are equal.
    pub digests: ReplicaDigests,
}

/// The results of comparing the digests of replicas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplicaDigests {
    /// Log index of this node's last digest; 0 before the first.
    pub index: u64,
    /// On the leader, for each other member whose digest was compared: the last log index of a
    /// comparison, and whether the digests were equal.
    pub compared: BTreeMap<NodeId, (u64, bool)>,
    /// Differences that this node has found since it started.
    pub differences: u64,
}

/// The feature levels of one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberLevel {
    /// The highest level that its program understands.
    pub understands: FeatureLevel,
    /// The highest level to which it agrees; its configuration may limit it.
    pub agrees_to: FeatureLevel,
}

impl RaftStatus {
    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.role == RaftRole::Leader
    }

    /// Members whose data differed from this leader's at the last comparison of digests.
    pub fn differing(&self) -> impl Iterator<Item = NodeId> {
        let compared = self.digests.compared.iter().filter(|_| self.is_leader());
        compared.filter(|(_, (_, equal))| !equal).map(|(id, _)| *id)
    }

    /// The leader's entry among the members.
    pub fn leader_member(&self) -> Option<&Member> {
        let leader = self.leader?;
        self.members.iter().find(|member| member.node_id == leader)
    }

    /// Whether this node recently had contact to a known leader, or as leader to a majority.
    pub fn hears_leader(&self) -> bool {
        let silence_ms_max = MEMBER_SILENCE_MAX.as_millis() as u64;
        let recent = self.leader_contact_ms.is_some_and(|age_ms| age_ms <= silence_ms_max);
        self.leader.is_some() && recent
    }

    /// Whether a member answers and is close to the end of the leader's log: what a vote needs.
    pub fn is_caught_up(&self, member: &Member) -> bool {
        let of_leader = self.leader_member().and_then(|leader| leader.matched);
        let last = of_leader.unwrap_or(self.last_log).max(self.committed);
        member.is_reachable() && member.matched.is_some_and(|matched| is_close(matched, last))
    }

    /// This node's entry among the members.
    pub fn own_member(&self) -> Option<&Member> {
        let own = self.node_id?;
        self.members.iter().find(|member| member.node_id == own)
    }

    /// Why requests should not be sent to this node; `None` if they should. A leader, or a
    /// majority, that was silent for longer than the maximum counts as missing.
    pub fn not_ready(&self, silence_ms_max: u64) -> Option<String> {
        if self.cluster_id.is_none() {
            let text = "the node belongs to no cluster yet: run `ironkv cluster init` once";
            return Some(text.to_owned());
        }
        if self.role == RaftRole::Stopped {
            return Some("the node takes no part in its cluster any more".to_owned());
        }
        if let Some(reason) = &self.unconfirmed {
            return Some(format!("the members have to confirm this node's data: {reason}"));
        }
        if self.leader.is_none() && self.disk_stalled {
            let silent_ms = self.disk_silent_ms;
            return Some(format!("the disk of the log has not answered for {silent_ms} ms"));
        }
        let moved = self.moved().map(|text| format!("; {text}")).unwrap_or_default();
        if self.leader.is_none() {
            return Some(format!("no leader is known in term {}{moved}", self.term));
        }
        let silent = match self.leader_contact_ms {
            Some(silence_ms) if silence_ms <= silence_ms_max => None,
            Some(silence_ms) => Some(format!("for {silence_ms} ms")),
            None => Some("since the start".to_owned()),
        };
        if let Some(since) = silent {
            let who =
                if self.is_leader() { "majority acknowledged it" } else { "leader was heard" };
            return Some(format!("no {who} {since}{moved}"));
        }
        if self.own_member().is_none() {
            return Some("the members do not know the node yet".to_owned());
        }
        (self.lag() > READY_LAG_ENTRIES_MAX)
            .then(|| format!("{} entries are committed but not applied here yet", self.lag()))
    }

    /// What is wrong with a node that nevertheless serves requests.
    pub fn warning(&self) -> Option<String> {
        if self.disk_full {
            let text = "too little space on the disk of this node: while it leads, every write is \
                        refused";
            return Some(text.to_owned());
        }
        if let Some(moved) = self.moved() {
            return Some(moved);
        }
        if let Some(ahead_ms) = self.time_ahead_ms.filter(|_| self.time_spoiled) {
            return Some(format!(
                "the cluster's time is {ahead_ms} ms ahead of a majority's clocks: when these are \
                 right, set it back with `ironkv cluster reset-time`"
            ));
        }
        let offset_ms = self.clock_offset_ms.filter(|_| self.clock_wrong)?;
        let side = if offset_ms < 0 { "behind" } else { "ahead of" };
        let off_ms = offset_ms.unsigned_abs();
        Some(format!(
            "this machine's clock is {off_ms} ms {side} a majority's: set it right; until then the \
             node leads only if no other can"
        ))
    }

    /// The warning that the members know this node by another address.
    pub fn moved(&self) -> Option<String> {
        let known_as = self.known_as.as_ref()?;
        Some(format!(
            "the members know this node by another address ({known_as}) than it advertises now: \
             report the new one with `ironkv cluster add`, or start the node with the previous one"
        ))
    }

    /// Entries committed elsewhere that this node has not applied.
    pub const fn lag(&self) -> u64 {
        self.committed.saturating_sub(self.applied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(node_id: u64, matched: Option<u64>, contact: Contact) -> Member {
        Member {
            node_id: NodeId(node_id),
            role: MemberRole::Voter,
            raft_address: String::new(),
            client_address: String::new(),
            http_address: String::new(),
            matched,
            contact,
        }
    }

    #[test]
    fn a_member_that_is_silent_or_far_behind_has_not_caught_up() {
        let members = vec![
            member(1, Some(5000), Contact::Answers),
            member(2, Some(4000), Contact::Answers),
            member(3, Some(3999), Contact::Answers),
            member(4, Some(5000), Contact::Silent),
            member(5, Some(5000), Contact::Unknown),
            member(6, None, Contact::Answers),
        ];
        // A follower that lags knows the end of the log from its leader.
        let status = RaftStatus {
            node_id: Some(NodeId(3)),
            leader: Some(NodeId(1)),
            last_log: 3999,
            members,
            ..RaftStatus::default()
        };
        let caught_up: Vec<bool> =
            status.members.iter().map(|it| status.is_caught_up(it)).collect();
        assert_eq!(caught_up, [true, true, false, false, false, false]);
    }
}

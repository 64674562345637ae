//! A snapshot of a group: who its members are, who leads, how far each has come. Consensus fills it
//! in; INFO, ROLE, CLUSTER, RAFT, metrics and the admin door show it.

use crate::base::ids::{ClusterId, GroupId, NodeId};
use crate::base::limits::READY_LAG_ENTRIES_MAX;

/// What this node is in its group at the moment.
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

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its identity.
    pub node_id: NodeId,
    /// Whether it votes.
    pub role: MemberRole,
    /// `host:port` of its gRPC door.
    pub raft_address: String,
    /// `host:port` of its RESP door, as clients reach it.
    pub client_address: String,
    /// `host:port` of its HTTP door.
    pub http_address: String,
    /// The last log index known to be on its disk; known to the leader only.
    pub matched: Option<u64>,
    /// Whether it answered lately, as far as this node can tell.
    pub reachable: bool,
}

/// Times of the log's flushes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlushTimes {
    /// Flushes so far.
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

/// A group as this node sees it at one moment.
#[derive(Debug, Clone, Default)]
pub struct RaftStatus {
    /// This node; `None` before it has an identity.
    pub node_id: Option<NodeId>,
    /// The cluster; `None` before `Init` or the first contact.
    pub cluster_id: Option<ClusterId>,
    /// Which group; `None` before it started.
    pub group: Option<GroupId>,
    /// The current term.
    pub term: u64,
    /// What this node is.
    pub role: RaftRole,
    /// The leader, if known.
    pub leader: Option<NodeId>,
    /// Index of the last log entry on this node.
    pub last_log: u64,
    /// Index of the last committed entry this node knows of.
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
    /// Elections this node has seen since it started.
    pub elections: u64,
    /// Bytes of the log on disk.
    pub log_bytes: u64,
    /// Bytes of the newest entries that are kept in memory.
    pub log_cache_bytes: u64,
    /// Segment files of the log.
    pub log_segments: u64,
    /// Flushes of the log.
    pub flush: FlushTimes,
    /// Free bytes of the disk that holds the data; 0 before the first look.
    pub disk_free_bytes: u64,
    /// Whether this node, leading, refuses writes for want of room on its disk.
    pub disk_full: bool,
    /// Milliseconds since this node last heard from its leader; on the leader since a majority last
    /// acknowledged it. `None` when that never happened since the start.
    pub leader_contact_ms: Option<u64>,
    /// All members, by node id.
    pub members: Vec<Member>,
}

impl RaftStatus {
    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.role == RaftRole::Leader
    }

    /// The leader's entry among the members.
    pub fn leader_member(&self) -> Option<&Member> {
        let leader = self.leader?;
        self.members.iter().find(|member| member.node_id == leader)
    }

    /// This node's entry among the members.
    pub fn own_member(&self) -> Option<&Member> {
        let own = self.node_id?;
        self.members.iter().find(|member| member.node_id == own)
    }

    /// Why requests should not be sent to this node; `None` when they should. A leader, or a
    /// majority, that was silent for longer than the maximum counts as none.
    pub fn not_ready(&self, silence_ms_max: u64) -> Option<String> {
        if self.cluster_id.is_none() {
            let text = "the node belongs to no cluster yet: run `ironkv cluster init` once";
            return Some(text.to_owned());
        }
        if self.role == RaftRole::Stopped {
            return Some("the node takes no part in its cluster any more".to_owned());
        }
        if self.leader.is_none() {
            return Some(format!("no leader is known in term {}", self.term));
        }
        let silent = match self.leader_contact_ms {
            Some(silence_ms) if silence_ms <= silence_ms_max => None,
            Some(silence_ms) => Some(format!("for {silence_ms} ms")),
            None => Some("since the start".to_owned()),
        };
        if let Some(since) = silent {
            let who =
                if self.is_leader() { "majority acknowledged it" } else { "leader was heard" };
            return Some(format!("no {who} {since}"));
        }
        if self.own_member().is_none() {
            return Some("the members do not know the node yet".to_owned());
        }
        (self.lag() > READY_LAG_ENTRIES_MAX)
            .then(|| format!("{} entries are committed but not applied here yet", self.lag()))
    }

    /// Entries committed elsewhere that this node has not applied.
    pub const fn lag(&self) -> u64 {
        self.committed.saturating_sub(self.applied)
    }
}

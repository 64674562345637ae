//! The handle of one Raft group: propose, read, ask, change. Works the same on every node.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::base::config::ReadMode;
use crate::base::feature_level::FeatureLevel;
use crate::base::group_time::GroupTime;
use crate::base::ids::{ClusterId, NodeId};
use crate::base::seeded::{Bug, seeded};
use crate::base::threads::ThreadMain;
use crate::commands::Executed;
use crate::commands::request::Request;
use crate::consensus::background::checkpoint_trigger;
use crate::consensus::errors::{ProposeError, ReadError};
use crate::consensus::membership::admin_client::AdminClient;
use crate::consensus::membership::change::{self, Change, ChangeError, Expected};
use crate::consensus::network::channels::Identity;
use crate::consensus::network::convert::log_id_to_position;
use crate::consensus::proposal::entry::Item;
use crate::consensus::proposal::forward::{Answer, Work};
use crate::consensus::shared::{Ended, Shared};
use crate::consensus::status;
use crate::consensus::storage::log::LogPosition;
use crate::consensus::types::MemberAddresses;
use crate::data::keyspace::KeyspaceLock;
use crate::services::cluster::{Member, RaftStatus};

/// How long the leader has for a change that a follower passes on.
const HOP_PATIENCE: Duration = Duration::from_secs(15);

/// A handle; clones are cheap and mean the same group.
#[derive(Clone)]
pub struct Group(pub(super) Arc<Shared>);

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Group({})", self.0.group_id)
    }
}

impl Group {
    /// Executes a request through the log. Queued in the order of the
    /// calls. While no node leads it waits, no longer than the request timeout.
    pub fn propose(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Executed, ProposeError>> + Send + 'static {
        let delivered = self.0.deliver(Work::Propose(request));
        async move { executed(delivered.await?) }
    }

    /// Changes cluster-wide parameters on every node: all of them, by one log entry, or none. This
    /// node has applied them afterwards, unless the cluster lost its leader meanwhile.
    pub async fn change_parameters(
        &self,
        parameters: &[(&str, &[u8])],
    ) -> Result<(), ProposeError> {
        let owned = |(name, value): &(&str, &[u8])| {
            ((*name).to_owned(), bytes::Bytes::copy_from_slice(value))
        };
        if parameters.len() > 1 {
            self.0.wait_for_level(FeatureLevel::SECOND).await;
        }
        let parameters = parameters.iter().map(owned).collect();
        self.0.deliver(Work::SetParameters(parameters)).await.and_then(executed)?;
        // The parameters are set, even if no leader can say now what this node still lacks.
        let _ = self.read_barrier().await;
        Ok(())
    }

    /// Whether what was read until now may be answered. Read first, under the lock, then ask.
    pub fn may_read_now(&self) -> bool {
        self.0.config.load().reads.mode == ReadMode::Lease
            && self.0.gate.is_open()
            && !self.0.is_in_doubt()
    }

    /// Waits until everything that a read on another node may have returned by now is visible in
    /// [`Group::keyspace`], if this node leads. To be called before a read that
    /// [`Group::may_read_now`] confirms.
    pub async fn catch_up(&self) -> Result<(), ReadError> {
        let shown = self.0.applied.shown_index();
        if self.0.applied.index() >= shown {
            return Ok(());
        }
        self.wait_applied(shown).await
    }

    async fn wait_applied(&self, index: u64) -> Result<(), ReadError> {
        let mut ended = self.0.ended.subscribe();
        tokio::select! {
            biased;
            () = self.0.applied.wait_for(index) => Ok(()),
            // A node that was removed never gets what the leader speaks of.
            _ = ended.wait_for(Option::is_some) => Err(ReadError::Stopping),
            () = tokio::time::sleep(self.0.request_timeout()) => Err(ReadError::NoLeader),
        }
    }

    /// After success every write acknowledged, and every value returned by a read,
    /// on any node before the call is visible in [`Group::keyspace`].
    /// Gives the time for the read.
    pub async fn read_barrier(&self) -> Result<GroupTime, ReadError> {
        let point = self.0.read_index().await?;
        self.wait_applied(point.index).await?;
        self.0.time.note_answered(point.time);
        Ok(self.0.time.known())
    }

    /// The time for a read that [`Group::may_read_now`] is to confirm.
    pub fn leader_time(&self) -> GroupTime {
        self.0.time.take()
    }

    /// [`Group::may_read_now`] has confirmed a read with this time, and it is about to be answered.
    pub fn note_read(&self, time: GroupTime) {
        self.0.time.note_answered(time);
    }

    /// Whether reads that may be stale are fresh enough here: everything acknowledged longer ago
    /// than the configured bound is applied.
    pub fn stale_read_allowed(&self) -> Result<(), ReadError> {
        let age_ms_max = self.0.config.load().reads.stale_lag_max_ms;
        let age_ms = if seeded(Bug::StaleReadByContact) {
            self.0.contact_age_ms()
        } else {
            self.0.freshness.age_ms(self.0.applied.index(), age_ms_max)
        };
        if age_ms.is_some_and(|age_ms| age_ms <= age_ms_max) && !self.0.is_in_doubt() {
            Ok(())
        } else {
            Err(ReadError::TooStale)
        }
    }

    /// The keys, as applied here.
    pub fn keyspace(&self) -> &KeyspaceLock {
        &self.0.keyspace
    }

    /// Counts the beginnings and ends of snapshots that take the place of all keys: odd while the
    /// keys are incomplete.
    pub fn loads(&self) -> u64 {
        self.0.applied.loads()
    }

    /// The time for reads that may be stale: the leader's, as far as it was heard of.
    pub fn stale_time(&self) -> GroupTime {
        self.0.time.stale()
    }

    /// Time of the last entry of which some effect may be visible.
    pub fn applied_time(&self) -> GroupTime {
        self.0.applied.time()
    }

    /// The last log index applied here.
    pub fn applied_index(&self) -> u64 {
        self.0.applied.index()
    }

    /// The group at this moment.
    pub fn status(&self) -> RaftStatus {
        status::status(&self.0)
    }

    /// The leader, if one is known that this node heard a moment ago.
    pub fn leader(&self) -> Option<Member> {
        let known = self.0.statuses.borrow().leader_member().cloned();
        known.filter(|_| self.0.hears_leader())
    }

    /// Waits until this node hears a leader, no longer than an election may take.
    pub async fn wait_to_hear_leader(&self) {
        self.0.wait_to_hear_leader().await;
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.0.is_leader()
    }

    /// Who this node is, once it belongs to a cluster.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.0.core.get().map(|core| core.identity.clone())
    }

    /// Tells when the group ended by itself.
    pub fn ended(&self) -> watch::Receiver<Option<Ended>> {
        self.0.ended.subscribe()
    }

    /// Runs a future on the raft thread, beside the core.
    pub fn run_on_raft_thread(&self, main: ThreadMain) -> bool {
        self.0.tasks.send(main).is_ok()
    }

    /// Reserves a node id; goes to the leader.
    pub async fn allocate_node_id(
        &self,
        forwarded: bool,
    ) -> Result<(ClusterId, NodeId), ChangeError> {
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        if !self.0.is_leader() {
            return self.leader_client(forwarded).await?.allocate(true).await;
        }
        match self.0.queue_item(Item::AllocateNode, false).await {
            Ok(Ok(crate::consensus::state_machine::apply::ItemOutcome::NodeId(id))) => {
                Ok((identity.cluster_id.clone(), id))
            }
            Ok(Err(ProposeError::NotExecuted(_))) => Err(ChangeError::NotLeader(None)),
            _ => Err(ChangeError::Unknown),
        }
    }

    /// Makes one membership change; goes to the leader unless it was `forwarded` already.
    pub async fn change(
        &self,
        change: Change,
        expected: Expected,
        forwarded: bool,
    ) -> Result<LogPosition, ChangeError> {
        if self.0.is_leader() {
            let changed = change::change(&self.0, change, expected).await;
            return changed.map(|at| log_id_to_position(&at));
        }
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        let mut leader = self.leader_client(forwarded).await?;
        let changed = leader.change(&identity.cluster_id, change, expected, true).await;
        changed.map(|at| log_id_to_position(&at))
    }

    /// Hands the leadership over; `None` picks the voter that is furthest.
    pub async fn transfer_leader(
        &self,
        target: Option<NodeId>,
        expected: Expected,
        forwarded: bool,
    ) -> Result<(), ChangeError> {
        if self.0.is_leader() {
            return change::transfer(&self.0, target, expected).await;
        }
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        let mut leader = self.leader_client(forwarded).await?;
        leader.transfer(&identity.cluster_id, target, expected).await
    }

    pub(super) async fn leader_client(&self, forwarded: bool) -> Result<AdminClient, ChangeError> {
        if forwarded {
            // Two nodes that take each other for the leader must not pass a change to and fro.
            return Err(ChangeError::NotLeader(self.0.leadership.borrow().leader));
        }
        // One that is remembered and not heard would leave the fate of the change unknown.
        self.0.wait_to_hear_leader().await;
        if !self.status().hears_leader() {
            return Err(ChangeError::NotLeader(None));
        }
        let leader = self.0.wait_for_leader().await.ok_or(ChangeError::NotLeader(None))?;
        let address = self.0.address_of(leader).ok_or(ChangeError::NotLeader(None))?;
        AdminClient::new(&self.0.peers, &address.raft, HOP_PATIENCE)
    }

    /// Writes a checkpoint of what is applied now and waits for it; its log index.
    pub async fn checkpoint_now(&self) -> Result<u64, ChangeError> {
        let core = self.0.core.get().ok_or(ChangeError::NotLeader(None))?;
        if self.0.applied.index() == 0 {
            return Ok(0);
        }
        let written = checkpoint_trigger::write(&self.0, &core.raft).await;
        written.map_err(|error| ChangeError::Refused(error.to_string()))
    }

    /// Writes a checkpoint of what is applied now, loads it and goes on with what was loaded.
    /// Nothing is applied meanwhile.
    pub async fn reload(&self) -> std::io::Result<()> {
        self.0.apply.reload(self.0.checkpoints.clone()).await
    }

    /// Drops the log behind the checkpoint in force, whatever the settings keep.
    #[cfg(test)]
    pub(crate) async fn purge_log_for_test(&self) {
        if let (Some(core), Some(index)) = (self.0.core.get(), self.0.checkpoints.index()) {
            core.raft.trigger().purge_log(index).await.expect("the core runs");
        }
    }

    /// Hands leadership over if this node leads, as well as it can within a second.
    pub async fn hand_over(&self) {
        crate::consensus::lifecycle::hand_over(&self.0).await;
    }

    /// Stops in order: hands leadership over, refuses new requests, lets those on their way finish,
    /// makes the log durable. Takes no longer than the configured time.
    pub async fn stop(&self) {
        crate::consensus::lifecycle::stop(&self.0).await;
    }

    /// The addresses this node is known by.
    pub fn addresses(&self) -> &MemberAddresses {
        &self.0.addresses
    }
}

fn executed(answer: Answer) -> Result<Executed, ProposeError> {
    match answer {
        Answer::Executed(executed) => Ok(executed),
        _ => Err(ProposeError::Unknown),
    }
}

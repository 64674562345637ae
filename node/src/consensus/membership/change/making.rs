//! Makes changes on the leader.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::errors::{ClientWriteError, RaftError};
use openraft::{ChangeMembers, Precondition, ServerState};

use super::checks::{check_change, check_position, is_voter};
use super::{Change, ChangeError, Expected};
use crate::base::config::LiveConfig;
use crate::base::ids::NodeId;
use crate::base::limits::MEMBER_SILENCE_MAX;
use crate::consensus::lifetime::Lifetime;
use crate::consensus::membership::feature_level::Levels;
use crate::consensus::membership::standing::Standings;
use crate::consensus::raft_handle::{Core, RaftHandle};
use crate::consensus::raft_metrics::answered_since;
use crate::consensus::types::{LogId, MemberAddresses, Metrics, TypeConfig};

/// Time for one change to commit; then its fate is unknown to the caller, who asks for the status.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a change may be halfway before this leader takes it for abandoned.
const HALFWAY_MAX: Duration = Duration::from_secs(2);

/// What a change depends on.
pub(crate) struct Changes {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) raft: Arc<RaftHandle>,
    pub(crate) standings: Arc<Standings>,
    pub(crate) levels: Arc<Levels>,
}

impl Changes {
    /// Makes one change on the leader.
    pub(crate) async fn change(
        &self,
        change: Change,
        expected: Expected,
    ) -> Result<LogId, ChangeError> {
        let core = self.raft.core().ok_or(ChangeError::NotLeader(None))?;
        let metrics = self.raft.metrics().ok_or(ChangeError::NotLeader(None))?;
        let based_on = check_position(&metrics, expected)?;
        check_change(&self.standings, &metrics, &change)?;
        if let Some(voters) = voters_after(&metrics, &change) {
            self.await_majority(core, &voters).await?;
        }
        let _level_kept = match &change {
            Change::AddLearner(_, _, understood) => {
                Some(self.levels.keep(&self.raft, *understood).await?)
            }
            Change::Promote(_) | Change::Demote(_) | Change::Remove(_) | Change::Move { .. } => {
                None
            }
        };
        let addressed = match &change {
            Change::AddLearner(id, addresses, _) | Change::Move { id, addresses, .. } => {
                Some((id, addresses))
            }
            Change::Promote(_) | Change::Demote(_) | Change::Remove(_) => None,
        };
        if let (Some((id, addresses)), Some(at)) = (addressed, based_on)
            && metrics.membership_config.get_node(id) == Some(addresses)
        {
            // Asked for again: decisions on this membership stay good.
            return Ok(at);
        }
        let retain = !matches!(change, Change::Remove(_));
        let members = match change {
            Change::AddLearner(id, addresses, _) => {
                ChangeMembers::AddNodes(BTreeMap::from([(id, addresses)]))
            }
            Change::Promote(id) => ChangeMembers::AddVoterIds(BTreeSet::from([id])),
            Change::Demote(id) => ChangeMembers::RemoveVoters(BTreeSet::from([id])),
            Change::Remove(id) if is_voter(&metrics, id) => {
                ChangeMembers::RemoveVoters(BTreeSet::from([id]))
            }
            Change::Remove(id) => ChangeMembers::RemoveNodes(BTreeSet::from([id])),
            // Every message names cluster and node, so a wrong address reaches no other voter.
            Change::Move { id, addresses, .. } => {
                ChangeMembers::SetNodes(BTreeMap::from([(id, addresses)]))
            }
        };
        submit(core, members, retain, based_on).await
    }

    /// Waits until a majority of the future voters has answered a heartbeat that was sent after
    /// this call. Answers of before do not count: a voter may have died since, and a change that no
    /// majority of its voters confirms stops the cluster.
    async fn await_majority(
        &self,
        core: &Core,
        voters: &BTreeSet<NodeId>,
    ) -> Result<(), ChangeError> {
        let asked = tokio::time::Instant::now();
        let heartbeat = Duration::from_millis(self.config.load().raft.heartbeat_ms);
        let majority = voters.len() / 2 + 1;
        loop {
            let metrics = self.raft.metrics().ok_or(ChangeError::NotLeader(None))?;
            let answered = |voter: &&NodeId| answered_since(&metrics, **voter, asked.elapsed());
            let silent: Vec<String> =
                voters.iter().filter(|voter| !answered(voter)).map(ToString::to_string).collect();
            if voters.len() - silent.len() >= majority {
                return Ok(());
            }
            if asked.elapsed() >= MEMBER_SILENCE_MAX {
                return Err(ChangeError::Refused(format!(
                    "a majority of the {} voters after this change has to answer, but {} did not: \
                     wait until they are back",
                    voters.len(),
                    nodes(&silent)
                )));
            }
            // An error means that the core has ended.
            core.raft.trigger().heartbeat().await.map_err(|_| ChangeError::Unknown)?;
            tokio::time::sleep(heartbeat / 4).await;
        }
    }
}

/// The voters after a change; `None` if it leaves them as they are.
fn voters_after(metrics: &Metrics, change: &Change) -> Option<BTreeSet<NodeId>> {
    let mut voters: BTreeSet<NodeId> = metrics.membership_config.voter_ids().collect();
    let changed = match change {
        Change::AddLearner(..) | Change::Move { .. } => false,
        Change::Promote(id) => voters.insert(*id),
        Change::Demote(id) | Change::Remove(id) => voters.remove(id),
    };
    changed.then_some(voters)
}

fn nodes(ids: &[String]) -> String {
    let noun = if ids.len() == 1 { "node" } else { "nodes" };
    format!("{noun} {}", ids.join(", "))
}

async fn submit(
    core: &Core,
    members: ChangeMembers<NodeId, MemberAddresses>,
    retain: bool,
    based_on: Option<LogId>,
) -> Result<LogId, ChangeError> {
    // Compared again inside the core, where no other change can come in between.
    let unchanged = Precondition::LastMembershipLogId { last_membership_log_id: based_on };
    let changing = core.raft.change_membership_if(members, retain, [unchanged]);
    match tokio::time::timeout(CHANGE_TIMEOUT, changing).await {
        Ok(Ok(response)) => Ok(response.log_id),
        Ok(Err(RaftError::APIError(error))) => Err(change_error(error)),
        Ok(Err(RaftError::Fatal(_))) | Err(_) => Err(ChangeError::Unknown),
    }
}

/// Finishes, on the leader, a change whose leader went away halfway: it would stand in the way of
/// every other one. A node that was to be removed stays as a learner, to be removed again.
pub(crate) async fn finish_abandoned(raft: Arc<RaftHandle>, lifetime: Arc<Lifetime>) {
    let mut seen = None;
    while !lifetime.stopping.load(Ordering::Relaxed) {
        tokio::time::sleep(HALFWAY_MAX).await;
        let (Some(core), Some(metrics)) = (raft.core(), raft.metrics()) else { return };
        let halfway = metrics.membership_config.get_joint_config().len() > 1;
        let now = metrics.membership_config.log_id().filter(|_| halfway);
        if now.is_some() && now == seen && metrics.state == ServerState::Leader {
            let rest = ChangeMembers::AddVoterIds(BTreeSet::new());
            match submit(core, rest, true, now).await {
                Ok(_) => tracing::info!("finished a membership change that was left halfway"),
                Err(error) => tracing::info!(%error, "cannot finish a membership change yet"),
            }
        }
        seen = now;
    }
}

fn change_error(error: ClientWriteError<TypeConfig>) -> ChangeError {
    use openraft::errors::ChangeMembershipError as Reason;
    match error {
        ClientWriteError::ForwardToLeader(to) => ChangeError::NotLeader(to.leader_id),
        ClientWriteError::LogEntryDiscarded(_) => ChangeError::Unknown,
        ClientWriteError::PreconditionFailed(_) => ChangeError::Outdated,
        ClientWriteError::ChangeMembershipError(
            Reason::InProgress(_) | Reason::UncommittedLeaderLog(_),
        ) => ChangeError::InProgress,
        ClientWriteError::ChangeMembershipError(reason) => ChangeError::Refused(reason.to_string()),
    }
}

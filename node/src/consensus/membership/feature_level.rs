//! How the feature level of a cluster rises, and what keeps things out of the log until it has.
//!
//! Every member tells the leader with each answer to replication which level it understands and to
//! which level it agrees. Once all members (learners too) agree to a higher level than the one in
//! force, the leader raises it by a log entry, [`Item::RaiseLevel`]. The entry is the first that an
//! older program could not read, so what may receive it is checked before it is proposed: a member
//! that is down, or that tells nothing as version 0.1.0 does, keeps the level where it is. A node
//! that does not understand the level in force is not taken as a member; the two checks exclude
//! each other by [`Levels::changing`].
//!
//! What needs a level above the one in force is refused before it is queued for the log
//! ([`Shared::check_level`]), on the node that the client asked and again on the leader. How an
//! addition says which level it needs is in `base/feature_level.rs`.
//!
//! The level never falls. As long as it has not risen, every entry, checkpoint and meta file is one
//! that the older program reads, so the cluster may be rolled back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ironkv_proto::raft::v1 as proto;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::change::ChangeError;
use crate::base::feature_level::FeatureLevel;
use crate::base::ids::NodeId;
use crate::base::limits::FEATURE_REPORT_AGE_MAX;
use crate::base::seeded::{Bug, seeded};
use crate::commands::request::Request;
use crate::consensus::errors::Refusal;
use crate::consensus::proposal::claim::Claim;
use crate::consensus::proposal::entry::Item;
use crate::consensus::shared::Shared;
use crate::consensus::types::Metrics;
use crate::services::cluster::topology::MemberLevel;

/// How often a leader looks whether the level can rise.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A new cluster, all members of which understand a level, has reached it after this time.
const NEW_CLUSTER_TIME: Duration = Duration::from_secs(2);

struct Reported {
    level: MemberLevel,
    at: Instant,
}

/// What the other members have told this node.
#[derive(Default)]
pub(crate) struct Levels {
    reported: Mutex<BTreeMap<NodeId, Reported>>,
    /// Held while the level is raised, and while a member is added.
    changing: tokio::sync::Mutex<()>,
}

impl Shared {
    /// The level that this node tells others.
    pub(crate) fn own_level(&self) -> MemberLevel {
        let understands = FeatureLevel::HIGHEST;
        let agrees_to = match self.config.load().cluster.feature_level_max {
            0 => understands,
            held => understands.min(FeatureLevel(held)),
        };
        MemberLevel { understands, agrees_to }
    }

    /// A member has answered this leader. Without a report it is of version 0.1.0.
    pub(crate) fn note_level(&self, from: NodeId, report: Option<&proto::FollowerReport>) {
        let (understands, agrees_to) = report.map_or((0, 0), |report| {
            (report.feature_level_understood, report.feature_level_agreed)
        });
        let level = MemberLevel {
            understands: FeatureLevel::from_number(understands),
            agrees_to: FeatureLevel::from_number(agrees_to),
        };
        self.levels.reported.lock().insert(from, Reported { level, at: Instant::now() });
    }

    /// A member cannot be reached, so what it told before says nothing.
    pub(crate) fn forget_level(&self, of: NodeId) {
        self.levels.reported.lock().remove(&of);
    }

    /// What a member told a moment ago; `None` for one that is silent, or when another node leads.
    pub(crate) fn member_level(&self, metrics: &Metrics, id: NodeId) -> Option<MemberLevel> {
        if id == metrics.id {
            return Some(self.own_level());
        }
        let reported = self.levels.reported.lock();
        let fresh = |reported: &&Reported| reported.at.elapsed() <= FEATURE_REPORT_AGE_MAX;
        reported.get(&id).filter(fresh).map(|reported| reported.level)
    }

    /// What every member told a moment ago, as far as this node can know.
    pub(crate) fn member_levels(&self, metrics: &Metrics) -> BTreeMap<NodeId, MemberLevel> {
        let members = metrics.membership_config.nodes();
        members.filter_map(|(id, _)| Some((*id, self.member_level(metrics, *id)?))).collect()
    }

    /// The highest level that every member agrees to; `None` while one of them is silent.
    fn agreed_level(&self, metrics: &Metrics) -> Option<FeatureLevel> {
        let members = metrics.membership_config.nodes();
        let mut agreed = FeatureLevel::HIGHEST;
        for (id, _) in members {
            agreed = agreed.min(self.member_level(metrics, *id)?.agrees_to);
        }
        Some(agreed)
    }

    /// Refuses what `what` names while the cluster runs at a lower level than it needs.
    pub(crate) fn check_level(
        &self,
        needed: FeatureLevel,
        what: &'static str,
    ) -> Result<(), Refusal> {
        let in_force = self.applied.feature_level();
        if needed <= in_force || seeded(Bug::LevelIgnored) {
            return Ok(());
        }
        Err(Refusal::NeedsLevel { what, needed, in_force })
    }

    /// A new cluster takes a moment to reach its level. What still needs a higher one afterwards is
    /// refused.
    pub(crate) async fn wait_for_level(&self, wanted: FeatureLevel) {
        let deadline = Instant::now() + NEW_CLUSTER_TIME;
        while self.applied.feature_level() < wanted && Instant::now() < deadline {
            tokio::time::sleep(LOOK_INTERVAL / 10).await;
        }
    }

    /// As [`Shared::check_level`], for the commands of a request.
    pub(crate) fn check_request_level(&self, request: &Request) -> Result<(), Refusal> {
        self.check_level(request.needs_level, "this command")
    }

    /// Proposes the highest level that every member agrees to, if it is above the one in force.
    pub(crate) async fn raise_level(&self) {
        let changing = self.levels.changing.lock().await;
        let Some(metrics) = self.metrics().filter(|_| self.is_leader()) else { return };
        let Some(agreed) = self.agreed_level(&metrics) else { return };
        let before = self.applied.feature_level();
        if agreed <= before {
            return;
        }
        let claim = Claim::default();
        let mut raised = self.queue_claimed(Item::RaiseLevel(agreed), false, claim.clone());
        // The entry must not come after a check that took the level before for the one in force:
        // what is not proposed in time is withdrawn, what is proposed is waited for.
        let outcome = match tokio::time::timeout(self.request_timeout(), &mut raised).await {
            Ok(outcome) => outcome.ok(),
            Err(_) if claim.withdraw() => None,
            Err(_) => raised.await.ok(),
        };
        match outcome {
            Some(Ok(_)) => tracing::info!(%before, now = %agreed, "raised the feature level"),
            outcome => tracing::info!(?outcome, "the feature level is not raised yet"),
        }
        drop(changing);
    }

    /// To be held from before a new member is checked until it is added. A level that an earlier
    /// leader raised may lie in the log unapplied: it is waited for.
    pub(crate) async fn keep_level(
        &self,
        understood: FeatureLevel,
    ) -> Result<tokio::sync::MutexGuard<'_, ()>, ChangeError> {
        let kept = self.levels.changing.lock().await;
        let last = self.metrics().and_then(|metrics| metrics.last_log_index).unwrap_or(0);
        let applied = tokio::time::timeout(self.request_timeout(), self.applied.wait_for(last));
        applied.await.map_err(|_| ChangeError::Unknown)?;
        let in_force = self.applied.feature_level();
        if understood >= in_force {
            return Ok(kept);
        }
        Err(ChangeError::Refused(format!(
            "the new node understands feature level {understood} at most, and this cluster runs at \
             level {in_force}: start a newer version on it"
        )))
    }
}

/// Raises the level on the leader as soon as it can be.
pub(crate) async fn raise_when_agreed(shared: Arc<Shared>) {
    while !shared.stopping.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK_INTERVAL).await;
        if shared.is_leader() && shared.applied.feature_level() < FeatureLevel::HIGHEST {
            shared.raise_level().await;
        }
    }
}

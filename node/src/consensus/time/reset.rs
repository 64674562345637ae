//! Repairs a cluster whose time is far ahead of its clocks: an older version took it from one wrong
//! clock, or those of a majority were wrong together. Left alone, it would come right only after
//! eight times as long, and until then no new deadline would pass in time.

use crate::base::ids::ClusterId;
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::group::Group;
use crate::consensus::membership::change::ChangeError;
use crate::consensus::proposal::entry::Item;
use crate::consensus::shared::Shared;
use crate::consensus::state_machine::apply::ItemOutcome;

/// The time of the cluster and what a majority's clocks say, Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeAhead {
    /// By how much the time is ahead.
    pub ahead_ms: u64,
    /// The clocks.
    pub clock_ms: u64,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeReset {
    /// Tell whether it can be done, and by how much.
    Check,
    /// Do it.
    Execute,
}

impl Group {
    /// Sets the time of the cluster back to what a majority's clocks say; goes to the leader
    /// unless it was `forwarded` already. Refused when it is not ahead of them by more than
    /// `raft.clock_offset_max_ms`.
    pub async fn reset_time(
        &self,
        reset: TimeReset,
        forwarded: bool,
    ) -> Result<TimeAhead, ChangeError> {
        if self.0.is_leader() {
            return self.0.reset_time(reset).await;
        }
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        let cluster_id: &ClusterId = &identity.cluster_id;
        self.leader_client(forwarded).await?.reset_time(cluster_id, reset).await
    }
}

impl Shared {
    async fn reset_time(&self, reset: TimeReset) -> Result<TimeAhead, ChangeError> {
        let ahead = self.time_ahead()?;
        if reset == TimeReset::Check {
            return Ok(ahead);
        }
        let queued = self.queue_item(Item::ResetTime(ahead.clock_ms), false);
        let outcome = tokio::time::timeout(self.request_timeout(), queued).await;
        match outcome {
            Ok(Ok(Ok(ItemOutcome::Refused(reason)))) => Err(ChangeError::Refused(reason)),
            Ok(Ok(Ok(_))) => Ok(ahead),
            Ok(Ok(Err(ProposeError::NotExecuted(Refusal::NoLeader)))) => {
                Err(ChangeError::NotLeader(None))
            }
            Ok(Ok(Err(ProposeError::NotExecuted(refusal)))) => {
                Err(ChangeError::Refused(refusal.to_string()))
            }
            _ => Err(ChangeError::Unknown),
        }
    }

    fn time_ahead(&self) -> Result<TimeAhead, ChangeError> {
        let needed = Item::ResetTime(0).needs_level();
        let allowed = self.check_level(needed, "setting the time back");
        allowed.map_err(|refusal| ChangeError::Refused(refusal.to_string()))?;
        let Some((ahead_ms, clock_ms)) = self.time.ahead() else {
            let text = "the clocks of a majority are not known or do not agree: set them right, or \
                        wait until this leader has heard them";
            return Err(ChangeError::Refused(text.to_owned()));
        };
        if !self.is_spoiled(ahead_ms) {
            let bound_ms = self.config.load().raft.clock_offset_max_ms;
            return Err(ChangeError::Refused(format!(
                "the cluster's time is {ahead_ms} ms ahead of a majority's clocks, and up to \
                 {bound_ms} ms (raft.clock_offset_max_ms) come right by themselves"
            )));
        }
        Ok(TimeAhead { ahead_ms: ahead_ms.unsigned_abs(), clock_ms })
    }

    /// Whether a time so far ahead of a majority's clocks is one to be set back.
    pub(crate) fn is_spoiled(&self, ahead_ms: i64) -> bool {
        let bound_ms = self.config.load().raft.clock_offset_max_ms;
        u64::try_from(ahead_ms).is_ok_and(|ahead_ms| ahead_ms > bound_ms)
    }
}

//! Repairs a cluster whose time is far ahead of its clocks: an older version took it from one wrong
//! clock, or those of a majority were wrong together. Left alone, it would come right only after
//! eight times as long, and until then no new deadline would pass in time.

use std::sync::Arc;

use super::ClusterTime;
use crate::base::config::LiveConfig;
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::membership::change::ChangeError;
use crate::consensus::proposal::entry::Item;
use crate::consensus::proposal::submission::Proposals;
use crate::consensus::state_machine::outcome::ItemOutcome;

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

/// What a reset depends on.
pub(crate) struct Resets {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) time: Arc<ClusterTime>,
    pub(crate) proposals: Arc<Proposals>,
}

impl Resets {
    /// Sets the time of the cluster back on its leader.
    pub(crate) async fn reset_time(&self, reset: TimeReset) -> Result<TimeAhead, ChangeError> {
        let ahead = self.time_ahead()?;
        if reset == TimeReset::Check {
            return Ok(ahead);
        }
        let queued = self.proposals.queue_item(Item::ResetTime(ahead.clock_ms), false);
        let timeout = self.config.load().raft.request_timeout();
        let outcome = tokio::time::timeout(timeout, queued).await;
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
        let allowed = self.proposals.applied.check_level(needed, "setting the time back");
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

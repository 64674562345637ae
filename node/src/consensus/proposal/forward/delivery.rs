//! Brings work to the leader, whichever node that is.

use std::sync::Arc;

use tokio::time::Instant;

use super::forwards::Forwards;
use super::on_leader::OnLeader;
use super::{Answered, Work};
use crate::base::feature_level::FeatureLevel;
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::proposal::claim::Claim;
use crate::consensus::proposal::request_sizes::RequestSizes;
use crate::data::keyspace::Settings;

/// See the module.
pub(crate) struct Delivery {
    pub(crate) on_leader: Arc<OnLeader>,
    pub(crate) forwards: Arc<Forwards>,
    pub(crate) sizes: RequestSizes,
}

impl Delivery {
    /// Executes work on the leader, whichever node that is, within the request timeout. Queued at
    /// the call; the future waits for the answer.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        work: Work,
    ) -> impl Future<Output = Answered> + Send + 'static {
        let bytes = work.bytes();
        let timeout = self.sizes.config.load().raft.request_timeout();
        let deadline = Instant::now() + timeout + self.sizes.extra_time(bytes);
        let this = self.clone();
        let checked = self.check_work(&work);
        let (mut here, mut there) = (None, None);
        if checked.is_ok() && self.on_leader.leadership.is_leader() {
            here = Some(self.on_leader.start(work.clone(), deadline, Claim::default()));
        } else if checked.is_ok() {
            there = Some(self.forwards.forward(work.clone(), deadline));
        }
        async move {
            checked.map_err(ProposeError::NotExecuted)?;
            if let Some(here) = here {
                let answer = here.await;
                if answer.as_ref().err() != Some(&ProposeError::NotExecuted(Refusal::NoLeader)) {
                    return answer;
                }
            }
            // Leadership has moved: the next leader executes what this one certainly did not.
            let there = there.unwrap_or_else(|| this.forwards.forward(work, deadline));
            let answer = there.until_late(deadline, this.sizes.extra_time(bytes)).await;
            answer.map_err(|error| this.on_leader.say_why_late(error, bytes, deadline))
        }
    }

    /// What no leader could execute is refused where it comes in, in the same words on every node.
    /// A leader of an older version would end the stream of all requests at it.
    fn check_work(&self, work: &Work) -> Result<(), Refusal> {
        if work.bytes() > self.sizes.request_bytes_max() {
            return Err(Refusal::TooLarge);
        }
        match work {
            Work::Propose(request) => self.sizes.applied.check_request_level(request),
            Work::SetParameters(parameters) => {
                let levels = parameters.iter().map(|(name, _)| Settings::needs_level(name));
                let needed = levels.fold(FeatureLevel::FIRST, FeatureLevel::max);
                self.sizes.applied.check_level(needed, "this parameter")
            }
            Work::ReadIndex(_) => Ok(()),
        }?;
        let what = match work {
            Work::SetParameters(_) => "setting several parameters at once",
            _ => "this operation",
        };
        self.sizes.applied.check_level(work.needs_level(), what)
    }
}

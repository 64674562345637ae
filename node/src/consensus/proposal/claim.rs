//! A request that waits is either executed or withdrawn, never both: the executing side claims it
//! before the first step that cannot be undone, the waiting side withdraws it when its time is over
//! or its client is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::base::seeded::{Bug, seeded};
use crate::consensus::errors::{ProposeError, Refusal};

const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Shared by both sides of one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claim(Arc<AtomicU8>);

impl Claim {
    /// By the executing side. `false`: the request was withdrawn, or is executed already.
    pub(crate) fn take(&self) -> bool {
        if seeded(Bug::AbandonedProposed) {
            self.0.fetch_or(TAKEN, Ordering::AcqRel);
            return true;
        }
        self.0.compare_exchange(0, TAKEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// By the executing side, when it is certain that nothing was executed. `true` when the request
    /// may be taken again.
    pub(crate) fn give_back(&self) -> bool {
        self.0.fetch_and(!TAKEN, Ordering::AcqRel) & WITHDRAWN == 0
    }

    /// By the waiting side. `true`: the request is not executed and never will be.
    pub(crate) fn withdraw(&self) -> bool {
        self.0.fetch_or(WITHDRAWN, Ordering::AcqRel) & TAKEN == 0
    }

    /// Whether it may be executed by now.
    fn is_taken(&self) -> bool {
        self.0.load(Ordering::Acquire) & TAKEN != 0
    }

    /// Whether the request need not be kept any longer.
    pub(crate) fn is_withdrawn(&self) -> bool {
        !seeded(Bug::AbandonedProposed) && self.0.load(Ordering::Acquire) & WITHDRAWN != 0
    }
}

/// The waiting side of a request. Dropping it withdraws the request.
pub(crate) struct Waiting<T> {
    answer: oneshot::Receiver<Result<T, ProposeError>>,
    claim: Claim,
    answered: bool,
}

impl<T> Waiting<T> {
    pub(crate) const fn new(
        answer: oneshot::Receiver<Result<T, ProposeError>>,
        claim: Claim,
    ) -> Self {
        Self { answer, claim, answered: false }
    }

    /// The answer. Without one until the deadline the request is withdrawn, which fails when it may
    /// have been executed: then its fate is unknown.
    pub(crate) async fn until(self, deadline: Instant) -> Result<T, ProposeError> {
        self.until_late(deadline, Duration::ZERO).await
    }

    /// The same, but the answer to what was claimed until the deadline is waited for longer.
    pub(crate) async fn until_late(
        mut self,
        deadline: Instant,
        late: Duration,
    ) -> Result<T, ProposeError> {
        let mut answer = timeout_at(deadline, &mut self.answer).await;
        if answer.is_err() && self.claim.is_taken() {
            answer = timeout_at(deadline + late, &mut self.answer).await;
        }
        if let Ok(Ok(answer)) = answer {
            self.answered = true;
            return answer;
        }
        Err(if self.claim.withdraw() {
            ProposeError::NotExecuted(Refusal::NoLeader)
        } else {
            ProposeError::Unknown
        })
    }
}

impl<T> Waiting<T> {
    /// The answer, however long it takes.
    pub(crate) async fn answer(mut self) -> Result<T, ProposeError> {
        let answer = (&mut self.answer).await;
        self.answered = true;
        answer.unwrap_or(Err(ProposeError::Unknown))
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        if !self.answered {
            self.claim.withdraw();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn request() -> (oneshot::Sender<Result<u8, ProposeError>>, Claim, Waiting<u8>) {
        let (done, answer) = oneshot::channel();
        let claim = Claim::default();
        (done, claim.clone(), Waiting::new(answer, claim))
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_taken_until_the_deadline_is_never_executed() {
        let (_done, claim, waiting) = request();
        let answer = waiting.until(Instant::now() + Duration::from_secs(1)).await;
        assert_eq!(answer, Err(ProposeError::NotExecuted(Refusal::NoLeader)));
        assert!(!claim.take());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_and_not_answered_is_unknown() {
        let (_done, claim, waiting) = request();
        assert!(claim.take());
        let answer = waiting.until(Instant::now() + Duration::from_secs(1)).await;
        assert_eq!(answer, Err(ProposeError::Unknown));
        assert!(!claim.give_back(), "nothing waits for it any more");
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_was_taken_is_waited_for_after_the_deadline() {
        let (second, late) = (Duration::from_secs(1), Duration::from_secs(5));
        let (_done, _, waiting) = request();
        let began = Instant::now();
        let answer = waiting.until_late(began + second, late).await;
        assert_eq!(answer, Err(ProposeError::NotExecuted(Refusal::NoLeader)));
        assert!(began.elapsed() < late);
        let (done, claim, waiting) = request();
        assert!(claim.take());
        tokio::spawn(async move {
            tokio::time::sleep(2 * second).await;
            let _ = done.send(Ok(7));
        });
        assert_eq!(waiting.until_late(Instant::now() + second, late).await, Ok(7));
    }

    #[test]
    fn what_was_given_back_can_be_taken_once_more() {
        let (_done, claim, waiting) = request();
        assert!(claim.take() && !claim.take());
        assert!(claim.give_back() && claim.take());
        drop(waiting);
        assert!(!claim.give_back() && !claim.take());
    }

    #[test]
    fn a_client_that_is_gone_withdraws_its_request() {
        let (_done, claim, waiting) = request();
        drop(waiting);
        assert!(claim.is_withdrawn() && !claim.take());
    }
}

//! When a peer may be asked again that answered a replication stream with an error. Such a peer,
//! or a proxy before it, may answer at once and for as long as it is asked. Heartbeats and votes
//! have a pace of their own and are never held up before they are sent.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::base::random::entropy;

/// Pause after the first error; doubled after each that follows.
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// Longest pause, before the random part.
const PAUSE_MAX: Duration = Duration::from_millis(160);

/// The random part, as a share of the pause: several leaders, or groups, come apart.
const JITTER_DIVISOR: u64 = 4;

/// Pause after a heartbeat that failed. Reads that need a majority ask for more of them than one an
/// interval; a peer that is back is heard this much later at most.
const HEARTBEAT_PAUSE: Duration = Duration::from_millis(20);

/// The pace of one stream after another to one peer.
#[derive(Debug)]
pub(crate) enum Pacing {
    /// The core sends one at every interval, and gives it no longer than that.
    Heartbeats,
    Replication {
        pause_max: Duration,
        errors: Mutex<Errors>,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Errors {
    in_a_row: u32,
    paused_until: Option<Instant>,
}

impl Pacing {
    /// Pauses are far below the time after which a follower stands for election.
    pub(crate) fn of_replication(election_timeout_min: Duration) -> Self {
        let pause_max = PAUSE_MAX.min(election_timeout_min / 4);
        Self::Replication { pause_max, errors: Mutex::default() }
    }

    /// The peer has answered as it should.
    pub(crate) fn answered(&self) {
        if let Self::Replication { errors, .. } = self {
            *errors.lock() = Errors::default();
        }
    }

    /// A stream could not be opened, or ended with an error.
    pub(crate) async fn failed(&self) {
        match self {
            Self::Heartbeats => sleep(HEARTBEAT_PAUSE).await,
            Self::Replication { pause_max, errors } => errors.lock().add(*pause_max),
        }
    }

    /// Waits until the peer may be asked.
    pub(crate) async fn wait(&self) {
        let Self::Replication { errors, .. } = self else { return };
        let until = errors.lock().paused_until;
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }
}

impl Errors {
    fn add(&mut self, pause_max: Duration) {
        let doubled = PAUSE_MIN * 2_u32.pow(self.in_a_row.min(8));
        let pause = doubled.min(pause_max);
        let jitter = entropy() % (pause.as_micros() as u64 / JITTER_DIVISOR).max(1);
        self.in_a_row += 1;
        self.paused_until = Some(Instant::now() + pause + Duration::from_micros(jitter));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pause_of(pacing: &Pacing) -> Duration {
        let began = Instant::now();
        pacing.wait().await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn errors_in_a_row_are_asked_for_ever_less_often_but_never_rarely() {
        let pacing = Pacing::of_replication(Duration::from_millis(700));
        assert_eq!(pause_of(&pacing).await, Duration::ZERO);
        let mut last = Duration::ZERO;
        for number in 0..40 {
            pacing.failed().await;
            let pause = pause_of(&pacing).await;
            let least = if number < 3 { last } else { PAUSE_MAX };
            assert!(pause >= least && pause <= Duration::from_millis(210), "{number}: {pause:?}");
            last = pause;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_ends_the_pauses() {
        let pacing = Pacing::of_replication(Duration::from_millis(700));
        for _ in 0..10 {
            pacing.failed().await;
        }
        pacing.answered();
        assert_eq!(pause_of(&pacing).await, Duration::ZERO);
        pacing.failed().await;
        assert!(pause_of(&pacing).await < Duration::from_millis(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_never_waits_before_it_is_sent() {
        let pacing = Pacing::Heartbeats;
        for _ in 0..10 {
            pacing.failed().await;
        }
        assert_eq!(pause_of(&pacing).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_are_far_below_a_short_election_timeout() {
        let pacing = Pacing::of_replication(Duration::from_millis(100));
        for _ in 0..10 {
            pacing.failed().await;
        }
        assert!(pause_of(&pacing).await < Duration::from_millis(40));
    }
}

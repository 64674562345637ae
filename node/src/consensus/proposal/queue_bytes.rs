//! How much may wait in a queue of requests: `limits.queue_bytes_max`. What would be more is
//! refused before it is queued, so it is certain that it was not executed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::consensus::errors::Refusal;

/// Bytes that a request takes beside its contents, roughly.
const REQUEST_OVERHEAD: usize = 256;

/// The bytes that wait in one queue.
#[derive(Debug, Default)]
pub(crate) struct QueueBytes {
    waiting: AtomicU64,
    refused: AtomicU64,
}

/// The place of one request in a queue; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Arc<QueueBytes>,
    bytes: u64,
}

/// The queues of one node.
#[derive(Debug, Default)]
pub(crate) struct Queued {
    /// To be proposed on the leader.
    pub(crate) proposals: Arc<QueueBytes>,
    /// To be forwarded to it, and answered.
    pub(crate) forwards: Arc<QueueBytes>,
}

impl Queued {
    /// Bytes that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.proposals.waiting() + self.forwards.waiting()
    }

    /// Requests refused since the start.
    pub(crate) fn refused(&self) -> u64 {
        self.proposals.refused() + self.forwards.refused()
    }
}

impl QueueBytes {
    /// A place for a request of this size. One that is larger than the bound alone gets it when
    /// nothing waits.
    pub(crate) fn enter(
        self: &Arc<Self>,
        contents: usize,
        bytes_max: u64,
    ) -> Result<Place, Refusal> {
        let bytes = (contents + REQUEST_OVERHEAD) as u64;
        let fits = |waiting: u64| {
            let together = waiting.saturating_add(bytes);
            (waiting == 0 || together <= bytes_max).then_some(together)
        };
        match self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => Ok(Place { queue: self.clone(), bytes }),
            Err(_) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(Refusal::Busy)
            }
        }
    }

    fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.waiting.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_until_there_is_room() {
        let queue = Arc::new(QueueBytes::default());
        let first = queue.enter(600, 1500).unwrap();
        let second = queue.enter(300, 1500).unwrap();
        assert_eq!(queue.enter(300, 1500).err(), Some(Refusal::Busy));
        drop(first);
        let third = queue.enter(300, 1500).unwrap();
        drop((second, third));
        assert_eq!((queue.waiting(), queue.refused()), (0, 1));
    }

    #[test]
    fn a_request_larger_than_the_bound_waits_alone() {
        let queue = Arc::new(QueueBytes::default());
        let large = queue.enter(5000, 1500).unwrap();
        assert!(queue.enter(1, 1500).is_err());
        drop(large);
        assert!(queue.enter(1, 1500).is_ok());
    }
}

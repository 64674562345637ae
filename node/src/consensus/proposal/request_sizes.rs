//! What is a large request, see `large_requests.rs`.

use std::sync::Arc;
use std::time::Duration;

use crate::base::config::LiveConfig;
use crate::base::feature_level::FeatureLevel;
use crate::base::limits::{ENTRY_BYTES_MAX, LARGE_REQUEST_BYTES_PER_S};
use crate::consensus::state_machine::progress::Applied;

/// Bytes of an item beside its contents, at most.
const ITEM_HEAD_BYTES_MAX: usize = 64;

/// Sizes of requests, by the settings and the feature level in force.
#[derive(Clone)]
pub(crate) struct RequestSizes {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) applied: Arc<Applied>,
}

impl RequestSizes {
    /// Whether a request of this size travels in pieces.
    pub(crate) fn is_large(&self, request_bytes: usize) -> bool {
        request_bytes > self.piece_bytes() && self.takes_pieces()
    }

    /// Whether every member understands pieces.
    fn takes_pieces(&self) -> bool {
        self.applied.feature_level() >= FeatureLevel::SECOND
    }

    /// Bytes of a piece of a request.
    pub(crate) fn piece_bytes(&self) -> usize {
        let configured = self.config.load().limits.entry_piece_bytes;
        usize::try_from(configured).unwrap_or(usize::MAX).clamp(1, ENTRY_BYTES_MAX)
    }

    /// What a large request may take beside the time of any request.
    pub(crate) fn extra_time(&self, request_bytes: usize) -> Duration {
        if self.is_large(request_bytes) {
            Duration::from_millis(request_bytes as u64 * 1000 / LARGE_REQUEST_BYTES_PER_S)
        } else {
            Duration::ZERO
        }
    }

    /// What one request may add to an entry, the same on every node with the same configuration.
    pub(crate) fn request_bytes_max(&self) -> usize {
        let configured = self.config.load().limits.entry_bytes_max;
        usize::try_from(configured).unwrap_or(usize::MAX).min(ENTRY_BYTES_MAX - ITEM_HEAD_BYTES_MAX)
    }
}

//! Reports an entry that takes long to apply. While it is applied, this node answers no other
//! request, and after a restart it applies the entry again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use crate::consensus::lifetime::Lifetime;
use crate::consensus::state_machine::progress::Applied;

/// How often the progress is compared.
const INTERVAL: Duration = Duration::from_millis(500);

/// The first report of an entry; each further one comes after twice the time.
const SLOW: Duration = Duration::from_secs(1);

/// Runs on the raft thread until the group stops.
pub(crate) async fn report_slow_apply(applied: Arc<Applied>, lifetime: Arc<Lifetime>) {
    let (mut slow, mut limit) = (0, SLOW);
    while !lifetime.stopping.load(Ordering::Relaxed) {
        sleep(INTERVAL).await;
        let now = applied.applying();
        if slow != 0 && now.is_none_or(|(index, _)| index != slow) {
            tracing::warn!(index = slow, "the slow entry is applied");
            (slow, limit) = (0, SLOW);
        }
        if let Some((index, took)) = now.filter(|(_, took)| *took >= limit) {
            let took_ms = took.as_millis() as u64;
            tracing::warn!(index, took_ms, "an entry takes long to apply; other requests wait");
            (slow, limit) = (index, took * 2);
        }
    }
}

//! On a leader: which process answers for each member, so that two at a time are noticed.

use std::time::Duration;

use tokio::time::Instant;

use super::{Incarnations, Told};
use crate::base::ids::NodeId;
use crate::data::lineage::Lineage;

/// Silence of one process after which another one with the same node id is taken for a restart.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);

/// The process that answers for a member.
#[derive(Debug)]
pub(super) struct Heard {
    told: Told,
    at: Instant,
}

impl Heard {
    fn is_alive(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < ALIVE_WITHIN
    }
}

/// Whether a process may take the place of the one that was heard before. Of two at a time the one
/// that was there first counts.
fn may_follow(before: Option<&Heard>, life: u64, now: Instant) -> bool {
    before.is_none_or(|before| before.told.life == life || !before.is_alive(now))
}

impl Incarnations {
    /// A member has answered this leader; `false` when that is not to be counted.
    pub(crate) fn note_heard(&self, from: NodeId, told: Told) -> bool {
        let mut heard = self.heard.lock();
        let now = Instant::now();
        let counts = may_follow(heard.get(&from), told.life, now);
        if counts {
            heard.insert(from, Heard { told, at: now });
        }
        counts
    }

    /// What the process that counts for a member told a moment ago.
    pub(crate) fn heard_lineage(&self, of: NodeId) -> Option<Lineage> {
        let heard = self.heard.lock();
        let heard = heard.get(&of).filter(|heard| heard.is_alive(Instant::now()))?;
        Some(heard.told.lineage.clone())
    }

    /// Whether another process than this one answers for that member.
    pub(crate) fn is_second(&self, of: NodeId, life: u64) -> bool {
        !may_follow(self.heard.lock().get(&of), life, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_processes_the_one_that_was_there_first_counts_until_it_is_silent() {
        let start = Instant::now();
        let heard = Heard { told: Told { lineage: Lineage::default(), life: 1 }, at: start };
        let later = start + ALIVE_WITHIN;
        let soon = start + ALIVE_WITHIN / 2;
        let cases = [
            (None, 2, soon, true),
            (Some(&heard), 1, soon, true),
            (Some(&heard), 2, soon, false),
            (Some(&heard), 2, later, true),
        ];
        for (before, life, now, expected) in cases {
            assert_eq!(may_follow(before, life, now), expected, "life {life}");
        }
    }
}

//! How an incarnation gets into the log, and when a new one is drawn.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::base::feature_level::FeatureLevel;
use crate::base::ids::NodeId;
use crate::base::random::entropy;
use crate::consensus::proposal::entry::Item;
use crate::consensus::shared::Shared;
use crate::data::lineage::{Lineage, Registration};
use crate::data::meta::MetaError;

/// How often a leader looks whether an incarnation has to be registered.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A copy that is older than this is certainly noticed, see the decision record.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60);

/// Registers, on the leader, the incarnation of every member that has a new one.
pub(crate) async fn register(shared: Arc<Shared>) {
    while !shared.stopping.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let registers = shared.applied.feature_level() >= FeatureLevel::SECOND;
        if registers && shared.is_leader() && !shared.is_in_doubt() {
            register_all(&shared).await;
        }
    }
}

async fn register_all(shared: &Shared) {
    let Some(metrics) = shared.metrics() else { return };
    for (id, _) in metrics.membership_config.nodes() {
        let told = match *id == metrics.id {
            true => Some(shared.incarnations.lineage()),
            false => shared.incarnations.heard_lineage(*id),
        };
        let Some(lineage) = told else { continue };
        let Some(item) = due(*id, shared.standings.registration_of(*id), &lineage) else {
            continue;
        };
        let queued = shared.queue_item(item, false);
        match tokio::time::timeout(shared.request_timeout(), queued).await {
            Ok(Ok(Ok(outcome))) => tracing::debug!(%id, ?outcome, "registered an incarnation"),
            outcome => tracing::info!(%id, ?outcome, "an incarnation is not registered yet"),
        }
    }
}

/// What has to be registered for a member of this lineage, if anything. It counts only while the
/// registration that it replaces is in force.
fn due(id: NodeId, registered: Option<Registration>, lineage: &Lineage) -> Option<Item> {
    let incarnation = lineage.current()?;
    let replaces = match registered {
        Some(known) if known.incarnation == incarnation || !lineage.fits(known) => return None,
        Some(known) => known.index,
        None => 0,
    };
    Some(Item::Register { node: id, incarnation, replaces })
}

/// Draws a new incarnation now and then, so that a copy of the directory is noticed even if this
/// process has run since before it was made; on the thread that looks after the disk.
pub(crate) async fn renew(shared: Arc<Shared>) {
    while !shared.stopping.load(Ordering::Relaxed) {
        // Not on all nodes at once.
        let apart = Duration::from_millis(entropy() % 10_000);
        tokio::select! {
            () = tokio::time::sleep(RENEWAL_INTERVAL - apart) => {}
            () = shared.incarnations.renewal.notified() => {}
        }
        // What is not registered yet has yet to be told from a copy.
        if !shared.incarnations.lineage().is_registered() || shared.is_in_doubt() {
            continue;
        }
        if let Err(error) = shared.draw_incarnation() {
            tracing::warn!(%error, "no new incarnation: a copy of the data is noticed later");
        }
    }
}

impl Shared {
    /// On the disk before anything is told.
    fn draw_incarnation(&self) -> Result<(), MetaError> {
        let incarnation = entropy();
        let mut drawn = self.incarnations.lineage();
        drawn.draw(incarnation);
        self.meta.update(|facts| facts.lineage = drawn)?;
        self.incarnations.lineage.lock().draw(incarnation);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_registered_replaces_only_what_the_member_lived_through() {
        let id = NodeId(2);
        let at = |incarnation, index| Some(Registration { incarnation, index });
        let lineage = |registered, drawn: &[u64]| Lineage { registered, drawn: drawn.to_vec() };
        let item = |incarnation, replaces| Some(Item::Register { node: id, incarnation, replaces });
        let cases = [
            (None, lineage(None, &[]), None),
            (None, lineage(None, &[5]), item(5, 0)),
            (at(5, 9), lineage(None, &[5]), None),
            (at(5, 9), lineage(None, &[5, 6]), item(6, 9)),
            (at(5, 9), lineage(at(5, 9), &[6]), item(6, 9)),
            (at(5, 9), lineage(at(5, 9), &[]), None),
            // A copy; and a leader that has not applied what the member has.
            (at(7, 12), lineage(at(5, 9), &[6]), None),
            (at(4, 3), lineage(at(5, 9), &[6]), item(6, 3)),
        ];
        for (registered, lineage, expected) in cases {
            assert_eq!(due(id, registered, &lineage), expected, "{registered:?} {lineage:?}");
        }
    }
}

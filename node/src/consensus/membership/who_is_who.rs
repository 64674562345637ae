//! What a node keeps of the members and of itself, apart from the keys: it follows what is applied.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::incarnation::{self, Doubt, Incarnations};
use super::standing::Standings;
use crate::base::threads::ThreadMain;
use crate::consensus::lifecycle::StartError;
use crate::consensus::shared::Ended;
use crate::consensus::state_machine::apply_worker::OnStateChange;
use crate::consensus::state_machine::replicated_state::ReplicatedState;
use crate::data::meta::{Facts, Meta};

/// What is known of the members and of this node itself, and what keeps it so.
pub(crate) fn open(
    meta: &Arc<Meta>,
    state: &ReplicatedState,
    ended: &watch::Sender<Option<Ended>>,
    disk_tasks: &mpsc::UnboundedSender<ThreadMain>,
) -> Result<(Arc<Standings>, Arc<Incarnations>, OnStateChange), StartError> {
    let standings = Arc::new(Standings::of(state));
    let incarnations = incarnation::open(meta, state)?;
    let watched = (standings.clone(), incarnations.clone());
    let notes = Notes { meta: meta.clone(), ended: ended.clone(), disk_tasks: disk_tasks.clone() };
    Ok((standings, incarnations, state_hook(watched, notes)))
}

/// A node that applies its own removal remembers it and ends. The feature level is remembered too,
/// so that a program that does not know it does not start.
fn state_hook(
    (standings, incarnations): (Arc<Standings>, Arc<Incarnations>),
    notes: Notes,
) -> OnStateChange {
    Arc::new(move |state: &ReplicatedState| {
        standings.set(state);
        let facts = notes.meta.facts();
        let level = state.feature_level;
        if !facts.has_level(level) {
            notes.note("the feature level", None, move |facts| facts.note_level(level));
        }
        if let Some(superseded) = incarnation::superseded_by(&incarnations, facts.node_id, state) {
            // At once; its disk may take long.
            incarnations.doubts().set(Doubt::Superseded(superseded.clone()));
            let text = StartError::Superseded(superseded.reason.clone()).to_string();
            let note = |facts: &mut Facts| facts.superseded = Some(superseded);
            notes.note("that the data here must not be served", Some(Ended::Failed(text)), note);
        }
        if facts.node_id.is_some_and(|own| state.removed.contains(&own)) {
            let reason = "the cluster removed it".to_owned();
            let ended = Ended::Removed(reason.clone());
            let note = |facts: &mut Facts| facts.removed = Some(reason);
            notes.note("that this node was removed", Some(ended), note);
        }
    })
}

/// Notes on the disk, made on the thread that may wait for it: the apply thread must not.
struct Notes {
    meta: Arc<Meta>,
    ended: watch::Sender<Option<Ended>>,
    disk_tasks: mpsc::UnboundedSender<ThreadMain>,
}

impl Notes {
    /// Makes a note; the node ends when it is made.
    fn note(
        &self,
        what: &'static str,
        end: Option<Ended>,
        change: impl FnOnce(&mut Facts) + Send + 'static,
    ) {
        let (meta, ended) = (self.meta.clone(), self.ended.clone());
        let main: ThreadMain = Box::new(move || {
            Box::pin(async move {
                if let Err(error) = meta.update(change) {
                    tracing::error!(%error, "cannot note {what}");
                }
                if end.is_some() {
                    ended.send_if_modified(|ended| {
                        ended.is_none() && {
                            *ended = end;
                            true
                        }
                    });
                }
            })
        });
        // The disk thread is gone only when the group is.
        let _ = self.disk_tasks.send(main);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use std::path::Path;

    use super::*;
    use crate::base::disk::MemoryDisk;
    use crate::base::feature_level::FeatureLevel;
    use crate::base::ids::NodeId;

    #[tokio::test]
    async fn what_is_applied_is_noted_by_the_disk_thread_and_ends_the_node_after_that() {
        let Ok(meta) = Meta::open(&MemoryDisk::default(), Path::new("/data")) else {
            panic!("an empty disk takes a file");
        };
        let meta = Arc::new(meta);
        let _ = meta.update(|facts| facts.node_id = Some(NodeId(3)));
        let (disk_tasks, mut queue) = mpsc::unbounded_channel();
        let (ended, mut state) = (watch::Sender::new(None), ReplicatedState::default());
        let Ok((_, _, on_change)) = open(&meta, &state, &ended, &disk_tasks) else {
            panic!("an empty state starts");
        };
        state.feature_level = FeatureLevel::SECOND;
        state.removed.insert(NodeId(3));
        on_change(&state);
        assert!(ended.borrow().is_none() && meta.facts().removed.is_none());
        while let Ok(main) = queue.try_recv() {
            main().await;
        }
        assert!(matches!(*ended.borrow(), Some(Ended::Removed(_))));
        let facts = meta.facts();
        assert!(facts.removed.is_some() && facts.has_level(FeatureLevel::SECOND));
    }
}

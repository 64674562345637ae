//! What a start does about the incarnation of its directory.

use std::sync::Arc;

use super::alone;
use super::routes::not_of;
use super::{Doubt, Incarnations};
use crate::base::ids::NodeId;
use crate::base::random::entropy;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::lifecycle::StartError;
use crate::consensus::network::channels::Identity;
use crate::consensus::shared::Shared;
use crate::consensus::state_machine::replicated_state::ReplicatedState;
use crate::consensus::types::Metrics;
use crate::data::meta::{Meta, MetaError, Superseded};

/// To be called after [`draw`], with the state of the checkpoint.
pub(crate) fn open(meta: &Meta, state: &ReplicatedState) -> Result<Arc<Incarnations>, StartError> {
    let facts = meta.facts();
    let incarnations = Arc::new(Incarnations::new(facts.lineage));
    if let Some(superseded) = superseded_by(&incarnations, facts.node_id, state) {
        let reason = superseded.reason.clone();
        meta.update(|facts| facts.superseded = Some(superseded))?;
        return Err(StartError::Superseded(reason));
    }
    Ok(incarnations)
}

/// Each life of a directory has a number of its own, which is on the disk before anything is told
/// to others. Without room for it the one before goes on.
pub(crate) fn draw(meta: &Meta) -> Result<(), MetaError> {
    match meta.update(|facts| facts.lineage.draw(entropy())) {
        Err(error) if error.is_full() => Ok(()),
        drawn => drawn,
    }
}

/// What was applied here may show that the directory is a copy or an old state.
pub(crate) fn superseded_by(
    incarnations: &Incarnations,
    own: Option<NodeId>,
    state: &ReplicatedState,
) -> Option<Superseded> {
    let own = own?;
    let registered = state.incarnations.get(&own).copied()?;
    if incarnations.note_registered(registered) || seeded(Bug::IncarnationIgnored) {
        return None;
    }
    Some(Superseded { reason: not_of(own, registered), registered })
}

/// To be called with the first report of the core, before it may stand for election.
pub(crate) fn begin(shared: &Arc<Shared>, identity: &Arc<Identity>, report: &Metrics) {
    let incarnations = &shared.incarnations;
    let _ = incarnations.end_at_start.set(report.last_log_index.unwrap_or(0));
    let contested = shared.meta.facts().contested;
    let contested = contested.filter(|said| !incarnations.lineage().fits(said.registered));
    let alone = report.membership_config.voter_ids().eq([identity.node_id]);
    if let Some(said) = contested {
        shared.doubt(Doubt::Superseded(said));
    } else if alone && !seeded(Bug::AloneByFirstReport) {
        alone::confirm(shared, identity);
    }
}

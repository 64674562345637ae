//! The way out when a majority of the voters is lost for good: the data directory of one node that
//! is left becomes the only voter of a new cluster. The cluster has a new id, so that the others
//! can never come back beside it.
//!
//! Every entry of the directory's log is executed, also those of which nothing says that they were
//! committed: one that was acknowledged may be among them. What only others had is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::log::{Log, LogOptions, Record};
use super::recover::RecoverError;
use crate::base::disk::{Disk, RealDisk};
use crate::base::ids::{ClusterId, GroupId, NodeId};
use crate::base::random::hexadecimal;
use crate::base::telemetry::Metrics;
use crate::base::threads::RealThreads;
use crate::consensus::membership::bootstrap::CLUSTER_ID_DIGITS;
use crate::consensus::network::convert::{
    decode_payload, log_id_from_position, log_id_to_position,
};
use crate::consensus::state_machine::apply::Applier;
use crate::consensus::state_machine::apply_worker::apply_entry;
use crate::consensus::state_machine::progress::Applied;
use crate::consensus::state_machine::replicated_state::ReplicatedState;
use crate::consensus::types::{Entry, LogId, Membership};
use crate::data::checkpoint::{self, Header};
use crate::data::keyspace::{Keyspace, KeyspaceLock};
use crate::data::lineage::Lineage;
use crate::data::meta::{Facts, Meta};

/// The directory of a stopped node, and what a new cluster would begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Its node.
    pub node_id: NodeId,
    /// The cluster that it belongs to.
    pub cluster_id: ClusterId,
    /// Index of the last entry that it has.
    pub last: u64,
    /// Its term.
    pub term: u64,
    /// Why its node does not start or takes no part, as far as that is marked.
    pub mark: Option<String>,
}

/// What is in a directory, with all of its log executed.
struct Content {
    keyspace: Keyspace,
    state: ReplicatedState,
    last: LogId,
}

/// Shows what the directory of a stopped node holds; changes nothing.
pub fn examine(directory: &Path) -> Result<Survivor, RecoverError> {
    let facts = Meta::open(&RealDisk, directory)?.facts();
    let (node_id, cluster_id) = identity(&facts)?;
    let last = read(directory, &facts)?.last;
    let old = facts.superseded.or(facts.contested).map(|old| old.reason);
    let mark = facts.condemned.or(facts.removed).or(old);
    Ok(Survivor { node_id, cluster_id, last: last.index, term: last.leader_id.term, mark })
}

/// Makes the stopped node in `directory` the only voter of a new cluster; its id. Durable on
/// return. A node whose program ended on the way does not start: this is to be done again.
pub async fn begin(directory: &Path) -> Result<ClusterId, RecoverError> {
    let meta = Meta::open(&RealDisk, directory)?;
    let facts = meta.facts();
    let (node_id, _) = identity(&facts)?;
    let Content { keyspace, mut state, last } = read(directory, &facts)?;
    let cluster_id = ClusterId(hexadecimal(CLUSTER_ID_DIGITS));
    become_only_voter(&mut state, node_id, last, &cluster_id)?;
    meta.update(|facts| {
        let unfinished = "`ironkv recover new-cluster` has not ended there: run it again";
        facts.condemned = Some(unfinished.to_owned());
        facts.cluster_id = Some(cluster_id.clone());
    })?;
    let name = checkpoint::file_name(GroupId::FIRST, last.index);
    let header = Header { group: GroupId::FIRST, index: last.index, state: state.encode().into() };
    let path = group_directory(directory).join(&name);
    checkpoint::write(&RealDisk, &path, &header, &keyspace, Arc::new(|| 0))
        .map_err(|error| RecoverError::Checkpoint(error.to_string()))?;
    meta.update(|facts| facts.checkpoint = Some(name))?;
    purge(directory, last).await?;
    meta.update(|facts| {
        facts.condemned = None;
        facts.removed = None;
        facts.superseded = None;
        facts.contested = None;
        facts.lineage = Lineage::default();
    })?;
    Ok(cluster_id)
}

fn group_directory(directory: &Path) -> std::path::PathBuf {
    directory.join(format!("group-{}", GroupId::FIRST))
}

fn identity(facts: &Facts) -> Result<(NodeId, ClusterId), RecoverError> {
    facts.check_level().map_err(|error| RecoverError::Refused(error.to_string()))?;
    let identity = facts.node_id.zip(facts.cluster_id.clone());
    identity.ok_or_else(|| RecoverError::Refused("its node belongs to no cluster yet".to_owned()))
}

/// The checkpoint in force and the log after it.
fn read(directory: &Path, facts: &Facts) -> Result<Content, RecoverError> {
    let damaged = |error: String| RecoverError::Checkpoint(error);
    let (keyspace, mut state) = match &facts.checkpoint {
        None => Default::default(),
        Some(name) => {
            let loaded = checkpoint::load(&RealDisk, &group_directory(directory).join(name))
                .map_err(|error| damaged(error.to_string()))?;
            let state = ReplicatedState::decode(&loaded.header.state);
            (loaded.keyspace, state.map_err(|error| damaged(error.to_string()))?)
        }
    };
    let keyspace = Arc::new(KeyspaceLock::new(keyspace));
    let applied = Arc::new(Applied::new(0, state.time()));
    let counters = Metrics::new(Vec::new()).thread();
    let mut applier =
        Applier::new(keyspace.clone(), applied, None, counters).skipping(&facts.skipped);
    let first = state.applied.map_or(0, |applied| applied.index + 1);
    let mut executed = Ok(());
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let log = group_directory(directory).join("log");
    Log::replay_stopped(disk, &log, LogOptions::default(), first..u64::MAX, |record| {
        if executed.is_ok() {
            executed = execute(&mut applier, &mut state, &record);
        }
    })?;
    executed?;
    let Some(last) = state.applied else {
        return Err(RecoverError::Refused("its log is empty".to_owned()));
    };
    let keyspace = keyspace.read().clone();
    Ok(Content { keyspace, state, last })
}

fn execute(
    applier: &mut Applier,
    state: &mut ReplicatedState,
    record: &Record,
) -> Result<(), RecoverError> {
    let refused = |error: String| RecoverError::Refused(error);
    let payload = decode_payload(&record.payload).map_err(|error| refused(error.to_string()))?;
    let entry = Entry { log_id: log_id_from_position(&record.position), payload };
    let outcomes = apply_entry(applier, state, entry, &(Arc::new(|_: &ReplicatedState| {}) as _));
    outcomes.map(drop).map_err(|error| refused(error.to_string()))
}

fn become_only_voter(
    state: &mut ReplicatedState,
    node_id: NodeId,
    last: LogId,
    cluster_id: &ClusterId,
) -> Result<(), RecoverError> {
    let Some(addresses) = state.membership.get_node(&node_id).cloned() else {
        return Err(RecoverError::Refused(format!(
            "node {node_id} is no member by its own data: its addresses are not known"
        )));
    };
    let nodes = BTreeMap::from([(node_id, addresses)]);
    let membership = Membership::new(vec![BTreeSet::from([node_id])], nodes)
        .map_err(|error| RecoverError::Refused(error.to_string()))?;
    state.change_membership(last, membership);
    state.incarnations.clear();
    state.cluster_id = Some(cluster_id.0.clone());
    Ok(())
}

/// New members must get the new membership, which is in no entry: they get the checkpoint.
async fn purge(directory: &Path, last: LogId) -> Result<(), RecoverError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let log = group_directory(directory).join("log");
    let (log, _) = Log::open(disk, &log, LogOptions::default(), &RealThreads, Arc::new(|_| {}))?;
    let purged = log.purge(log_id_to_position(&last)).await;
    log.close().await;
    purged.map_err(|error| RecoverError::Refused(format!("the log cannot be purged: {error}")))
}

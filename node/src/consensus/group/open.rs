//! What a group is started with, and what is in its data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::compose::{Members, compose};
use super::parts::{Data, Own, Parts};
use crate::base::clock::Clock;
use crate::base::config::{LiveConfig, RaftConfig};
use crate::base::disk::Disk;
use crate::base::ids::GroupId;
use crate::base::net::Net;
use crate::base::telemetry::Metrics;
use crate::base::threads::Threads;
use crate::consensus::background::disk_space::Room;
use crate::consensus::background::reclaim::Reclaim;
use crate::consensus::errors::StartError;
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::lifetime::{Ended, Lifetime};
use crate::consensus::membership::who_is_who;
use crate::consensus::raft_handle::RaftHandle;
use crate::consensus::read::freshness::Freshness;
use crate::consensus::read::lease::RestartGuard;
use crate::consensus::snapshot::checkpoints::{Checkpoints, Restored};
use crate::consensus::snapshot::incoming::Incoming;
use crate::consensus::state_machine::apply::{Applier, ApplyObserver};
use crate::consensus::state_machine::apply_worker::ApplyHandle;
use crate::consensus::state_machine::progress::Applied;
use crate::consensus::state_machine::replicated_state::ReplicatedState;
use crate::consensus::storage::flushed::FlushedLog;
use crate::consensus::storage::log::{Fatal, Log, LogError, LogOptions, LogState};
use crate::consensus::tasks::Tasks;
use crate::consensus::time::ClusterTime;
use crate::consensus::types::MemberAddresses;
use crate::data::keyspace::KeyspaceLock;
use crate::data::meta::{Meta, MetaError};

/// What a group needs to run.
pub struct GroupOptions {
    /// Which one.
    pub group_id: GroupId,
    /// The node's data directory; must exist and be locked by the caller.
    pub directory: PathBuf,
    /// How others reach this node.
    pub addresses: MemberAddresses,
    /// Timings, reads, checkpoints, room on the disk; what may change while the group runs does.
    pub config: Arc<LiveConfig>,
    /// Sizes of the log.
    pub log: LogOptions,
    /// The doors.
    pub disk: Arc<dyn Disk>,
    /// To peers.
    pub net: Arc<dyn Net>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// To threads.
    pub threads: Arc<dyn Threads>,
    /// Told of every applied entry.
    pub observer: Option<Arc<dyn ApplyObserver>>,
    /// Counts what apply deletes.
    pub metrics: Arc<Metrics>,
    /// Feeds the seeds of entries.
    pub seed: u64,
}

pub(super) fn open(
    options: GroupOptions,
    directory: PathBuf,
    meta: Arc<Meta>,
    tasks: Tasks,
    reclaim: Reclaim,
) -> Result<Parts, StartError> {
    let (threads, ended) = (&*options.threads, watch::Sender::new(None));
    let (log, log_state) = open_log(&options, &directory, ended.clone())?;
    let (checkpoints, restored) = restore(&options, &directory, &meta)?;
    let (state, keyspace) = (restored.state, Arc::new(KeyspaceLock::new(restored.keyspace)));
    let (index, applied) = applied_of(&state);
    let (standings, incarnations, on_change) = who_is_who::open(&meta, &state, &ended, &tasks)?;
    // Nothing was ever voted, logged or received: nothing can have been promised to a leader.
    let brand_new = log_state.vote.is_none() && log_state.last.is_none() && state.applied.is_none();
    let (config, clock) = (options.config, options.clock);
    let counters = options.metrics.thread();
    let applier = Applier::new(keyspace.clone(), applied.clone(), options.observer, counters)
        .skipping(&meta.facts().skipped);
    let apply = ApplyHandle::start(threads, applier, state, on_change);
    let incoming = Incoming::start(options.disk.clone(), &directory, threads);
    let raft = Arc::<RaftHandle>::default();
    let leadership = LeadershipState::new(config.clone(), raft.clone(), clock.clone());
    let freshness = Arc::new(Freshness::new(clock.clone()));
    let guard = restart_guard(&config.load().raft, brand_new, &meta)?;
    let members = Members { standings, incarnations, guard, net: options.net };
    let data = Data {
        log,
        flushed: Arc::new(FlushedLog::at_start(log_state.last, index)),
        room: Arc::<Room>::default(),
        keyspace,
        time: Arc::new(ClusterTime::new(clock.clone(), applied.clone())),
        applied,
        apply,
        checkpoints,
        incoming,
        reclaim: Arc::new(reclaim),
    };
    let own = Own {
        group_id: options.group_id,
        config,
        addresses: options.addresses,
        clock,
        disk: options.disk,
        directory,
        lifetime: Arc::new(Lifetime::new(meta.clone(), ended)),
        meta,
        tasks,
        seed: options.seed,
    };
    Ok(compose(own, data, members, (Arc::new(leadership), raft), freshness))
}

/// As a start finds it, and its log index.
fn applied_of(state: &ReplicatedState) -> (u64, Arc<Applied>) {
    let index = state.applied.map_or(0, |applied| applied.index);
    let applied = Arc::new(Applied::new(index, state.time()));
    applied.set_feature_level(state.feature_level);
    (index, applied)
}

/// The checkpoints of this node, and what the one in force holds.
fn restore(
    options: &GroupOptions,
    directory: &Path,
    meta: &Arc<Meta>,
) -> Result<(Arc<Checkpoints>, Restored), StartError> {
    let checkpoints = Arc::new(Checkpoints::new(
        options.disk.clone(),
        directory,
        options.group_id,
        meta.clone(),
        options.clock.clone(),
        options.config.clone(),
        &*options.threads,
    ));
    let restored = checkpoints.restore().map_err(StartError::Checkpoint)?;
    Ok((checkpoints, restored))
}

/// A log whose failure ends the group.
fn open_log(
    options: &GroupOptions,
    directory: &Path,
    ended: watch::Sender<Option<Ended>>,
) -> Result<(Log, LogState), LogError> {
    let fatal: Fatal = Arc::new(move |error: &std::io::Error| {
        ended.send_replace(Some(Ended::Failed(format!("the log's disk failed: {error}"))));
    });
    Log::open(
        options.disk.clone(),
        &directory.join("log"),
        LogOptions { group: options.group_id, ..options.log.clone() },
        &*options.threads,
        fatal,
    )
}

/// Longer than any lease that was granted before the start. Its settings may have been others then.
fn restart_guard(
    config: &RaftConfig,
    brand_new: bool,
    meta: &Meta,
) -> Result<RestartGuard, MetaError> {
    let own_ms = config.leader_lease_ms();
    let granted_ms = meta.facts().lease_ms.map_or(own_ms, |before_ms| before_ms.max(own_ms));
    meta.update(|facts| facts.lease_ms = Some(granted_ms))?;
    Ok(RestartGuard::new(brand_new, Duration::from_millis(granted_ms + granted_ms / 5)))
}

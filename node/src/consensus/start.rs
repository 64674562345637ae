//! From a data directory to a running group, and back in order.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Config, SnapshotPolicy};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot, watch};

use super::applied::Applied;
use super::apply::{Applier, ApplyObserver};
use super::apply_thread::{ApplyHandle, OnMembership};
use super::checkpoints::Checkpoints;
use super::forward::Forwarder;
use super::group::Group;
use super::lease::{ReadGate, RestartGuard};
use super::log::{Log, LogError, LogOptions, LogState};
use super::log_store::LogStore;
use super::machine::StateMachine;
use super::membership::Expected;
use super::network::NetworkFactory;
use super::peers::{Identity, Peers};
use super::proposer::Proposer;
use super::reads::ReadRounds;
use super::replicated::ReplicatedState;
use super::room::Room;
use super::shared::{Core, Counters, Ended, Queues, Shared, Tombstones};
use super::types::{MemberAddresses, Raft};
use super::{expirer, membership, room, status};
use crate::base::clock::Clock;
use crate::base::config::{LiveConfig, RaftConfig};
use crate::base::disk::Disk;
use crate::base::ids::{ClusterId, GroupId, NodeId};
use crate::base::net::Net;
use crate::base::telemetry::Metrics;
use crate::base::threads::{ThreadMain, Threads};
use crate::data::meta::{Meta, MetaError};

/// How long a stopping leader waits for its successor: a hand-over takes milliseconds, unless all
/// nodes stop at once.
const HAND_OVER_PATIENCE: Duration = Duration::from_secs(1);

/// How long a stopping node waits for the answers to what it proposed.
const IN_FLIGHT_PATIENCE: Duration = Duration::from_secs(1);

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

/// Why a group cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// This directory's node is no longer a member.
    #[error(
        "this node was removed from its cluster: {0}; its data directory cannot be used again: \
         empty it and join as a new node"
    )]
    Removed(String),
    /// The identity cannot be read.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The checkpoint cannot be read.
    #[error("{0}")]
    Checkpoint(std::io::Error),
    /// The core did not start.
    #[error("consensus did not start: {0}")]
    Core(String),
}

impl Group {
    /// Opens the directory, loads the checkpoint, starts the threads and, when the directory has an
    /// identity, the core. Blocks while it reads.
    pub async fn start(options: GroupOptions) -> Result<Self, StartError> {
        let directory = options.directory.join(format!("group-{}", options.group_id));
        options.disk.create_directory(&directory).map_err(StartError::Checkpoint)?;
        let meta = Arc::new(Meta::open(&*options.disk, &options.directory)?);
        if let Some(reason) = meta.facts().removed {
            return Err(StartError::Removed(reason));
        }
        let (tasks, queue) = mpsc::unbounded_channel::<ThreadMain>();
        drop(options.threads.spawn("raft", Box::new(move || Box::pin(run_tasks(queue)))));
        let shared = open(options, directory, meta, tasks)?;
        let group = Self(shared.clone());
        if let (Some(node_id), Some(cluster_id)) =
            (shared.meta.facts().node_id, shared.meta.facts().cluster_id)
        {
            start_core(&shared, node_id, cluster_id).await.map_err(StartError::Core)?;
        }
        Ok(group)
    }
}

/// The raft thread: runs what it is given until every handle is gone.
async fn run_tasks(mut queue: mpsc::UnboundedReceiver<ThreadMain>) {
    while let Some(main) = queue.recv().await {
        tokio::task::spawn_local(main());
    }
}

fn open(
    options: GroupOptions,
    directory: PathBuf,
    meta: Arc<Meta>,
    tasks: mpsc::UnboundedSender<ThreadMain>,
) -> Result<Arc<Shared>, StartError> {
    let (ended, _) = watch::channel(None);
    let threads = &*options.threads;
    let (log, log_state) = open_log(&options, &directory, ended.clone())?;
    let checkpoints = checkpoints_of(&options, &directory, &meta);
    let restored = checkpoints.restore().map_err(StartError::Checkpoint)?;
    let state = restored.state;
    let keyspace = Arc::new(RwLock::new(restored.keyspace));
    let index = state.applied.map_or(0, |applied| applied.index);
    let applied = Arc::new(Applied::new(index, state.time_ms));
    let tombstones = Arc::new(Tombstones::default());
    tombstones.set(&state.removed);
    // Nothing was ever voted, logged or received: nothing can have been promised to a leader.
    let brand_new = log_state.vote.is_none() && log_state.last.is_none() && state.applied.is_none();
    let raft = options.config.load().raft.clone();
    let (gate, guard) = (ReadGate::new(), restart_guard(&raft, brand_new));
    let (proposals, of_proposals) = mpsc::unbounded_channel();
    let (forwards, of_forwards) = mpsc::unbounded_channel();
    let (reads, of_reads) = mpsc::unbounded_channel();
    let queues = Queues { proposals: of_proposals, forwards: of_forwards, reads: of_reads };
    let counters = options.metrics.thread();
    let applier = Applier::new(keyspace.clone(), applied.clone(), options.observer, counters);
    let on_membership = membership_hook(tombstones.clone(), meta.clone(), ended.clone());
    let apply = ApplyHandle::start(threads, applier, state, on_membership);
    let window = Arc::new(tokio::sync::Semaphore::new(raft.proposals_in_flight as usize));
    Ok(Arc::new(Shared {
        window,
        group_id: options.group_id,
        gate,
        guard,
        config: options.config,
        seed: options.seed,
        room: Room::default(),
        addresses: options.addresses,
        clock: options.clock,
        disk: options.disk,
        directory,
        meta,
        log,
        peers: Peers::new(options.net),
        keyspace,
        applied,
        apply,
        checkpoints,
        core: OnceLock::new(),
        forming: tokio::sync::Mutex::new(()),
        receiving: tokio::sync::Mutex::new(()),
        proposals,
        forwards,
        reads,
        queues: Mutex::new(Some(queues)),
        tasks,
        leads: AtomicBool::new(false),
        leadership: watch::Sender::default(),
        statuses: watch::Sender::default(),
        stopping: AtomicBool::new(false),
        ended,
        tombstones,
        contact: AtomicU64::new(0),
        origin: tokio::time::Instant::now(),
        counters: Counters::default(),
    }))
}

fn checkpoints_of(options: &GroupOptions, directory: &Path, meta: &Arc<Meta>) -> Arc<Checkpoints> {
    Arc::new(Checkpoints::new(
        options.disk.clone(),
        directory,
        options.group_id,
        meta.clone(),
        options.clock.clone(),
        options.config.clone(),
        &*options.threads,
    ))
}

/// A log whose failure ends the group.
fn open_log(
    options: &GroupOptions,
    directory: &Path,
    ended: watch::Sender<Option<Ended>>,
) -> Result<(Log, LogState), LogError> {
    let fatal: super::log::Fatal = Arc::new(move |error: &std::io::Error| {
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

/// Longer than any lease.
fn restart_guard(config: &RaftConfig, brand_new: bool) -> RestartGuard {
    let granted_ms = config.leader_lease_ms();
    RestartGuard::new(brand_new, Duration::from_millis(granted_ms + granted_ms / 5))
}

/// A node that applies its own removal remembers it and ends.
fn membership_hook(
    tombstones: Arc<Tombstones>,
    meta: Arc<Meta>,
    ended: watch::Sender<Option<Ended>>,
) -> OnMembership {
    Arc::new(move |state: &ReplicatedState| {
        tombstones.set(&state.removed);
        let own = meta.facts().node_id;
        if own.is_some_and(|own| state.removed.contains(&own)) {
            let reason = "the cluster removed it".to_owned();
            if let Err(error) = meta.update(|facts| facts.removed = Some(reason.clone())) {
                tracing::error!(%error, "cannot note that this node was removed");
            }
            ended.send_if_modified(|ended| {
                ended.is_none() && ended.replace(Ended::Removed(reason)).is_none()
            });
        }
    })
}

fn core_config(shared: &Shared) -> Result<Arc<Config>, String> {
    let own = &shared.config.load().raft;
    let config = Config {
        cluster_name: format!("ironkv-{}", shared.group_id),
        heartbeat_interval: own.heartbeat_ms,
        // openraft's time-outs begin when the lease is over, and its lease is the longer of them.
        election_timeout_min: own.election_timeout_min_ms.saturating_sub(own.leader_lease_ms()),
        election_timeout_max: own.leader_lease_ms(),
        install_snapshot_timeout: own.snapshot_timeout_s * 1000,
        max_payload_entries: 4096,
        // A follower gets a snapshot only when the entries it needs are gone.
        replication_lag_threshold: u64::MAX / 2,
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: 5000,
        purge_batch_size: 1000,
        enable_pre_vote: Some(true),
        // Memory is not flushed at each apply: leadership must be won anew after a restart.
        enable_leader_restore: Some(false),
        enable_elect: !shared.guard.is_active(),
        ..Config::default()
    };
    config.validate().map(Arc::new).map_err(|error| error.to_string())
}

/// Builds the core on the raft thread and starts what lives beside it.
pub(super) async fn start_core(
    shared: &Arc<Shared>,
    node_id: NodeId,
    cluster_id: ClusterId,
) -> Result<(), String> {
    let config = core_config(shared)?;
    let identity = Arc::new(Identity { cluster_id, group_id: shared.group_id, node_id });
    let (done, started) = oneshot::channel();
    let this = shared.clone();
    let main: ThreadMain = Box::new(move || {
        Box::pin(async move {
            // Whoever started may have given up; then nobody needs to know.
            let _ = done.send(build_core(&this, config, identity).await);
        })
    });
    shared.tasks.send(main).map_err(|_| "the raft thread has stopped".to_owned())?;
    started.await.map_err(|_| "the raft thread has stopped".to_owned())?
}

async fn build_core(
    shared: &Arc<Shared>,
    config: Arc<Config>,
    identity: Arc<Identity>,
) -> Result<(), String> {
    let network = NetworkFactory::new(shared.clone(), identity.clone());
    let machine =
        StateMachine { apply: shared.apply.clone(), checkpoints: shared.checkpoints.clone() };
    let log = LogStore(shared.log.clone());
    let raft = Raft::new(identity.node_id, config, network, log, machine)
        .await
        .map_err(|error| error.to_string())?;
    let alone = {
        let metrics = raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.voter_ids().eq([identity.node_id])
    };
    if alone {
        shared.guard.lift();
    }
    let Some(queues) = shared.queues.lock().take() else {
        return Err("the core runs already".to_owned());
    };
    let core = Core { raft: raft.clone(), identity: identity.clone() };
    if shared.core.set(core).is_err() {
        return Err("the core runs already".to_owned());
    }
    let proposer = Proposer::new(shared.clone(), raft.clone(), queues.proposals, shared.seed);
    tokio::spawn(proposer.run());
    tokio::spawn(Forwarder::new(shared.clone(), identity, queues.forwards).run());
    tokio::spawn(ReadRounds::new(shared.clone(), queues.reads).run());
    tokio::spawn(status::observe(shared.clone(), raft.clone()));
    tokio::spawn(expirer::expire(shared.clone()));
    tokio::spawn(expirer::checkpoint(shared.clone(), raft.clone()));
    tokio::spawn(membership::finish_abandoned(shared.clone()));
    tokio::spawn(room::watch(shared.clone()));
    tokio::spawn(end_guard(shared.clone(), raft));
    Ok(())
}

async fn end_guard(shared: Arc<Shared>, raft: Raft) {
    shared.guard.over().await;
    raft.runtime_config().elect(true);
}

/// See [`Group::stop`].
pub(crate) async fn stop(shared: &Arc<Shared>) {
    let limit = Duration::from_millis(shared.config.load().raft.shutdown_timeout_ms);
    if tokio::time::timeout(limit, stop_in_order(shared)).await.is_err() {
        tracing::warn!("the group did not stop in order within its time");
    }
}

/// See [`Group::hand_over`].
pub(crate) async fn hand_over(shared: &Arc<Shared>) {
    if !shared.is_leader() {
        return;
    }
    let handing_over = membership::transfer(shared, None, Expected::Any);
    match tokio::time::timeout(HAND_OVER_PATIENCE, handing_over).await {
        Ok(Ok(())) => tracing::info!("leadership was handed over"),
        Ok(Err(error)) => tracing::info!(%error, "leadership was not handed over"),
        Err(_) => tracing::info!("leadership was not handed over in time"),
    }
}

async fn stop_in_order(shared: &Arc<Shared>) {
    hand_over(shared).await;
    shared.stopping.store(true, Ordering::Release);
    // What is on its way to the log gets its answer if it comes soon.
    let all = shared.config.load().raft.proposals_in_flight;
    let answered = tokio::time::timeout(IN_FLIGHT_PATIENCE, shared.window.acquire_many(all));
    if answered.await.is_err() {
        tracing::info!("some proposals were not answered before the stop");
    }
    if let Some(core) = shared.core.get()
        && let Err(error) = core.raft.shutdown().await
    {
        tracing::warn!(%error, "the consensus core did not stop in order");
    }
    shared.log.close().await;
}

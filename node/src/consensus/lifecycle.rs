//! From a data directory to a running group, and back in order.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Config, SnapshotPolicy};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::base::blocking::RAFT_THREAD;
use crate::base::clock::Clock;
use crate::base::config::{LiveConfig, RaftConfig};
use crate::base::disk::Disk;
use crate::base::feature_level::UnknownLevel;
use crate::base::ids::{ClusterId, GroupId, NodeId};
use crate::base::net::Net;
use crate::base::seeded::{Bug, seeded};
use crate::base::telemetry::Metrics;
use crate::base::threads::{ThreadMain, Threads};
use crate::consensus::background::checkpoint_trigger;
use crate::consensus::background::disk_space::{self, Room};
use crate::consensus::background::reclaim::{self, Reclaim};
use crate::consensus::group::Group;
use crate::consensus::membership::change::{self, Expected};
use crate::consensus::membership::eligibility::{self, Eligibility};
use crate::consensus::membership::feature_level::{self, Levels};
use crate::consensus::membership::incarnation;
use crate::consensus::membership::{standing, who_is_who};
use crate::consensus::network::channels::{Identity, Peers};
use crate::consensus::network::contacts::Contacts;
use crate::consensus::network::peer::NetworkFactory;
use crate::consensus::proposal::forward::Forwarder;
use crate::consensus::proposal::large_requests::LargeRequests;
use crate::consensus::proposal::proposer::Proposer;
use crate::consensus::proposal::queue::ProposalQueue;
use crate::consensus::proposal::queue_bytes::Queued;
use crate::consensus::read::freshness::Freshness;
use crate::consensus::read::lease::{ReadGate, RestartGuard};
use crate::consensus::read::read_index::ReadRounds;
use crate::consensus::shared::{Core, Counters, Ended, Queues, Shared};
use crate::consensus::snapshot::checkpoints::{Checkpoints, Restored};
use crate::consensus::snapshot::incoming::Incoming;
use crate::consensus::state_machine::apply::{Applier, ApplyObserver};
use crate::consensus::state_machine::apply_worker::ApplyHandle;
use crate::consensus::state_machine::digests;
use crate::consensus::state_machine::machine::StateMachine;
use crate::consensus::state_machine::progress::Applied;
use crate::consensus::state_machine::replicated_state::ReplicatedState;
use crate::consensus::status;
use crate::consensus::storage::disk_stall::{self, DiskStall};
use crate::consensus::storage::flushed::FlushedLog;
use crate::consensus::storage::log::{Log, LogError, LogOptions, LogState};
use crate::consensus::storage::log_store::LogStore;
use crate::consensus::storage::parts::{self, Incomplete};
use crate::consensus::time::ClusterTime;
use crate::consensus::types::{MemberAddresses, Raft};
use crate::data::keyspace::KeyspaceLock;
use crate::data::meta::{Facts, Meta, MetaError};

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
         empty it and join as a new node (if it is still a member, `ironkv cluster readmit` says \
         so and clears the mark)"
    )]
    Removed(String),
    /// A newer program has used this directory.
    #[error(transparent)]
    UnknownLevel(#[from] UnknownLevel),
    /// The data contradicts the cluster.
    #[error(
        "this node's data contradicts its cluster: {0}; a disk lost what was flushed or was put \
         back: remove this member from the cluster, empty its data directory and let it join as a \
         new node"
    )]
    Condemned(String),
    /// The directory is a copy or an old state.
    #[error(
        "this data directory is not its node's any more: {0}; remove the member from the cluster, \
         empty the directory and let the node join as a new one, first as a learner (if nothing \
         newer is left anywhere, `ironkv cluster readmit --without-asking` takes it all the same)"
    )]
    Superseded(String),
    /// A part of the directory is gone.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
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

/// Whether a node may start on a directory of which this is known.
pub fn check_facts(facts: &Facts) -> Result<(), StartError> {
    facts.check_level()?;
    if let Some(reason) = facts.removed.clone() {
        return Err(StartError::Removed(reason));
    }
    if let Some(reason) = facts.condemned.clone() {
        return Err(StartError::Condemned(reason));
    }
    match facts.superseded.clone() {
        Some(superseded) => Err(StartError::Superseded(superseded.reason)),
        None => Ok(()),
    }
}

impl Group {
    /// Opens the directory, loads the checkpoint, starts the threads and, when the directory has an
    /// identity, the core. Blocks while it reads.
    pub async fn start(options: GroupOptions) -> Result<Self, StartError> {
        let directory = options.directory.join(format!("group-{}", options.group_id));
        parts::check_meta(&*options.disk, &options.directory, &directory)?;
        options.disk.create_directory(&directory).map_err(StartError::Checkpoint)?;
        let meta = Arc::new(Meta::open(&*options.disk, &options.directory)?);
        check_facts(&meta.facts())?;
        parts::check_data(&*options.disk, &meta.facts(), &options.directory, &directory)?;
        incarnation::draw(&meta)?;
        let (tasks, queue) = mpsc::unbounded_channel::<ThreadMain>();
        drop(options.threads.spawn(RAFT_THREAD, Box::new(move || Box::pin(run_tasks(queue)))));
        let (disk_tasks, disk_queue) = mpsc::unbounded_channel::<ThreadMain>();
        drop(options.threads.spawn("disk", Box::new(move || Box::pin(run_tasks(disk_queue)))));
        let threads = options.threads.clone();
        let (reclaim, questions) = Reclaim::new();
        let shared = open(options, directory, meta, ((tasks, disk_tasks), reclaim))?;
        reclaim::start(&shared, &*threads, questions);
        let group = Self(shared.clone());
        if let (Some(node_id), Some(cluster_id)) =
            (shared.meta.facts().node_id, shared.meta.facts().cluster_id)
        {
            start_core(&shared, node_id, cluster_id).await.map_err(StartError::Core)?;
        }
        Ok(group)
    }
}

/// The raft or the disk thread: runs what it is given until every handle is gone.
async fn run_tasks(mut queue: mpsc::UnboundedReceiver<ThreadMain>) {
    while let Some(main) = queue.recv().await {
        tokio::task::spawn_local(main());
    }
}

type TaskSender = mpsc::UnboundedSender<ThreadMain>;

fn open(
    options: GroupOptions,
    directory: PathBuf,
    meta: Arc<Meta>,
    ((tasks, on_disk), reclaim): ((TaskSender, TaskSender), Reclaim),
) -> Result<Arc<Shared>, StartError> {
    let (threads, ended) = (&*options.threads, watch::Sender::new(None));
    let (log, log_state) = open_log(&options, &directory, ended.clone())?;
    let (checkpoints, restored) = restore(&options, &directory, &meta)?;
    let (state, keyspace) = (restored.state, Arc::new(KeyspaceLock::new(restored.keyspace)));
    let (index, applied) = applied_of(&state);
    let (standings, incarnations, on_change) = who_is_who::open(&meta, &state, &ended, &on_disk)?;
    // Nothing was ever voted, logged or received: nothing can have been promised to a leader.
    let brand_new = log_state.vote.is_none() && log_state.last.is_none() && state.applied.is_none();
    let raft = options.config.load().raft.clone();
    let (([proposals, large_requests], forwards, reads), queues) = Queues::new();
    let counters = options.metrics.thread();
    let applier = Applier::new(keyspace.clone(), applied.clone(), options.observer, counters)
        .skipping(&meta.facts().skipped);
    let apply = ApplyHandle::start(threads, applier, state, on_change);
    Ok(Arc::new(Shared {
        incoming: Incoming::start(options.disk.clone(), &directory, threads),
        window: Arc::new(Semaphore::new(raft.proposals_in_flight as usize)),
        reclaim,
        group_id: options.group_id,
        gate: ReadGate::new(options.clock.clone()),
        freshness: Freshness::new(options.clock.clone()),
        contacts: Contacts::default(),
        flushed: Arc::new(FlushedLog::at_start(log_state.last, index)),
        guard: restart_guard(&raft, brand_new, &meta)?,
        time: ClusterTime::new(options.clock.clone(), applied.clone()),
        config: options.config,
        seed: options.seed,
        room: Room::default(),
        disk_stall: DiskStall::default(),
        addresses: options.addresses,
        clock: options.clock,
        disk: options.disk,
        directory,
        meta,
        log,
        peers: Peers::new(options.net),
        keyspace,
        applied,
        eligibility: Eligibility::default(),
        apply,
        checkpoints,
        core: OnceLock::new(),
        forming: tokio::sync::Mutex::new(()),
        proposals,
        large_requests,
        forwards,
        queued: Queued::default(),
        reads,
        queues: Mutex::new(Some(queues)),
        tasks,
        disk_tasks: on_disk,
        leads: AtomicBool::new(false),
        leadership: watch::Sender::default(),
        statuses: watch::Sender::default(),
        stopping: AtomicBool::new(false),
        ended,
        standings,
        incarnations,
        levels: Levels::default(),
        contact: AtomicU64::new(0),
        origin: tokio::time::Instant::now(),
        counters: Counters::default(),
    }))
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
    let fatal: crate::consensus::storage::log::Fatal = Arc::new(move |error: &std::io::Error| {
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
        // The log is kept by bytes: `checkpoint_trigger` says up to where it goes.
        max_in_snapshot_log_to_keep: u64::MAX,
        purge_batch_size: 1,
        enable_pre_vote: Some(true),
        // Memory is not flushed at each apply: leadership must be won anew after a restart.
        enable_leader_restore: Some(false),
        // Until this node knows whether it may: see `end_guard`.
        enable_elect: false,
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
    let log = LogStore(shared.clone());
    let raft = Raft::new(identity.node_id, config, network, log, machine)
        .await
        .map_err(|error| error.to_string())?;
    // What is reported before the core runs is empty, and says nothing about members and log.
    let mut reports = raft.metrics();
    reports.changed().await.map_err(|_| "it stopped at once".to_owned())?;
    let report = reports.borrow_watched().clone();
    let Some(queues) = shared.queues.lock().take() else {
        return Err("the core runs already".to_owned());
    };
    let core = Core { raft: raft.clone(), identity: identity.clone() };
    if shared.core.set(core).is_err() {
        return Err("the core runs already".to_owned());
    }
    incarnation::begin(shared, &identity, &report);
    let proposals = ProposalQueue::new(queues.proposals);
    let proposer = Proposer::new(shared.clone(), raft.clone(), proposals, shared.seed);
    tokio::spawn(proposer.run());
    let large_requests = ProposalQueue::new(queues.large_requests);
    tokio::spawn(LargeRequests::new(shared.clone(), large_requests).run());
    tokio::spawn(Forwarder::new(shared.clone(), identity, queues.forwards).run());
    tokio::spawn(ReadRounds::new(shared.clone(), queues.reads).run());
    tokio::spawn(status::observe(shared.clone(), raft.clone()));
    if seeded(Bug::ExpiryOnRaftThread) {
        tokio::spawn(reclaim::expire(shared.clone()));
    }
    tokio::spawn(change::finish_abandoned(shared.clone()));
    tokio::spawn(digests::compare_replicas(shared.clone()));
    tokio::spawn(feature_level::raise_when_agreed(shared.clone()));
    tokio::spawn(standing::watch(shared.clone()));
    tokio::spawn(incarnation::register(shared.clone()));
    tokio::spawn(disk_stall::watch(shared.clone(), raft.clone()));
    tokio::spawn(eligibility::watch(shared.clone(), raft.clone()));
    look_after_disk(shared, raft.clone())?;
    tokio::spawn(end_guard(shared.clone(), raft));
    Ok(())
}

/// On a thread of its own: it asks the disk, and the core must never wait for one.
fn look_after_disk(shared: &Arc<Shared>, raft: Raft) -> Result<(), String> {
    let this = shared.clone();
    let main: ThreadMain = Box::new(move || {
        Box::pin(async move {
            let checkpoints = checkpoint_trigger::run(this.clone(), raft);
            tokio::join!(
                disk_space::watch(this.clone()),
                checkpoints,
                incarnation::renew(this.clone())
            );
        })
    });
    shared.disk_tasks.send(main).map_err(|_| "the disk thread has stopped".to_owned())
}

async fn end_guard(shared: Arc<Shared>, raft: Raft) {
    shared.guard.over().await;
    raft.runtime_config().elect(shared.may_stand());
    let own_ms = shared.config.load().raft.leader_lease_ms();
    if shared.meta.facts().lease_ms == Some(own_ms) {
        return;
    }
    // Promises of former settings are over. Only a change of settings comes here.
    let meta = shared.meta.clone();
    let noted = move || meta.update(|facts| facts.lease_ms = Some(own_ms));
    if let Ok(Err(error)) = tokio::task::spawn_blocking(noted).await {
        tracing::warn!(%error, "cannot note the lease: the next start votes later than it may");
    }
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
    let handing_over = change::transfer(shared, None, Expected::Any);
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

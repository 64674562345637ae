//! Builds the core and starts what lives beside it.

use std::sync::Arc;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Config, SnapshotPolicy};
use tokio::sync::oneshot;

use super::parts::{Own, Parts, Queues};
use super::status;
use crate::base::ids::{ClusterId, NodeId};
use crate::base::seeded::{Bug, seeded};
use crate::base::threads::ThreadMain;
use crate::consensus::background::compare_replicas::Comparison;
use crate::consensus::background::disk_space::DiskSpace;
use crate::consensus::background::slow_apply::report_slow_apply;
use crate::consensus::background::stalled_disk::StalledDisk;
use crate::consensus::background::wrong_clock::WrongClock;
use crate::consensus::leadership::observe::Observer;
use crate::consensus::membership::asking::Asking;
use crate::consensus::membership::change::making;
use crate::consensus::membership::incarnation::alone::Alone;
use crate::consensus::membership::incarnation::{self, Registering};
use crate::consensus::network::channels::Identity;
use crate::consensus::network::peer::{NetworkFactory, PeerParts};
use crate::consensus::proposal::forward::forwarder::Forwarder;
use crate::consensus::proposal::forward::link::Streams;
use crate::consensus::proposal::large_requests::LargeRequests;
use crate::consensus::proposal::proposer::{Admission, Proposer};
use crate::consensus::proposal::queue::ProposalQueue;
use crate::consensus::raft_handle::{Core, Raft};
use crate::consensus::read::read_index::ReadRounds;
use crate::consensus::state_machine::machine::StateMachine;
use crate::consensus::storage::log_store::LogStore;
use crate::consensus::types::Metrics;

fn core_config(own: &Own) -> Result<Arc<Config>, String> {
    let settings = &own.config.load().raft;
    let config = Config {
        cluster_name: format!("ironkv-{}", own.group_id),
        heartbeat_interval: settings.heartbeat_ms,
        // openraft's time-outs begin when the lease is over, and its lease is the longer of them.
        election_timeout_min: settings
            .election_timeout_min_ms
            .saturating_sub(settings.leader_lease_ms()),
        election_timeout_max: settings.leader_lease_ms(),
        install_snapshot_timeout: settings.snapshot_timeout_s * 1000,
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
    parts: &Arc<Parts>,
    node_id: NodeId,
    cluster_id: ClusterId,
) -> Result<(), String> {
    let config = core_config(&parts.own)?;
    let identity = Arc::new(Identity { cluster_id, group_id: parts.own.group_id, node_id });
    let (done, started) = oneshot::channel();
    let this = parts.clone();
    let main: ThreadMain = Box::new(move || {
        Box::pin(async move {
            // Whoever started may have given up; then nobody needs to know.
            let _ = done.send(build_core(&this, config, identity).await);
        })
    });
    let stopped = || "the raft thread has stopped".to_owned();
    if !parts.own.tasks.run_on_raft_thread(main) {
        return Err(stopped());
    }
    started.await.map_err(|_| stopped())?
}

async fn build_core(
    parts: &Arc<Parts>,
    config: Arc<Config>,
    identity: Arc<Identity>,
) -> Result<(), String> {
    let Parts { own, data, cluster, .. } = &**parts;
    let network = NetworkFactory::new(Arc::new(peer_parts(parts)), identity.clone());
    let machine = StateMachine { apply: data.apply.clone(), checkpoints: data.checkpoints.clone() };
    let log = LogStore {
        log: data.log.clone(),
        applied: data.applied.clone(),
        flushed: data.flushed.clone(),
        room: data.room.clone(),
        lifetime: own.lifetime.clone(),
    };
    let raft = Raft::new(identity.node_id, config, network, log, machine)
        .await
        .map_err(|error| error.to_string())?;
    // What is reported before the core runs is empty, and says nothing about members and log.
    let mut reports = raft.metrics();
    reports.changed().await.map_err(|_| "it stopped at once".to_owned())?;
    let report = reports.borrow_watched().clone();
    let Some(queues) = parts.requests.queues.lock().take() else {
        return Err("the core runs already".to_owned());
    };
    let core = Core { raft: raft.clone(), identity: identity.clone() };
    if cluster.raft.set(core).is_err() {
        return Err("the core runs already".to_owned());
    }
    begin_incarnation(parts, &identity, &report);
    serve_requests(parts, &raft, identity, queues);
    watch_leadership(parts, &raft);
    watch_members(parts, &raft);
    watch_surroundings(parts, &raft);
    look_after_disk(parts, raft.clone())?;
    tokio::spawn(end_guard(parts.clone(), raft));
    Ok(())
}

fn peer_parts(parts: &Parts) -> PeerParts {
    let Parts { own, data, cluster, .. } = parts;
    PeerParts {
        config: own.config.clone(),
        peers: cluster.peers.clone(),
        raft: cluster.raft.clone(),
        trust: cluster.trust.clone(),
        reports: cluster.reports.clone(),
        log: data.log.clone(),
        room: data.room.clone(),
        reversions: cluster.reversions.clone(),
        checkpoints: data.checkpoints.clone(),
        incoming: data.incoming.clone(),
    }
}

fn begin_incarnation(parts: &Parts, identity: &Arc<Identity>, report: &Metrics) {
    let Parts { own, cluster, .. } = parts;
    let alone = Alone {
        trust: cluster.trust.clone(),
        peers: cluster.peers.clone(),
        config: own.config.clone(),
        own_address: own.addresses.raft.clone(),
    };
    incarnation::begin(&alone, &own.meta, identity, report);
}

/// What brings requests into the log and to the leader.
fn serve_requests(parts: &Parts, raft: &Raft, identity: Arc<Identity>, queues: Queues) {
    let Parts { own, data, cluster, requests, .. } = parts;
    let admission = Admission {
        config: own.config.clone(),
        window: requests.window.clone(),
        lifetime: own.lifetime.clone(),
        participation: cluster.participation.clone(),
        applied: data.applied.clone(),
        time: data.time.clone(),
        log: data.log.clone(),
        room: data.room.clone(),
        reclaim: data.reclaim.clone(),
    };
    let proposals = ProposalQueue::new(queues.proposals);
    tokio::spawn(Proposer::new(admission, raft.clone(), proposals, own.seed).run());
    let large_requests = ProposalQueue::new(queues.large_requests);
    let (proposals, leadership) = (requests.proposals.clone(), cluster.leadership.clone());
    tokio::spawn(LargeRequests::new(proposals, leadership.clone(), large_requests).run());
    let streams = Streams {
        identity,
        raft: cluster.raft.clone(),
        peers: cluster.peers.clone(),
        trust: cluster.trust.clone(),
        sizes: requests.sizes.clone(),
        sent: requests.forwards.sent.clone(),
    };
    let on_leader = requests.on_leader.clone();
    let known = (own.lifetime.clone(), leadership);
    tokio::spawn(Forwarder::new(streams, on_leader, known, queues.forwards).run());
    tokio::spawn(ReadRounds::new(requests.reads.clone(), queues.reads).run());
}

fn watch_leadership(parts: &Arc<Parts>, raft: &Raft) {
    let Parts { own, data, cluster, .. } = &**parts;
    let observer = Observer {
        config: own.config.clone(),
        leadership: cluster.leadership.clone(),
        time: data.time.clone(),
        freshness: cluster.freshness.clone(),
        contacts: cluster.contacts.clone(),
        lifetime: own.lifetime.clone(),
        publish: status::publisher(parts.clone()),
    };
    tokio::spawn(observer.observe(raft.clone()));
    if seeded(Bug::ExpiryOnRaftThread) {
        let reclaimer = parts.reclaimer();
        tokio::spawn(async move { reclaimer.expire().await });
    }
}

fn watch_members(parts: &Parts, raft: &Raft) {
    let Parts { own, data, cluster, requests, control } = parts;
    tokio::spawn(making::finish_abandoned(cluster.raft.clone(), own.lifetime.clone()));
    let comparison = Comparison {
        config: own.config.clone(),
        leadership: cluster.leadership.clone(),
        lifetime: own.lifetime.clone(),
        digests: data.apply.digests.clone(),
    };
    tokio::spawn(comparison.run(raft.clone()));
    tokio::spawn(control.rise.clone().raise_when_agreed());
    let asking = Asking {
        config: own.config.clone(),
        meta: own.meta.clone(),
        tasks: own.tasks.clone(),
        peers: cluster.peers.clone(),
        leadership: cluster.leadership.clone(),
        trust: cluster.trust.clone(),
        reads: requests.reads.clone(),
    };
    tokio::spawn(asking.watch());
    let registering = Registering {
        trust: cluster.trust.clone(),
        leadership: cluster.leadership.clone(),
        applied: data.applied.clone(),
        proposals: requests.proposals.clone(),
        config: own.config.clone(),
    };
    tokio::spawn(registering.run());
}

fn watch_surroundings(parts: &Arc<Parts>, raft: &Raft) {
    let Parts { own, data, cluster, control, .. } = &**parts;
    let stalled_disk = StalledDisk {
        config: own.config.clone(),
        lifetime: own.lifetime.clone(),
        leadership: cluster.leadership.clone(),
        participation: cluster.participation.clone(),
        log: data.log.clone(),
        transfers: control.transfers.clone(),
        publish: status::publisher(parts.clone()),
    };
    tokio::spawn(stalled_disk.watch(raft.clone()));
    let wrong_clock = WrongClock {
        config: own.config.clone(),
        lifetime: own.lifetime.clone(),
        leadership: cluster.leadership.clone(),
        participation: cluster.participation.clone(),
        time: data.time.clone(),
        transfers: control.transfers.clone(),
    };
    tokio::spawn(wrong_clock.watch(raft.clone()));
    tokio::spawn(report_slow_apply(data.applied.clone(), own.lifetime.clone()));
}

/// On a thread of its own: it asks the disk, and the core must never wait for one.
fn look_after_disk(parts: &Parts, raft: Raft) -> Result<(), String> {
    let Parts { own, data, cluster, control, .. } = parts;
    let space = DiskSpace {
        disk: own.disk.clone(),
        directory: own.directory.clone(),
        config: own.config.clone(),
        room: data.room.clone(),
        lifetime: own.lifetime.clone(),
    };
    let (trigger, trust, meta) = (control.trigger.clone(), cluster.trust.clone(), own.meta.clone());
    let main: ThreadMain = Box::new(move || {
        Box::pin(async move {
            tokio::join!(space.watch(), trigger.run(raft), incarnation::renew(trust, meta));
        })
    });
    if own.tasks.run_on_disk_thread(main) {
        Ok(())
    } else {
        Err("the disk thread has stopped".to_owned())
    }
}

async fn end_guard(parts: Arc<Parts>, raft: Raft) {
    parts.cluster.participation.guard.over().await;
    raft.runtime_config().elect(parts.cluster.participation.may_stand());
    let own_ms = parts.own.config.load().raft.leader_lease_ms();
    if parts.own.meta.facts().lease_ms == Some(own_ms) {
        return;
    }
    // Promises of former settings are over. Only a change of settings comes here.
    let meta = parts.own.meta.clone();
    let noted = move || meta.update(|facts| facts.lease_ms = Some(own_ms));
    if let Ok(Err(error)) = tokio::task::spawn_blocking(noted).await {
        tracing::warn!(%error, "cannot note the lease: the next start votes later than it may");
    }
}

//! Puts the parts of a group together, from what was found in its directory.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};

use super::parts::{Cluster, Control, Data, Own, Parts, Queues, Requests};
use crate::base::net::Net;
use crate::consensus::background::checkpoint_trigger::CheckpointTrigger;
use crate::consensus::leadership::participation::Participation;
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::membership::change::making::Changes;
use crate::consensus::membership::change::transfer::Transfers;
use crate::consensus::membership::eligibility::Eligibility;
use crate::consensus::membership::feature_level::{LevelRise, Levels};
use crate::consensus::membership::incarnation::Incarnations;
use crate::consensus::membership::incarnation::trust::Trust;
use crate::consensus::membership::standing::Standings;
use crate::consensus::network::channels::Peers;
use crate::consensus::network::contacts::Contacts;
use crate::consensus::network::early_election::EarlyElection;
use crate::consensus::network::reports::Reports;
use crate::consensus::proposal::forward::delivery::Delivery;
use crate::consensus::proposal::forward::forwards::Forwards;
use crate::consensus::proposal::forward::on_leader::OnLeader;
use crate::consensus::proposal::queue_bytes::Queued;
use crate::consensus::proposal::request_sizes::RequestSizes;
use crate::consensus::proposal::submission::Proposals;
use crate::consensus::raft_handle::RaftHandle;
use crate::consensus::read::confirm::LeaderReads;
use crate::consensus::read::freshness::Freshness;
use crate::consensus::read::lease::RestartGuard;
use crate::consensus::read::read_index::{MajorityReads, ReadQueue};
use crate::consensus::storage::contradictions::Contradictions;
use crate::consensus::storage::disk_stall::DiskStall;
use crate::consensus::storage::flushed::Flushes;
use crate::consensus::storage::reversions::Reversions;
use crate::consensus::time::reset::Resets;

/// What is known of the members and of this node among them.
pub(super) struct Members {
    pub(super) standings: Arc<Standings>,
    pub(super) incarnations: Arc<Incarnations>,
    pub(super) guard: RestartGuard,
    pub(super) net: Arc<dyn Net>,
}

pub(super) fn compose(
    own: Own,
    data: Data,
    members: Members,
    (leadership, raft): (Arc<LeadershipState>, Arc<RaftHandle>),
    freshness: Arc<Freshness>,
) -> Parts {
    let cluster = cluster(&own, &data, members, (leadership, raft), freshness);
    let requests = requests(&own, &data, &cluster);
    let control = control(&own, &data, &cluster, &requests);
    Parts { own, data, cluster, requests, control }
}

fn cluster(
    own: &Own,
    data: &Data,
    members: Members,
    (leadership, raft): (Arc<LeadershipState>, Arc<RaftHandle>),
    freshness: Arc<Freshness>,
) -> Cluster {
    let Members { standings, incarnations, guard, net } = members;
    let participation = Arc::new(Participation {
        raft: raft.clone(),
        leadership: leadership.clone(),
        incarnations: incarnations.clone(),
        guard,
        disk_stall: DiskStall::default(),
        eligibility: Eligibility::default(),
    });
    let trust = Arc::new(Trust {
        incarnations: incarnations.clone(),
        standings,
        raft: raft.clone(),
        participation: participation.clone(),
        lifetime: own.lifetime.clone(),
    });
    let levels = Arc::new(Levels::new(own.config.clone(), data.applied.clone()));
    let contacts = Arc::<Contacts>::default();
    let reports = Arc::new(Reports {
        config: own.config.clone(),
        clock: own.clock.clone(),
        time: data.time.clone(),
        freshness: freshness.clone(),
        contacts: contacts.clone(),
        incarnations,
        applied: data.applied.clone(),
        digests: data.apply.digests.clone(),
        levels: levels.clone(),
    });
    Cluster {
        raft,
        peers: Peers::new(net),
        leadership,
        participation,
        trust,
        levels,
        contacts,
        freshness,
        reports,
        reversions: Arc::<Reversions>::default(),
    }
}

fn requests(own: &Own, data: &Data, cluster: &Cluster) -> Requests {
    let (to_proposer, proposals) = mpsc::unbounded_channel();
    let (to_large, large_requests) = mpsc::unbounded_channel();
    let (to_forwarder, forwards) = mpsc::unbounded_channel();
    let (to_reads, reads) = mpsc::unbounded_channel();
    let queues = Mutex::new(Some(Queues { proposals, large_requests, forwards, reads }));
    let sizes = RequestSizes { config: own.config.clone(), applied: data.applied.clone() };
    let queued = Queued::default();
    let Cluster { participation, leadership, .. } = cluster;
    let proposals = Arc::new(Proposals {
        lifetime: own.lifetime.clone(),
        participation: participation.clone(),
        applied: data.applied.clone(),
        sizes: sizes.clone(),
        waiting: queued.proposals.clone(),
        proposals: to_proposer,
        large_requests: to_large,
    });
    let forwards = Arc::new(Forwards {
        config: own.config.clone(),
        lifetime: own.lifetime.clone(),
        participation: participation.clone(),
        waiting: queued.forwards.clone(),
        jobs: to_forwarder,
        sent: Arc::<AtomicU64>::default(),
    });
    let leader = Arc::new(LeaderReads {
        config: own.config.clone(),
        raft: cluster.raft.clone(),
        leadership: leadership.clone(),
        applied: data.applied.clone(),
        time: data.time.clone(),
    });
    let on_leader = Arc::new(OnLeader {
        proposals: proposals.clone(),
        reads: leader.clone(),
        leadership: leadership.clone(),
        sizes: sizes.clone(),
    });
    let delivery = Arc::new(Delivery {
        on_leader: on_leader.clone(),
        forwards: forwards.clone(),
        sizes: sizes.clone(),
    });
    let read_queue = Arc::new(ReadQueue {
        config: own.config.clone(),
        lifetime: own.lifetime.clone(),
        participation: participation.clone(),
        waiters: to_reads,
    });
    let reads = MajorityReads { leader, forwards: forwards.clone() };
    let in_flight = own.config.load().raft.proposals_in_flight;
    let window = Arc::new(Semaphore::new(in_flight as usize));
    Requests {
        sizes,
        window,
        queued,
        proposals,
        forwards,
        on_leader,
        delivery,
        reads,
        read_queue,
        queues,
    }
}

fn control(own: &Own, data: &Data, cluster: &Cluster, requests: &Requests) -> Control {
    let Own { config, lifetime, .. } = own;
    let Cluster { raft, leadership, participation, trust, levels, .. } = cluster;
    let proposals = &requests.proposals;
    Control {
        changes: Changes {
            config: config.clone(),
            raft: raft.clone(),
            standings: trust.standings.clone(),
            levels: levels.clone(),
        },
        transfers: Arc::new(Transfers {
            config: config.clone(),
            raft: raft.clone(),
            leadership: leadership.clone(),
            time: data.time.clone(),
        }),
        resets: Resets {
            config: config.clone(),
            time: data.time.clone(),
            proposals: proposals.clone(),
        },
        rise: LevelRise {
            levels: levels.clone(),
            raft: raft.clone(),
            leadership: leadership.clone(),
            lifetime: lifetime.clone(),
            proposals: proposals.clone(),
        },
        trigger: Arc::new(trigger(own, data, cluster)),
        flushes: Arc::new(flushes(own, data, cluster, requests)),
        contradictions: Arc::new(Contradictions { raft: raft.clone(), lifetime: lifetime.clone() }),
        early_election: Arc::new(EarlyElection {
            config: config.clone(),
            raft: raft.clone(),
            leadership: leadership.clone(),
            participation: participation.clone(),
            lifetime: lifetime.clone(),
        }),
        forming: tokio::sync::Mutex::new(()),
    }
}

fn trigger(own: &Own, data: &Data, cluster: &Cluster) -> CheckpointTrigger {
    CheckpointTrigger {
        lifetime: own.lifetime.clone(),
        leadership: cluster.leadership.clone(),
        config: own.config.clone(),
        meta: own.meta.clone(),
        log: data.log.clone(),
        applied: data.applied.clone(),
        apply: data.apply.clone(),
        checkpoints: data.checkpoints.clone(),
        incoming: data.incoming.clone(),
        room: data.room.clone(),
    }
}

fn flushes(own: &Own, data: &Data, cluster: &Cluster, requests: &Requests) -> Flushes {
    Flushes {
        raft: cluster.raft.clone(),
        applied: data.applied.clone(),
        flushed: data.flushed.clone(),
        leadership: cluster.leadership.clone(),
        lifetime: own.lifetime.clone(),
        trust: cluster.trust.clone(),
        peers: cluster.peers.clone(),
        tasks: own.tasks.clone(),
        reads: requests.read_queue.clone(),
    }
}

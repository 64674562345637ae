//! What openraft says to other nodes. Replication is one bidirectional stream; heartbeats, votes
//! and snapshots have connections of their own.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use ironkv_proto::raft::v1 as proto;
use ironkv_proto::raft::v1::raft_service_client::RaftServiceClient;
use openraft::errors::{
    NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError,
    StreamAppendResult, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use parking_lot::Mutex;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::channels::{Identity, reason, sized_client};
use super::convert;
use super::in_flight::Unanswered;
use super::pacing::Pacing;
use crate::base::ids::NodeId;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::shared::Shared;
use crate::consensus::snapshot::transfer::{CheckpointFile, send_snapshot};
use crate::consensus::types::{MemberAddresses, Snapshot, TypeConfig, Vote};

/// Pause after a failed attempt to reach a peer.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Silence on a replication stream with requests under way that ends it. Generous, because a peer
/// may be flushing an entry of many megabytes; a dead connection is found by keep-alive much
/// earlier.
const APPEND_SILENCE_MAX: Duration = Duration::from_secs(5);

/// Makes a client for each peer and purpose.
pub(crate) struct NetworkFactory {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
}

impl NetworkFactory {
    pub(crate) const fn new(shared: Arc<Shared>, identity: Arc<Identity>) -> Self {
        Self { shared, identity }
    }

    fn peer(&self, target: NodeId, node: &MemberAddresses) -> Peer {
        Peer::new(self.shared.clone(), self.identity.clone(), target, node)
    }
}

impl RaftNetworkFactory<TypeConfig> for NetworkFactory {
    type Network = Peer;

    // For replication and, through the provided method, once more for snapshots: with heartbeats
    // three channels.
    async fn new_client(&mut self, target: NodeId, node: &MemberAddresses) -> Peer {
        let raft = &self.shared.config.load().raft;
        let election_timeout_min = Duration::from_millis(raft.election_timeout_min_ms);
        let pacing = Arc::new(Pacing::of_replication(election_timeout_min));
        Peer { pacing, ..self.peer(target, node) }
    }

    // The core sends a heartbeat at every interval and gives it no longer than that, so it must
    // not wait here.
    async fn new_heartbeat_client(&mut self, target: NodeId, node: &MemberAddresses) -> Peer {
        self.peer(target, node)
    }
}

/// One peer, for one purpose.
pub(crate) struct Peer {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    target: NodeId,
    route: Mutex<Route>,
    pacing: Arc<Pacing>,
}

/// The core keeps a peer's client for as long as it leads, also when the member moves.
struct Route {
    address: String,
    /// An address that is none is known at once and reported at every use.
    channel: Result<Channel, String>,
}

impl Route {
    fn to(shared: &Shared, address: &str) -> Self {
        let channel = shared.peers.channel(address).map_err(|error| error.to_string());
        Self { address: address.to_owned(), channel }
    }
}

type RpcError = RPCError<TypeConfig>;
type AppendResults<'s> = BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>;

impl Peer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        identity: Arc<Identity>,
        target: NodeId,
        node: &MemberAddresses,
    ) -> Self {
        let route = Mutex::new(Route::to(&shared, &node.raft));
        Self { shared, identity, target, route, pacing: Arc::new(Pacing::Heartbeats) }
    }

    fn client(&self) -> Result<RaftServiceClient<Channel>, RpcError> {
        self.refuse_in_doubt()?;
        let channel = self.channel().map_err(|error| {
            RPCError::Unreachable(Unreachable::from_string(format!("bad address: {error}")))
        })?;
        Ok(sized_client!(RaftServiceClient::new(channel)))
    }

    /// To where the membership says that the member is now.
    fn channel(&self) -> Result<Channel, String> {
        let now = self.shared.address_of(self.target);
        let mut route = self.route.lock();
        if let Some(now) = now.filter(|now| now.raft != route.address) {
            *route = Route::to(&self.shared, &now.raft);
        }
        route.channel.clone()
    }

    fn envelope(&self) -> ironkv_proto::types::v1::Route {
        self.shared.route_to(&self.identity, self.target)
    }

    /// A node that is not sure of its data asks for no vote and replicates nothing.
    fn refuse_in_doubt(&self) -> Result<(), RpcError> {
        if self.shared.is_in_doubt() {
            let text = "this node takes no part until its data is confirmed";
            return Err(RPCError::Unreachable(Unreachable::from_string(text)));
        }
        Ok(())
    }

    fn counted_vote(
        &self,
        answer: &proto::VoteResponse,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.refuse_in_doubt()?;
        let counts =
            self.shared.check_lineage(&self.identity, self.target, answer.lineage.as_ref());
        counts.map_err(|status| rpc_error(&status))?;
        convert::vote_response_from_proto(answer).map_err(|error| damaged(&error))
    }

    /// Waits for a unary answer no longer than openraft allows.
    async fn answer<T>(
        &self,
        action: RPCTypes,
        option: &RPCOption,
        call: impl Future<Output = Result<tonic::Response<T>, Status>>,
    ) -> Result<T, RpcError> {
        let timeout = option.hard_ttl();
        match tokio::time::timeout(timeout, call).await {
            Ok(answer) => {
                let answer = answer.map_err(|status| {
                    if seeded(Bug::RemovalByStatus) && status.code() == Code::PermissionDenied {
                        self.shared.become_removed(status.message());
                    }
                    self.shared.heed_refusal(&self.identity, self.target, &status);
                    rpc_error(&status)
                })?;
                Ok(answer.into_inner())
            }
            Err(_) => Err(RPCError::Timeout(Timeout {
                action,
                id: self.identity.node_id,
                target: self.target,
                timeout,
            })),
        }
    }
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = CheckpointFile;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        let input = futures::stream::iter([request]);
        let mut results = self.stream_append(input, option).await?;
        match results.next().await {
            Some(result) => Ok(result?.into()),
            None => Err(RPCError::Network(NetworkError::from_string("no answer"))),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<'s, Result<AppendResults<'s>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        let (client, identity) = (self.client(), self.identity.clone());
        let peer = (self.shared.clone(), self.identity.clone(), self.target);
        let pacing = self.pacing.clone();
        Box::pin(async move {
            pacing.wait().await;
            let unanswered = Arc::new(Unanswered::default());
            let (sent, shared, target) = (unanswered.clone(), self.shared.clone(), self.target);
            // Heartbeats come through streams of their own, which carry no entries.
            let carries_entries = Arc::new(AtomicBool::new(false));
            let carries = carries_entries.clone();
            let replicates = !matches!(*pacing, Pacing::Heartbeats);
            let term = Arc::new(AtomicU64::new(0));
            let sent_term = term.clone();
            let requests = input.map(move |request| {
                let committed = request.leader_commit.map_or(0, |committed| committed.index);
                // A request of replication without entries may lack them because they were purged.
                let prev = request.prev_log_id.map_or(0, |prev| prev.index);
                let lacks_entries = || replicates && prev < shared.log.purged_index();
                if !request.entries.is_empty() || lacks_entries() {
                    carries.store(true, Ordering::Relaxed);
                }
                shared.applied.note_told(committed);
                sent.sent(&request);
                sent_term.store(request.vote.leader_id.term, Ordering::Relaxed);
                let route = shared.route_to(&identity, target);
                let message = convert::append_to_proto(route, &request);
                let leader = Some(shared.leader_report(target, &request));
                proto::AppendRequest { leader, ..message }
            });
            let shared = self.shared.clone();
            let heard = move |report: Option<proto::FollowerReport>| {
                shared.note_level(target, report.as_ref());
                // A version that does not report is heard of too.
                let report = report.unwrap_or_default();
                shared.take_follower_report(target, term.load(Ordering::Relaxed), &report);
            };
            let opened = tokio::time::timeout(APPEND_SILENCE_MAX, client?.append(requests)).await;
            let error = match opened {
                Ok(Ok(answers)) => {
                    let results = append_results(answers.into_inner(), unanswered, heard, peer);
                    let results = paced(results, pacing);
                    return Ok(end_for_want_of_room(results, self.shared.clone(), carries_entries));
                }
                Ok(Err(status)) => {
                    self.shared.heed_refusal(&self.identity, self.target, &status);
                    rpc_error(&status)
                }
                Err(_) => silence(),
            };
            // Another version of the program may come up there.
            self.shared.forget_level(self.target);
            pacing.failed().await;
            Err(error)
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let mut client = self.client()?;
        let message = convert::vote_request_to_proto(self.envelope(), &request);
        let answer = self.answer(RPCTypes::Vote, &option, client.vote(message)).await?;
        self.counted_vote(&answer)
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let mut client = self.client()?;
        let message = convert::vote_request_to_proto(self.envelope(), &request);
        let answer = self.answer(RPCTypes::Vote, &option, client.pre_vote(message)).await?;
        self.counted_vote(&answer)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<CheckpointFile>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let client = self.client()?;
        let worker = self.shared.incoming.worker();
        let piece_bytes = self.shared.config.load().raft.snapshot_chunk_bytes;
        let sending = send_snapshot(worker, client, self.envelope(), vote, snapshot, piece_bytes);
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = sending => {
                if sent.as_ref().is_err_and(|status| status.code() == Code::DataLoss) {
                    self.shared.checkpoints.check_in_force().await;
                }
                let vote = sent.map_err(|status| rpc_error(&status))?;
                Ok(SnapshotResponse::new(vote))
            }
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let mut client = self.client()?;
        let message = convert::transfer_to_proto(self.envelope(), &request);
        let call = client.transfer_leader(message);
        let answer = self.answer(RPCTypes::TransferLeader, &option, call).await?;
        convert::transfer_response_from_proto(&answer).map_err(|error| damaged(&error))
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(RETRY_AFTER)))
    }
}

/// The answers of a replication stream; ends with an error after long silence while some are due.
fn append_results<'s>(
    answers: tonic::Streaming<proto::AppendResponse>,
    unanswered: Arc<Unanswered>,
    heard: impl Fn(Option<proto::FollowerReport>) + Send + 's,
    peer: (Arc<Shared>, Arc<Identity>, NodeId),
) -> AppendResults<'s> {
    let state = Some((answers, unanswered, heard, peer));
    let results = futures::stream::unfold(state, async |state| {
        let (mut answers, unanswered, heard, peer) = state?;
        loop {
            let answer = match tokio::time::timeout(APPEND_SILENCE_MAX, answers.message()).await {
                Ok(Ok(Some(answer))) => answer,
                Ok(Ok(None)) => return None,
                Ok(Err(status)) => {
                    peer.0.heed_refusal(&peer.1, peer.2, &status);
                    return Some((Err(rpc_error(&status)), None));
                }
                Err(_) if unanswered.is_empty() => continue,
                Err(_) => return Some((Err(silence()), None)),
            };
            if let Err(status) = counts(&peer, answer.follower.as_ref()) {
                return Some((Err(rpc_error(&status)), None));
            }
            let result = convert::append_result_from_proto(&answer);
            // Also with a conflict: openraft counts it for the lease.
            if let Ok(Ok(_) | Err(StreamAppendError::Conflict(_))) = &result {
                heard(answer.follower);
            }
            match result {
                Ok(Ok(matching)) if unanswered.answered(matching) => {}
                Ok(Ok(matching)) => {
                    return Some((Ok(Ok(matching)), Some((answers, unanswered, heard, peer))));
                }
                Ok(Err(refused)) => {
                    if let StreamAppendError::Conflict(at) = &refused {
                        peer.0.heed_conflict(peer.2, at).await;
                    }
                    return Some((Ok(Err(refused)), None));
                }
                Err(error) => return Some((Err(damaged(&error)), None)),
            }
        }
    });
    Box::pin(results)
}

/// Notes what the pace of further attempts depends on. openraft pauses within the requests, which a
/// stream that never opens, or ends before the first of them, does not ask for.
fn paced<'s>(results: AppendResults<'s>, pacing: Arc<Pacing>) -> AppendResults<'s> {
    Box::pin(results.then(move |result| {
        let pacing = pacing.clone();
        async move {
            match &result {
                Ok(_) => pacing.answered(),
                Err(_) => pacing.failed().await,
            }
            result
        }
    }))
}

/// Whether an answer to replication counts: it comes from the one process that speaks for its node,
/// and this node may count.
fn counts(
    (shared, identity, peer): &(Arc<Shared>, Arc<Identity>, NodeId),
    report: Option<&proto::FollowerReport>,
) -> Result<(), Status> {
    if shared.is_in_doubt() {
        return Err(Status::unavailable("this node takes no part until its data is confirmed"));
    }
    let lineage = report.and_then(|report| report.lineage.as_ref());
    shared.check_lineage(identity, *peer, lineage)?;
    let Some(told) = lineage.map(convert::told_from_proto) else { return Ok(()) };
    if shared.incarnations.note_heard(*peer, told)
        || shared.standings.registration_of(*peer).is_none()
    {
        return Ok(());
    }
    shared.incarnations.ask_to_renew(*peer);
    let text = format!("two processes answer as node {peer}; one of them runs on a copy");
    Err(Status::unavailable(text))
}

/// Ends a stream that carries entries when the peer needs some that must leave the log for want of
/// room: the core keeps them while a stream may need them. The peer gets a snapshot then.
fn end_for_want_of_room<'s>(
    results: AppendResults<'s>,
    shared: Arc<Shared>,
    carries_entries: Arc<AtomicBool>,
) -> AppendResults<'s> {
    Box::pin(results.map(move |result| {
        let Ok(Ok(matching)) = &result else { return result };
        let matched = matching.map_or(0, |id| id.index);
        if carries_entries.load(Ordering::Relaxed) && shared.room.wants_back(matched) {
            let text = "the disk lacks room for the entries that the peer needs";
            return Err(RPCError::Network(NetworkError::from_string(text)));
        }
        result
    }))
}

fn silence() -> RpcError {
    RPCError::Network(NetworkError::from_string("the peer does not answer replication"))
}

fn damaged(error: &convert::ConvertError) -> RpcError {
    RPCError::Network(NetworkError::new(error))
}

fn rpc_error(status: &Status) -> RpcError {
    match status.code() {
        // Nobody there, or somebody else: no use in trying again at once.
        Code::Unavailable | Code::FailedPrecondition => {
            RPCError::Unreachable(Unreachable::from_string(reason(status)))
        }
        _ => RPCError::Network(NetworkError::from_string(status.message())),
    }
}

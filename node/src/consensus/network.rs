//! What openraft says to other nodes. Replication is one bidirectional stream; heartbeats, votes
//! and snapshots have connections of their own.

use std::future::Future;
use std::sync::Arc;
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
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::convert;
use super::peers::{Identity, reason, sized_client};
use super::shared::Shared;
use super::snapshot::{CheckpointFile, send_snapshot};
use super::types::{MemberAddresses, Snapshot, TypeConfig, Vote};
use super::unanswered::Unanswered;
use crate::base::ids::NodeId;

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
}

impl RaftNetworkFactory<TypeConfig> for NetworkFactory {
    type Network = Peer;

    // openraft calls this for replication and, through the provided methods, once more for
    // heartbeats and for snapshots: three channels.
    async fn new_client(&mut self, target: NodeId, node: &MemberAddresses) -> Peer {
        Peer::new(self.shared.clone(), self.identity.clone(), target, node)
    }
}

/// One peer, for one purpose.
pub(crate) struct Peer {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    target: NodeId,
    /// An address that is none is known at once and reported at every use.
    channel: Result<Channel, String>,
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
        let channel = shared.peers.channel(&node.raft).map_err(|error| error.to_string());
        Self { shared, identity, target, channel }
    }

    fn client(&self) -> Result<RaftServiceClient<Channel>, RpcError> {
        let channel = self.channel.clone().map_err(|error| {
            RPCError::Unreachable(Unreachable::from_string(format!("bad address: {error}")))
        })?;
        Ok(sized_client!(RaftServiceClient::new(channel)))
    }

    fn route(&self) -> ironkv_proto::types::v1::Route {
        self.identity.route_to(self.target)
    }

    /// A member that knows this node to be removed says so when it asks for votes.
    fn heed_removal(&self, status: &Status) {
        if status.code() == Code::PermissionDenied {
            self.shared.become_removed(status.message());
        }
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
                    self.heed_removal(&status);
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
        let (client, route) = (self.client(), self.route());
        Box::pin(async move {
            let unanswered = Arc::new(Unanswered::default());
            let sent = unanswered.clone();
            let requests = input.map(move |request| {
                sent.sent(&request);
                convert::append_to_proto(route.clone(), &request)
            });
            let opened = tokio::time::timeout(APPEND_SILENCE_MAX, client?.append(requests)).await;
            let error = match opened {
                Ok(Ok(answers)) => return Ok(append_results(answers.into_inner(), unanswered)),
                Ok(Err(status)) => rpc_error(&status),
                Err(_) => silence(),
            };
            // openraft paces its attempts by pausing within the requests, which a stream that never
            // opens does not ask for.
            tokio::time::sleep(RETRY_AFTER).await;
            Err(error)
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let mut client = self.client()?;
        let message = convert::vote_request_to_proto(self.route(), &request);
        let answer = self.answer(RPCTypes::Vote, &option, client.vote(message)).await?;
        convert::vote_response_from_proto(&answer).map_err(|error| damaged(&error))
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let mut client = self.client()?;
        let message = convert::vote_request_to_proto(self.route(), &request);
        let answer = self.answer(RPCTypes::Vote, &option, client.pre_vote(message)).await?;
        convert::vote_response_from_proto(&answer).map_err(|error| damaged(&error))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<CheckpointFile>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let client = self.client()?;
        let sending = send_snapshot(client, self.route(), vote, snapshot);
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = sending => {
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
        let message = convert::transfer_to_proto(self.route(), &request);
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
) -> AppendResults<'s> {
    let results = futures::stream::unfold(Some((answers, unanswered)), async |state| {
        let (mut answers, unanswered) = state?;
        loop {
            let answer = match tokio::time::timeout(APPEND_SILENCE_MAX, answers.message()).await {
                Ok(Ok(Some(answer))) => answer,
                Ok(Ok(None)) => return None,
                Ok(Err(status)) => return Some((Err(rpc_error(&status)), None)),
                Err(_) if unanswered.is_empty() => continue,
                Err(_) => return Some((Err(silence()), None)),
            };
            match convert::append_result_from_proto(&answer) {
                Ok(Ok(matching)) if unanswered.answered(matching) => {}
                Ok(Ok(matching)) => return Some((Ok(Ok(matching)), Some((answers, unanswered)))),
                Ok(Err(refused)) => return Some((Ok(Err(refused)), None)),
                Err(error) => return Some((Err(damaged(&error)), None)),
            }
        }
    });
    Box::pin(results)
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

//! Consensus between nodes: passes every message to the group.

use std::pin::Pin;

use futures::Stream;
use ironkv_proto::raft::v1::raft_service_server::RaftService;
use ironkv_proto::raft::v1::{
    AppendRequest, AppendResponse, InstallSnapshotResponse, SnapshotChunk, SnapshotProgressRequest,
    SnapshotProgressResponse, TransferLeaderRequest, TransferLeaderResponse, VoteRequest,
    VoteResponse,
};
use tonic::{Request, Response, Status, Streaming};

use crate::consensus::Group;

pub(super) struct RaftRpc(pub(super) Group);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl RaftService for RaftRpc {
    type AppendStream = Pin<Box<dyn Stream<Item = Result<AppendResponse, Status>> + Send>>;

    async fn append(
        &self,
        request: Request<Streaming<AppendRequest>>,
    ) -> Answer<Self::AppendStream> {
        self.0.handle_append(request.into_inner()).map(Response::new)
    }

    async fn vote(&self, request: Request<VoteRequest>) -> Answer<VoteResponse> {
        self.0.handle_vote(request.into_inner(), false).await.map(Response::new)
    }

    async fn pre_vote(&self, request: Request<VoteRequest>) -> Answer<VoteResponse> {
        self.0.handle_vote(request.into_inner(), true).await.map(Response::new)
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Answer<TransferLeaderResponse> {
        self.0.handle_transfer(request.into_inner()).await.map(Response::new)
    }

    async fn snapshot_progress(
        &self,
        request: Request<SnapshotProgressRequest>,
    ) -> Answer<SnapshotProgressResponse> {
        self.0.handle_snapshot_progress(&request.into_inner()).await.map(Response::new)
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<SnapshotChunk>>,
    ) -> Answer<InstallSnapshotResponse> {
        self.0.handle_snapshot(request.into_inner()).await.map(Response::new)
    }
}

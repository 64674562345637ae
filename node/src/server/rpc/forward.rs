//! Work that followers forward to the leader.

use std::pin::Pin;

use futures::Stream;
use ironkv_proto::forward::v1::forward_service_server::ForwardService;
use ironkv_proto::forward::v1::{FlushedRequest, FlushedResponse, ForwardReply, ForwardRequest};
use tonic::{Request, Response, Status, Streaming};

use crate::consensus::Group;

pub(super) struct Forward(pub(super) Group);

#[tonic::async_trait]
impl ForwardService for Forward {
    type ForwardStream = Pin<Box<dyn Stream<Item = Result<ForwardReply, Status>> + Send>>;

    async fn forward(
        &self,
        request: Request<Streaming<ForwardRequest>>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        self.0.handle_forward(request.into_inner()).map(Response::new)
    }

    async fn flushed(
        &self,
        request: Request<FlushedRequest>,
    ) -> Result<Response<FlushedResponse>, Status> {
        self.0.handle_flushed(request.into_inner()).await.map(Response::new)
    }
}

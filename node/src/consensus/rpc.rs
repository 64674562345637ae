//! What a group does with messages from other nodes. The services in `server/rpc` only pass them
//! on.

use std::pin::Pin;
use std::sync::Arc;

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use ironkv_proto::forward::v1 as forward;
use ironkv_proto::raft::v1 as raft;
use ironkv_proto::types::v1::Route;
use tonic::Status;

use super::campaign::LeaderStream;
use super::convert;
use super::forward::{Work, answer_to_proto, start_on_leader, work_from_proto};
use super::group::Group;
use super::shared::{Core, Shared};
use super::snapshot::SnapshotReceiver;
use crate::base::ids::NodeId;
use crate::commands::request::decode_units;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Group {
    /// Replication from a leader.
    pub fn handle_append<S>(&self, requests: S) -> Result<Answers<raft::AppendResponse>, Status>
    where
        S: Stream<Item = Result<raft::AppendRequest, Status>> + Send + 'static,
    {
        let core = core(&self.0)?;
        let identity = core.identity.clone();
        let mut leader = LeaderStream::new(self.0.clone());
        // A message that is not meant for this node, or damaged, ends the stream.
        let accepted =
            requests.scan((), |(), request| std::future::ready(request.ok())).map(move |request| {
                identity.accept(request.route.as_ref()).map_err(Status::failed_precondition)?;
                let converted = convert::append_from_proto(&request)
                    .map_err(|error| Status::invalid_argument(error.to_string()))?;
                leader.note_contact();
                Ok::<_, Status>(converted)
            });
        let (refusal_sender, refusal) = tokio::sync::oneshot::channel();
        let mut refusal_sender = Some(refusal_sender);
        let accepted = accepted.scan((), move |(), request| {
            std::future::ready(
                request
                    .map_err(|status| {
                        if let Some(sender) = refusal_sender.take() {
                            let _ = sender.send(status);
                        }
                    })
                    .ok(),
            )
        });
        let answers = core.raft.stream_append(accepted).map(|result| {
            result
                .map(|result| convert::append_result_to_proto(&result))
                .map_err(|error| Status::unavailable(error.to_string()))
        });
        let refused = futures::stream::once(refusal)
            .filter_map(|status| std::future::ready(status.ok().map(Err)));
        Ok(Box::pin(answers.chain(refused)))
    }

    /// A candidate's request for this node's vote.
    pub async fn handle_vote(
        &self,
        request: raft::VoteRequest,
        pre_vote: bool,
    ) -> Result<raft::VoteResponse, Status> {
        let core = accept(&self.0, request.route.as_ref())?;
        let converted = convert::vote_request_from_proto(&request)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let candidate = converted.vote.leader_id.node_id;
        self.refuse_removed(candidate)?;
        if self.0.guard.is_active() {
            return Err(Status::unavailable(
                "this node restarted a moment ago and keeps from voting until old leases are over",
            ));
        }
        let answer = if pre_vote {
            core.raft.pre_vote(converted).await
        } else {
            core.raft.vote(converted).await
        };
        let answer = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(convert::vote_response_to_proto(&answer))
    }

    /// A leader hands over.
    pub async fn handle_transfer(
        &self,
        request: raft::TransferLeaderRequest,
    ) -> Result<raft::TransferLeaderResponse, Status> {
        let core = accept(&self.0, request.route.as_ref())?;
        let converted = convert::transfer_from_proto(&request)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let answer = core.raft.handle_transfer_leader(converted).await;
        let answer = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(convert::transfer_response_to_proto(&answer))
    }

    /// How much of a snapshot is here already.
    pub fn handle_snapshot_progress(
        &self,
        request: &raft::SnapshotProgressRequest,
    ) -> Result<raft::SnapshotProgressResponse, Status> {
        accept(&self.0, request.route.as_ref())?;
        let offset = receiver(&self.0)
            .progress(&request.name, request.bytes)
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(raft::SnapshotProgressResponse { offset })
    }

    /// A snapshot in pieces; installed when whole.
    pub async fn handle_snapshot<S>(
        &self,
        chunks: S,
    ) -> Result<raft::InstallSnapshotResponse, Status>
    where
        S: Stream<Item = Result<raft::SnapshotChunk, Status>> + Send + Unpin + 'static,
    {
        let core = core(&self.0)?;
        let _alone = self.0.receiving.lock().await;
        let identity = core.identity.clone();
        let checked = chunks.map(move |chunk| {
            let chunk = chunk?;
            identity.accept(chunk.route.as_ref()).map_err(Status::failed_precondition)?;
            Ok(chunk)
        });
        let received = receiver(&self.0).receive(checked).await?;
        let answer = core
            .raft
            .install_full_snapshot(received.vote, received.snapshot)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(raft::InstallSnapshotResponse { vote: Some(convert::vote_to_proto(&answer.vote)) })
    }

    /// A follower's requests; started in order, answered as they finish.
    pub fn handle_forward<S>(&self, requests: S) -> Result<Answers<forward::ForwardReply>, Status>
    where
        S: Stream<Item = Result<forward::ForwardRequest, Status>> + Send + Unpin + 'static,
    {
        let core = core(&self.0)?;
        let (replies, answers) = tokio::sync::mpsc::channel(64);
        let (shared, identity) = (self.0.clone(), core.identity.clone());
        tokio::spawn(async move {
            let mut requests = requests.fuse();
            let mut working = FuturesUnordered::new();
            loop {
                tokio::select! {
                    request = requests.next(), if !requests.is_done() => {
                        let Some(Ok(request)) = request else { continue };
                        if let Err(reason) = identity.accept(request.route.as_ref()) {
                            let _ = replies.send(Err(Status::failed_precondition(reason))).await;
                            return;
                        }
                        let Some(work) = request.work.map(work_from_proto) else { return };
                        if let Err(reason) = check_work(&work) {
                            let _ = replies.send(Err(Status::invalid_argument(reason))).await;
                            return;
                        }
                        let (id, answer) = (request.id, start_on_leader(&shared, work));
                        working.push(async move {
                            let result = Some(answer_to_proto(&answer.await));
                            forward::ForwardReply { id, result }
                        });
                    }
                    Some(reply) = working.next() => {
                        if replies.send(Ok(reply)).await.is_err() {
                            return;
                        }
                    }
                    else => return,
                }
            }
        });
        Ok(Box::pin(tokio_stream::wrappers::ReceiverStream::new(answers)))
    }

    fn refuse_removed(&self, candidate: NodeId) -> Result<(), Status> {
        if self.0.tombstones.contains(candidate) {
            let text = format!("node {candidate} was removed from this cluster");
            return Err(Status::permission_denied(text));
        }
        Ok(())
    }
}

/// What cannot be executed must not get into the log, where it would stop every replica.
fn check_work(work: &Work) -> Result<(), String> {
    let Work::Propose(request) = work else { return Ok(()) };
    let mut units = 0;
    for unit in decode_units(&request.bytes).map_err(|error| error.to_string())? {
        unit.map_err(|error| error.to_string())?;
        units += 1;
    }
    if units == request.units { Ok(()) } else { Err("the request says a wrong length".to_owned()) }
}

fn core(shared: &Shared) -> Result<&Core, Status> {
    if shared.ended.borrow().is_some() {
        return Err(Status::unavailable("this node has ended"));
    }
    shared.core.get().ok_or_else(|| Status::failed_precondition("this node has no identity yet"))
}

fn accept<'a>(shared: &'a Arc<Shared>, route: Option<&Route>) -> Result<&'a Core, Status> {
    let core = core(shared)?;
    core.identity.accept(route).map_err(Status::failed_precondition)?;
    Ok(core)
}

fn receiver(shared: &Shared) -> SnapshotReceiver {
    SnapshotReceiver::new(shared.disk.clone(), &shared.directory)
}

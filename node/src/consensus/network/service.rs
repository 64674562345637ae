//! What a group does with messages from other nodes. The services in `server/rpc` only pass them
//! on.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use ironkv_proto::forward::v1 as forward;
use ironkv_proto::raft::v1 as raft;
use ironkv_proto::types::v1::Route;
use openraft::raft::StreamAppendError;
use tokio::sync::mpsc::error::SendError;
use tokio::time::Instant;
use tonic::Status;

use super::append_room::with_room;
use super::convert;
use super::early_election::LeaderStream;
use super::reports::UnansweredReports;
use crate::base::ids::NodeId;
use crate::commands::request::decode_units;
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::group::Group;
use crate::consensus::proposal::claim::Claim;
use crate::consensus::proposal::forward::messages::{
    answer_to_proto, join_pieces, work_from_proto,
};
use crate::consensus::proposal::forward::{Answered, Work, start_on_leader};
use crate::consensus::proposal::pieces::Assembly;
use crate::consensus::shared::{Core, Shared};
use crate::consensus::snapshot::incoming::{Progress, Received};

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Group {
    /// Replication from a leader.
    pub fn handle_append<S>(&self, requests: S) -> Result<Answers<raft::AppendResponse>, Status>
    where
        S: Stream<Item = Result<raft::AppendRequest, Status>> + Send + 'static,
    {
        let core = core(&self.0)?;
        let (wanted, requests) = with_room(self.0.clone(), requests);
        let (identity, this) = (core.identity.clone(), self.0.clone());
        let mut leader = LeaderStream::new(self.0.clone());
        let shared = self.0.clone();
        let reports = UnansweredReports::default();
        let (received, receiver) = (reports.clone(), self.0.clone());
        // A message that is not meant for this node, or damaged, ends the stream.
        let accepted =
            requests.scan((), |(), request| std::future::ready(request.ok())).map(move |request| {
                let claimed = request.vote.as_ref().map(|vote| NodeId(vote.node_id));
                this.accept(&identity, request.route.as_ref(), claimed)?;
                let converted = convert::append_from_proto(&request)
                    .map_err(|error| Status::invalid_argument(error.to_string()))?;
                shared.check_append(&converted).map_err(Status::failed_precondition)?;
                received.received(&receiver, &request);
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
        let shared = self.0.clone();
        let answers = core.raft.stream_append(accepted).map(move |result| {
            let _wanted = &wanted;
            let result = result.map_err(|error| Status::unavailable(error.to_string()))?;
            // A leader whose vote is too low is none, however well it is heard.
            if !matches!(result, Err(StreamAppendError::HigherVote(_))) {
                leader.note_contact();
                reports.accepted(&shared);
            }
            let follower = Some(shared.follower_report());
            Ok(raft::AppendResponse { follower, ..convert::append_result_to_proto(&result) })
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
        let core = core(&self.0)?;
        let converted = convert::vote_request_from_proto(&request)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let candidate = converted.vote.leader_id.node_id;
        self.0.accept_candidate(&core.identity, request.route.as_ref(), candidate)?;
        self.refuse_removed(candidate)?;
        if self.0.guard.is_active() {
            return Err(Status::unavailable(
                "this node restarted a moment ago and keeps from voting until old leases are over",
            ));
        }
        self.refuse_to_vote()?;
        let answer = if pre_vote {
            core.raft.pre_vote(converted).await
        } else {
            core.raft.vote(converted).await
        };
        let answer = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        let lineage = convert::told_to_proto(self.0.incarnations.told());
        Ok(convert::vote_response_to_proto(&answer, lineage))
    }

    /// A leader hands over.
    pub async fn handle_transfer(
        &self,
        request: raft::TransferLeaderRequest,
    ) -> Result<raft::TransferLeaderResponse, Status> {
        let core = accept(&self.0, request.route.as_ref())?;
        self.refuse_to_vote()?;
        let converted = convert::transfer_from_proto(&request)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let answer = core.raft.handle_transfer_leader(converted).await;
        let answer = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(convert::transfer_response_to_proto(&answer))
    }

    /// How much of a snapshot is here already.
    pub async fn handle_snapshot_progress(
        &self,
        request: &raft::SnapshotProgressRequest,
    ) -> Result<raft::SnapshotProgressResponse, Status> {
        accept(&self.0, request.route.as_ref())?;
        let progress = self.0.incoming.progress(&request.name, request.bytes).await;
        match progress.map_err(|error| Status::from(&error))? {
            Progress::From(offset) => {
                Ok(raft::SnapshotProgressResponse { offset, ..Default::default() })
            }
            Progress::Hold(hold) => {
                Ok(raft::SnapshotProgressResponse { offset: 0, hold: hold.into() })
            }
        }
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
        let (identity, this) = (core.identity.clone(), self.0.clone());
        let checked = chunks.map(move |chunk| {
            let chunk = chunk?;
            this.accept(&identity, chunk.route.as_ref(), None)?;
            Ok(chunk)
        });
        let incoming = self.0.incoming.clone();
        let Received { vote, snapshot, hold } = incoming.receive(checked).await?;
        let (raft, this) = (core.raft.clone(), self.0.clone());
        // The sender may hang up meanwhile; the file is the core's until it is done with it.
        let installing = tokio::spawn(async move {
            let allowed = this
                .check_snapshot(&vote, snapshot.meta.last_log_id)
                .map_err(Status::failed_precondition);
            let answer = match allowed {
                Ok(()) => raft
                    .install_full_snapshot(vote, snapshot)
                    .await
                    .map_err(|error| Status::unavailable(error.to_string())),
                Err(refused) => Err(refused),
            };
            drop(hold);
            if let Err(error) = incoming.remove_leftovers().await {
                tracing::warn!(%error, "cannot remove what snapshots left");
            }
            answer
        });
        let answer = installing.await.map_err(|error| Status::internal(error.to_string()))??;
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
            let mut unfinished = None;
            loop {
                tokio::select! {
                    request = requests.next(), if !requests.is_done() => {
                        let request = match request {
                            Some(Ok(request)) => request,
                            // The follower is gone: what is not yet in an entry is withdrawn.
                            Some(Err(_)) => return,
                            None => continue,
                        };
                        let accepted = shared.accept(&identity, request.route.as_ref(), None);
                        if let Err(status) = accepted {
                            let _ = replies.send(Err(status)).await;
                            return;
                        }
                        let (id, takes_pieces) = (request.id, request.takes_pieces);
                        let time_left_ms = request.time_left_ms;
                        let Some(work) = whole_work(&mut unfinished, request) else { continue };
                        let answer = start_forwarded(&shared, work, time_left_ms);
                        working.push(async move {
                            answer_to_proto(id, answer.await, takes_pieces)
                        });
                    }
                    Some(messages) = working.next() => {
                        if send_reply(&replies, messages).await.is_err() {
                            return;
                        }
                    }
                    () = replies.closed() => return,
                    else => return,
                }
            }
        });
        Ok(Box::pin(tokio_stream::wrappers::ReceiverStream::new(answers)))
    }

    /// A vote has to be flushed, and while the core waits for that it hears nobody. With an
    /// objection the node stays with the leader that it has.
    fn refuse_to_vote(&self) -> Result<(), Status> {
        if self.0.has_objection() {
            return Err(Status::unavailable("a member says that the data of this node is old"));
        }
        if self.0.disk_stall.is_stalled() {
            return Err(Status::unavailable("the disk of this node does not answer"));
        }
        Ok(())
    }

    /// A candidate must not act on this refusal: it asks a majority, see `standing.rs`. Version
    /// 0.1.0 acts on the status code, so it stays what it was.
    fn refuse_removed(&self, candidate: NodeId) -> Result<(), Status> {
        if self.0.standings.is_removed(candidate) {
            let text = format!("node {candidate} was removed from this cluster");
            return Err(Status::permission_denied(text));
        }
        Ok(())
    }
}

type Replies = tokio::sync::mpsc::Sender<Result<forward::ForwardReply, Status>>;

/// Sends the messages of one answer; many of them beside those of other answers.
async fn send_reply(
    replies: &Replies,
    mut messages: Vec<forward::ForwardReply>,
) -> Result<(), SendError<Result<forward::ForwardReply, Status>>> {
    if messages.len() > 1 {
        let replies = replies.clone();
        tokio::spawn(async move {
            for message in messages {
                if replies.send(Ok(message)).await.is_err() {
                    return;
                }
            }
        });
        return Ok(());
    }
    match messages.pop() {
        Some(message) => replies.send(Ok(message)).await,
        None => Ok(()),
    }
}

/// The work of a message, once all its pieces have come; the error says why it cannot be read.
fn whole_work(
    unfinished: &mut Option<Assembly>,
    request: forward::ForwardRequest,
) -> Option<Result<Work, String>> {
    let Some(work) = request.work else {
        return Some(Err("it is of an unknown kind".to_owned()));
    };
    match join_pieces(unfinished, request.id, work) {
        Ok(whole) => Some(Ok(work_from_proto(whole))),
        Err(reason) => reason.map(|reason| Err(reason.to_owned())),
    }
}

/// Starts one request of a follower; what this program cannot execute is refused alone.
fn start_forwarded(
    shared: &Arc<Shared>,
    work: Result<Work, String>,
    time_left_ms: u32,
) -> impl Future<Output = Answered> + Send + 'static {
    let time_left = match time_left_ms {
        0 => shared.request_timeout(),
        left_ms => Duration::from_millis(left_ms.into()),
    };
    let checked = work.and_then(|mut work| check_work(&mut work).map(|()| work));
    let started = checked
        .map(|work| start_on_leader(shared, work, Instant::now() + time_left, Claim::default()));
    async move {
        match started {
            Ok(answer) => answer.await,
            Err(reason) => Err(ProposeError::NotExecuted(Refusal::Invalid(format!(
                "ERR not executed: the leader cannot read this request, it may run another \
                 version: {reason}"
            )))),
        }
    }
}

/// What cannot be executed must not get into the log, where it would stop every replica.
fn check_work(work: &mut Work) -> Result<(), String> {
    let Work::Propose(request) = work else { return Ok(()) };
    let mut units = 0;
    for unit in decode_units(&request.bytes).map_err(|error| error.to_string())? {
        let unit = unit.map_err(|error| error.to_string())?;
        request.needs_level = request.needs_level.max(unit.needs_level());
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

pub(crate) fn accept<'a>(
    shared: &'a Arc<Shared>,
    route: Option<&Route>,
) -> Result<&'a Core, Status> {
    let core = core(shared)?;
    shared.accept(&core.identity, route, None)?;
    Ok(core)
}

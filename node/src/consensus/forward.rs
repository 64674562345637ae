//! A follower's requests to the leader: one ordered stream, answers by id. Whatever was under way
//! when a stream breaks has an unknown fate and is never sent again.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ironkv_proto::forward::v1 as proto;
use ironkv_proto::forward::v1::forward_service_client::ForwardServiceClient;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::convert::decode_replies;
use super::errors::{ProposeError, Refusal};
use super::peers::{Identity, sized_client};
use super::reads;
use super::shared::Shared;
use crate::base::ids::NodeId;
use crate::base::planted::{Bug, planted};
use crate::commands::request::Request;
use crate::resp::Reply;

/// What the leader is asked.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Propose(Request),
    SetParameter { name: String, value: Bytes },
    ReadIndex,
    Replicas(u64),
}

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Replies(Vec<Reply>),
    ReadIndex(u64),
    Replicas(u32),
}

pub(crate) type Answered = Result<Answer, ProposeError>;

/// One request to the leader, whoever it is.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) done: oneshot::Sender<Answered>,
}

/// Sends jobs in order; runs on the raft thread.
pub(crate) struct Forwarder {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    queue: mpsc::UnboundedReceiver<Job>,
    link: Option<Link>,
    next_id: u64,
}

/// A stream to one leader.
struct Link {
    leader: NodeId,
    requests: mpsc::UnboundedSender<proto::ForwardRequest>,
    pending: Arc<Pending>,
}

/// Requests under way; `None` once the stream is broken.
struct Pending(Mutex<Option<BTreeMap<u64, oneshot::Sender<Answered>>>>);

impl Forwarder {
    pub(crate) const fn new(
        shared: Arc<Shared>,
        identity: Arc<Identity>,
        queue: mpsc::UnboundedReceiver<Job>,
    ) -> Self {
        Self { shared, identity, queue, link: None, next_id: 0 }
    }

    /// Ends when the group is dropped.
    pub(crate) async fn run(mut self) {
        while let Some(job) = self.queue.recv().await {
            self.send(job).await;
        }
    }

    async fn send(&mut self, job: Job) {
        let Some(leader) = self.shared.wait_for_leader().await else {
            return refuse(job.done);
        };
        if leader == self.identity.node_id {
            return self.run_here(job);
        }
        if !self.link.as_ref().is_some_and(|link| link.is_usable(leader)) {
            // Requests on the old link are still answered by it.
            self.link = self.open(leader).await;
        }
        let Some(link) = &self.link else { return refuse(job.done) };
        self.next_id += 1;
        let id = self.next_id;
        if let Some(done) = link.pending.insert(id, job.done) {
            return refuse(done);
        }
        let request = proto::ForwardRequest {
            route: Some(self.identity.route_to(leader)),
            id,
            work: Some(work_to_proto(job.work)),
        };
        if planted(Bug::DoubleApply) {
            let _ = link.requests.send(request.clone());
        }
        if link.requests.send(request).is_err()
            && let Some(done) = link.pending.take(id)
        {
            refuse(done);
        }
    }

    /// This node became the leader after the job was queued; nothing of it was sent anywhere.
    fn run_here(&self, job: Job) {
        let answer = start_on_leader(&self.shared, job.work);
        tokio::spawn(async move {
            let _ = job.done.send(answer.await);
        });
    }

    /// Connects before anything is sent, so that a failure to connect is certain.
    async fn open(&self, leader: NodeId) -> Option<Link> {
        let address = self.shared.address_of(leader)?;
        let channel = self.shared.peers.channel(&address.raft).ok()?;
        let mut client = sized_client!(ForwardServiceClient::new(channel));
        let (requests, stream) = mpsc::unbounded_channel();
        let opening = client.forward(UnboundedReceiverStream::new(stream));
        let opened = tokio::time::timeout(self.shared.leader_patience(), opening).await;
        let mut answers = match opened {
            Ok(Ok(answers)) => answers.into_inner(),
            Ok(Err(status)) => {
                tracing::debug!(%leader, %status, "cannot reach the leader");
                return None;
            }
            Err(_) => return None,
        };
        let pending = Arc::new(Pending(Mutex::new(Some(BTreeMap::new()))));
        let waiting = pending.clone();
        tokio::spawn(async move {
            while let Ok(Some(answer)) = answers.message().await {
                if let Some(done) = waiting.take(answer.id) {
                    let _ = done.send(answer_from_proto(answer.result));
                }
            }
            waiting.break_off();
        });
        Some(Link { leader, requests, pending })
    }
}

impl Link {
    fn is_usable(&self, leader: NodeId) -> bool {
        self.leader == leader && !self.requests.is_closed() && self.pending.0.lock().is_some()
    }
}

impl Pending {
    /// Gives the sender back when the stream is broken.
    fn insert(
        &self,
        id: u64,
        done: oneshot::Sender<Answered>,
    ) -> Option<oneshot::Sender<Answered>> {
        match &mut *self.0.lock() {
            Some(pending) => {
                pending.insert(id, done);
                None
            }
            None => Some(done),
        }
    }

    fn take(&self, id: u64) -> Option<oneshot::Sender<Answered>> {
        self.0.lock().as_mut().and_then(|pending| pending.remove(&id))
    }

    fn break_off(&self) {
        let pending = self.0.lock().take().unwrap_or_default();
        for done in pending.into_values() {
            let _ = done.send(Err(ProposeError::Unknown));
        }
    }
}

fn refuse(done: oneshot::Sender<Answered>) {
    let _ = done.send(Err(ProposeError::NotExecuted(Refusal::NoLeader)));
}

/// Runs one job on the leader, for its own clients or for a follower's. Queues at the call; the
/// future waits for the answer.
pub(crate) fn start_on_leader(
    shared: &Arc<Shared>,
    work: Work,
) -> impl Future<Output = Answered> + Send + 'static {
    let shared = shared.clone();
    let queued = match &work {
        Work::Propose(request) => Some(shared.queue_request(request.clone())),
        Work::SetParameter { name, value } => {
            Some(shared.queue_parameter(name.clone(), value.clone()))
        }
        Work::ReadIndex | Work::Replicas(_) => None,
    };
    async move {
        match (work, queued) {
            (Work::ReadIndex, _) => {
                let refused = |_| ProposeError::NotExecuted(Refusal::NoLeader);
                reads::confirm(&shared).await.map(Answer::ReadIndex).map_err(refused)
            }
            (Work::Replicas(index), _) => Ok(Answer::Replicas(shared.replicas_with(index))),
            (_, Some(outcome)) => {
                let outcome = outcome.await.unwrap_or(Err(ProposeError::Unknown))?;
                super::shared::replies_of(outcome).map(Answer::Replies)
            }
            (_, None) => Err(ProposeError::Unknown),
        }
    }
}

fn work_to_proto(work: Work) -> proto::forward_request::Work {
    use proto::forward_request::Work as Message;
    match work {
        Work::Propose(request) => Message::Propose(proto::Propose {
            request: request.bytes,
            units: request.units,
            deny_oom: request.deny_oom,
        }),
        Work::SetParameter { name, value } => {
            Message::SetParameter(proto::SetParameter { name, value })
        }
        Work::ReadIndex => Message::ReadIndex(proto::ReadIndex {}),
        Work::Replicas(index) => Message::Replicas(proto::Replicas { index }),
    }
}

pub(crate) fn work_from_proto(work: proto::forward_request::Work) -> Work {
    use proto::forward_request::Work as Message;
    match work {
        Message::Propose(propose) => Work::Propose(Request {
            bytes: propose.request,
            units: propose.units,
            deny_oom: propose.deny_oom,
        }),
        Message::SetParameter(set) => Work::SetParameter { name: set.name, value: set.value },
        Message::ReadIndex(_) => Work::ReadIndex,
        Message::Replicas(replicas) => Work::Replicas(replicas.index),
    }
}

fn answer_from_proto(result: Option<proto::forward_reply::Result>) -> Answered {
    use proto::forward_reply::Result as Message;
    match result {
        Some(Message::Replies(replies)) => decode_replies(replies.encoded)
            .map(Answer::Replies)
            // Executed, but the answer cannot be read.
            .map_err(|_| ProposeError::Unknown),
        Some(Message::ReadIndex(index)) => Ok(Answer::ReadIndex(index)),
        Some(Message::Replicas(count)) => Ok(Answer::Replicas(count)),
        Some(Message::Refused(refused)) => Err(refusal_from_proto(&refused)),
        Some(Message::Unknown(_)) | None => Err(ProposeError::Unknown),
    }
}

fn refusal_from_proto(refused: &proto::Refused) -> ProposeError {
    use proto::refused::Reason;
    ProposeError::NotExecuted(match refused.reason() {
        Reason::NoLeader => Refusal::NoLeader,
        Reason::TooLarge => Refusal::TooLarge,
        Reason::Stopping => Refusal::Stopping,
        Reason::DiskFull => Refusal::DiskFull,
        Reason::Busy => Refusal::Busy,
        Reason::OutOfMemory => Refusal::OutOfMemory,
        Reason::Invalid => Refusal::Invalid(refused.detail.clone()),
        Reason::Unspecified => return ProposeError::Unknown,
    })
}

pub(crate) fn answer_to_proto(answered: &Answered) -> proto::forward_reply::Result {
    use proto::forward_reply::Result as Message;
    use proto::refused::Reason;
    let refusal = match answered {
        Ok(Answer::Replies(replies)) => {
            let encoded = super::convert::encode_replies(replies);
            return Message::Replies(proto::Replies { encoded, index: 0 });
        }
        Ok(Answer::ReadIndex(index)) => return Message::ReadIndex(*index),
        Ok(Answer::Replicas(count)) => return Message::Replicas(*count),
        Err(ProposeError::Unknown) => return Message::Unknown(proto::Unknown {}),
        Err(ProposeError::NotExecuted(refusal)) => refusal,
    };
    let (reason, detail) = match refusal {
        Refusal::NoLeader => (Reason::NoLeader, String::new()),
        Refusal::TooLarge => (Reason::TooLarge, String::new()),
        Refusal::Stopping => (Reason::Stopping, String::new()),
        Refusal::DiskFull => (Reason::DiskFull, String::new()),
        Refusal::Busy => (Reason::Busy, String::new()),
        Refusal::OutOfMemory => (Reason::OutOfMemory, String::new()),
        Refusal::Invalid(text) => (Reason::Invalid, text.clone()),
    };
    Message::Refused(proto::Refused { reason: reason.into(), detail })
}

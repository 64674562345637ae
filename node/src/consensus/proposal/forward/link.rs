//! Streams of requests to one leader. Every request is in one of two states: not yet pulled by
//! the transport, so certainly not executed, or sent. One that is large travels in pieces and is
//! sent with its last one; the next large one follows when it is answered, so that the leader holds
//! no more than one for each node.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use ironkv_proto::forward::v1 as proto;
use ironkv_proto::forward::v1::forward_reply::Result as Message;
use ironkv_proto::forward::v1::forward_request::Work as WorkMessage;
use ironkv_proto::forward::v1::forward_service_client::ForwardServiceClient;
use ironkv_proto::types::v1::Route;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;

use super::messages::{answer_from_proto, piece_to_proto, work_to_proto};
use super::{Answered, Job, Work};
use crate::base::ids::NodeId;
use crate::base::limits::{FORWARD_PIECE_BYTES, FORWARDED_REPLY_BYTES_MAX, PEER_MESSAGE_BYTES_MAX};
use crate::base::seeded::{Bug, seeded};
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::network::channels::{Identity, sized_client};
use crate::consensus::proposal::pieces::Piece;
use crate::consensus::shared::Shared;

/// Bytes of one answer: what the leader sends, and a piece that a newer one may add.
const RECEIVED_BYTES_MAX: usize = FORWARDED_REPLY_BYTES_MAX + PEER_MESSAGE_BYTES_MAX;

/// Jobs that were certainly not executed, on their way back to the forwarder.
pub(crate) type Returned = mpsc::UnboundedSender<Job>;

/// The streams to one leader. Large requests have one of their own, on a connection of its own, so
/// that nothing waits behind their bytes, the signs of life of the connection included.
pub(crate) struct Link {
    pub(crate) leader: NodeId,
    small: Lane,
    large: Lane,
    shared: Arc<Shared>,
}

/// One stream.
struct Lane {
    /// Ids of pending jobs, in the order in which they are to be sent.
    ids: mpsc::UnboundedSender<u64>,
    pending: Arc<Pending>,
    last_id: u64,
}

struct Pending {
    /// `None` once the stream is broken.
    jobs: Mutex<Option<Jobs>>,
    ids: mpsc::WeakUnboundedSender<u64>,
    piece_bytes: usize,
}

#[derive(Default)]
struct Jobs {
    by_id: BTreeMap<u64, PendingJob>,
    /// The one that travels in pieces, and those that will.
    large: VecDeque<u64>,
}

struct PendingJob {
    job: Job,
    sent: bool,
    /// Pieces that were sent.
    pieces: usize,
    /// What has come of an answer in pieces.
    received: BytesMut,
}

impl PendingJob {
    fn new(job: Job) -> Self {
        Self { job, sent: false, pieces: 0, received: BytesMut::new() }
    }
}

impl PendingJob {
    /// The message for all of it, which claims it; `None` when it was withdrawn.
    fn whole(&mut self) -> Option<WorkMessage> {
        self.sent = self.job.claim.take();
        self.sent.then(|| work_to_proto(self.job.work.clone()))
    }

    /// The next piece. Only the last one claims the request: the leader starts nothing before it.
    fn next_piece(&mut self, piece_bytes: usize) -> Option<WorkMessage> {
        let Work::Propose(request) = &self.job.work else { return self.whole() };
        let mut pieces = Piece::all(0, &request.bytes, piece_bytes).skip(self.pieces);
        let piece = pieces.next()?;
        if pieces.len() == 0 {
            self.sent = self.job.claim.take();
        }
        self.pieces += 1;
        let wanted = self.sent || !self.job.claim.is_withdrawn();
        wanted.then(|| piece_to_proto(request, piece))
    }
}

impl Link {
    /// Connects before anything is sent; `None` when the leader cannot be reached.
    pub(crate) async fn open(
        shared: Arc<Shared>,
        identity: Arc<Identity>,
        leader: NodeId,
        returned: Returned,
    ) -> Option<Self> {
        let address = shared.address_of(leader)?;
        let small = shared.peers.channel(&address.raft).ok()?;
        let large = shared.peers.patient_channel(&address.raft).ok()?;
        let open = |channel| {
            let (shared, identity) = (shared.clone(), identity.clone());
            Lane::open(shared, identity, leader, returned.clone(), channel)
        };
        let (small, large) = tokio::join!(open(small), open(large));
        Some(Self { leader, small: small?, large: large?, shared })
    }

    pub(crate) fn is_usable(&self, leader: NodeId) -> bool {
        self.leader == leader && self.small.is_usable() && self.large.is_usable()
    }

    /// Gives the job back when its stream is broken.
    pub(crate) fn send(&mut self, job: Job) -> Option<Job> {
        self.shared.counters.forwarded.fetch_add(1, Ordering::Relaxed);
        if self.shared.is_large(job.work.bytes()) {
            self.large.send(job, true)
        } else {
            self.small.send(job, false)
        }
    }

    /// What was not sent, and what changes nothing, to be sent by another link. Requests that were
    /// sent are still answered by this one.
    pub(crate) fn recall(&self) -> Vec<Job> {
        let mut jobs = self.small.recall();
        jobs.extend(self.large.recall());
        jobs
    }
}

impl Lane {
    async fn open(
        shared: Arc<Shared>,
        identity: Arc<Identity>,
        leader: NodeId,
        returned: Returned,
        channel: Channel,
    ) -> Option<Self> {
        let mut client = sized_client!(ForwardServiceClient::new(channel));
        let (ids, stream) = mpsc::unbounded_channel();
        let jobs = Mutex::new(Some(Jobs::default()));
        let piece_bytes = shared.piece_bytes().min(FORWARD_PIECE_BYTES);
        let pending = Arc::new(Pending { jobs, ids: ids.downgrade(), piece_bytes });
        let requests = {
            let pending = pending.clone();
            let shared = shared.clone();
            let pull = move |id| pending.pull(id, || shared.route_to(&identity, leader));
            let copies = if seeded(Bug::DoubleApply) { 2 } else { 1 };
            let sent = UnboundedReceiverStream::new(stream).filter_map(pull);
            futures::StreamExt::flat_map(sent, move |request| {
                futures::stream::iter(std::iter::repeat_n(request, copies))
            })
        };
        let opened = tokio::time::timeout(shared.leader_patience(), client.forward(requests)).await;
        let mut answers = match opened {
            Ok(Ok(answers)) => answers.into_inner(),
            Ok(Err(status)) => {
                tracing::debug!(%leader, %status, "cannot reach the leader");
                return None;
            }
            Err(_) => return None,
        };
        let waiting = pending.clone();
        tokio::spawn(async move {
            while let Ok(Some(answer)) = answers.message().await {
                if let Some((job, answer)) = waiting.receive(answer) {
                    finish(job, answer_from_proto(answer), &returned);
                }
            }
            waiting.break_off(&returned);
        });
        Some(Self { ids, pending, last_id: 0 })
    }

    fn is_usable(&self) -> bool {
        !self.ids.is_closed() && self.pending.jobs.lock().is_some()
    }

    fn send(&mut self, job: Job, large: bool) -> Option<Job> {
        self.last_id += 1;
        match &mut *self.pending.jobs.lock() {
            Some(jobs) => {
                jobs.by_id.insert(self.last_id, PendingJob::new(job));
                if large {
                    jobs.large.push_back(self.last_id);
                    if jobs.large.len() > 1 {
                        return None;
                    }
                }
            }
            None => return Some(job),
        }
        if self.ids.send(self.last_id).is_err() {
            return self.pending.take(self.last_id).map(|pending| pending.job);
        }
        None
    }

    fn recall(&self) -> Vec<Job> {
        let mut jobs = self.pending.jobs.lock();
        let Some(jobs) = &mut *jobs else { return Vec::new() };
        let movable = |job: &PendingJob| !job.sent || job.job.work.changes_nothing();
        let all = std::mem::take(&mut jobs.by_id);
        let (moved, kept) = all.into_iter().partition(|(_, job)| movable(job));
        jobs.by_id = kept;
        jobs.large.retain(|id| jobs.by_id.contains_key(id));
        let moved: BTreeMap<u64, PendingJob> = moved;
        moved.into_values().map(|pending| pending.job).filter(|job| job.claim.give_back()).collect()
    }
}

impl Pending {
    fn pull(&self, id: u64, route: impl FnOnce() -> Route) -> Option<proto::ForwardRequest> {
        let mut jobs = self.jobs.lock();
        let jobs = jobs.as_mut()?;
        let in_pieces = jobs.large.front() == Some(&id);
        let waiting = jobs.by_id.get_mut(&id)?;
        let work = if in_pieces { waiting.next_piece(self.piece_bytes) } else { waiting.whole() };
        let Some(work) = work else {
            self.remove(jobs, id);
            return None;
        };
        let message = proto::ForwardRequest {
            route: Some(route()),
            id,
            time_left_ms: waiting.job.time_left_ms(),
            takes_pieces: true,
            work: Some(work),
        };
        if !waiting.sent {
            self.send_id(id);
        }
        Some(message)
    }

    fn send_id(&self, id: u64) {
        if let Some(ids) = self.ids.upgrade() {
            // An error says that the stream is broken, which is told elsewhere.
            let _ = ids.send(id);
        }
    }

    /// Takes a job away; the next large one begins when it was one.
    fn remove(&self, jobs: &mut Jobs, id: u64) -> Option<PendingJob> {
        if jobs.large.front() == Some(&id) {
            jobs.large.pop_front();
            jobs.large.front().into_iter().for_each(|next| self.send_id(*next));
        }
        jobs.by_id.remove(&id)
    }

    /// The job and its answer, once that is whole.
    fn receive(&self, answer: proto::ForwardReply) -> Option<(Job, proto::ForwardReply)> {
        let mut jobs = self.jobs.lock();
        let jobs = jobs.as_mut()?;
        let waiting = jobs.by_id.get_mut(&answer.id)?;
        let proto::ForwardReply { id, mut result, time_ms, time_epoch } = answer;
        if let Some(Message::Replies(piece)) = &mut result {
            let too_long = waiting.received.len() + piece.encoded.len() > RECEIVED_BYTES_MAX;
            if piece.more && !too_long && !waiting.job.claim.is_withdrawn() {
                waiting.received.extend_from_slice(&piece.encoded);
                return None;
            }
            if !waiting.received.is_empty() {
                waiting.received.extend_from_slice(&piece.encoded);
                piece.encoded = std::mem::take(&mut waiting.received).freeze();
            }
            // A peer that sends too much has executed the request; what it answers is not known.
            if too_long || piece.more {
                result = None;
            }
        }
        let reply = proto::ForwardReply { id, result, time_ms, time_epoch };
        self.remove(jobs, id).map(|waiting| (waiting.job, reply))
    }

    fn take(&self, id: u64) -> Option<PendingJob> {
        self.jobs.lock().as_mut().and_then(|jobs| self.remove(jobs, id))
    }

    fn break_off(&self, returned: &Returned) {
        let jobs = self.jobs.lock().take().unwrap_or_default();
        for PendingJob { job, sent, .. } in jobs.by_id.into_values() {
            let certain = !sent || job.work.changes_nothing() || seeded(Bug::ResendUnknown);
            let answer = if certain {
                ProposeError::NotExecuted(Refusal::NoLeader)
            } else {
                ProposeError::Unknown
            };
            finish(job, Err(answer), returned);
        }
    }
}

/// Answers the job, or returns it to wait for the next leader when the one that was asked did not
/// execute it because it does not lead.
pub(crate) fn finish(job: Job, answer: Answered, returned: &Returned) {
    use Refusal::{NoLeader, Stopping};
    if let Err(ProposeError::NotExecuted(NoLeader | Stopping)) = &answer {
        // A job that was withdrawn needs no answer.
        if job.claim.give_back() {
            let _ = returned.send(job);
        }
        return;
    }
    // Before the client hears, so that its next request finds the room.
    drop(job.place);
    let _ = job.done.send(answer);
}

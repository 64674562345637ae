//! Requests that need the leader, on any node. A request that was certainly not executed waits here
//! for the next leader and is sent again; one whose fate is unknown never is.

pub(crate) mod link;
pub(crate) mod messages;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::link::{Link, Returned, finish};
use crate::base::feature_level::FeatureLevel;
use crate::base::ids::NodeId;
use crate::base::limits::ENTRY_BYTES_MAX;
use crate::commands::Executed;
use crate::commands::request::Request;
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::network::channels::Identity;
use crate::consensus::proposal::claim::{Claim, Waiting};
use crate::consensus::proposal::queue_bytes::Place;
use crate::consensus::read::read_index::{self, Confirmation, ReadPoint};
use crate::consensus::shared::{Shared, executed};
use crate::data::keyspace::Settings;

/// Pause before a leader that refused, or could not be reached, is asked again. A change of
/// leadership ends it.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// How often withdrawn requests are dropped while there is no leader to send the others to.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Share of the time left that is kept for the way of the answer, percent: a leader that finds a
/// request too late says so before the client's own time is over.
const ANSWER_MARGIN_PERCENT: u32 = 5;

/// Bytes of an item beside its contents, at most.
const ITEM_HEAD_BYTES_MAX: usize = 64;

/// What the leader is asked.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Propose(Request),
    SetParameters(Vec<(String, Bytes)>),
    ReadIndex(Confirmation),
}

impl Work {
    /// The feature level at which every leader knows this kind of work: one of an older version
    /// ends the whole stream when it is asked for what it does not know.
    pub(crate) const fn needs_level(&self) -> FeatureLevel {
        match self {
            Self::SetParameters(parameters) if parameters.len() > 1 => FeatureLevel::SECOND,
            Self::Propose(_) | Self::SetParameters(_) | Self::ReadIndex(_) => FeatureLevel::FIRST,
        }
    }

    /// Its part of a log entry.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Propose(request) => request.bytes.len(),
            Self::SetParameters(parameters) => {
                parameters.iter().map(|(name, value)| 8 + name.len() + value.len()).sum()
            }
            Self::ReadIndex(_) => 0,
        }
    }

    /// Whether it may be asked again whatever became of it.
    pub(crate) const fn changes_nothing(&self) -> bool {
        matches!(self, Self::ReadIndex(_))
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Executed(Executed),
    ReadIndex(ReadPoint),
}

pub(crate) type Answered = Result<Answer, ProposeError>;

/// One request to the leader, whichever node that is.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) deadline: Instant,
    pub(crate) claim: Claim,
    /// Held until it is answered.
    pub(crate) place: Option<Place>,
    pub(crate) done: oneshot::Sender<Answered>,
}

impl Job {
    /// For the leader, milliseconds; never 0, which means that none is given.
    pub(crate) fn time_left_ms(&self) -> u32 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let left = left - left * ANSWER_MARGIN_PERCENT / 100;
        u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1)
    }
}

impl Shared {
    /// Executes work on the leader, whichever node that is, within the request timeout. Queued at
    /// the call; the future waits for the answer.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        work: Work,
    ) -> impl Future<Output = Answered> + Send + 'static {
        let bytes = work.bytes();
        let deadline = Instant::now() + self.request_timeout() + self.extra_time(bytes);
        let shared = self.clone();
        let checked = self.check_work(&work);
        let (mut here, mut there) = (None, None);
        if checked.is_ok() && self.is_leader() {
            here = Some(start_on_leader(self, work.clone(), deadline, Claim::default()));
        } else if checked.is_ok() {
            there = Some(self.forward(work.clone(), deadline));
        }
        async move {
            checked.map_err(ProposeError::NotExecuted)?;
            if let Some(here) = here {
                let answer = here.await;
                if answer.as_ref().err() != Some(&ProposeError::NotExecuted(Refusal::NoLeader)) {
                    return answer;
                }
            }
            // Leadership has moved: the next leader executes what this one certainly did not.
            let there = there.unwrap_or_else(|| shared.forward(work, deadline));
            let answer = there.until_late(deadline, shared.extra_time(bytes)).await;
            answer.map_err(|error| shared.say_why_late(error, bytes, deadline))
        }
    }

    /// What no leader could execute is refused where it comes in, in the same words on every node.
    /// A leader of an older version would end the stream of all requests at it.
    fn check_work(&self, work: &Work) -> Result<(), Refusal> {
        if work.bytes() > self.request_bytes_max() {
            return Err(Refusal::TooLarge);
        }
        match work {
            Work::Propose(request) => self.check_request_level(request),
            Work::SetParameters(parameters) => {
                let levels = parameters.iter().map(|(name, _)| Settings::needs_level(name));
                let needed = levels.fold(FeatureLevel::FIRST, FeatureLevel::max);
                self.check_level(needed, "this parameter")
            }
            Work::ReadIndex(_) => Ok(()),
        }?;
        let what = match work {
            Work::SetParameters(_) => "setting several parameters at once",
            _ => "this operation",
        };
        self.check_level(work.needs_level(), what)
    }

    /// What one request may add to an entry, the same on every node with the same configuration.
    fn request_bytes_max(&self) -> usize {
        let configured = self.config.load().limits.entry_bytes_max;
        usize::try_from(configured).unwrap_or(usize::MAX).min(ENTRY_BYTES_MAX - ITEM_HEAD_BYTES_MAX)
    }

    /// A large request waits for those before it. When its time is over and there is a leader that
    /// others still hear, that is why.
    fn say_why_late(&self, error: ProposeError, bytes: usize, deadline: Instant) -> ProposeError {
        let late = self.is_large(bytes) && Instant::now() >= deadline;
        let silence_ms_max = self.config.load().raft.election_timeout_max_ms;
        let led = || self.contact_age_ms().is_some_and(|silent_ms| silent_ms <= silence_ms_max);
        match error {
            ProposeError::NotExecuted(Refusal::NoLeader) if late && led() => {
                ProposeError::NotExecuted(Refusal::Busy)
            }
            error => error,
        }
    }

    /// A question waits without a place: it is small, and its client has nothing else under way.
    fn place_for(&self, work: &Work) -> Result<Option<Place>, Refusal> {
        if work.changes_nothing() {
            return Ok(None);
        }
        self.queued.forwards.enter(work.bytes(), self.queue_bytes_max()).map(Some)
    }

    /// Queues work for the leader, whichever node that is.
    pub(crate) fn forward(&self, work: Work, deadline: Instant) -> Waiting<Answer> {
        let (done, answer) = oneshot::channel();
        let claim = Claim::default();
        let (place, busy) = match self.place_for(&work) {
            Ok(place) => (place, None),
            Err(refusal) => (None, Some(refusal)),
        };
        let job = Job { work, deadline, claim: claim.clone(), place, done };
        if let Some(refusal) = busy {
            refuse(job, refusal);
        } else if self.stopping.load(Ordering::Relaxed) {
            refuse(job, Refusal::Stopping);
        } else if self.takes_no_part() {
            refuse(job, Refusal::NoLeader);
        } else if let Err(mpsc::error::SendError(job)) = self.forwards.send(job) {
            refuse(job, Refusal::Stopping);
        }
        Waiting::new(answer, claim)
    }
}

/// Brings jobs to the leader in order; runs on the raft thread.
pub(crate) struct Forwarder {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    queue: mpsc::UnboundedReceiver<Job>,
    /// Where jobs come back that the leader did not execute.
    returned: (Returned, mpsc::UnboundedReceiver<Job>),
    /// Not sent anywhere, in order.
    waiting: VecDeque<Job>,
    link: Option<Link>,
    opening: Option<Opening>,
    /// Nothing is sent and no stream is opened before.
    paused_until: Instant,
}

/// A stream that is being opened.
struct Opening {
    leader: NodeId,
    link: Pin<Box<dyn Future<Output = Option<Link>> + Send>>,
}

impl Forwarder {
    pub(crate) fn new(
        shared: Arc<Shared>,
        identity: Arc<Identity>,
        queue: mpsc::UnboundedReceiver<Job>,
    ) -> Self {
        Self {
            shared,
            identity,
            queue,
            returned: mpsc::unbounded_channel(),
            waiting: VecDeque::new(),
            link: None,
            opening: None,
            paused_until: Instant::now(),
        }
    }

    /// Ends when the group is dropped.
    pub(crate) async fn run(mut self) {
        let mut leadership = self.shared.leadership.subscribe();
        loop {
            let now = Instant::now();
            let paused = self.paused_until > now;
            let wake = if paused { self.paused_until } else { now + SWEEP_INTERVAL };
            tokio::select! {
                job = self.queue.recv() => match job {
                    Some(job) => self.waiting.push_back(job),
                    None => return,
                },
                Some(job) = self.returned.1.recv() => {
                    self.waiting.push_back(job);
                    self.pause();
                }
                changed = leadership.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.paused_until = now;
                }
                link = opened(&mut self.opening) => {
                    self.opening = None;
                    if link.is_none() {
                        self.pause();
                    }
                    if let Some(before) = std::mem::replace(&mut self.link, link) {
                        self.waiting.extend(before.recall());
                    }
                }
                () = tokio::time::sleep_until(wake), if !self.waiting.is_empty() => {
                    self.waiting.retain(|job| !job.claim.is_withdrawn());
                }
            }
            self.send_waiting();
        }
    }

    fn pause(&mut self) {
        self.paused_until = Instant::now() + RETRY_PAUSE;
    }

    fn send_waiting(&mut self) {
        if self.shared.stopping.load(Ordering::Relaxed) {
            return self.waiting.drain(..).for_each(|job| refuse(job, Refusal::Stopping));
        }
        let leader = self.shared.leadership.borrow().leader;
        if let Some(link) = self.link.take_if(|link| leader.is_some_and(|now| now != link.leader)) {
            let recalled = link.recall();
            recalled.into_iter().rev().for_each(|job| self.waiting.push_front(job));
        }
        let Some(leader) = leader.filter(|_| self.paused_until <= Instant::now()) else { return };
        if leader == self.identity.node_id {
            return self.run_here();
        }
        while let Some(job) = self.waiting.pop_front() {
            let usable = self.link.as_mut().filter(|link| link.is_usable(leader));
            let Some(link) = usable else {
                self.waiting.push_front(job);
                return self.open(leader);
            };
            if let Some(job) = link.send(job) {
                self.waiting.push_front(job);
            }
        }
    }

    /// This node leads; nothing of these jobs was sent anywhere.
    fn run_here(&mut self) {
        for job in self.waiting.drain(..) {
            let claim = job.claim.clone();
            let answer = start_on_leader(&self.shared, job.work.clone(), job.deadline, claim);
            let returned = self.returned.0.clone();
            tokio::spawn(async move { finish(job, answer.await, &returned) });
        }
    }

    fn open(&mut self, leader: NodeId) {
        if self.opening.as_ref().is_some_and(|opening| opening.leader == leader) {
            return;
        }
        let (shared, identity) = (self.shared.clone(), self.identity.clone());
        let link = Box::pin(Link::open(shared, identity, leader, self.returned.0.clone()));
        self.opening = Some(Opening { leader, link });
    }
}

/// Waits for ever when none is being opened.
async fn opened(opening: &mut Option<Opening>) -> Option<Link> {
    match opening {
        Some(opening) => opening.link.as_mut().await,
        None => std::future::pending().await,
    }
}

fn refuse(job: Job, refusal: Refusal) {
    // A client that is gone needs no answer.
    let _ = job.done.send(Err(ProposeError::NotExecuted(refusal)));
}

/// Runs work on the leader, for its own clients or for a follower's. Queued at the call; the future
/// waits for the answer, and dropping it withdraws what is not yet in an entry.
pub(crate) fn start_on_leader(
    shared: &Arc<Shared>,
    work: Work,
    deadline: Instant,
    claim: Claim,
) -> impl Future<Output = Answered> + Send + 'static {
    let shared = shared.clone();
    let queued = match &work {
        Work::Propose(request) => Some(shared.queue_request(request.clone(), &claim)),
        Work::SetParameters(parameters) => {
            Some(shared.queue_parameters(parameters.clone(), &claim))
        }
        Work::ReadIndex(_) => None,
    };
    let queued = queued.map(|outcome| Waiting::new(outcome, claim));
    let bytes = work.bytes();
    async move {
        match (work, queued) {
            (Work::ReadIndex(confirmation), _) => {
                // In a box, so that the future of a write stays small.
                let confirmed = Box::pin(read_index::confirm(&shared, confirmation));
                match tokio::time::timeout_at(deadline, confirmed).await {
                    Ok(Ok(index)) => Ok(Answer::ReadIndex(index)),
                    _ => Err(ProposeError::NotExecuted(Refusal::NoLeader)),
                }
            }
            (_, Some(outcome)) => {
                let outcome = outcome.until_late(deadline, shared.extra_time(bytes)).await;
                let late = |error| shared.say_why_late(error, bytes, deadline);
                executed(outcome.map_err(late)?).map(Answer::Executed)
            }
            (_, None) => Err(ProposeError::Unknown),
        }
    }
}

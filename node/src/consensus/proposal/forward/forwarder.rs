//! Brings jobs to the leader, one leader after the other.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Job;
use super::link::{Link, Returned, Streams, finish};
use super::on_leader::OnLeader;
use crate::base::ids::NodeId;
use crate::consensus::errors::Refusal;
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::lifetime::Lifetime;

/// Pause before a leader that refused, or could not be reached, is asked again. A change of
/// leadership ends it.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// How often withdrawn requests are dropped while there is no leader to send the others to.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Brings jobs to the leader in order; runs on the raft thread.
pub(crate) struct Forwarder {
    streams: Streams,
    on_leader: Arc<OnLeader>,
    lifetime: Arc<Lifetime>,
    leadership: Arc<LeadershipState>,
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
        streams: Streams,
        on_leader: Arc<OnLeader>,
        (lifetime, leadership): (Arc<Lifetime>, Arc<LeadershipState>),
        queue: mpsc::UnboundedReceiver<Job>,
    ) -> Self {
        Self {
            streams,
            on_leader,
            lifetime,
            leadership,
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
        let mut leadership = self.leadership.leadership.subscribe();
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
        if self.lifetime.stopping.load(Ordering::Relaxed) {
            return self.waiting.drain(..).for_each(|job| job.refuse(Refusal::Stopping));
        }
        let leader = self.leadership.leadership.borrow().leader;
        if let Some(link) = self.link.take_if(|link| leader.is_some_and(|now| now != link.leader)) {
            let recalled = link.recall();
            recalled.into_iter().rev().for_each(|job| self.waiting.push_front(job));
        }
        let Some(leader) = leader.filter(|_| self.paused_until <= Instant::now()) else { return };
        if leader == self.streams.identity.node_id {
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
            let answer = self.on_leader.start(job.work.clone(), job.deadline, claim);
            let returned = self.returned.0.clone();
            tokio::spawn(async move { finish(job, answer.await, &returned) });
        }
    }

    fn open(&mut self, leader: NodeId) {
        if self.opening.as_ref().is_some_and(|opening| opening.leader == leader) {
            return;
        }
        let link = Box::pin(Link::open(self.streams.clone(), leader, self.returned.0.clone()));
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

//! Which nodes have an entry on disk, for WAIT and WAITAOF.
//!
//! Followers acknowledge what they have flushed, so what openraft counts as matched is on their
//! disks. What a node has applied may not be on its own disk yet: openraft applies what was handed
//! to the log. This node therefore counts its own flushes, see [`FlushedLog`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ironkv_proto::forward::v1::forward_service_client::ForwardServiceClient;
use ironkv_proto::forward::v1::{FlushedRequest, FlushedResponse};
use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::log::LogPosition;
use crate::base::ids::NodeId;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::group::Group;
use crate::consensus::shared::{Core, Shared};
use crate::consensus::types::Metrics;

/// Longest time that the leader is asked to wait before it answers, so that a question does not
/// outlive the client by much.
const QUESTION_TIME_MAX: Duration = Duration::from_secs(1);
/// Pause before a leader that does not answer is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Changes closer together than this are looked at as one.
const PACE: Duration = Duration::from_millis(1);
/// How long an answer that is wanted at once may take when no leader is there.
const AT_ONCE_TIME_MAX: Duration = Duration::from_secs(1);

/// How far this node's own log is on its disk.
#[derive(Debug)]
pub(crate) struct FlushedLog {
    progress: watch::Sender<Progress>,
    /// For questions to the leader.
    leader: LeaderDoor,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    index: u64,
    /// Grows with every cut of the log: a flush of what was cut off counts for nothing.
    cuts: u64,
}

/// Entries on their way to the disk.
#[derive(Debug)]
pub(crate) struct Flushing {
    last_index: u64,
    cuts: u64,
}

impl FlushedLog {
    /// With what a start found: recovery has flushed what it read, and a checkpoint, which ends at
    /// `checkpoint_index`, is durable.
    pub(crate) fn at_start(last: Option<LogPosition>, checkpoint_index: u64) -> Self {
        Self::new(last.map_or(0, |last| last.index).max(checkpoint_index))
    }

    fn new(last_index: u64) -> Self {
        let progress = watch::Sender::new(Progress { index: last_index, cuts: 0 });
        Self { progress, leader: LeaderDoor::default() }
    }

    /// To be called before the entries are handed to the log.
    pub(crate) fn begin(&self, last_index: u64) -> Flushing {
        Flushing { last_index, cuts: self.progress.borrow().cuts }
    }

    /// The entries are on the disk.
    pub(crate) fn finish(&self, flushing: &Flushing) {
        self.progress.send_if_modified(|progress| {
            let news = flushing.cuts == progress.cuts && flushing.last_index > progress.index;
            if news {
                progress.index = flushing.last_index;
            }
            news
        });
    }

    /// The log ends here now.
    pub(crate) fn cut(&self, last_index: u64) {
        self.progress.send_modify(|progress| {
            progress.cuts += 1;
            progress.index = progress.index.min(last_index);
        });
    }

    /// A durable checkpoint holds everything up to here.
    pub(crate) fn purge(&self, index: u64) {
        self.progress.send_modify(|progress| progress.index = progress.index.max(index));
    }

    fn index(&self) -> u64 {
        self.progress.borrow().index
    }
}

/// What a client waits for.
#[derive(Debug, Clone, Copy)]
pub struct FlushGoal {
    /// The log up to here; `None` for everything acknowledged before the call.
    pub index: Option<u64>,
    /// Whether this node itself counts, beside the others.
    pub here: bool,
    /// So many voters other than this node.
    pub others: u32,
    /// Until when; `None` for as long as it takes.
    pub until: Option<Instant>,
}

/// Who had it on disk at the end of the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlushReached {
    /// This node.
    pub here: bool,
    /// Voters other than this node.
    pub others: u32,
}

impl Group {
    /// Waits until what the goal names is on the disks that it names, or its time is over. A goal
    /// that asks for nothing, or whose time is over, is answered at once.
    pub async fn wait_flushed(&self, goal: FlushGoal) -> FlushReached {
        let shared = &self.0;
        let asks_for_something = goal.here || goal.others > 0;
        let at_once = !asks_for_something || goal.until.is_some_and(|end| end <= Instant::now());
        let until = if at_once { Some(Instant::now() + AT_ONCE_TIME_MAX) } else { goal.until };
        let asked = |index| async move {
            match index {
                Some(index) if !seeded(Bug::WaitForOthersWrites) => Ok(index),
                _ => shared.read_index().await.map(|point| point.index),
            }
        };
        let index = loop {
            match before(until, asked(goal.index)).await {
                Some(Ok(index)) => break index,
                // Without a leader nothing is known of other nodes.
                Some(Err(_)) if !is_over(until) => sleep(RETRY_PAUSE).await,
                _ => return FlushReached::default(),
            }
        };
        let (goal, until) = if at_once {
            (FlushGoal { here: false, others: 0, until, ..goal }, until)
        } else {
            (goal, goal.until)
        };
        let others = wait_for_others(shared, index, goal.others, until);
        let (others, ()) = tokio::join!(others, async {
            if goal.here {
                before(until, flushed_here(shared, index)).await;
            }
        });
        FlushReached { here: is_flushed_here(shared, index), others }
    }

    /// A question of another node; answers when enough voters have the entry on disk.
    pub async fn handle_flushed(&self, request: FlushedRequest) -> Result<FlushedResponse, Status> {
        crate::consensus::network::service::accept(&self.0, request.route.as_ref())?;
        let wait = Duration::from_millis(request.wait_ms.into()).min(QUESTION_TIME_MAX);
        let question = Question {
            index: request.index,
            except: NodeId(request.except_node_id),
            wanted: request.wanted,
            until: Instant::now() + wait,
        };
        let voters = wait_as_leader(&self.0, &question).await;
        let voters = voters.ok_or_else(|| Status::unavailable("this node cannot say"))?;
        Ok(FlushedResponse { voters })
    }
}

fn is_over(until: Option<Instant>) -> bool {
    until.is_some_and(|end| end <= Instant::now())
}

async fn before<T>(until: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match until {
        None => Some(work.await),
        Some(end) => tokio::time::timeout_at(end, work).await.ok(),
    }
}

/// The entry is applied here, so it is the committed one, and a flush covered it.
fn is_flushed_here(shared: &Shared, index: u64) -> bool {
    shared.applied.index() >= index && shared.flushed.index() >= index
}

async fn flushed_here(shared: &Shared, index: u64) {
    shared.applied.wait_for(index).await;
    // The sender lives as long as `shared`.
    let _ = shared.flushed.progress.subscribe().wait_for(|progress| progress.index >= index).await;
}

struct Question {
    index: u64,
    except: NodeId,
    wanted: u32,
    until: Instant,
}

/// How many other voters have it, asking the leader, whichever node that is, until enough have it.
async fn wait_for_others(
    shared: &Arc<Shared>,
    index: u64,
    wanted: u32,
    until: Option<Instant>,
) -> u32 {
    let Some(Core { identity, .. }) = shared.core.get() else { return 0 };
    let mut known = 0;
    loop {
        let end = Instant::now() + QUESTION_TIME_MAX;
        let end = until.map_or(end, |until| until.min(end));
        let question = Question { index, except: identity.node_id, wanted, until: end };
        let answer = if shared.is_leader() {
            wait_as_leader(shared, &question).await
        } else {
            ask_leader(shared, question).await
        };
        known = answer.unwrap_or(known);
        if wanted == 0 || (answer.is_some() && known >= wanted) || is_over(until) {
            return known;
        }
        if answer.is_none() {
            sleep(RETRY_PAUSE).await;
        }
    }
}

/// `None` when this node does not lead, or does not know the entry to be committed: what followers
/// have at that index may then be another entry.
fn voters_with(shared: &Shared, metrics: &Metrics, question: &Question) -> Option<u32> {
    let committed = metrics.cluster_committed.max(metrics.last_applied);
    let leads = metrics.state == ServerState::Leader;
    if !leads || committed.is_none_or(|committed| committed.index < question.index) {
        return None;
    }
    let voters: BTreeSet<NodeId> = metrics.membership_config.voter_ids().collect();
    let has_it = |id: &NodeId| {
        if *id == metrics.id {
            return shared.flushed.index() >= question.index;
        }
        if seeded(Bug::WaitCountsSent) {
            return true;
        }
        let matched = metrics.replication.as_ref().and_then(|all| all.get(id).copied().flatten());
        matched.is_some_and(|matched| matched.index >= question.index)
    };
    Some(voters.iter().filter(|id| **id != question.except && has_it(id)).count() as u32)
}

async fn wait_as_leader(shared: &Shared, question: &Question) -> Option<u32> {
    let mut metrics = shared.raft()?.metrics();
    let mut flushed = shared.flushed.progress.subscribe();
    let mut ended = shared.ended.subscribe();
    loop {
        flushed.borrow_and_update();
        let voters = voters_with(shared, &metrics.borrow_watched(), question)?;
        if voters >= question.wanted || Instant::now() >= question.until {
            return Some(voters);
        }
        tokio::select! {
            changed = metrics.changed() => changed.ok()?,
            changed = flushed.changed() => changed.ok()?,
            _ = ended.wait_for(Option::is_some) => return None,
            () = tokio::time::sleep_until(question.until) => {}
        }
        sleep(PACE).await;
    }
}

/// A connection to the leader for these questions, on the raft thread.
type LeaderDoor = parking_lot::Mutex<Option<(String, ForwardServiceClient<Channel>)>>;

/// Asked on the raft thread, which keeps the connection; given up when the client gives up.
async fn ask_leader(shared: &Arc<Shared>, question: Question) -> Option<u32> {
    let (mut done, answer) = oneshot::channel();
    let asking = shared.clone();
    let limit = question.until + RETRY_PAUSE * 4;
    let main: crate::base::threads::ThreadMain = Box::new(move || {
        Box::pin(async move {
            let answer = tokio::select! {
                answer = ask(&asking, &question) => answer,
                () = done.closed() => return,
                () = tokio::time::sleep_until(limit) => None,
            };
            if let Some(answer) = answer {
                // A client that has left needs no answer.
                let _ = done.send(answer);
            }
        })
    });
    shared.tasks.send(main).ok()?;
    answer.await.ok()
}

async fn ask(shared: &Shared, question: &Question) -> Option<u32> {
    let identity = &shared.core.get()?.identity;
    let leader = shared.leadership.borrow().leader.filter(|leader| *leader != identity.node_id)?;
    let address = shared.address_of(leader)?.raft;
    let mut client = leader_door(shared, address)?;
    let wait = question.until.saturating_duration_since(Instant::now());
    let request = FlushedRequest {
        route: Some(shared.route_to(identity, leader)),
        index: question.index,
        except_node_id: question.except.0,
        wanted: question.wanted,
        wait_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
    };
    Some(client.flushed(Request::new(request)).await.ok()?.into_inner().voters)
}

fn leader_door(shared: &Shared, address: String) -> Option<ForwardServiceClient<Channel>> {
    let mut door = shared.flushed.leader.lock();
    if let Some((known, client)) = &*door
        && *known == address
    {
        return Some(client.clone());
    }
    let client = ForwardServiceClient::new(shared.peers.channel(&address).ok()?);
    *door = Some((address, client.clone()));
    Some(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_of_what_was_cut_off_counts_for_nothing() {
        let log = FlushedLog::new(5);
        let (first, second) = (log.begin(7), log.begin(9));
        log.finish(&first);
        assert_eq!(log.index(), 7);
        log.cut(6);
        log.finish(&second);
        assert_eq!(log.index(), 6);
        let third = log.begin(8);
        log.finish(&third);
        assert_eq!(log.index(), 8);
        log.purge(20);
        assert_eq!(log.index(), 20);
    }
}

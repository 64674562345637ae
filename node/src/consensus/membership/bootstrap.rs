//! How an empty node gets its identity: it begins a cluster, or joins one. Both may be asked for
//! again at any time: what was done is not done twice, and what was left halfway is finished.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{LocalBoxFuture, join_all};
use ironkv_proto::admin::v1::StatusResponse;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::admin_client::AdminClient;
use super::change::{self, Change, ChangeError, Expected};
use crate::base::feature_level::FeatureLevel;
use crate::base::ids::{ClusterId, NodeId};
use crate::base::random::hexadecimal;
use crate::consensus::group::Group;
use crate::consensus::lifecycle::start_core;
use crate::consensus::network::channels::Identity;
use crate::consensus::proposal::entry::Item;
use crate::consensus::shared::Shared;

/// The id of the node that a cluster begins with.
const FIRST_NODE: NodeId = NodeId(1);

/// Of a cluster id, hexadecimal.
pub(crate) const CLUSTER_ID_DIGITS: usize = 32;

/// How long seeds have to say who they are, all of them at the same time.
const SURVEY_PATIENCE: Duration = Duration::from_secs(2);

/// How long one seed has for one of its two steps: through an election.
const STEP_PATIENCE: Duration = Duration::from_secs(3);

/// Pause after an attempt that found no leader.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// The longest that joining takes, whatever the seeds do.
const JOIN_PATIENCE: Duration = Duration::from_secs(9);

type Formed = Result<Arc<Identity>, ChangeError>;

impl Group {
    /// Makes this empty node the first member of a new cluster; says the same again when it is.
    pub async fn init(&self, cluster_id: Option<ClusterId>) -> Formed {
        self.to_the_end(|shared| Box::pin(async move { init(&shared, cluster_id).await })).await
    }

    /// Makes this empty node a learner of the cluster that one of `seeds` belongs to; a member
    /// stays what it is, and is known by its new addresses when it has others than before. Takes
    /// nine seconds at most.
    pub async fn join(&self, seeds: &[String], expected: Option<ClusterId>) -> Formed {
        let seeds = seeds.to_vec();
        let work = |shared| -> LocalBoxFuture<'static, Formed> {
            Box::pin(async move { join(&shared, &seeds, expected).await })
        };
        self.to_the_end(work).await
    }

    /// Runs on even when whoever asked has gone: a node must not stop between writing its identity
    /// down and living by it.
    async fn to_the_end(
        &self,
        work: impl FnOnce(Arc<Shared>) -> LocalBoxFuture<'static, Formed> + Send + 'static,
    ) -> Formed {
        let (done, formed) = oneshot::channel();
        let shared = self.0.clone();
        let started = self.run_on_raft_thread(Box::new(move || {
            Box::pin(async move {
                let _ = done.send(work(shared).await);
            })
        }));
        if started {
            formed.await.unwrap_or(Err(ChangeError::Unknown))
        } else {
            Err(ChangeError::Unknown)
        }
    }
}

async fn init(shared: &Arc<Shared>, cluster_id: Option<ClusterId>) -> Formed {
    let _alone = shared.forming.lock().await;
    let facts = shared.meta.facts();
    let cluster_id = match (facts.cluster_id, cluster_id) {
        (Some(known), wanted) => {
            check_expected(&known, wanted.as_ref())?;
            known
        }
        (None, Some(wanted)) => wanted,
        (None, None) => ClusterId(hexadecimal(CLUSTER_ID_DIGITS)),
    };
    check_cluster_id(&cluster_id)?;
    if facts.node_id.is_some_and(|id| id != FIRST_NODE) {
        return Err(ChangeError::Refused("this node has joined a cluster".to_owned()));
    }
    if facts.node_id.is_none() {
        check_peers(shared).await?;
    }
    take_identity(shared, FIRST_NODE, &cluster_id).await?;
    let core = shared.core.get().ok_or(ChangeError::Unknown)?;
    let member = BTreeMap::from([(FIRST_NODE, shared.addresses.clone())]);
    let initialized = core.raft.is_initialized().await.map_err(|_| ChangeError::Unknown)?;
    if !initialized {
        core.raft
            .initialize(member)
            .await
            .map_err(|error| ChangeError::Refused(error.to_string()))?;
        shared.wait_for_leader().await.ok_or(ChangeError::Unknown)?;
        // The name travels with checkpoints and backups; the identity in force is that of `meta`.
        let named = shared.queue_item(Item::NameCluster(cluster_id.0), false).await;
        tracing::info!(?named, "began a cluster");
        shared.raise_level().await;
    }
    Ok(core.identity.clone())
}

/// A node whose disk was emptied must not begin another cluster at an address of the one that it
/// belonged to: clients would reach both.
async fn check_peers(shared: &Shared) -> Result<(), ChangeError> {
    let peers = shared.config.load().node.peers.clone();
    for (peer, answer) in survey(shared, &peers).await {
        if let Some(cluster_id) = answer.ok().and_then(|status| status.cluster_id) {
            return Err(ChangeError::Refused(format!(
                "{peer}, which node.peers names, belongs to cluster {cluster_id}: join it with \
                 `ironkv cluster add`, or take it out of node.peers to begin another cluster"
            )));
        }
    }
    Ok(())
}

fn check_expected(known: &ClusterId, expected: Option<&ClusterId>) -> Result<(), ChangeError> {
    if expected.is_none_or(|expected| expected == known) {
        return Ok(());
    }
    Err(ChangeError::Refused(format!("this node belongs to cluster {known}")))
}

fn check_cluster_id(id: &ClusterId) -> Result<(), ChangeError> {
    let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if id.0.len() == CLUSTER_ID_DIGITS && id.0.chars().all(hexadecimal) {
        return Ok(());
    }
    let text = format!("a cluster id is {CLUSTER_ID_DIGITS} lower-case hexadecimal digits");
    Err(ChangeError::Refused(text))
}

/// Remembers an identity, durably, and starts the core with it.
async fn take_identity(
    shared: &Arc<Shared>,
    node_id: NodeId,
    cluster_id: &ClusterId,
) -> Result<(), ChangeError> {
    if shared.core.get().is_some() {
        return Ok(());
    }
    let cluster = cluster_id.clone();
    let noted = shared.note(move |facts| {
        facts.node_id = Some(node_id);
        facts.cluster_id = Some(cluster);
    });
    noted.await.map_err(ChangeError::Refused)?;
    start_core(shared, node_id, cluster_id.clone()).await.map_err(ChangeError::Refused)
}

async fn join(shared: &Arc<Shared>, seeds: &[String], expected: Option<ClusterId>) -> Formed {
    let deadline = Instant::now() + JOIN_PATIENCE;
    let _alone = shared.forming.lock().await;
    let identity = shared.core.get().map(|core| core.identity.clone());
    let is_known = |own: &Arc<Identity>| {
        shared.address_of(own.node_id).is_some_and(|known| known == shared.addresses)
    };
    if let Some(identity) = &identity {
        check_expected(&identity.cluster_id, expected.as_ref())?;
        if shared.is_leader() && !is_known(identity) {
            change::change(shared, announcement(shared, identity.node_id), Expected::Any).await?;
            return Ok(identity.clone());
        }
    }
    if let Some(identity) = identity.filter(is_known) {
        // The seeds must be of its cluster, as far as they answer.
        let answers = survey(shared, seeds).await;
        for status in answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()) {
            let other = status.cluster_id.clone().map(ClusterId);
            check_expected(&identity.cluster_id, other.as_ref())?;
        }
        return Ok(identity);
    }
    loop {
        let refused = match join_once(shared, seeds, expected.clone(), deadline).await {
            Err(error @ ChangeError::NoLeader(_)) => error,
            formed => return formed,
        };
        // An election may pass; nothing has been done yet.
        if Instant::now() + STEP_PATIENCE > deadline {
            return Err(refused);
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

async fn join_once(
    shared: &Arc<Shared>,
    seeds: &[String],
    expected: Option<ClusterId>,
    deadline: Instant,
) -> Formed {
    let known = shared.meta.facts().cluster_id.or(expected);
    let mut refused = None;
    for (seed, answer) in survey(shared, seeds).await {
        let joined = match answer {
            Ok(status) => join_by(shared, &seed, &status, known.as_ref(), deadline).await,
            Err(error) => Err(error),
        };
        match joined {
            Ok(identity) => return Ok(identity),
            Err(error) => {
                tracing::info!(seed, %error, "cannot join by this member");
                // What the most able one says tells most.
                refused.get_or_insert(error);
            }
        }
    }
    let nobody = || {
        let text = if seeds.is_empty() {
            "no member was named: give the gRPC address of one"
        } else {
            "the member that was named is this node itself: give the gRPC address of another one"
        };
        ChangeError::Refused(text.to_owned())
    };
    Err(refused.unwrap_or_else(nobody))
}

/// What the seeds say of themselves; the ones that can help come first, the silent ones last.
async fn survey(
    shared: &Shared,
    seeds: &[String],
) -> Vec<(String, Result<StatusResponse, ChangeError>)> {
    let others = seeds.iter().filter(|seed| **seed != shared.addresses.raft);
    let answers = others.map(|seed| async move {
        let status = match AdminClient::new(&shared.peers, seed, SURVEY_PATIENCE) {
            Ok(mut client) => client.status().await,
            Err(error) => Err(error),
        };
        (seed.clone(), status)
    });
    let mut answers = join_all(answers).await;
    answers.sort_by_key(|(_, answer)| match answer {
        Ok(status) if status.ready => 0,
        Ok(_) => 1,
        Err(_) => 2,
    });
    answers
}

async fn join_by(
    shared: &Arc<Shared>,
    seed: &str,
    status: &StatusResponse,
    expected: Option<&ClusterId>,
    deadline: Instant,
) -> Formed {
    let Some(cluster_id) = status.cluster_id.clone().map(ClusterId) else {
        return Err(ChangeError::Refused(format!("{seed} belongs to no cluster yet")));
    };
    if expected.is_some_and(|expected| *expected != cluster_id) {
        return Err(ChangeError::Refused(format!("{seed} belongs to cluster {cluster_id}")));
    }
    let client = || {
        let left = deadline.saturating_duration_since(Instant::now());
        AdminClient::new(&shared.peers, seed, STEP_PATIENCE.min(left))
    };
    if shared.core.get().is_none() {
        let (allocated_by, node_id) = client()?.allocate(false).await?;
        if allocated_by != cluster_id {
            return Err(ChangeError::Refused(format!("{seed} belongs to cluster {allocated_by}")));
        }
        take_identity(shared, node_id, &cluster_id).await?;
    }
    let identity = shared.core.get().ok_or(ChangeError::Unknown)?.identity.clone();
    let change = announcement(shared, identity.node_id);
    client()?.change(&identity.cluster_id, change, Expected::Any, false).await?;
    Ok(identity)
}

/// What makes the members know this node.
fn announcement(shared: &Shared, id: NodeId) -> Change {
    let addresses = shared.addresses.clone();
    match shared.address_of(id) {
        Some(_) => Change::Move { id, addresses, hears_leader: shared.hears_leader() },
        None => Change::AddLearner(id, addresses, FeatureLevel::HIGHEST),
    }
}

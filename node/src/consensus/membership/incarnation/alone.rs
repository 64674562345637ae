//! A node that is the only member by its own data. It may be the whole cluster, or the first node
//! of a larger one on the earliest state of its directory, which knows of no other. It asks the
//! nodes that its configuration names before it leads; without any it leads at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use ironkv_proto::admin::v1::StandingResponse;
use tokio::time::{Instant, sleep};

use super::Doubt;
use crate::base::ids::{ClusterId, NodeId};
use crate::consensus::membership::admin_client::AdminClient;
use crate::consensus::membership::change::ChangeError;
use crate::consensus::network::channels::Identity;
use crate::consensus::network::convert::{log_id_from_proto, told_to_proto};
use crate::consensus::shared::Shared;
use crate::consensus::types::LogId;

/// Between two rounds of questions.
const QUESTION_INTERVAL: Duration = Duration::from_millis(250);

/// How long one node has to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long configured nodes may be silent before a node that seems to be alone leads without them.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What a configured node said; `None` when it is silent.
type Said = Option<Result<StandingResponse, ChangeError>>;

/// What all of that amounts to.
#[derive(Debug, PartialEq, Eq)]
enum Outlook {
    /// Each has answered, and none knows of other voters.
    Alone,
    /// Some are silent, and the others know of no other voters.
    Silent,
    /// One of them knows a newer membership with other voters; what it says.
    Larger(String),
}

/// `own_membership` is where the log of this node has its membership. Its learners, and those that
/// it removed, know that one or an older one.
fn outlook(
    cluster_id: &ClusterId,
    own: NodeId,
    own_membership: Option<LogId>,
    answers: &[Said],
) -> Outlook {
    let is_newer = |answer: &StandingResponse| {
        let at = answer.membership.as_ref().map(log_id_from_proto);
        answer.cluster_id == cluster_id.0
            && answer.answering_node_id != own.0
            && at > own_membership
            && answer.voters.iter().any(|voter| voter.node_id != own.0)
    };
    let answered = answers.iter().flatten().flatten();
    if let Some(answer) = answered.into_iter().find(|answer| is_newer(answer)) {
        let voters = answer.voters.iter().map(|voter| voter.node_id.to_string());
        return Outlook::Larger(format!(
            "this node is the only voter by its own data, and node {} of the same cluster has a \
             membership of log index {} with the voters {}: this data directory is an old state",
            answer.answering_node_id,
            answer.membership.as_ref().map_or(0, |at| at.index),
            voters.collect::<Vec<_>>().join(", ")
        ));
    }
    if answers.iter().all(Option::is_some) { Outlook::Alone } else { Outlook::Silent }
}

/// Lets a node that seems to be alone lead, at once or when it knows more; to be called before the
/// core may stand for election.
pub(crate) fn confirm(shared: &Arc<Shared>, identity: &Arc<Identity>) {
    let config = shared.config.load();
    let peers: Vec<String> = config.node.peers.clone();
    let others = peers.into_iter().filter(|peer| *peer != shared.addresses.raft);
    let others: Vec<String> = others.collect();
    if others.is_empty() {
        shared.guard.lift();
        return;
    }
    let text = "this node is the only voter by its own data; the nodes of node.peers are asked";
    shared.doubt(Doubt::Alone(text.to_owned()));
    tokio::spawn(ask_on(shared.clone(), identity.clone(), others));
}

async fn ask_on(shared: Arc<Shared>, identity: Arc<Identity>, others: Vec<String>) {
    let patient_until = Instant::now() + SILENCE_MAX;
    let mut contradicted = false;
    while !shared.stopping.load(Ordering::Relaxed) {
        let answers = join_all(others.iter().map(|peer| ask(&shared, &identity, peer))).await;
        let own = shared.metrics().and_then(|metrics| *metrics.membership_config.log_id());
        let seen = outlook(&identity.cluster_id, identity.node_id, own, &answers);
        let known: Vec<_> = answers.into_iter().flatten().flatten().collect();
        if shared.heed_answers(&identity.cluster_id, identity.node_id, &known) {
            return;
        }
        match seen {
            Outlook::Larger(text) => {
                contradicted = true;
                shared.doubt(Doubt::Alone(text));
            }
            // What was said once does not become wrong by silence.
            Outlook::Silent if contradicted || Instant::now() < patient_until => {}
            Outlook::Silent => {
                tracing::warn!("nodes of node.peers are silent: this node leads without them");
                return lead(&shared);
            }
            Outlook::Alone => return lead(&shared),
        }
        sleep(QUESTION_INTERVAL).await;
    }
}

fn lead(shared: &Shared) {
    shared.guard.lift();
    shared.end_doubt(|doubt| matches!(doubt, Doubt::Alone(_)));
}

async fn ask(shared: &Shared, identity: &Identity, peer: &str) -> Said {
    let mut client = AdminClient::new(&shared.peers, peer, ANSWER_TIMEOUT).ok()?;
    let lineage = told_to_proto(shared.incarnations.told());
    match client.standing(&identity.cluster_id, identity.node_id, lineage).await {
        Err(ChangeError::Unreachable(_) | ChangeError::Unknown) => None,
        said => Some(said),
    }
}

#[cfg(test)]
mod tests {
    use ironkv_proto::types::v1 as proto;

    use super::*;

    #[test]
    fn only_a_newer_membership_with_other_voters_speaks_against_a_node_that_seems_to_be_alone() {
        let cluster = ClusterId("c".to_owned());
        let at = |index| proto::LogId { term: 1, leader_node_id: 1, index };
        let from = |cluster_id: &str, id: u64, index: u64, voters: &[u64]| {
            let voter = |id: &u64| proto::Member { node_id: *id, ..proto::Member::default() };
            Some(Ok(StandingResponse {
                cluster_id: cluster_id.to_owned(),
                answering_node_id: id,
                membership: Some(at(index)),
                voters: voters.iter().map(voter).collect(),
                ..StandingResponse::default()
            }))
        };
        let empty = || Some(Err(ChangeError::NotLeader(None)));
        let other = || Some(Err(ChangeError::Refused("another cluster".to_owned())));
        let own = Some(log_id_from_proto(&at(5)));
        let seen = |answers: &[Said]| outlook(&cluster, NodeId(1), own, answers);
        assert_eq!(seen(&[empty(), other(), from("c", 1, 9, &[2])]), Outlook::Alone);
        assert_eq!(seen(&[empty(), None]), Outlook::Silent);
        assert!(matches!(seen(&[None, from("c", 2, 9, &[1, 2])]), Outlook::Larger(_)));
        assert_eq!(seen(&[from("d", 2, 9, &[1, 2])]), Outlook::Alone);
        // Its own learner, and a node that it removed.
        assert_eq!(seen(&[from("c", 2, 5, &[1]), from("c", 3, 4, &[1, 3])]), Outlook::Alone);
        assert_eq!(seen(&[from("c", 2, 9, &[1])]), Outlook::Alone);
    }
}

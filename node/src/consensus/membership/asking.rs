//! Asks the members about this node, see `standing.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use ironkv_proto::admin::v1::StandingResponse;
use tokio::time::sleep;

use super::admin_client::AdminClient;
use super::incarnation::trust::Trust;
use super::incarnation::{note_doubt, settle_objection};
use super::standing::{Verdict, judge, unasked};
use crate::base::config::LiveConfig;
use crate::base::ids::{ClusterId, NodeId};
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::network::channels::Peers;
use crate::consensus::network::convert::told_to_proto;
use crate::consensus::read::read_index::MajorityReads;
use crate::consensus::storage::log::LogPosition;
use crate::consensus::tasks::Tasks;
use crate::data::meta::Meta;

/// Between two questions of a node that hears no leader, at first.
const QUESTION_INTERVAL_MIN: Duration = Duration::from_millis(250);
/// The same after a long silence.
const QUESTION_INTERVAL_MAX: Duration = Duration::from_secs(2);
/// How long one member has to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

type Clients = BTreeMap<String, AdminClient>;

/// What is needed to ask, and to heed the answers.
pub(crate) struct Asking {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) meta: Arc<Meta>,
    pub(crate) tasks: Tasks,
    pub(crate) peers: Peers,
    pub(crate) leadership: Arc<LeadershipState>,
    pub(crate) trust: Arc<Trust>,
    pub(crate) reads: MajorityReads,
}

impl Asking {
    /// Asks as long as no leader is heard, or this node or a member is not sure of its data; ends
    /// when this node was removed, when its data turned out not to be the cluster's, or when it
    /// stops.
    pub(crate) async fn watch(self) {
        let mut interval = QUESTION_INTERVAL_MIN;
        let mut clients = BTreeMap::new();
        let Trust { incarnations, participation, lifetime, raft, .. } = &*self.trust;
        loop {
            tokio::select! {
                () = sleep(interval) => {}
                () = incarnations.doubts().come_up() => {}
            }
            if lifetime.stopping.load(Ordering::Relaxed) || lifetime.ended.borrow().is_some() {
                return;
            }
            note_doubt(incarnations.doubts(), &self.meta, &self.tasks).await;
            let has_doubts = || participation.is_in_doubt() || participation.has_objection();
            if self.hears_a_leader() && !has_doubts() {
                interval = QUESTION_INTERVAL_MIN;
                clients.clear();
                continue;
            }
            let answers = self.ask(&mut clients).await;
            if self.heed(&answers.unwrap_or_default()) {
                return;
            }
            if let Some(core) = raft.core() {
                settle_objection(&self.trust, &self.reads, core.identity.node_id).await;
            }
            interval = (interval * 2).min(QUESTION_INTERVAL_MAX);
        }
    }

    /// Heeds what the members say about this node; whether it ends for good.
    fn heed(&self, answers: &[StandingResponse]) -> bool {
        let Some(core) = self.trust.raft.core() else { return false };
        let (cluster_id, id) = (&core.identity.cluster_id, core.identity.node_id);
        if let Verdict::Removed(at) = judge(cluster_id, id, answers) {
            let LogPosition { index, term, .. } = at;
            self.trust.lifetime.become_removed(&format!(
                "it was removed before the membership of log index {index}, term {term}, as a \
                 majority of its voters says"
            ));
            return true;
        }
        self.trust.heed_answers(cluster_id, id, answers)
    }

    fn hears_a_leader(&self) -> bool {
        let silence_ms_max = self.config.load().raft.leader_lease_ms();
        let age_ms = || self.leadership.contact_age_ms();
        self.leadership.is_leader() || age_ms().is_some_and(|age_ms| age_ms <= silence_ms_max)
    }

    /// Asks the members that this node knows, and then those that they name. Its own address too:
    /// another process may answer there.
    async fn ask(&self, clients: &mut Clients) -> Option<Vec<StandingResponse>> {
        let identity = &self.trust.raft.core()?.identity;
        let (cluster_id, id) = (&identity.cluster_id, identity.node_id);
        let metrics = self.trust.raft.metrics()?;
        let members = metrics.membership_config.nodes();
        let addresses = members.map(|(_, addresses)| addresses.raft.clone()).collect();
        let mut answers = self.ask_all(clients, addresses, cluster_id, id).await;
        let rest = unasked(cluster_id, id, &answers);
        let rest = rest.into_iter().map(|member| member.raft_address.clone()).collect();
        answers.extend(self.ask_all(clients, rest, cluster_id, id).await);
        Some(answers)
    }

    async fn ask_all(
        &self,
        clients: &mut Clients,
        addresses: Vec<String>,
        cluster_id: &ClusterId,
        id: NodeId,
    ) -> Vec<StandingResponse> {
        let questions = addresses.into_iter().filter_map(|address| {
            if !clients.contains_key(&address) {
                // An address that is none is not asked.
                let client = AdminClient::new(&self.peers, &address, ANSWER_TIMEOUT).ok()?;
                clients.insert(address.clone(), client);
            }
            let mut client = clients.get(&address)?.clone();
            let lineage = told_to_proto(self.trust.incarnations.told());
            Some(async move { client.standing(cluster_id, id, lineage).await.ok() })
        });
        let questions: Vec<_> = questions.collect();
        join_all(questions).await.into_iter().flatten().collect()
    }
}

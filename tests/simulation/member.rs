//! Which machines should be members of the cluster, and how one becomes a member, and again after
//! it was removed, with an empty disk.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ironkv::base::ids::NodeId;
use ironkv::consensus::{Change, Expected, Group};
use ironkv::node::Node;
use ironkv::services::cluster::MemberRole;

/// Time between two attempts to join or to be promoted.
const INTERVAL: Duration = Duration::from_millis(200);

/// The state that all machines share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cluster {
    begun: Rc<Cell<bool>>,
    keeps_learners: Rc<Cell<bool>>,
}

impl Cluster {
    /// Whether a machine that joined stays a learner until the nemesis promotes it.
    pub(crate) fn keep_learners(&self, keeps: bool) {
        self.keeps_learners.set(keeps);
    }
}

/// The membership of one machine. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    cluster: Cluster,
    /// Addresses of all other machines.
    seeds: Rc<Vec<String>>,
    begins: bool,
    wanted: Rc<Cell<bool>>,
    removed: Rc<Cell<bool>>,
    decays: Rc<Cell<bool>>,
    damaged: Rc<Cell<bool>>,
    node_id: Rc<Cell<Option<NodeId>>>,
}

impl Membership {
    /// A machine that `begins` a cluster does so once; the others join it when they should be
    /// members.
    pub(crate) fn new(cluster: &Cluster, seeds: Vec<String>, begins: bool, wanted: bool) -> Self {
        Self {
            cluster: cluster.clone(),
            seeds: Rc::new(seeds),
            begins,
            wanted: Rc::new(Cell::new(wanted)),
            removed: Rc::default(),
            decays: Rc::default(),
            damaged: Rc::default(),
            node_id: Rc::default(),
        }
    }

    /// Whether the machine should be a member.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.get()
    }

    /// Sets it from the machine's next start on.
    pub(crate) fn want(&self, wanted: bool) {
        self.wanted.set(wanted);
    }

    /// Whether its node ended because it was removed, so that its disk cannot be used any more.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.get()
    }

    /// Records that its node ended because it was removed.
    pub(crate) fn note_removed(&self) {
        self.removed.set(true);
        self.damaged.set(false);
        self.node_id.set(None);
    }

    /// Whether its files may decay, which may end its node.
    pub(crate) fn decays(&self) -> bool {
        self.decays.get()
    }

    /// Lets its files decay from now on.
    pub(crate) fn let_decay(&self) {
        self.decays.set(true);
    }

    /// Whether its node ended because its files have decayed.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.get()
    }

    /// Records that its node ended because its files have decayed.
    pub(crate) fn note_damaged(&self) {
        self.damaged.set(true);
    }

    /// Gives the machine an empty disk.
    pub(crate) fn replace_disk(&self) {
        self.removed.set(false);
    }

    /// The id of its node, if it ever had one.
    pub(crate) fn node_id(&self) -> Option<NodeId> {
        self.node_id.get()
    }

    /// Gives the node an identity, if it has none, and its role, while the machine does other work.
    pub(crate) async fn enter(&self, node: &Node) {
        let group = node.group().clone();
        if group.identity().is_none() {
            if self.begins && !self.cluster.begun.get() {
                group.init(None).await.expect("an empty node can begin a cluster");
                self.cluster.begun.set(true);
            } else {
                while group.join(&self.seeds, None).await.is_err() {
                    tokio::time::sleep(INTERVAL).await;
                }
            }
        }
        let Some(own) = group.identity().map(|identity| identity.node_id) else { return };
        self.node_id.set(Some(own));
        // A learner serves clients too.
        tokio::task::spawn_local(self.clone().grow(group, own));
    }

    async fn grow(self, group: Group, own: NodeId) {
        // It may be unknown whether the cluster has added the node.
        while role(&group, own).is_none() && group.join(&self.seeds, None).await.is_err() {
            tokio::time::sleep(INTERVAL).await;
        }
        while role(&group, own) != Some(MemberRole::Voter) {
            if !self.cluster.keeps_learners.get() {
                let _ = group.change(Change::Promote(own), Expected::Any, false).await;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// The role of a node, as far as it knows.
fn role(group: &Group, id: NodeId) -> Option<MemberRole> {
    let status = group.status();
    status.members.iter().find(|member| member.node_id == id).map(|member| member.role)
}

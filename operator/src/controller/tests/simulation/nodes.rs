//! The nodes of one cluster in memory, with the checks of the store. A change that would leave no
//! majority is an error of the operator and fails the test.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ironkv_proto::admin::v1::{MemberStatus, Role, StatusResponse};
use ironkv_proto::types::v1::{LogId, Member};
use parking_lot::Mutex;

use crate::node_admin::{AdminError, Change, NodeAdmin, PodEndpoint};

/// The content of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) cluster_id: Option<String>,
    pub(super) id: u64,
    pub(super) removed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct InGroup {
    pub(super) host: String,
    pub(super) voter: bool,
}

#[derive(Default)]
pub(super) struct Group {
    /// The disks by the uid of their claim.
    pub(super) disks: BTreeMap<String, Disk>,
    /// The uid of the claim of each running pod, by the uid of the pod.
    pub(super) running: BTreeMap<String, String>,
    pub(super) members: BTreeMap<u64, InGroup>,
    pub(super) leader: Option<u64>,
    pub(super) membership: u64,
    pub(super) parameters: HashMap<String, String>,
    next_id: u64,
    term: u64,
    /// The number of changes so far.
    pub(super) changes: usize,
    /// The number of the change that is executed but whose response is lost.
    pub(super) lost: Option<usize>,
    /// Members whose disk is full.
    pub(super) full: BTreeSet<u64>,
    /// Members that neither the leader nor the operator reaches, although Kubernetes sees them
    /// ready.
    pub(super) partitioned: BTreeSet<u64>,
}

#[derive(Clone, Default)]
pub(super) struct FakeNodes(pub(super) Arc<Mutex<Group>>);

impl Group {
    fn disk(&mut self, endpoint: &PodEndpoint) -> Result<&mut Disk, AdminError> {
        let claim = self.running.get(endpoint.pod_uid.as_str());
        let claim = claim.ok_or_else(|| AdminError::Unreachable("refused".to_owned()))?;
        Ok(self.disks.entry(claim.clone()).or_default())
    }

    /// Whether the member's disk is in a running pod.
    pub(super) fn is_up(&self, id: u64) -> bool {
        self.running
            .values()
            .any(|claim| self.disks.get(claim).is_some_and(|disk| disk.id == id && !disk.removed))
    }

    fn up(&self, without: Option<u64>) -> (usize, usize) {
        let voters =
            self.members.iter().filter(|(id, member)| member.voter && Some(**id) != without);
        let voters: Vec<u64> = voters.map(|(id, _)| *id).collect();
        (voters.iter().filter(|id| self.is_up(**id)).count(), voters.len())
    }

    pub(super) fn has_quorum(&self) -> bool {
        let (up, voters) = self.up(None);
        up > voters / 2
    }

    /// Elects a new leader when the present one is not up.
    pub(super) fn elect(&mut self) {
        let voters = self.members.iter().filter(|(_, member)| member.voter).map(|(id, _)| *id);
        let able: Vec<u64> = voters.filter(|id| self.is_up(*id)).collect();
        self.leader = self.leader.filter(|leader| able.contains(leader));
        if self.leader.is_none() && self.has_quorum() {
            self.leader = able.first().copied();
            self.term += 1;
        }
    }

    fn status(&self, disk: &Disk) -> StatusResponse {
        let leads = self.leader == Some(disk.id) && disk.cluster_id.is_some() && !disk.removed;
        let member = self.members.get(&disk.id).filter(|_| disk.cluster_id.is_some());
        let role = match member {
            _ if disk.removed => Role::Removed,
            None => Role::Empty,
            Some(_) if leads => Role::Leader,
            Some(member) if member.voter => Role::Follower,
            Some(_) => Role::Learner,
        };
        StatusResponse {
            cluster_id: disk.cluster_id.clone(),
            node_id: disk.id,
            term: self.term,
            role: role.into(),
            members: self.members.iter().map(|(id, member)| self.member(*id, member)).collect(),
            membership: member.map(|_| self.version()),
            membership_committed: true,
            ready: self.leader.is_some() && member.is_some(),
            removed: disk.removed.then(|| "removed".to_owned()),
            version: "1.0.0".to_owned(),
            quorum_acknowledged_ms_ago: leads.then_some(0),
            disk_full: self.full.contains(&disk.id),
            ..StatusResponse::default()
        }
    }

    fn member(&self, id: u64, member: &InGroup) -> MemberStatus {
        MemberStatus {
            member: Some(Member {
                node_id: id,
                raft_address: format!("{}:6380", member.host),
                ..Member::default()
            }),
            voter: member.voter,
            reachable: self.is_up(id) && !self.partitioned.contains(&id),
            caught_up: self.is_up(id) && !self.partitioned.contains(&id),
            ..MemberStatus::default()
        }
    }

    fn version(&self) -> LogId {
        LogId { term: 1, leader_node_id: 1, index: self.membership }
    }

    fn add(&mut self, host: &str, voter: bool) -> u64 {
        self.next_id += 1;
        self.members.insert(self.next_id, InGroup { host: host.to_owned(), voter });
        self.membership += 1;
        self.next_id
    }

    fn count(&mut self) -> Result<(), AdminError> {
        self.changes += 1;
        match self.lost {
            Some(number) if number + 1 == self.changes => {
                Err(AdminError::Unknown("the answer was lost".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn change(&mut self, change: Change, expected: LogId) -> Result<(), AdminError> {
        if expected != self.version() {
            return Err(AdminError::Superseded("another membership".to_owned()));
        }
        assert!(self.has_quorum(), "{change:?} without a quorum");
        match change {
            Change::Transfer(id) => {
                assert!(self.is_up(id) && self.members[&id].voter, "a transfer to {id}");
                self.leader = Some(id);
                self.term += 1;
                return self.count();
            }
            Change::Promote(id) => {
                assert!(self.is_up(id), "promotion of a dead learner");
                self.members.get_mut(&id).unwrap().voter = true;
            }
            Change::Demote(id) => {
                self.check_loss(id);
                self.members.get_mut(&id).unwrap().voter = false;
            }
            Change::Remove(id) => {
                if self.members[&id].voter {
                    self.check_loss(id);
                }
                self.members.remove(&id);
                let disks = self.disks.values_mut().filter(|disk| disk.id == id);
                disks.for_each(|disk| disk.removed = true);
            }
        }
        self.membership += 1;
        self.count()
    }

    fn check_loss(&self, id: u64) {
        let (up, rest) = self.up(Some(id));
        assert!(up > rest / 2, "the loss of {id} leaves {up} of {rest} voters");
        assert_ne!(self.leader, Some(id), "the leader was taken out");
    }
}

#[tonic::async_trait]
impl NodeAdmin for FakeNodes {
    async fn status(&self, endpoint: &PodEndpoint) -> Result<StatusResponse, AdminError> {
        let mut group = self.0.lock();
        let disk = group.disk(endpoint)?.clone();
        if group.partitioned.contains(&disk.id) {
            return Err(AdminError::Unreachable("no route to host".to_owned()));
        }
        Ok(group.status(&disk))
    }

    async fn init(&self, endpoint: &PodEndpoint, cluster_id: &str) -> Result<(), AdminError> {
        let mut group = self.0.lock();
        let disk = group.disk(endpoint)?.clone();
        if disk.cluster_id.is_some() {
            return Err(AdminError::Refused("not empty".to_owned()));
        }
        assert!(group.members.is_empty(), "a second cluster was made");
        let id = group.add(&endpoint.host, true);
        *group.disk(endpoint)? =
            Disk { cluster_id: Some(cluster_id.to_owned()), id, removed: false };
        group.elect();
        group.count()
    }

    async fn join(
        &self,
        endpoint: &PodEndpoint,
        seeds: Vec<String>,
        cluster_id: &str,
    ) -> Result<(), AdminError> {
        let mut group = self.0.lock();
        assert!(!seeds.is_empty(), "no seeds");
        let disk = group.disk(endpoint)?.clone();
        if disk.cluster_id.is_none() {
            let id = group.add(&endpoint.host, false);
            let cluster_id = Some(cluster_id.to_owned());
            *group.disk(endpoint)? = Disk { cluster_id, id, removed: false };
        }
        group.count()
    }

    async fn change(
        &self,
        _: &PodEndpoint,
        change: Change,
        expected: LogId,
        _: &str,
    ) -> Result<(), AdminError> {
        self.0.lock().change(change, expected)
    }

    async fn set_parameters(
        &self,
        _: &PodEndpoint,
        parameters: HashMap<String, String>,
        _: &str,
    ) -> Result<Vec<String>, AdminError> {
        self.0.lock().parameters.extend(parameters);
        Ok(Vec::new())
    }
}

//! Does one step. Every request carries what the step was decided on, so that one that was
//! overtaken is refused instead of done.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::assemble::{Latches, log_id};
use super::observe::Kubernetes;
use super::survey::Survey;
use super::{MembershipVersion, Step};
use crate::names;
use crate::node_admin::{AdminError, Change, Door, NodeAdmin};

/// What a step may touch.
pub(super) struct Acting<'a> {
    /// Kubernetes.
    pub(super) client: &'a Client,
    /// The nodes.
    pub(super) nodes: &'a dyn NodeAdmin,
    /// The cluster's namespace.
    pub(super) namespace: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    /// Identity of the store's cluster.
    pub(super) cluster_id: &'a str,
    /// What Kubernetes told.
    pub(super) kubernetes: &'a Kubernetes,
    /// What the nodes told.
    pub(super) survey: &'a Survey,
}

/// What became of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There was nothing to do.
    Nothing,
    /// It is done.
    Done,
    /// It is to be written into the status.
    Latch(Latches),
    /// Somebody was faster; the next look decides anew.
    Overtaken(String),
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActError {
    /// The API server refused or did not answer.
    #[error("{0}")]
    Kubernetes(#[from] Box<kube::Error>),
    /// A node refused or did not answer.
    #[error("{0}")]
    Node(AdminError),
}

impl From<kube::Error> for ActError {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

impl Acting<'_> {
    /// Does it.
    pub(super) async fn act(&self, step: &Step, latches: Latches) -> Result<Outcome, ActError> {
        let done = match step {
            // The leader finishes a change that was left halfway by itself.
            Step::Done | Step::Wait(_) | Step::Stop(_) | Step::FinishChange(_) => {
                return Ok(Outcome::Nothing);
            }
            Step::RecordBootstrap { ordinal } => {
                return Ok(Outcome::Latch(Latches { bootstrap: Some(*ordinal), ..latches }));
            }
            Step::RecordFormed => {
                return Ok(Outcome::Latch(Latches { formed: true, ..latches }));
            }
            Step::Init { ordinal, pod_uid } => self.init(*ordinal, pod_uid).await,
            Step::Join { ordinal, pod_uid } => self.join(*ordinal, pod_uid).await,
            Step::Promote(id, at) => self.change(Change::Promote(id.0), *at).await,
            Step::Demote(id, at) => self.change(Change::Demote(id.0), *at).await,
            Step::Remove(id, at) => self.change(Change::Remove(id.0), *at).await,
            Step::TransferLeader(id, at) => self.change(Change::Transfer(id.0), *at).await,
            Step::DeletePod { ordinal, pod_uid } => {
                let options = DeleteParams::default().preconditions(only(pod_uid, None));
                self.delete::<Pod>(&names::pod(self.name, *ordinal), &options).await
            }
            Step::DiscardDisk { ordinal, volume_version } => {
                self.discard_disk(*ordinal, volume_version).await
            }
            Step::SetOrdinals { ordinals, version } => self.set_ordinals(*ordinals, version).await,
        };
        match done {
            Ok(()) => Ok(Outcome::Done),
            Err(ActError::Node(AdminError::Overtaken(text))) => Ok(Outcome::Overtaken(text)),
            Err(ActError::Kubernetes(error)) if is_overtaken(&error) => {
                Ok(Outcome::Overtaken(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    fn door(&self, ordinal: u32, pod_uid: &str) -> Result<&Door, ActError> {
        let door = self.survey.doors.get(&ordinal).filter(|door| door.pod_uid == pod_uid);
        door.ok_or_else(|| overtaken("the pod was replaced"))
    }

    async fn init(&self, ordinal: u32, pod_uid: &str) -> Result<(), ActError> {
        let door = self.door(ordinal, pod_uid)?;
        self.nodes.init(door, self.cluster_id).await.map_err(ActError::Node)
    }

    async fn join(&self, ordinal: u32, pod_uid: &str) -> Result<(), ActError> {
        let door = self.door(ordinal, pod_uid)?;
        self.mark_claim(ordinal).await?;
        let members = self.survey.leader(self.cluster_id).map(|(_, told)| &told.members);
        let members = members.into_iter().flatten().filter_map(|member| member.member.as_ref());
        let seeds = members.map(|member| member.raft_address.clone()).collect();
        self.nodes.join(door, seeds, self.cluster_id).await.map_err(ActError::Node)
    }

    /// Gives the claim a new resource version, so that a discard that was decided on earlier is
    /// refused: from now on the disk may hold a member.
    async fn mark_claim(&self, ordinal: u32) -> Result<(), ActError> {
        let claims: Api<PersistentVolumeClaim> = self.api();
        let now = Timestamp::now().to_string();
        let patch = json!({ "metadata": {
            "labels": { names::CLUSTER_UID_LABEL: self.cluster_id },
            "annotations": { names::JOINING_ANNOTATION: now },
        }});
        let name = names::volume_claim(self.name, ordinal);
        claims.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    async fn change(&self, change: Change, at: MembershipVersion) -> Result<(), ActError> {
        let leader = self.survey.leader(self.cluster_id).map(|(ordinal, _)| ordinal);
        let door = leader.and_then(|ordinal| self.survey.doors.get(&ordinal));
        let door = door.ok_or_else(|| overtaken("there is no leader any more"))?;
        let changed = self.nodes.change(door, change, log_id(at), self.cluster_id).await;
        changed.map_err(ActError::Node)
    }

    /// The claim first: while the pod is there the claim only begins to go, and nothing can bind it
    /// again; then the pod, which lets it go.
    async fn discard_disk(&self, ordinal: u32, volume_version: &str) -> Result<(), ActError> {
        let (uid, version) = volume_version.split_once('/').unwrap_or((volume_version, ""));
        let options = DeleteParams::default().preconditions(only(uid, Some(version)));
        let name = names::volume_claim(self.name, ordinal);
        self.delete::<PersistentVolumeClaim>(&name, &options).await?;
        let Some(pod) = self.kubernetes.pods.get(&ordinal) else { return Ok(()) };
        let pod_uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let mut options = DeleteParams::default().preconditions(only(pod_uid, None));
        if !self.is_machine_alive(pod).await? {
            // Its kubelet will never say that the pod has ended. Its identity was removed before,
            // so it cannot take part even if the machine comes back.
            options = options.grace_period(0);
        }
        self.delete::<Pod>(&pod.name_any(), &options).await
    }

    async fn is_machine_alive(&self, pod: &Pod) -> Result<bool, ActError> {
        let Some(name) = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) else {
            return Ok(true);
        };
        let machine = match Api::<Node>::all(self.client.clone()).get_opt(name).await {
            // An operator of single namespaces may not look; an orderly end is never wrong.
            Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(true),
            other => other?,
        };
        let conditions = machine.and_then(|machine| machine.status?.conditions);
        let ready = |all: Vec<k8s_openapi::api::core::v1::NodeCondition>| {
            all.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
        };
        Ok(conditions.is_some_and(ready))
    }

    async fn set_ordinals(&self, ordinals: u32, version: &str) -> Result<(), ActError> {
        if version.is_empty() {
            // It was made in this pass. A patch without a version would be one without a lock.
            return Err(overtaken("the StatefulSet was not seen yet"));
        }
        let sets: Api<StatefulSet> = self.api();
        let patch = json!({
            "metadata": { "resourceVersion": version },
            "spec": { "replicas": ordinals },
        });
        let options = PatchParams {
            field_manager: Some(names::MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let name = names::stateful_set(self.name);
        sets.patch(&name, &options, &Patch::Merge(&patch)).await?;
        Ok(())
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    /// Deletes; what is gone already is fine.
    async fn delete<K>(&self, name: &str, options: &DeleteParams) -> Result<(), ActError>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + serde::de::DeserializeOwned
            + std::fmt::Debug,
    {
        match self.api::<K>().delete(name, options).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn only(uid: &str, resource_version: Option<&str>) -> Preconditions {
    Preconditions {
        uid: Some(uid.to_owned()),
        resource_version: resource_version.map(ToOwned::to_owned),
    }
}

fn overtaken(text: &str) -> ActError {
    ActError::Node(AdminError::Overtaken(text.to_owned()))
}

/// 409: an object is not the one, or not in the state, that was decided on.
pub(super) fn is_overtaken(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict())
}

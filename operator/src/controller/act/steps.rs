//! Executes one step. Every request carries the version on which the step was decided, so that a
//! superseded step is refused instead of executed.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::controller::decide::{
    MembershipVersion, StatusLatches, Step, ValidatedCluster, VolumeVersion,
};
use crate::controller::observe::{ClusterObjects, NodeStatuses, log_id};
use crate::names::{self, Uid};
use crate::node_admin::{AdminError, Change, NodeAdmin, PodEndpoint};

/// Executes the steps of one cluster.
pub(crate) struct StepExecutor<'a> {
    /// The client of Kubernetes.
    pub(crate) client: &'a Client,
    /// The client of the nodes.
    pub(crate) admin: &'a dyn NodeAdmin,
    /// The cluster.
    pub(crate) cluster: &'a ValidatedCluster,
    /// The observed pods and volumes.
    pub(crate) objects: &'a ClusterObjects,
    /// The answers of the nodes.
    pub(crate) nodes: &'a NodeStatuses,
}

/// The result of a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was nothing to do.
    Nothing,
    /// The step was executed.
    Done,
    /// The latches must be written to the status.
    Latch(StatusLatches),
    /// The step was refused, because its decision was superseded. The next reconcile plans again.
    Superseded(String),
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// The API server refused the request or did not answer.
    #[error("{0}")]
    Kubernetes(#[from] Box<kube::Error>),
    /// A node refused the request or did not answer.
    #[error("{0}")]
    Node(AdminError),
}

impl From<kube::Error> for StepError {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

impl StepExecutor<'_> {
    /// Executes a step.
    pub(crate) async fn execute(
        &self,
        step: &Step,
        latches: StatusLatches,
    ) -> Result<Outcome, StepError> {
        let done = match step {
            // The leader itself finishes a joint configuration.
            Step::Done | Step::Wait(_) | Step::Stop(_) | Step::FinishChange(_) => {
                return Ok(Outcome::Nothing);
            }
            Step::RecordBootstrap { ordinal } => {
                return Ok(Outcome::Latch(StatusLatches { bootstrap: Some(*ordinal), ..latches }));
            }
            Step::RecordFormed => {
                return Ok(Outcome::Latch(StatusLatches { formed: true, ..latches }));
            }
            Step::Init { ordinal, pod_uid } => self.init(*ordinal, pod_uid).await,
            Step::Join { ordinal, pod_uid } => self.join(*ordinal, pod_uid).await,
            Step::Promote(id, at) => self.change(Change::Promote(id.0), *at).await,
            Step::Demote(id, at) => self.change(Change::Demote(id.0), *at).await,
            Step::Remove(id, at) => self.change(Change::Remove(id.0), *at).await,
            Step::TransferLeader(id, at) => self.change(Change::Transfer(id.0), *at).await,
            Step::DeletePod { ordinal, pod_uid } => {
                let options = DeleteParams::default().preconditions(only(pod_uid, None));
                self.delete::<Pod>(&names::pod(&self.cluster.name, *ordinal), &options).await
            }
            Step::DiscardDisk { ordinal, volume_version } => {
                self.discard_disk(*ordinal, volume_version).await
            }
            Step::SetOrdinals { ordinals, version } => self.set_ordinals(*ordinals, version).await,
        };
        match done {
            Ok(()) => Ok(Outcome::Done),
            Err(StepError::Node(AdminError::Superseded(text))) => Ok(Outcome::Superseded(text)),
            Err(StepError::Kubernetes(error)) if is_conflict(&error) => {
                Ok(Outcome::Superseded(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    fn endpoint(&self, ordinal: u32, pod_uid: &Uid) -> Result<&PodEndpoint, StepError> {
        let endpoint = self.nodes.endpoints.get(&ordinal);
        let endpoint = endpoint.filter(|endpoint| endpoint.pod_uid == *pod_uid);
        endpoint.ok_or_else(|| superseded("the pod was replaced"))
    }

    async fn init(&self, ordinal: u32, pod_uid: &Uid) -> Result<(), StepError> {
        let endpoint = self.endpoint(ordinal, pod_uid)?;
        self.admin.init(endpoint, &self.cluster.cluster_id).await.map_err(StepError::Node)
    }

    async fn join(&self, ordinal: u32, pod_uid: &Uid) -> Result<(), StepError> {
        let endpoint = self.endpoint(ordinal, pod_uid)?;
        self.mark_claim(ordinal).await?;
        let members = self.nodes.leader().map(|(_, status)| &status.members);
        let members = members.into_iter().flatten().filter_map(|member| member.member.as_ref());
        let seeds = members.map(|member| member.raft_address.clone()).collect();
        let joined = self.admin.join(endpoint, seeds, &self.cluster.cluster_id).await;
        joined.map_err(StepError::Node)
    }

    /// Changes the claim, so that the API server refuses an earlier decision to discard it: from
    /// now on the disk may hold a member.
    async fn mark_claim(&self, ordinal: u32) -> Result<(), StepError> {
        let claims: Api<PersistentVolumeClaim> = self.api();
        let now = Timestamp::now().to_string();
        let patch = json!({ "metadata": {
            "labels": { names::CLUSTER_UID_LABEL: self.cluster.cluster_id },
            "annotations": { names::JOINING_ANNOTATION: now },
        }});
        let name = names::volume_claim(&self.cluster.name, ordinal);
        claims.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    async fn change(&self, change: Change, at: MembershipVersion) -> Result<(), StepError> {
        let endpoint = self.nodes.leader_endpoint();
        let endpoint = endpoint.ok_or_else(|| superseded("there is no leader any more"))?;
        let cluster_id = &self.cluster.cluster_id;
        let changed = self.admin.change(endpoint, change, log_id(at), cluster_id).await;
        changed.map_err(StepError::Node)
    }

    /// Deletes the claim before its pod. While the pod exists, the claim is only marked for
    /// deletion, and no other pod can bind it; the deletion of the pod then releases it.
    async fn discard_disk(&self, ordinal: u32, version: &VolumeVersion) -> Result<(), StepError> {
        let VolumeVersion { uid, resource_version } = version;
        let options = DeleteParams::default().preconditions(only(uid, Some(resource_version)));
        let name = names::volume_claim(&self.cluster.name, ordinal);
        self.delete::<PersistentVolumeClaim>(&name, &options).await?;
        let Some(pod) = self.objects.pods.get(&ordinal) else { return Ok(()) };
        let pod_uid = pod.metadata.uid.as_deref().unwrap_or_default().into();
        let mut options = DeleteParams::default().preconditions(only(&pod_uid, None));
        if !self.is_machine_alive(pod).await? {
            // The kubelet will never report that the pod has ended. The member was removed before,
            // so it cannot take part even if the machine returns.
            options = options.grace_period(0);
        }
        self.delete::<Pod>(&pod.name_any(), &options).await
    }

    async fn is_machine_alive(&self, pod: &Pod) -> Result<bool, StepError> {
        let Some(name) = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) else {
            return Ok(true);
        };
        let machine = match Api::<Node>::all(self.client.clone()).get_opt(name).await {
            // An operator with permissions for single namespaces cannot read machines. Waiting for
            // an orderly end of the pod is always safe.
            Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(true),
            other => other?,
        };
        let conditions = machine.and_then(|machine| machine.status?.conditions);
        let ready = |all: Vec<k8s_openapi::api::core::v1::NodeCondition>| {
            all.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
        };
        Ok(conditions.is_some_and(ready))
    }

    async fn set_ordinals(&self, ordinals: u32, version: &str) -> Result<(), StepError> {
        if version.is_empty() {
            // The StatefulSet was created in this reconcile. A patch without a version would not be
            // protected by optimistic locking.
            return Err(superseded("the StatefulSet was not seen yet"));
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
        let name = names::stateful_set(&self.cluster.name);
        sets.patch(&name, &options, &Patch::Merge(&patch)).await?;
        Ok(())
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), self.cluster.namespace.as_str())
    }

    /// Deletes an object. One that does not exist is not an error.
    async fn delete<K>(&self, name: &str, options: &DeleteParams) -> Result<(), StepError>
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

fn only(uid: &Uid, resource_version: Option<&str>) -> Preconditions {
    Preconditions {
        uid: Some(uid.to_string()),
        resource_version: resource_version.map(ToOwned::to_owned),
    }
}

fn superseded(text: &str) -> StepError {
    StepError::Node(AdminError::Superseded(text.to_owned()))
}

/// Whether an object is no longer the one, or no longer in the version, on which a step was
/// decided.
fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict())
}

//! The pods and volumes of one cluster, read from the stores of the watches without a request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ContainerStatus, PersistentVolumeClaim, Pod, PodCondition};
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};

use super::stores::Stores;
use crate::controller::decide::ValidatedCluster;
use crate::names::{self, Namespace};

/// The objects whose state determines the next step.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClusterObjects {
    /// The StatefulSet of the pods.
    pub(crate) stateful_set: Option<Arc<StatefulSet>>,
    /// Pods by ordinal.
    pub(crate) pods: BTreeMap<u32, Arc<Pod>>,
    /// Volume claims by ordinal.
    pub(crate) claims: BTreeMap<u32, Arc<PersistentVolumeClaim>>,
}

impl ClusterObjects {
    /// Reads the stores.
    pub(crate) fn observe(stores: &Stores, cluster: &ValidatedCluster) -> Self {
        let ValidatedCluster { name, namespace, .. } = cluster;
        let set = ObjectRef::new(&names::stateful_set(name)).within(namespace.as_str());
        let claim_ordinal = |claim: &str| names::claim_ordinal(name, claim);
        Self {
            stateful_set: stores.stateful_sets.get(&set),
            pods: by_ordinal(&stores.pods, namespace, |pod| names::ordinal(name, pod)),
            claims: by_ordinal(&stores.claims, namespace, claim_ordinal),
        }
    }

    /// The number of replicas of the StatefulSet.
    pub(crate) fn ordinals(&self) -> u32 {
        let replicas = self.stateful_set.as_ref().and_then(|set| set.spec.as_ref()?.replicas);
        replicas.map_or(0, |replicas| u32::try_from(replicas).unwrap_or(0))
    }

    /// Each ordinal that has a pod or a claim, or should have a pod.
    pub(crate) fn places(&self) -> impl Iterator<Item = u32> {
        let known = self.pods.keys().chain(self.claims.keys()).copied();
        known.chain(0..self.ordinals()).collect::<BTreeSet<u32>>().into_iter()
    }
}

fn by_ordinal<K>(
    store: &Store<K>,
    namespace: &Namespace,
    ordinal: impl Fn(&str) -> Option<u32>,
) -> BTreeMap<u32, Arc<K>>
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    let ours = |object: &K| object.namespace().as_deref() == Some(namespace.as_str());
    let objects = store.state_filter(ours).into_iter();
    objects.filter_map(|object| Some((ordinal(&object.name_any())?, object))).collect()
}

/// The condition of a pod with this type.
pub(crate) fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// The status of the store's container in a pod.
pub(crate) fn container(pod: &Pod) -> Option<&ContainerStatus> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find(|container| container.name == names::CONTAINER)
}

/// Whether Kubernetes sends clients to a pod.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let ready = condition(pod, "Ready").is_some_and(|ready| ready.status == "True");
    pod.metadata.deletion_timestamp.is_none() && ready
}

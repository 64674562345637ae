//! What Kubernetes tells of one cluster, read from the watches' stores: no request is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};

use super::stores::Stores;
use crate::names;

/// The objects whose state decides about steps, by ordinal.
#[derive(Clone, Debug, Default)]
pub(super) struct Kubernetes {
    /// The pods' owner.
    pub(super) stateful_set: Option<Arc<StatefulSet>>,
    /// Pods.
    pub(super) pods: BTreeMap<u32, Arc<Pod>>,
    /// Volume claims.
    pub(super) claims: BTreeMap<u32, Arc<PersistentVolumeClaim>>,
}

/// Reads the stores.
pub(super) fn observe(stores: &Stores, namespace: &str, name: &str) -> Kubernetes {
    let set = ObjectRef::new(&names::stateful_set(name)).within(namespace);
    Kubernetes {
        stateful_set: stores.stateful_sets.get(&set),
        pods: by_ordinal(&stores.pods, namespace, |pod| names::ordinal(name, pod)),
        claims: by_ordinal(&stores.claims, namespace, |claim| names::claim_ordinal(name, claim)),
    }
}

fn by_ordinal<K>(
    store: &Store<K>,
    namespace: &str,
    ordinal: impl Fn(&str) -> Option<u32>,
) -> BTreeMap<u32, Arc<K>>
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    let ours = |object: &K| object.namespace().as_deref() == Some(namespace);
    let objects = store.state_filter(ours).into_iter();
    objects.filter_map(|object| Some((ordinal(&object.name_any())?, object))).collect()
}

impl Kubernetes {
    /// Ordinals that have a pod by the StatefulSet's word.
    pub(super) fn ordinals(&self) -> u32 {
        let replicas = self.stateful_set.as_ref().and_then(|set| set.spec.as_ref()?.replicas);
        replicas.map_or(0, |replicas| u32::try_from(replicas).unwrap_or(0))
    }

    /// Each ordinal that has a pod or a claim, or should have a pod.
    pub(super) fn places(&self) -> impl Iterator<Item = u32> {
        let known = self.pods.keys().chain(self.claims.keys()).copied();
        known.chain(0..self.ordinals()).collect::<std::collections::BTreeSet<u32>>().into_iter()
    }
}

//! Brings the objects that were built into Kubernetes by server-side apply, the StatefulSet last,
//! so that no pod starts before what it mounts is there. What is as it was left is not sent again.

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::build::{Objects, OptionalKinds};
use super::stores::Stores;
use crate::context::Applied;
use crate::names;

/// Where objects go.
pub(super) struct Applier<'a> {
    /// Kubernetes.
    pub(super) client: &'a Client,
    /// What the watches saw.
    pub(super) stores: &'a Stores,
    /// The cluster's namespace.
    pub(super) namespace: &'a str,
    /// The owner's uid.
    pub(super) uid: &'a str,
    /// What was applied before.
    pub(super) applied: &'a mut Applied,
}

/// An object that Kubernetes did not take.
#[derive(Debug, thiserror::Error)]
#[error("cannot apply {kind} {name}: {reason}")]
pub(super) struct ApplyError {
    /// Its kind.
    pub(super) kind: String,
    /// Its name.
    pub(super) name: String,
    /// Why.
    pub(super) reason: Refusal,
}

/// Why Kubernetes did not take it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It belongs to something else.
    #[error(
        "it exists and was not made for this cluster; delete it, or give the cluster a new name"
    )]
    Foreign,
    /// The API server refused or did not answer.
    #[error("{0}")]
    Kubernetes(Box<kube::Error>),
}

/// An object of a kind that the operator owns and watches.
trait Owned:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}
impl<K> Owned for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

impl Applier<'_> {
    /// Applies them all and removes what is not asked for any more.
    pub(super) async fn apply(
        &mut self,
        name: &str,
        objects: Objects,
        kinds: OptionalKinds,
    ) -> Result<(), ApplyError> {
        // Named one by one: a new object that is not applied here does not compile.
        let Objects {
            service_account,
            config_map,
            services,
            disruption_budget,
            network_policy,
            pod_monitor,
            prometheus_rule,
            dashboard,
            stateful_set,
        } = objects;
        let stores = self.stores;
        self.one(&stores.service_accounts, service_account).await?;
        self.one(&stores.config_maps, config_map).await?;
        for service in services {
            self.one(&stores.services, service).await?;
        }
        let budget = names::disruption_budget(name);
        self.one_or_none(&stores.disruption_budgets, &budget, disruption_budget).await?;
        let policy = names::network_policy(name);
        self.one_or_none(&stores.network_policies, &policy, network_policy).await?;
        self.one_or_none::<ConfigMap>(&stores.config_maps, &names::dashboard(name), dashboard)
            .await?;
        if kinds.pod_monitor {
            self.optional("PodMonitor", &names::pod_monitor(name), pod_monitor).await?;
        }
        if kinds.prometheus_rule {
            self.optional("PrometheusRule", &names::prometheus_rule(name), prometheus_rule).await?;
        }
        self.stateful_set(stateful_set).await
    }

    async fn one<K: Owned>(&mut self, store: &Store<K>, object: K) -> Result<(), ApplyError> {
        let (kind, name) = (K::kind(&()).into_owned(), object.name_any());
        let seen = store.get(&ObjectRef::new(&name).within(self.namespace));
        let hash = hash_of(&object);
        if self.is_current(&kind, &name, hash, seen.as_deref()) {
            return Ok(());
        }
        match &seen {
            None => drop(self.unseen::<K>(&kind, &name).await?),
            Some(seen) => self.check_owner(&kind, seen.as_ref())?,
        }
        let options = PatchParams::apply(names::MANAGER).force();
        let sent = self.api::<K>().patch(&name, &options, &Patch::Apply(&object)).await;
        let sent = sent.map_err(|error| failed(&kind, &name, error))?;
        self.applied.insert((kind, name), (hash, sent.resource_version().unwrap_or_default()));
        Ok(())
    }

    /// It says how many pods there are, which a stale look must never set back: it is changed only
    /// in the version that was seen.
    async fn stateful_set(&mut self, mut set: StatefulSet) -> Result<(), ApplyError> {
        let name = set.name_any();
        let seen = self.stores.stateful_sets.get(&ObjectRef::new(&name).within(self.namespace));
        match seen {
            Some(seen) => set.metadata.resource_version = seen.resource_version(),
            None if self.unseen::<StatefulSet>("StatefulSet", &name).await? => return Ok(()),
            None => {}
        }
        let stores = self.stores;
        self.one(&stores.stateful_sets, set).await
    }

    /// Whether an object is there that the watch has not seen; one that somebody else made is not
    /// taken over.
    async fn unseen<K: Owned>(&self, kind: &str, name: &str) -> Result<bool, ApplyError> {
        let found = self.api::<K>().get_opt(name).await;
        let found = found.map_err(|error| failed(kind, name, error))?;
        let Some(object) = found else { return Ok(false) };
        self.check_owner(kind, &object).map(|()| true)
    }

    /// Also one of an earlier cluster of the same name, which garbage collection has yet to take.
    fn check_owner<K: Owned>(&self, kind: &str, object: &K) -> Result<(), ApplyError> {
        if is_owned_by(object, self.uid) {
            return Ok(());
        }
        let (kind, name) = (kind.to_owned(), object.name_any());
        Err(ApplyError { kind, name, reason: Refusal::Foreign })
    }

    async fn one_or_none<K: Owned>(
        &mut self,
        store: &Store<K>,
        name: &str,
        object: Option<K>,
    ) -> Result<(), ApplyError> {
        if let Some(object) = object {
            return self.one(store, object).await;
        }
        let seen = store.get(&ObjectRef::new(name).within(self.namespace));
        let ours = seen.filter(|seen: &Arc<K>| is_owned_by(seen.as_ref(), self.uid));
        let Some(ours) = ours else { return Ok(()) };
        let only = kube::api::Preconditions { uid: ours.uid(), resource_version: None };
        let options = DeleteParams::default().preconditions(only);
        let deleted = self.api::<K>().delete(name, &options).await;
        gone(deleted.map(drop)).map_err(|error| failed(&K::kind(&()), name, error))
    }

    /// Of a kind that need not be installed, so that there is no watch: applied when it differs
    /// from what was applied last, removed once.
    async fn optional(
        &mut self,
        kind: &str,
        name: &str,
        object: Option<DynamicObject>,
    ) -> Result<(), ApplyError> {
        let resource = ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(
            "monitoring.coreos.com",
            "v1",
            kind,
        ));
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), self.namespace, &resource);
        let hash = object.as_ref().map_or(0, hash_of);
        let key = (kind.to_owned(), name.to_owned());
        if self.applied.get(&key).is_some_and(|(last, _)| *last == hash) {
            return Ok(());
        }
        let done = match object {
            None => gone(api.delete(name, &DeleteParams::default()).await.map(drop)),
            Some(object) => {
                let options = PatchParams::apply(names::MANAGER).force();
                api.patch(name, &options, &Patch::Apply(&object)).await.map(drop)
            }
        };
        done.map_err(|error| failed(kind, name, error))?;
        self.applied.insert(key, (hash, String::new()));
        Ok(())
    }

    fn is_current<K: Owned>(&self, kind: &str, name: &str, hash: u64, seen: Option<&K>) -> bool {
        let last = self.applied.get(&(kind.to_owned(), name.to_owned()));
        let version = seen.and_then(ResourceExt::resource_version);
        last.is_some_and(|(sent, became)| *sent == hash && version.as_ref() == Some(became))
    }

    fn api<K: Owned>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), self.namespace)
    }
}

fn is_owned_by<K: Resource>(object: &K, uid: &str) -> bool {
    object.owner_references().iter().any(|owner| owner.uid == uid)
}

fn gone(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other,
    }
}

fn failed(kind: &str, name: &str, error: kube::Error) -> ApplyError {
    ApplyError {
        kind: kind.to_owned(),
        name: name.to_owned(),
        reason: Refusal::Kubernetes(Box::new(error)),
    }
}

fn hash_of(object: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(object).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

//! Writes the built objects to Kubernetes by server-side apply. The StatefulSet is last, so that no
//! pod starts before the objects that it mounts exist. An unchanged object is not sent again.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::build::{Objects, pod_monitor_resource, prometheus_rule_resource};
use super::hash::hash_of;
use crate::context::Applied;
use crate::controller::decide::ValidatedCluster;
use crate::controller::observe::OptionalKinds;
use crate::controller::observe::stores::Stores;
use crate::names::{self, Uid};

/// Applies the objects of one cluster.
pub(crate) struct Applier<'a> {
    /// The client.
    pub(crate) client: &'a Client,
    /// The observed objects.
    pub(crate) stores: &'a Stores,
    /// The cluster that owns the objects.
    pub(crate) cluster: &'a ValidatedCluster,
    /// The objects that were applied before.
    pub(crate) applied: &'a mut Applied,
}

/// An object could not be applied.
#[derive(Debug, thiserror::Error)]
#[error("cannot apply {kind} {name}: {cause}")]
pub(crate) struct ApplyError {
    kind: String,
    name: String,
    cause: ApplyErrorCause,
}

/// Why an object could not be applied.
#[derive(Debug, thiserror::Error)]
enum ApplyErrorCause {
    /// The object exists and belongs to another owner.
    #[error(
        "it exists and was not made for this cluster; delete it, or give the cluster a new name"
    )]
    Foreign,
    /// The API server refused the request or did not answer.
    #[error("{0}")]
    Kubernetes(Box<kube::Error>),
}

/// A kind of object that the operator owns and watches.
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
    /// Applies all objects, and deletes those that are no longer wanted.
    pub(crate) async fn apply(
        &mut self,
        objects: Objects,
        kinds: OptionalKinds,
    ) -> Result<(), ApplyError> {
        // The fields are listed so that a new object that is not applied here does not compile.
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
        let (stores, name) = (self.stores, &self.cluster.name);
        self.apply_one(&stores.service_accounts, service_account).await?;
        self.apply_one(&stores.config_maps, config_map).await?;
        for service in services {
            self.apply_one(&stores.services, service).await?;
        }
        let budget = names::disruption_budget(name);
        self.apply_or_delete(&stores.disruption_budgets, &budget, disruption_budget).await?;
        let policy = names::network_policy(name);
        self.apply_or_delete(&stores.network_policies, &policy, network_policy).await?;
        self.apply_or_delete::<ConfigMap>(&stores.config_maps, &names::dashboard(name), dashboard)
            .await?;
        if kinds.pod_monitor {
            let resource = pod_monitor_resource();
            self.apply_optional(&resource, &names::pod_monitor(name), pod_monitor).await?;
        }
        if kinds.prometheus_rule {
            let resource = prometheus_rule_resource();
            self.apply_optional(&resource, &names::prometheus_rule(name), prometheus_rule).await?;
        }
        self.apply_stateful_set(stateful_set).await
    }

    async fn apply_one<K: Owned>(&mut self, store: &Store<K>, object: K) -> Result<(), ApplyError> {
        let (kind, name) = (K::kind(&()).into_owned(), object.name_any());
        let seen = store.get(&ObjectRef::new(&name).within(self.cluster.namespace.as_str()));
        let hash = hash_of(&object);
        if self.is_current(&kind, &name, hash, seen.as_deref()) {
            return Ok(());
        }
        match &seen {
            None => drop(self.exists_unobserved::<K>(&kind, &name).await?),
            Some(seen) => self.check_owner(&kind, seen.as_ref())?,
        }
        let options = PatchParams::apply(names::MANAGER).force();
        let sent = self.api::<K>().patch(&name, &options, &Patch::Apply(&object)).await;
        let sent = sent.map_err(|error| failed(&kind, &name, error))?;
        self.applied.insert((kind, name), (hash, sent.resource_version().unwrap_or_default()));
        Ok(())
    }

    /// Applies the StatefulSet only if it is still in the observed version: it contains the number
    /// of pods, which a reconcile with a stale cache must not set back.
    async fn apply_stateful_set(&mut self, mut set: StatefulSet) -> Result<(), ApplyError> {
        let name = set.name_any();
        let seen = self
            .stores
            .stateful_sets
            .get(&ObjectRef::new(&name).within(self.cluster.namespace.as_str()));
        match seen {
            Some(seen) => set.metadata.resource_version = seen.resource_version(),
            None if self.exists_unobserved::<StatefulSet>("StatefulSet", &name).await? => {
                return Ok(());
            }
            None => {}
        }
        let stores = self.stores;
        self.apply_one(&stores.stateful_sets, set).await
    }

    /// Whether the object exists although the watch has not seen it. An object of another owner is
    /// an error.
    async fn exists_unobserved<K: Owned>(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<bool, ApplyError> {
        let found = self.api::<K>().get_opt(name).await;
        let found = found.map_err(|error| failed(kind, name, error))?;
        let Some(object) = found else { return Ok(false) };
        self.check_owner(kind, &object).map(|()| true)
    }

    /// Fails for an object of another owner. That may be an earlier cluster of the same name, whose
    /// objects the garbage collector has not deleted yet.
    fn check_owner<K: Owned>(&self, kind: &str, object: &K) -> Result<(), ApplyError> {
        if is_owned_by(object, &self.cluster.uid) {
            return Ok(());
        }
        let (kind, name) = (kind.to_owned(), object.name_any());
        Err(ApplyError { kind, name, cause: ApplyErrorCause::Foreign })
    }

    async fn apply_or_delete<K: Owned>(
        &mut self,
        store: &Store<K>,
        name: &str,
        object: Option<K>,
    ) -> Result<(), ApplyError> {
        if let Some(object) = object {
            return self.apply_one(store, object).await;
        }
        let seen = store.get(&ObjectRef::new(name).within(self.cluster.namespace.as_str()));
        let ours = seen.filter(|seen: &Arc<K>| is_owned_by(seen.as_ref(), &self.cluster.uid));
        let Some(ours) = ours else { return Ok(()) };
        let only = kube::api::Preconditions { uid: ours.uid(), resource_version: None };
        let options = DeleteParams::default().preconditions(only);
        let deleted = self.api::<K>().delete(name, &options).await;
        or_not_found(deleted.map(drop)).map_err(|error| failed(&K::kind(&()), name, error))
    }

    /// Applies an object of an optional kind, for which there is no watch: it is sent when it
    /// differs from the one that was applied last, and deleted once.
    async fn apply_optional(
        &mut self,
        resource: &ApiResource,
        name: &str,
        object: Option<DynamicObject>,
    ) -> Result<(), ApplyError> {
        let (kind, namespace) = (&resource.kind, self.cluster.namespace.as_str());
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, resource);
        let hash = object.as_ref().map_or(0, hash_of);
        let key = (kind.clone(), name.to_owned());
        if self.applied.get(&key).is_some_and(|(last, _)| *last == hash) {
            return Ok(());
        }
        let done = match object {
            None => or_not_found(api.delete(name, &DeleteParams::default()).await.map(drop)),
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
        Api::namespaced(self.client.clone(), self.cluster.namespace.as_str())
    }
}

fn is_owned_by<K: Resource>(object: &K, uid: &Uid) -> bool {
    object.owner_references().iter().any(|owner| owner.uid == uid.as_str())
}

/// Deleting an object that does not exist succeeds.
fn or_not_found(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other,
    }
}

fn failed(kind: &str, name: &str, error: kube::Error) -> ApplyError {
    ApplyError {
        kind: kind.to_owned(),
        name: name.to_owned(),
        cause: ApplyErrorCause::Kubernetes(Box::new(error)),
    }
}

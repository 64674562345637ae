//! One watch for each kind of object that the operator owns. Each keeps the newest objects in a
//! store, so that observing them costs no request.

use std::fmt::Debug;

use futures::{Stream, StreamExt, future, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::metrics::Metrics;
use crate::names::{self, ClusterName, Namespace};

/// The newest objects that the watches have seen.
#[derive(Clone)]
pub(crate) struct Stores {
    /// The StatefulSets of the pods.
    pub(crate) stateful_sets: Store<StatefulSet>,
    /// Pods.
    pub(crate) pods: Store<Pod>,
    /// Volume claims.
    pub(crate) claims: Store<PersistentVolumeClaim>,
    /// Services.
    pub(crate) services: Store<Service>,
    /// Config maps.
    pub(crate) config_maps: Store<ConfigMap>,
    /// Service accounts.
    pub(crate) service_accounts: Store<ServiceAccount>,
    /// Disruption budgets.
    pub(crate) disruption_budgets: Store<PodDisruptionBudget>,
    /// Network policies.
    pub(crate) network_policies: Store<NetworkPolicy>,
}

/// A cluster of which an object changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AffectedCluster {
    /// Its namespace.
    pub(crate) namespace: Namespace,
    /// Its name.
    pub(crate) name: ClusterName,
}

type AffectedClusters = stream::BoxStream<'static, AffectedCluster>;

/// Starts the watches of one namespace, or of all. The stream drives them, so it must be polled; it
/// yields the cluster to which each changed object belongs.
pub(crate) fn watch(client: &Client, namespace: Option<&str>) -> (Stores, AffectedClusters) {
    let mut changes: Vec<AffectedClusters> = Vec::new();
    macro_rules! store {
        () => {{
            let (store, stream) = watch_kind(client, namespace);
            changes.push(stream);
            store
        }};
    }
    let stores = Stores {
        stateful_sets: store!(),
        pods: store!(),
        claims: store!(),
        services: store!(),
        config_maps: store!(),
        service_accounts: store!(),
        disruption_budgets: store!(),
        network_policies: store!(),
    };
    (stores, stream::select_all(changes).boxed())
}

/// The API for one namespace, or for all.
pub(crate) fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

fn watch_kind<K>(client: &Client, namespace: Option<&str>) -> (Store<K>, AffectedClusters)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let (store, writer) = reflector::store();
    let ours = format!("{}={}", names::MANAGED_BY_LABEL, names::MANAGER);
    let config = watcher::Config::default().labels(&ours);
    let events = watcher(api::<K>(client, namespace), config).default_backoff();
    let objects = events.reflect(writer).touched_objects();
    let changes = objects.filter_map(|object| future::ready(affected(object)));
    (store, changes.boxed())
}

fn affected<K: Resource<DynamicType = ()>>(
    object: Result<K, watcher::Error>,
) -> Option<AffectedCluster> {
    match object {
        Ok(object) => {
            let name = object.labels().get(names::INSTANCE_LABEL)?.as_str().into();
            Some(AffectedCluster { namespace: object.namespace()?.into(), name })
        }
        Err(error) => {
            tracing::warn!(kind = %K::kind(&()), %error, "a watch broke and is started again");
            None
        }
    }
}

impl Stores {
    /// Waits until every watch has seen all objects that exist. Before that, an object that does
    /// not exist looks like one that was not seen yet. The stream of [`watch`] must be polled
    /// meanwhile.
    pub(crate) async fn wait_until_ready(&self) -> Result<(), reflector::store::WriterDropped> {
        self.stateful_sets.wait_until_ready().await?;
        self.pods.wait_until_ready().await?;
        self.claims.wait_until_ready().await?;
        self.services.wait_until_ready().await?;
        self.config_maps.wait_until_ready().await?;
        self.service_accounts.wait_until_ready().await?;
        self.disruption_budgets.wait_until_ready().await?;
        self.network_policies.wait_until_ready().await
    }
}

impl AffectedCluster {
    /// The reference by which the controller identifies the cluster.
    pub(crate) fn reference<K: Resource<DynamicType = ()>>(&self) -> ObjectRef<K> {
        ObjectRef::new(self.name.as_str()).within(self.namespace.as_str())
    }
}

/// Polls the watches in a separate task, and queues the affected clusters for a controller that
/// starts once the watches have seen all objects.
pub(crate) fn forward(
    changes: AffectedClusters,
    metrics: Metrics,
) -> (tokio::task::JoinHandle<()>, impl Stream<Item = AffectedCluster> + Send) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        let mut changes = changes;
        while let Some(cluster) = changes.next().await {
            if sender.send(cluster).is_err() {
                return;
            }
        }
    });
    let received = stream::unfold((receiver, metrics), |(mut receiver, metrics)| async {
        let cluster = receiver.recv().await?;
        metrics.set_waiting(receiver.len());
        Some((cluster, (receiver, metrics)))
    });
    (task, received)
}

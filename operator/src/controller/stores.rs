//! One watch for each kind that the operator owns; what they saw last is kept in a store each, so
//! that a look costs no request.

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
use crate::names;

/// What the watches saw last.
#[derive(Clone)]
pub struct Stores {
    /// Pods' owners.
    pub stateful_sets: Store<StatefulSet>,
    /// Pods.
    pub pods: Store<Pod>,
    /// Volume claims.
    pub claims: Store<PersistentVolumeClaim>,
    /// Services.
    pub services: Store<Service>,
    /// Config maps.
    pub config_maps: Store<ConfigMap>,
    /// Service accounts.
    pub service_accounts: Store<ServiceAccount>,
    /// Disruption budgets.
    pub disruption_budgets: Store<PodDisruptionBudget>,
    /// Network policies.
    pub network_policies: Store<NetworkPolicy>,
}

/// A cluster that something happened to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Touched {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

type Touches = stream::BoxStream<'static, Touched>;

/// Starts the watches of one namespace, or of all. The stream must be polled for them to go on; it
/// tells which cluster each change belongs to.
pub fn watch(client: &Client, namespace: Option<&str>) -> (Stores, Touches) {
    let mut touches: Vec<Touches> = Vec::new();
    macro_rules! store {
        () => {{
            let (store, stream) = watch_kind(client, namespace);
            touches.push(stream);
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
    (stores, stream::select_all(touches).boxed())
}

/// The API of one namespace, or of all.
pub fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

fn watch_kind<K>(client: &Client, namespace: Option<&str>) -> (Store<K>, Touches)
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
    let touches = objects.filter_map(|object| future::ready(touched(object)));
    (store, touches.boxed())
}

fn touched<K: Resource<DynamicType = ()>>(object: Result<K, watcher::Error>) -> Option<Touched> {
    match object {
        Ok(object) => {
            let name = object.labels().get(names::INSTANCE_LABEL)?.clone();
            Some(Touched { namespace: object.namespace()?, name })
        }
        Err(error) => {
            tracing::warn!(kind = %K::kind(&()), %error, "a watch broke and is started again");
            None
        }
    }
}

impl Stores {
    /// Waits until every watch has seen everything there is; before that, nothing could be told
    /// from nothing seen. The stream of [`watch`] must be polled meanwhile.
    pub async fn wait_until_ready(&self) -> Result<(), reflector::store::WriterDropped> {
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

impl Touched {
    /// As the controller names it.
    pub fn reference<K: Resource<DynamicType = ()>>(&self) -> ObjectRef<K> {
        ObjectRef::new(&self.name).within(&self.namespace)
    }
}

/// Polls the watches from a task of its own, and keeps what they tell for a controller that begins
/// once they have seen everything.
pub fn forward(
    touches: Touches,
    metrics: Metrics,
) -> (tokio::task::JoinHandle<()>, impl Stream<Item = Touched> + Send) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        let mut touches = touches;
        while let Some(touched) = touches.next().await {
            if sender.send(touched).is_err() {
                return;
            }
        }
    });
    let received = stream::unfold((receiver, metrics), |(mut receiver, metrics)| async {
        let touched = receiver.recv().await?;
        metrics.set_waiting(receiver.len());
        Some((touched, (receiver, metrics)))
    });
    (task, received)
}

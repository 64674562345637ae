//! A whole cluster in memory: API server, kubelets and nodes are simulated, and the reconcile is
//! the real one. Its caches may be stale, and its process may restart.

mod api;
mod faults_test;
mod kubelet;
mod life_test;
mod nodes;

use std::fmt::Debug;
use std::sync::Arc;

use kube::Resource;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{self, Store, store::Writer};
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::context::Context;
use crate::controller::reconcile::reconcile;
use crate::controller::stores::Stores;
use crate::controller::{OptionalKinds, Shared};
use crate::crd::{ConditionType, IronKVCluster};
use crate::metrics::Metrics;

use api::{FakeApi, Fault};
use nodes::FakeNodes;

const NAME: &str = "kv";

pub(super) struct Simulation {
    api: FakeApi,
    nodes: FakeNodes,
    context: Arc<Context>,
}

impl Simulation {
    /// A simulation with a new resource and an operator that has just started.
    pub(super) fn new(spec: Value) -> Self {
        let (api, nodes) = (FakeApi::default(), FakeNodes::default());
        let context = operator(&api, &nodes);
        let resource = json!({
            "apiVersion": "ironkv.io/v1alpha1", "kind": "IronKVCluster",
            "metadata": {
                "name": NAME, "namespace": "default", "generation": 1,
                "uid": "0f0e0d0c-0b0a-0908-0706-050403020100",
            },
            "spec": spec,
        });
        api.0.lock().put(&key(), resource);
        let machine = json!({
            "metadata": { "name": "machine" },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        api.0.lock().put("nodes//machine", machine);
        Self { api, nodes, context }
    }

    /// Restarts the operator, which loses its memory.
    pub(super) fn restart_operator(&mut self) {
        self.context = operator(&self.api, &self.nodes);
    }

    pub(super) fn change_spec(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.api.0.lock();
        let mut resource = state.objects[&key()].clone();
        change(&mut resource["spec"]);
        let generation = resource["metadata"]["generation"].as_i64().unwrap();
        resource["metadata"]["generation"] = json!(generation + 1);
        state.put(&key(), resource);
    }

    /// The resource and the caches of the operator, as they would be now.
    pub(super) fn caches(&self) -> (Arc<IronKVCluster>, Stores) {
        let state = self.api.0.lock();
        let resource = serde_json::from_value(state.objects[&key()].clone()).unwrap();
        let stores = Stores {
            stateful_sets: filled(&state.objects, "statefulsets"),
            pods: filled(&state.objects, "pods"),
            claims: filled(&state.objects, "persistentvolumeclaims"),
            services: filled(&state.objects, "services"),
            config_maps: filled(&state.objects, "configmaps"),
            service_accounts: filled(&state.objects, "serviceaccounts"),
            disruption_budgets: filled(&state.objects, "poddisruptionbudgets"),
            network_policies: filled(&state.objects, "networkpolicies"),
        };
        (Arc::new(resource), stores)
    }

    /// Reconciles once with these caches. Returns whether that succeeded.
    pub(super) async fn reconcile(&self, caches: (Arc<IronKVCluster>, Stores)) -> bool {
        let (resource, stores) = caches;
        let context = Arc::clone(&self.context);
        let shared = Shared { context, stores, kinds: OptionalKinds::default() };
        reconcile(resource, Arc::new(shared)).await.is_ok()
    }

    pub(super) fn advance(&self) {
        kubelet::advance(&mut self.api.0.lock(), &mut self.nodes.0.lock(), &NAME.into());
    }

    /// Reconciles until the resource is ready for its newest generation.
    pub(super) async fn run_until_ready(&self) {
        for _ in 0..400 {
            self.reconcile(self.caches()).await;
            self.advance();
            if self.is_ready() {
                return;
            }
        }
        let status = self.api.0.lock().objects[&key()]["status"].clone();
        panic!("never ready: {status:#}");
    }

    pub(super) fn condition(&self, type_: ConditionType) -> Value {
        let state = self.api.0.lock();
        let conditions = state.objects[&key()]["status"]["conditions"].as_array().cloned();
        let found = conditions.into_iter().flatten().find(|found| found["type"] == type_.name());
        found.unwrap_or(Value::Null)
    }

    fn is_ready(&self) -> bool {
        let ready = self.condition(ConditionType::Ready);
        let generation = self.object(&key())["metadata"]["generation"].clone();
        ready["status"] == "True" && ready["observedGeneration"] == generation
    }

    pub(super) fn object(&self, key: &str) -> Value {
        self.api.0.lock().objects.get(key).cloned().unwrap_or(Value::Null)
    }

    pub(super) fn voters(&self) -> usize {
        self.nodes.0.lock().members.values().filter(|member| member.voter).count()
    }
}

fn key() -> String {
    format!("ironkvclusters/default/{NAME}")
}

fn operator(api: &FakeApi, nodes: &FakeNodes) -> Arc<Context> {
    let client = api.client();
    let reporter = Reporter { controller: "test".to_owned(), instance: None };
    let recorder = Recorder::new(client.clone(), reporter);
    let nodes = Arc::new(nodes.clone());
    Arc::new(Context::new(client, nodes, recorder, Metrics::default(), "ironkv:1".to_owned()))
}

fn filled<K>(objects: &std::collections::BTreeMap<String, Value>, kind: &str) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, mut writer): (Store<K>, Writer<K>) = reflector::store();
    writer.apply_watcher_event(&Event::Init);
    let prefix = format!("{kind}/");
    for (_, object) in objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
        let object: K = serde_json::from_value(object.clone()).unwrap();
        writer.apply_watcher_event(&Event::InitApply(object));
    }
    writer.apply_watcher_event(&Event::InitDone);
    store
}

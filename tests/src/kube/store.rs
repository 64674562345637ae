//! One IronKV cluster on Kubernetes.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Namespace, until};

/// An `IronKVCluster` and its objects.
#[derive(Debug)]
pub struct Store<'a> {
    namespace: &'a Namespace,
    name: String,
}

impl<'a> Store<'a> {
    /// Creates one; returns before it is running.
    ///
    /// # Panics
    /// When the definition refuses it.
    pub fn create(namespace: &'a Namespace, name: &str, spec: &Value) -> Self {
        let store = Self { namespace, name: name.to_owned() };
        store.change(spec);
        store
    }

    /// Replaces the given fields of the spec, and removes those given before and not now.
    ///
    /// # Panics
    /// When the definition refuses it.
    pub fn change(&self, spec: &Value) {
        let resource = json!({
            "apiVersion": "ironkv.io/v1alpha1",
            "kind": "IronKVCluster",
            "metadata": {"name": self.name},
            "spec": spec,
        });
        self.namespace.apply(&resource.to_string());
    }

    /// The resource in its present state.
    ///
    /// # Panics
    /// When it does not exist.
    pub fn resource(&self) -> Value {
        self.namespace.get(&["ironkvcluster", &self.name])
    }

    /// Waits until a condition has the wanted value, for the present spec.
    ///
    /// # Panics
    /// When the timeout passes, with the whole status.
    pub fn wait_for(&self, condition: &str, wanted: &str, limit: Duration) {
        until(&format!("{condition} = {wanted} of {}", self.name), limit, || {
            let resource = self.resource();
            let is_seen =
                resource["status"]["observedGeneration"] == resource["metadata"]["generation"];
            let found = self::condition(&resource, condition);
            if is_seen && found["status"] == wanted {
                Ok(())
            } else {
                Err(resource["status"].to_string())
            }
        });
    }

    /// Its pods that are Ready, by name.
    ///
    /// # Panics
    /// When the cluster does not answer.
    pub fn ready_pods(&self) -> Vec<String> {
        let is_ready = |pod: &&Value| condition(pod, "Ready")["status"] == "True";
        let pods = self.pods();
        let name = |pod: &Value| pod["metadata"]["name"].as_str().map(ToOwned::to_owned);
        pods.iter().filter(is_ready).filter_map(name).collect()
    }

    /// All its pods.
    ///
    /// # Panics
    /// When the cluster does not answer.
    pub fn pods(&self) -> Vec<Value> {
        let pods = self.namespace.get(&["pods", &self.selector()]);
        pods["items"].as_array().cloned().unwrap_or_default()
    }

    /// Selects its objects, as an argument of kubectl.
    pub fn selector(&self) -> String {
        format!("--selector=app.kubernetes.io/instance={}", self.name)
    }

    /// Deletes the resource and waits until nothing that the operator created is left except volume
    /// claims.
    ///
    /// # Panics
    /// When something stays.
    pub fn delete(&self, limit: Duration) {
        self.namespace.kubectl(&["delete", "ironkvcluster", &self.name, "--wait=false"]);
        let selector = self.selector();
        until(&format!("the end of all objects of {}", self.name), limit, || {
            let left = self
                .namespace
                .try_kubectl(&["get", KINDS, &selector, "--output=name"])
                .map_err(|failure| failure.to_string())?;
            if left.trim().is_empty() { Ok(()) } else { Err(left) }
        });
    }
}

const KINDS: &str = "ironkvclusters,statefulsets,pods,services,configmaps,poddisruptionbudgets,\
    networkpolicies,serviceaccounts,secrets";

/// A condition in the status of any object; null when it has none of this type.
pub fn condition(resource: &Value, kind: &str) -> Value {
    let all = resource["status"]["conditions"].as_array().into_iter().flatten();
    all.into_iter().find(|one| one["type"] == kind).cloned().unwrap_or_default()
}

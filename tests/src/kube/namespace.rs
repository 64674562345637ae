//! A namespace for one test.

use std::ops::Deref;
use std::thread::panicking;
use std::time::Duration;

use serde_json::Value;

use super::{Kube, artifacts, until};

/// Keeps the namespace of a failed test for inspection.
const KEEP: &str = "IRONKV_E2E_KEEP";

/// A namespace with its [`Kube`]. Dropping it deletes it with its contents; when the test failed,
/// artifacts are written first.
#[derive(Debug)]
pub struct Namespace {
    kube: Kube,
    name: String,
}

impl Namespace {
    /// Creates one, which accepts only pods under the strictest of Kubernetes' own standards.
    ///
    /// # Panics
    /// When there is no cluster.
    pub fn create(kube: &Kube, test: &str) -> Self {
        let name = format!("e2e-{}-{:08x}", test.replace('_', "-"), rand::random::<u32>());
        kube.kubectl(&["create", "namespace", &name]);
        let namespace = Self { kube: kube.in_namespace(&name), name };
        namespace.kubectl(&[
            "label",
            "namespace",
            &namespace.name,
            "pod-security.kubernetes.io/enforce=restricted",
            "ironkv.io/test=true",
        ]);
        namespace
    }

    /// Deletes it with its contents, and waits until it is gone, including its volumes.
    ///
    /// # Panics
    /// When it is not gone in time.
    pub fn delete(&self, limit: Duration) {
        self.kubectl(&["delete", "namespace", &self.name, "--wait=false"]);
        until(&format!("the end of {}", self.name), limit, || {
            match self.try_get(&["namespace", &self.name]) {
                Err(failure) if failure.is_not_found() => {}
                Err(failure) => return Err(failure.to_string()),
                Ok(namespace) => return Err(namespace["status"].to_string()),
            }
            let volumes =
                self.try_get(&["persistentvolumes"]).map_err(|error| error.to_string())?;
            let items = volumes["items"].as_array().into_iter().flatten();
            let ours = |volume: &&Value| volume["spec"]["claimRef"]["namespace"] == *self.name;
            let left: Vec<&Value> = items.filter(ours).map(|volume| &volume["status"]).collect();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Deref for Namespace {
    type Target = Kube;

    fn deref(&self) -> &Kube {
        &self.kube
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if panicking() {
            artifacts::collect(&self.kube, &self.name);
            if std::env::var_os(KEEP).is_some() {
                return;
            }
        }
        // A test that checks that nothing is left does so before; this does not wait.
        let arguments = ["delete", "namespace", &self.name, "--wait=false", "--ignore-not-found"];
        let deleted = self.kube.try_kubectl(&arguments);
        assert!(panicking() || deleted.is_ok(), "{deleted:?}");
    }
}

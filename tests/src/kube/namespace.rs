//! A namespace for one test.

use std::ops::Deref;
use std::thread::panicking;

use super::{Kube, artifacts};

/// Keeps the namespace of a failed test for a look at it.
const KEEP: &str = "IRONKV_E2E_KEEP";

/// Commands of its [`Kube`] go to it. Dropping it deletes it with all that is in it; when the test
/// failed, what is there is written to files first.
#[derive(Debug)]
pub struct Namespace {
    kube: Kube,
    name: String,
}

impl Namespace {
    /// A new one, which takes only pods under the strictest of Kubernetes' own standards.
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
        // Whoever checks that nothing is left does so before; nobody waits for the end here.
        let arguments = ["delete", "namespace", &self.name, "--wait=false"];
        let deleted = self.kube.try_kubectl(&arguments);
        assert!(panicking() || deleted.is_ok(), "{deleted:?}");
    }
}

//! Writes and reads through a service for the duration of a test, from a pod in its namespace.

use std::time::Duration;

use serde_json::{Value, json};

use super::record::Report;
use super::{Failure, Kube, until};

/// The image of `tests/e2e/images client`, unless the environment names another one.
const IMAGE: &str = "ironkv-e2e:test";
const IMAGE_VARIABLE: &str = "IRONKV_E2E_CLIENT_IMAGE";
const RECORD: &str = "/record/writes";
const PASSWORD_FILE: &str = "/auth/password";
const START_MAX: Duration = Duration::from_secs(90);

/// A pod with `e2e-client` in it, writing until [`Traffic::verify`].
#[derive(Debug)]
pub struct Traffic {
    kube: Kube,
    pod: String,
    store: Vec<String>,
}

impl Traffic {
    /// Starts to write through `service`; returns after the first acknowledgement.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn start(kube: &Kube, service: &str) -> Self {
        Self::start_with(kube, service, None)
    }

    /// The same with the password under the key `password` of a secret.
    ///
    /// # Panics
    /// When there is no acknowledgement in time.
    pub fn start_with_password(kube: &Kube, service: &str, secret: &str) -> Self {
        Self::start_with(kube, service, Some(secret))
    }

    fn start_with(kube: &Kube, service: &str, secret: Option<&str>) -> Self {
        let pod = format!("traffic-{service}");
        let mut store = vec![format!("--address={service}:6379"), format!("--record={RECORD}")];
        store.extend(secret.map(|_| format!("--password-file={PASSWORD_FILE}")));
        kube.apply(&manifest(&pod, &store, secret).to_string());
        let traffic = Self { kube: kube.clone(), pod, store };
        until("the first acknowledged write", START_MAX, || match traffic.try_report() {
            Ok(report) if report.acknowledged > 0 => Ok(()),
            Ok(report) => Err(format!("{report:?}")),
            Err(failure) => Err(failure.to_string()),
        });
        traffic
    }

    /// The outcome of the writes so far, without reading them back.
    ///
    /// # Panics
    /// When the pod does not answer.
    pub fn report(&self) -> Report {
        self.try_report().unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// Waits until this many more writes are acknowledged.
    ///
    /// # Panics
    /// When they are not in time.
    pub fn wait_for_writes(&self, count: u64, limit: Duration) {
        let before = self.report().acknowledged;
        until(&format!("{count} more acknowledged writes"), limit, || {
            let report = self.report();
            if report.acknowledged >= before + count { Ok(()) } else { Err(format!("{report:?}")) }
        });
    }

    /// Runs a program of the client's image, such as `redis-cli`, beside the traffic.
    ///
    /// # Panics
    /// When it fails.
    pub fn client(&self, program: &[&str]) -> String {
        self.kube.try_exec(&self.pod, program).unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// Stops writing and checks every acknowledged write, through the service and at each of the
    /// members at these addresses, which must have equal numbers of keys.
    /// # Errors
    /// Says which writes are missing or were not seen, or why they cannot be read back.
    pub fn verify(self, members: &[String]) -> Result<Report, String> {
        let members: Vec<String> =
            members.iter().map(|address| format!("--member={address}:6379")).collect();
        let program =
            [&["e2e-client", "verify"], &strs(&self.store)[..], &strs(&members)[..]].concat();
        let report = self.ask(&program).map_err(|failure| failure.to_string())?;
        match report.problem() {
            Some(problem) => Err(format!("{problem}: {report:?}")),
            None => Ok(report),
        }
    }

    fn try_report(&self) -> Result<Report, Failure> {
        self.ask(&["e2e-client", "report", &format!("--record={RECORD}")])
    }

    fn ask(&self, program: &[&str]) -> Result<Report, Failure> {
        let text = self.kube.try_exec(&self.pod, program)?;
        Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }
}

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn manifest(pod: &str, store: &[String], secret: Option<&str>) -> Value {
    let image = std::env::var(IMAGE_VARIABLE).unwrap_or_else(|_| IMAGE.to_owned());
    let mut command = vec!["e2e-client".to_owned(), "run".to_owned()];
    command.extend_from_slice(store);
    let mut volumes = vec![json!({"name": "record", "emptyDir": {}})];
    let mut mounts = vec![json!({"name": "record", "mountPath": "/record"})];
    if let Some(secret) = secret {
        volumes.push(json!({"name": "auth", "secret": {"secretName": secret}}));
        mounts.push(json!({"name": "auth", "mountPath": "/auth", "readOnly": true}));
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod, "labels": {"app": "e2e-client"}},
        "spec": {
            "affinity": away_from_workers(),
            "tolerations": [{"operator": "Exists"}],
            // The program ignores the termination signal.
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": volumes,
            "containers": [{
                "name": "client",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": command,
                "volumeMounts": mounts,
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    })
}

/// Tests remove workers, and the record would be lost with them. Not every cluster shows where its
/// control plane runs, so this is only a preference.
fn away_from_workers() -> Value {
    let label = "node-role.kubernetes.io/control-plane";
    let on_control_plane = json!({"matchExpressions": [{"key": label, "operator": "Exists"}]});
    json!({
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 100, "preference": on_control_plane},
            ],
        },
    })
}

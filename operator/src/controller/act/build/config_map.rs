//! The configuration file of the nodes. It is not part of the pod template: nodes read the changed
//! file without a restart, and report the keys that need a restart.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::common::metadata;
use crate::controller::decide::ValidatedCluster;
use crate::crd::TlsMode;
use crate::names::{self, ports, volumes};

/// The name of the file in [`volumes::CONFIG_PATH`].
pub(super) const FILE: &str = "ironkv.yaml";

/// An orderly stop may take this long if the grace period allows it, in milliseconds.
const STOP_MS_MAX: i64 = 10_000;

/// A pod that stops continues to serve for this long, in milliseconds, until Services send clients
/// to other pods.
const DRAIN_MS_MAX: i64 = 2_000;

pub(super) fn config_map(cluster: &ValidatedCluster) -> ConfigMap {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (key, value) in own_keys(cluster).into_iter().chain(cluster.file_keys()) {
        if let Some((section, field)) = key.split_once('.') {
            sections.entry(section.to_owned()).or_default().insert(field.to_owned(), value);
        }
    }
    // All values are strings. The store parses each according to the type of its key.
    let file = serde_yaml::to_string(&sections).expect("a tree of texts can be written");
    ConfigMap {
        metadata: metadata(cluster, names::config_map(&cluster.name)),
        data: Some(BTreeMap::from([(FILE.to_owned(), file)])),
        ..ConfigMap::default()
    }
}

/// The keys that the operator sets. The names of each pod are in its environment instead.
fn own_keys(cluster: &ValidatedCluster) -> BTreeMap<String, String> {
    let spec = &cluster.spec;
    // The rest of the grace period is for the delivery of the signal and for the disk.
    let stop_ms = STOP_MS_MAX.min(spec.termination_grace_period_seconds * 750);
    let drain_ms = match spec.replicas {
        // There is no other pod to which Services could send clients.
        0 | 1 => 0,
        _ => DRAIN_MS_MAX.min(spec.termination_grace_period_seconds * 100),
    };
    let mut keys = BTreeMap::from(
        [
            ("listen.resp_host", "0.0.0.0".to_owned()),
            ("listen.grpc_host", "0.0.0.0".to_owned()),
            ("listen.http_host", "0.0.0.0".to_owned()),
            ("listen.resp_port", ports::RESP.to_string()),
            ("listen.grpc_port", ports::GRPC.to_string()),
            ("listen.http_port", ports::HTTP.to_string()),
            ("data.directory", volumes::DATA_PATH.to_owned()),
            ("raft.shutdown_timeout_ms", stop_ms.to_string()),
            ("node.drain_ms", drain_ms.to_string()),
            ("telemetry.format", "json".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    let mut set = |key: &str, value: String| keys.insert(key.to_owned(), value);
    if spec.auth.enabled {
        let file = format!("{}/{}", volumes::PASSWORDS_PATH, volumes::PASSWORDS_FILE);
        set("auth.password_file", file);
    }
    if spec.tls.clients == TlsMode::On {
        set("listen.resp_tls_port", ports::RESP_TLS.to_string());
        set("tls.certificate_file", format!("{}/tls.crt", volumes::CLIENT_TLS_PATH));
        set("tls.key_file", format!("{}/tls.key", volumes::CLIENT_TLS_PATH));
    }
    if spec.tls.peers == TlsMode::On {
        set("tls.peer_mode", "on".to_owned());
        set("tls.peer_certificate_file", format!("{}/tls.crt", volumes::PEER_TLS_PATH));
        set("tls.peer_key_file", format!("{}/tls.key", volumes::PEER_TLS_PATH));
        set("tls.peer_ca_file", format!("{}/ca.crt", volumes::PEER_TLS_PATH));
    }
    keys
}

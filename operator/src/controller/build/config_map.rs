//! The configuration file of the nodes. Its content is no part of the pod template: nodes read it
//! again by themselves and tell which keys wait for a restart.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::metadata;
use crate::controller::ValidatedCluster;
use crate::crd::TlsMode;
use crate::names::{self, ports, volumes};

/// The file within [`volumes::CONFIG_PATH`].
pub(super) const FILE: &str = "ironkv.yaml";

/// The key of the Secret with the passwords.
pub(super) const PASSWORDS_FILE: &str = "passwords";

/// How long an orderly stop may take where the grace period allows it, milliseconds.
const STOP_MS_MAX: i64 = 10_000;

/// For how long a pod that stops goes on serving, milliseconds: as long as Services may need to
/// send clients elsewhere.
const DRAIN_MS_MAX: i64 = 2_000;

pub(super) fn config_map(cluster: &ValidatedCluster) -> ConfigMap {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (key, value) in own_keys(cluster).into_iter().chain(cluster.file_keys()) {
        if let Some((section, field)) = key.split_once('.') {
            sections.entry(section.to_owned()).or_default().insert(field.to_owned(), value);
        }
    }
    // Texts all of them: the store gives each the type of its key.
    let file = serde_yaml::to_string(&sections).expect("a tree of texts can be written");
    ConfigMap {
        metadata: metadata(cluster, names::config_map(&cluster.name)),
        data: Some(BTreeMap::from([(FILE.to_owned(), file)])),
        ..ConfigMap::default()
    }
}

/// What the operator sets. Names of the pod itself are in its environment.
fn own_keys(cluster: &ValidatedCluster) -> BTreeMap<String, String> {
    let spec = &cluster.spec;
    // The rest of the grace period is for noticing the signal and for the disk.
    let stop_ms = STOP_MS_MAX.min(spec.termination_grace_period_seconds * 750);
    let drain_ms = match spec.replicas {
        // There is nowhere else.
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
        let file = format!("{}/{PASSWORDS_FILE}", volumes::PASSWORDS_PATH);
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

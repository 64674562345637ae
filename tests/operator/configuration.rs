//! The configuration files of the operator's golden files, with the environment of their pods.

use std::path::{Path, PathBuf};

use ironkv::base::config::{Config, Sources, Switch, load};
use serde::Deserialize;
use serde_yaml::{Deserializer, Value};

fn golden_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../operator/golden");
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The configuration of a pod's node from the objects of a golden file.
fn loaded(golden: &Path) -> Config {
    let text = std::fs::read_to_string(golden).unwrap();
    let objects: Vec<Value> = Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap())
        .collect();
    let find = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ironkv.yaml");
    std::fs::write(&file, find("ConfigMap")["data"]["ironkv.yaml"].as_str().unwrap()).unwrap();
    let container = &find("StatefulSet")["spec"]["template"]["spec"]["containers"][0];
    let variables = container["env"].as_sequence().unwrap().iter();
    let environment = variables.filter_map(|variable| {
        let value = variable["value"].as_str()?.replace("$(POD_NAME)", "kv-1");
        Some((variable["name"].as_str()?.to_owned(), value))
    });
    let sources =
        Sources { file: Some(file), environment: environment.collect(), flags: Vec::new() };
    load(&sources).unwrap_or_else(|problems| panic!("{}: {problems}", golden.display())).config
}

fn named(name: &str) -> Config {
    loaded(golden_files().iter().find(|file| file.ends_with(format!("{name}.yaml"))).unwrap())
}

#[test]
fn every_node_is_known_by_the_name_of_its_pod_and_serves_all_interfaces() {
    for file in golden_files() {
        let config = loaded(&file);
        assert_eq!(config.resp_address(), "kv-1.kv-peers.prod.svc:6379");
        assert_eq!(config.grpc_address(), "kv-1.kv-peers.prod.svc:6380");
        assert_eq!(config.node.name, "kv-1");
        assert_eq!(config.data.directory, "/var/lib/ironkv");
        let listen = config.listen;
        assert_eq!([listen.resp_host, listen.grpc_host, listen.http_host], ["0.0.0.0"; 3]);
    }
}

#[test]
fn passwords_and_peer_certificates_are_on_unless_they_are_switched_off() {
    let safe = named("three_nodes");
    assert_eq!(safe.auth.password_file, "/etc/ironkv/passwords/passwords");
    assert_eq!(safe.tls.peer_mode, Switch::On);
    assert_eq!(safe.listen.resp_tls_port, 0);
    let plain = named("plain");
    assert_eq!((plain.auth.password_file.as_str(), plain.tls.peer_mode), ("", Switch::Off));
}

#[test]
fn values_of_the_user_get_the_type_of_their_key() {
    let config = named("everything");
    assert_eq!(config.checkpoint.bytes_per_second_max, 64 << 20);
    assert!(!config.telemetry.latency_tracking);
    assert_eq!(config.telemetry.level.word(), "debug");
    assert_eq!(config.parameters["save"], "");
    assert_eq!(config.listen.resp_tls_port, 6390);
    assert_eq!(config.tls.certificate_file, "/etc/ironkv/client-tls/tls.crt");
    assert_eq!(config.raft.shutdown_timeout_ms, 7500);
}

#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use super::*;

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn sources(text: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Sources {
    let path = file(text).into_temp_path().keep().unwrap();
    Sources { file: Some(path), environment: pairs(environment), flags: pairs(flags) }
}

fn problems(text: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    load(&sources(text, environment, flags)).unwrap_err().to_string()
}

#[test]
fn later_layers_win_and_every_value_knows_its_source() {
    let loaded = load(&sources(
        "listen:\n  resp_port: 1\n  grpc_port: 2\n  http_port: 3\n",
        &[("IRONKV_LISTEN_GRPC_PORT", "12"), ("IRONKV_LISTEN_HTTP_PORT", "13"), ("PATH", "/bin")],
        &[("listen.http_port", "23")],
    ))
    .unwrap();
    let listen = &loaded.config.listen;
    assert_eq!((listen.resp_port, listen.grpc_port, listen.http_port), (1, 12, 23));
    let source = |key: &str| loaded.values[key].1.to_string();
    assert!(source("listen.resp_port").starts_with("file "));
    assert_eq!(source("listen.grpc_port"), "environment IRONKV_LISTEN_GRPC_PORT");
    assert_eq!(source("listen.http_port"), "flag --listen-http-port");
    assert_eq!(source("listen.backlog"), "default");
}

#[test]
fn every_mistake_of_every_layer_is_reported_at_once() {
    let text = problems(
        "listen:\n  resp_prot: 1\n  grpc_port: many\nlimits: 3\nfoo:\nraft:\n",
        &[
            ("IRONKV_READS_MODE", "fast"),
            ("IRONKV_LISTEN_RSP_PORT", "1"),
            ("IRONKV_LISTEN_HTTP_PORT", ""),
            ("IRONKV_CLUSTER_FEATURE_LEVEL_MAX", "99"),
        ],
        &[("raft.heartbeat_ms", "5000")],
    );
    for part in [
        "listen.resp_prot",
        "did you mean listen.resp_port?",
        "listen.grpc_port",
        "limits (file",
        "reads.mode (environment IRONKV_READS_MODE)",
        "IRONKV_LISTEN_RSP_PORT",
        "did you mean IRONKV_LISTEN_RESP_PORT?",
        "raft.heartbeat_ms (flag --raft-heartbeat-ms)",
        "foo (file",
        "expected a whole number from 0 to 65535",
        "listen.http_port (environment IRONKV_LISTEN_HTTP_PORT): is set and empty",
        "cluster.feature_level_max (environment IRONKV_CLUSTER_FEATURE_LEVEL_MAX): must be at most",
    ] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert!(!text.contains("raft (file"), "{text}");
}

#[test]
fn a_missing_file_is_named() {
    let sources = Sources { file: Some("/nonexistent/ironkv.yaml".into()), ..Sources::default() };
    assert!(load(&sources).unwrap_err().to_string().contains("/nonexistent/ironkv.yaml"));
}

#[test]
fn texts_become_the_type_of_their_key() {
    let loaded = load(&sources(
        "log:\n  segment_bytes: 32mb\nsecurity:\n  requirepass: 1234\n  enable_debug_command: no\n",
        &[("IRONKV_NODE_PEERS", "a:1, b:2")],
        &[("telemetry.latency_tracking", "no")],
    ))
    .unwrap();
    let config = &loaded.config;
    assert_eq!(config.log.segment_bytes, 32 << 20);
    assert_eq!(config.security.requirepass.expose(), "1234");
    assert_eq!(config.node.peers, ["a:1", "b:2"]);
    assert!(!config.telemetry.latency_tracking);
}

#[test]
fn variables_of_kubernetes_services_are_left_alone() {
    let environment = pairs(&[
        ("IRONKV_SERVICE_HOST", "10.0.0.1"),
        ("IRONKV_PORT", "tcp://10.0.0.1:6379"),
        ("IRONKV_PORT_6379_TCP_ADDR", "10.0.0.1"),
        ("IRONKV_KV_SERVICE_PORT_RESP", "6379"),
    ]);
    assert!(load(&Sources { environment, ..Sources::default() }).is_ok());
}

#[test]
fn secrets_are_not_printed() {
    let loaded = load(&sources("security:\n  requirepass: hunter2\n", &[], &[])).unwrap();
    let shown: Vec<String> =
        loaded.explain().into_iter().map(|(key, value, _)| format!("{key}={value}")).collect();
    assert!(shown.contains(&"security.requirepass=(hidden)".to_owned()));
}

#[test]
fn redis_parameters_without_meaning_are_kept() {
    let loaded =
        load(&sources("parameters:\n  hz: 20\n  activerehashing: no\n", &[], &[])).unwrap();
    assert_eq!(loaded.config.parameters["hz"], "20");
    assert!(problems("parameters:\n  maxmemory: 1gb\n", &[], &[]).contains("CONFIG SET"));
    assert!(problems("parameters:\n  hertz: 1\n", &[], &[]).contains("parameters.hertz"));
}

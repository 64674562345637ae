//! Rules between values, beyond the type of each.

use super::{ClientCertificates, Config, DebugAccess, Switch};
use crate::base::feature_level::FeatureLevel;
use crate::base::limits;

/// Every broken rule: the key to change and the reason.
pub(super) fn check(config: &Config) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut rule = |holds: bool, key: &'static str, message: String| {
        if !holds {
            found.push((key, message));
        }
    };
    check_ports(config, &mut rule);
    check_raft(config, &mut rule);
    check_limits(config, &mut rule);
    check_tls(config, &mut rule);
    rule(
        config.node.drain_ms <= 600_000,
        "node.drain_ms",
        "must be at most 600000 (ten minutes)".to_owned(),
    );
    let highest = FeatureLevel::HIGHEST.0;
    rule(
        config.cluster.feature_level_max <= highest,
        "cluster.feature_level_max",
        format!("must be at most {highest}, the highest level of this program; 0 for no limit"),
    );
    rule(!config.data.directory.is_empty(), "data.directory", "must name a directory".to_owned());
    rule(
        config.security.enable_debug_command != DebugAccess::Yes
            || config.listen.resp_host == "127.0.0.1"
            || !config.security.requirepass.is_empty()
            || !config.auth.password_file.is_empty(),
        "security.enable_debug_command",
        "`yes` lets every client crash the node: set a password too, or use `local`".to_owned(),
    );
    let percentiles = &config.telemetry.latency_percentiles;
    let sound = super::Kind::Percentiles.check(percentiles, "");
    rule(
        sound.is_ok(),
        "telemetry.latency_percentiles",
        "must be numbers from 0 to 100 separated by spaces".to_owned(),
    );
    found
}

type Rule<'a> = dyn FnMut(bool, &'static str, String) + 'a;

fn check_ports(config: &Config, rule: &mut Rule<'_>) {
    let listen = &config.listen;
    let ports = [
        ("listen.resp_port", listen.resp_port),
        ("listen.resp_tls_port", listen.resp_tls_port),
        ("listen.grpc_port", listen.grpc_port),
        ("listen.http_port", listen.http_port),
    ];
    for (index, (key, port)) in ports.iter().enumerate() {
        let taken = ports[..index].iter().find(|(_, other)| other == port && *port != 0);
        if let Some((other, _)) = taken {
            rule(false, key, format!("port {port} is already {other}: choose another"));
        }
    }
    rule(
        listen.resp_port != 0 || listen.resp_tls_port != 0,
        "listen.resp_port",
        "must not be 0 while listen.resp_tls_port is: clients could not connect".to_owned(),
    );
    for peer in &config.node.peers {
        let port = peer.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        rule(port.is_some(), "node.peers", format!("`{peer}` must be host:port"));
    }
}

fn check_raft(config: &Config, rule: &mut Rule<'_>) {
    let raft = &config.raft;
    let (min, max) = (raft.election_timeout_min_ms, raft.election_timeout_max_ms);
    rule(raft.heartbeat_ms > 0, "raft.heartbeat_ms", "must be above 0".to_owned());
    rule(
        raft.heartbeat_ms.saturating_mul(2) <= min.saturating_sub(raft.leader_lease_ms()),
        "raft.heartbeat_ms",
        format!(
            "must be at most half of what raft.election_timeout_min_ms ({min}) is above half of \
             raft.election_timeout_max_ms ({max})"
        ),
    );
    rule(
        min < max,
        "raft.election_timeout_max_ms",
        format!("must be above raft.election_timeout_min_ms ({min})"),
    );
    rule(
        (10..=90).contains(&raft.lease_percent),
        "raft.lease_percent",
        "must be from 10 to 90: a lease that lasts as long as the election timeout is unsafe"
            .to_owned(),
    );
    rule(
        raft.clock_offset_max_ms >= 100,
        "raft.clock_offset_max_ms",
        "must be at least 100: two clocks may seem to differ by that much because of the network"
            .to_owned(),
    );
    rule(
        (1..=64).contains(&raft.proposals_in_flight),
        "raft.proposals_in_flight",
        "must be from 1 to 64".to_owned(),
    );
    rule(
        (4 << 10..=16 << 20).contains(&raft.snapshot_chunk_bytes),
        "raft.snapshot_chunk_bytes",
        "must be from 4kb to 16mb".to_owned(),
    );
}

fn check_limits(config: &Config, rule: &mut Rule<'_>) {
    let limits = &config.limits;
    rule(limits.clients_max > 0, "limits.clients_max", "must be above 0".to_owned());
    let entry_max = limits::ENTRY_BYTES_MAX as u64;
    rule(
        (1 << 20..=entry_max).contains(&limits.entry_bytes_max),
        "limits.entry_bytes_max",
        format!("must be from 1mb to {entry_max}, which is 64mb"),
    );
    rule(
        limits.bulk_bytes_max >= 1 << 20,
        "limits.bulk_bytes_max",
        "must be at least 1mb".to_owned(),
    );
    rule(
        (1..=entry_max).contains(&limits.key_bytes_max),
        "limits.key_bytes_max",
        format!("must be from 1 to {entry_max}"),
    );
    rule(
        (1..=entry_max).contains(&limits.entry_piece_bytes),
        "limits.entry_piece_bytes",
        format!("must be from 1 to {entry_max}"),
    );
    rule(
        limits.transaction_bytes_max >= 1 << 20,
        "limits.transaction_bytes_max",
        "must be at least 1mb".to_owned(),
    );
    rule(
        limits.queue_bytes_max >= 1 << 20,
        "limits.queue_bytes_max",
        "must be at least 1mb".to_owned(),
    );
    rule(
        limits.query_buffer_bytes_max >= 1 << 20,
        "limits.query_buffer_bytes_max",
        "must be at least 1mb".to_owned(),
    );
    rule(
        (1 << 20..=1 << 30).contains(&config.log.segment_bytes),
        "log.segment_bytes",
        "must be from 1mb to 1gb".to_owned(),
    );
    rule(
        config.log.unflushed_bytes_max >= 1 << 20,
        "log.unflushed_bytes_max",
        "must be at least 1mb".to_owned(),
    );
    rule(
        config.log.stall_ms_max == 0 || config.log.stall_ms_max >= 500,
        "log.stall_ms_max",
        "must be 0, or at least 500: an ordinary flush may take that long now and then".to_owned(),
    );
    rule(config.threads.io <= 128, "threads.io", "must be at most 128".to_owned());
}

fn check_tls(config: &Config, rule: &mut Rule<'_>) {
    let tls = &config.tls;
    let clients = if config.listen.resp_tls_port != 0 {
        Some("listen.resp_tls_port is set")
    } else {
        (tls.http_mode == Switch::On).then_some("tls.http_mode is on")
    };
    let authority = (tls.client_certificates != ClientCertificates::None)
        .then_some("clients present certificates");
    let peers = (tls.peer_mode == Switch::On).then_some("tls.peer_mode is on");
    let files = [
        (clients, "tls.certificate_file", &tls.certificate_file),
        (clients, "tls.key_file", &tls.key_file),
        (authority, "tls.client_ca_file", &tls.client_ca_file),
        (peers, "tls.peer_certificate_file", &tls.peer_certificate_file),
        (peers, "tls.peer_key_file", &tls.peer_key_file),
        (peers, "tls.peer_ca_file", &tls.peer_ca_file),
    ];
    for (needed, key, file) in files {
        let why = needed.unwrap_or_default();
        rule(needed.is_none() || !file.is_empty(), key, format!("must name a file: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(change: impl FnOnce(&mut Config)) -> Vec<&'static str> {
        let mut config = Config::default();
        change(&mut config);
        check(&config).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn the_defaults_break_no_rule() {
        assert_eq!(broken(|_| {}), [""; 0]);
    }

    #[test]
    fn each_rule_names_the_key_to_change() {
        assert_eq!(broken(|config| config.listen.grpc_port = 6379), ["listen.grpc_port"]);
        assert_eq!(broken(|config| config.raft.heartbeat_ms = 500), ["raft.heartbeat_ms"]);
        assert_eq!(broken(|config| config.raft.lease_percent = 100), ["raft.lease_percent"]);
        assert_eq!(broken(|config| config.node.peers = vec!["a".into()]), ["node.peers"]);
        assert_eq!(broken(|config| config.log.segment_bytes = 1), ["log.segment_bytes"]);
        assert_eq!(
            broken(|config| config.log.unflushed_bytes_max = 1),
            ["log.unflushed_bytes_max"]
        );
        assert_eq!(broken(|config| config.limits.queue_bytes_max = 1), ["limits.queue_bytes_max"]);
        assert_eq!(broken(|config| config.log.stall_ms_max = 1), ["log.stall_ms_max"]);
        assert_eq!(broken(|config| config.log.stall_ms_max = 0), [""; 0]);
        assert_eq!(broken(|config| config.listen.resp_port = 0), ["listen.resp_port"]);
        assert_eq!(
            broken(|config| config.listen.resp_tls_port = 7000),
            ["tls.certificate_file", "tls.key_file"]
        );
        assert_eq!(
            broken(|config| config.tls.peer_mode = Switch::On),
            ["tls.peer_certificate_file", "tls.peer_key_file", "tls.peer_ca_file"]
        );
        assert_eq!(
            broken(|config| config.tls.client_certificates = ClientCertificates::Optional),
            ["tls.client_ca_file"]
        );
        assert_eq!(
            broken(|config| {
                config.security.enable_debug_command = DebugAccess::Yes;
                config.listen.resp_host = "0.0.0.0".to_owned();
            }),
            ["security.enable_debug_command"]
        );
    }
}

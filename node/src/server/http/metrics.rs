//! `/metrics`: counters of the process and gauges of the group, in Prometheus' text form.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Lifecycle;
use crate::base::telemetry::prometheus::encode_telemetry;
use crate::commands::node_control::NodeControl;
use crate::services::cluster::RaftStatus;

/// The begin of every name.
const PREFIX: &str = "ironkv";

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn metrics(State(lifecycle): State<Arc<Lifecycle>>) -> impl IntoResponse {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(NodeCollector(lifecycle)));
    let mut body = String::new();
    match text::encode(&mut body, &registry) {
        Ok(()) => Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], body)),
        Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))),
    }
}

struct NodeCollector(Arc<Lifecycle>);

impl fmt::Debug for NodeCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeCollector")
    }
}

impl Collector for NodeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let started = u64::from(self.0.node().is_some());
        gauge(&mut encoder, "started", "1 once checkpoint and log are loaded", started)?;
        let ready = u64::from(self.0.not_ready().is_none());
        gauge(&mut encoder, "ready", "1 while requests sent here are served", ready)?;
        let Some(node) = self.0.node() else { return Ok(()) };
        encode_telemetry(node.telemetry(), &mut encoder)?;
        encode_data(node.as_ref(), &mut encoder)?;
        encode_certificates(node.as_ref(), &mut encoder)?;
        let status = node.status();
        encode_group(&status, &mut encoder)?;
        encode_members(&status, &mut encoder)
    }
}

fn encode_data(node: &dyn NodeControl, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let keyspace = node.keyspace().read();
    let (bytes, limit) = (keyspace.memory_bytes() as u64, keyspace.settings.maxmemory);
    let counts: Vec<(String, u64, u64)> = keyspace
        .databases()
        .filter(|(_, database)| !database.is_empty())
        .map(|(id, database)| {
            (id.0.to_string(), database.len() as u64, database.expiring_len() as u64)
        })
        .collect();
    drop(keyspace);
    gauge(encoder, "data_bytes", "Bytes of keys and values", bytes)?;
    gauge(encoder, "maxmemory_bytes", "Limit of data_bytes, 0 for none", limit)?;
    let kind = MetricType::Gauge;
    let mut family = encoder.encode_descriptor("keys", "Keys by database", None, kind)?;
    for (database, keys, _) in &counts {
        let labels = [("database", database.as_str())];
        ConstGauge::new(*keys).encode(family.encode_family(&labels)?)?;
    }
    let help = "Keys with an expiry by database";
    let mut family = encoder.encode_descriptor("expiring_keys", help, None, kind)?;
    for (database, _, expiring) in &counts {
        let labels = [("database", database.as_str())];
        ConstGauge::new(*expiring).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn encode_certificates(node: &dyn NodeControl, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "End of the validity of the certificate shown at a door";
    let kind = MetricType::Gauge;
    let mut family =
        encoder.encode_descriptor("tls_certificate_expires_unix_s", help, None, kind)?;
    for (door, expires_unix_s) in node.credentials().expiries() {
        ConstGauge::new(expires_unix_s).encode(family.encode_family(&[("door", door)])?)?;
    }
    Ok(())
}

fn encode_group(status: &RaftStatus, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let gauges = [
        ("raft_term", "Current term", status.term),
        ("raft_is_leader", "1 on the leader", u64::from(status.is_leader())),
        ("raft_has_leader", "1 while a leader is known", u64::from(status.leader.is_some())),
        ("raft_last_log_index", "Index of the last log entry", status.last_log),
        ("raft_committed_index", "Index of the last committed entry", status.committed),
        ("raft_applied_index", "Index of the last applied entry", status.applied),
        ("raft_lag_entries", "Committed entries not applied yet", status.lag()),
        ("raft_purged_index", "Index of the last entry removed from the log", status.purged),
        ("log_bytes", "Bytes of the log on disk", status.log_bytes),
        ("log_segments", "Segment files of the log", status.log_segments),
        ("checkpoint_index", "Index of the current checkpoint", status.checkpoint_index),
        ("checkpoint_bytes", "Bytes of the current checkpoint", status.checkpoint_bytes),
        ("checkpoint_duration_ms", "Time the last checkpoint took", status.checkpoint_ms),
        ("checkpoint_finished_unix_ms", "When it was finished", status.checkpoint_at_ms),
        ("checkpoint_running", "1 while one is written", u64::from(status.checkpoint_running)),
        ("log_flush_p50_us", "Half of the log flushes took at most", status.flush.p50_us),
        ("log_flush_p99_us", "99 in 100 log flushes took at most", status.flush.p99_us),
        ("log_flush_max_us", "Longest flush of the log", status.flush.max_us),
        ("raft_members", "Members of the group", status.members.len() as u64),
        ("disk_free_bytes", "Free bytes of the data directory's disk", status.disk_free_bytes),
        ("disk_full", "1 while writes are refused for want of disk", u64::from(status.disk_full)),
    ];
    for (name, help, value) in gauges {
        gauge(encoder, name, help, value)?;
    }
    let counters = [
        ("raft_elections", "Elections seen since the start", status.elections),
        ("checkpoints", "Checkpoints written since the start", status.checkpoints),
        ("log_flushes", "Flushes of the log", status.flush.count),
        ("log_flush_microseconds", "Time spent flushing the log", status.flush.total_us),
    ];
    for (name, help, value) in counters {
        let counter = ConstCounter::new(value);
        let inner = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
        counter.encode(inner)?;
    }
    let mut family =
        encoder.encode_descriptor("raft_role", "1 for the role held", None, MetricType::Gauge)?;
    for role in ["leader", "candidate", "follower", "learner", "stopped"] {
        let labels = [("role", role)];
        let held = u64::from(status.role.name() == role);
        ConstGauge::new(held).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn encode_members(status: &RaftStatus, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "1 while the member answers";
    let kind = MetricType::Gauge;
    let mut family = encoder.encode_descriptor("raft_member_reachable", help, None, kind)?;
    for member in &status.members {
        let id = member.node_id.to_string();
        let labels = [("node_id", id.as_str()), ("role", member.role.name())];
        let reachable = u64::from(member.reachable);
        ConstGauge::new(reachable).encode(family.encode_family(&labels)?)?;
    }
    let help = "Log entries a member lacks, known to the leader";
    let mut family = encoder.encode_descriptor("raft_member_lag_entries", help, None, kind)?;
    for member in &status.members {
        if let Some(matched) = member.matched {
            let id = member.node_id.to_string();
            let labels = [("node_id", id.as_str())];
            let lag = status.last_log.saturating_sub(matched);
            ConstGauge::new(lag).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    let inner = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
    gauge.encode(inner)
}

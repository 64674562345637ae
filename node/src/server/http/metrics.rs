//! `/metrics`: counters of the process and gauges of the group, in Prometheus's text form.

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
use crate::commands::run::NodeServices;
use crate::services::cluster::RaftStatus;

/// The prefix of every name.
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
        gauge(
            &mut encoder,
            "ready",
            "1 while requests that are sent to this node are served",
            ready,
        )?;
        let Some(node) = self.0.node() else { return Ok(()) };
        encode_telemetry(&node.telemetry, &mut encoder)?;
        encode_data(node, &mut encoder)?;
        encode_certificates(node, &mut encoder)?;
        let status = node.cluster.status();
        encode_group(&status, &mut encoder)?;
        encode_members(&status, &mut encoder)
    }
}

fn encode_data(node: &NodeServices, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let keyspace = node.storage.keyspace().read();
    let (bytes, limit) = (keyspace.memory_bytes() as u64, keyspace.settings.maxmemory);
    let counts: Vec<(String, u64, u64)> = keyspace
        .databases()
        .filter(|(_, database)| !database.is_empty())
        .map(|(id, database)| {
            (id.0.to_string(), database.len() as u64, database.expiring_len() as u64)
        })
        .collect();
    drop(keyspace);
    gauge(encoder, "data_bytes", "Bytes of keys and values in memory", bytes)?;
    gauge(encoder, "maxmemory_bytes", "Limit of data_bytes; 0 for no limit", limit)?;
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

fn encode_certificates(node: &NodeServices, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "End of the validity of the certificate of a listener";
    let kind = MetricType::Gauge;
    let mut family =
        encoder.encode_descriptor("tls_certificate_expires_unix_s", help, None, kind)?;
    for (listener, expires_unix_s) in node.credentials.expiries() {
        ConstGauge::new(expires_unix_s).encode(family.encode_family(&[("listener", listener)])?)?;
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
        ("raft_lag_entries", "Committed entries that are not applied yet", status.lag()),
        ("raft_purged_index", "Index of the last entry removed from the log", status.purged),
        ("log_bytes", "Bytes of the log on the disk", status.log_bytes),
        ("log_segments", "Segment files of the log", status.log_segments),
        ("checkpoint_index", "Index of the current checkpoint", status.checkpoint_index),
        ("checkpoint_bytes", "Bytes of the current checkpoint", status.checkpoint_bytes),
        ("checkpoint_duration_ms", "Duration of the last checkpoint", status.checkpoint_ms),
        ("checkpoint_finished_unix_ms", "End of the last checkpoint", status.checkpoint_at_ms),
        ("checkpoint_running", "1 while one is written", u64::from(status.checkpoint_running)),
        (
            "checkpoint_no_room",
            "1 while the disk has too little space for the due checkpoint, so that the log grows",
            u64::from(status.checkpoint_no_room),
        ),
        ("raft_members", "Members of the group", status.members.len() as u64),
        ("disk_free_bytes", "Free bytes on the disk of the data", status.disk_free_bytes),
        ("disk_full", "1 while the full disk stops writes", u64::from(status.disk_full)),
        ("disk_stalled", "1 while the disk of the log hangs", u64::from(status.disk_stalled)),
        ("disk_silent_ms", "Age of the pending log write or flush", status.disk_silent_ms),
        ("log_unflushed_bytes", "Bytes of entries not flushed yet", status.log_unflushed_bytes),
    ];
    for (name, help, value) in gauges {
        gauge(encoder, name, help, value)?;
    }
    encode_agreement(status, encoder)?;
    encode_clock(status, encoder)?;
    gauge(encoder, "queued_bytes", "Bytes of requests that wait for the log", status.queued_bytes)?;
    let help = "Requests refused because a queue was full";
    counter(encoder, "queue_refusals", help, status.queue_refusals)?;
    let counters = [
        ("raft_elections", "Elections observed since the start", status.elections),
        ("forwarded_requests", "Requests forwarded to the leader", status.forwarded),
        ("checkpoints", "Checkpoints written since the start", status.checkpoints),
        (
            "replica_differences",
            "Unequal digests observed since the start",
            status.digests.differences,
        ),
        ("log_reversions", "Followers that lost acknowledged entries", status.log_reversions),
    ];
    for (name, help, value) in counters {
        counter(encoder, name, help, value)?;
    }
    encode_timings(status, encoder)?;
    let mut family =
        encoder.encode_descriptor("raft_role", "1 for the held role", None, MetricType::Gauge)?;
    for role in ["leader", "candidate", "follower", "learner", "stopped"] {
        let labels = [("role", role)];
        let held = u64::from(status.role.name() == role);
        ConstGauge::new(held).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// Whether the members agree about this node and have equal data.
fn encode_agreement(status: &RaftStatus, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let gauges = [
        (
            "unconfirmed",
            "1 while the node takes no part because the members have not confirmed its data",
            u64::from(status.unconfirmed.is_some()),
        ),
        (
            "incarnation_index",
            "Log index of the registered incarnation of this process; 0 before",
            status.incarnation_index,
        ),
        ("feature_level", "Feature level of the cluster", u64::from(status.feature_level.0)),
        ("digest_index", "Log index of this node's last digest", status.digests.index),
        (
            "replicas_differing",
            "Members whose data differed from the leader's at the last comparison",
            status.differing().count() as u64,
        ),
    ];
    gauges.into_iter().try_for_each(|(name, help, value)| gauge(encoder, name, help, value))
}

fn encode_timings(status: &RaftStatus, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let (flush, apply) = (&status.flush, &status.apply);
    for (name, help, value) in [
        ("log_flush_p50_us", "Median duration of log flushes", flush.p50_us),
        ("log_flush_p99_us", "99th percentile of log flushes", flush.p99_us),
        ("log_flush_max_us", "Longest log flush", flush.max_us),
        ("apply_p50_us", "Median duration of applying an entry", apply.p50_us),
        ("apply_p99_us", "99th percentile of applying an entry", apply.p99_us),
        ("apply_max_us", "Longest time for applying an entry", apply.max_us),
    ] {
        gauge(encoder, name, help, value)?;
    }
    for (name, help, value) in [
        ("log_flushes", "Flushes of the log", flush.count),
        ("log_flush_microseconds", "Time spent on flushing the log", flush.total_us),
        ("applies", "Log entries applied since the start", apply.count),
        ("apply_microseconds", "Time spent on applying log entries", apply.total_us),
    ] {
        counter(encoder, name, help, value)?;
    }
    Ok(())
}

fn encode_clock(status: &RaftStatus, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "1 while the clock differs too much from a majority's for the node to lead";
    gauge(encoder, "clock_wrong", help, u64::from(status.clock_wrong))?;
    let known = [
        (
            "clock_offset_ms",
            "Milliseconds by which the clock is ahead of a majority's clocks",
            status.clock_offset_ms,
        ),
        (
            "time_ahead_ms",
            "On the leader: milliseconds by which the cluster's time is ahead of the clocks",
            status.time_ahead_ms,
        ),
    ];
    for (name, help, value) in known {
        let Some(value) = value else { continue };
        let inner = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(inner)?;
    }
    Ok(())
}

fn encode_members(status: &RaftStatus, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "1 while the member answers the leader, as far as is known";
    let kind = MetricType::Gauge;
    let mut family = encoder.encode_descriptor("raft_member_reachable", help, None, kind)?;
    for member in &status.members {
        let id = member.node_id.to_string();
        let labels = [("node_id", id.as_str()), ("role", member.role.name())];
        let reachable = u64::from(member.is_reachable());
        ConstGauge::new(reachable).encode(family.encode_family(&labels)?)?;
    }
    let help = "Highest feature level that a member understands, as the leader knows it";
    let mut family = encoder.encode_descriptor("member_feature_level", help, None, kind)?;
    for (id, level) in &status.feature_levels {
        let id = id.to_string();
        let labels = [("node_id", id.as_str())];
        ConstGauge::new(u64::from(level.understands.0)).encode(family.encode_family(&labels)?)?;
    }
    let help = "Log entries that a member lacks, by the last report of the leader";
    let mut family = encoder.encode_descriptor("raft_member_lag_entries", help, None, kind)?;
    for member in &status.members {
        // A member that answers, but whose log is not known to match, lacks every entry: it waits
        // for a snapshot.
        let matched = member.matched.or_else(|| member.is_reachable().then_some(0));
        if let Some(matched) = matched {
            let id = member.node_id.to_string();
            let labels = [("node_id", id.as_str())];
            let lag = status.last_log.saturating_sub(matched);
            ConstGauge::new(lag).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let counter = ConstCounter::new(value);
    let inner = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
    counter.encode(inner)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    let inner = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
    gauge.encode(inner)
}

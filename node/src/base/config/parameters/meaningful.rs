//! Parameters that change what this store does. Those that Redis does not have are named like the
//! flag of their key.

use super::Change::{Fixed, Live, Protected, Restart};
use super::Scope::{Cluster, Node};
use super::{Parameter, aliased, row};
use crate::base::config::Kind::{
    Choice, EventClasses, Integer, Memory, MemoryOrPercent, OutputBuffer, Percentiles, Text, YesNo,
};
use crate::base::limits::ENTRY_BYTES_MAX;

const U32: i64 = u32::MAX as i64;
const I32: i64 = i32::MAX as i64;
const BYTES: u64 = i64::MAX as u64;
const SAME: &[(&str, &str)] = &[];

/// Here, replication and the cluster bus are the same connection.
const PEER_MODES: &[(&str, &str)] = &[("no", "off"), ("yes", "on")];

/// The policies of `maxmemory-policy`.
pub const EVICTION_POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

/// The words of `reads.mode`.
const READ_MODES: &[&str] = &["lease", "quorum", "stale"];

/// Redis's words for log levels and ours. The first of ours that fits is shown.
const LEVELS: &[(&str, &str)] = &[
    ("debug", "trace"),
    ("verbose", "debug"),
    ("notice", "info"),
    ("warning", "warn"),
    ("nothing", "error"),
];

/// Changed by other commands: `CONFIG` does not know them.
pub(super) const INTERNAL: &[Parameter] = &[row("active-expire", YesNo, Cluster, Live)];

pub(super) const ROWS: &[Parameter] = &[
    row("maxmemory", Memory(0, u64::MAX), Cluster, Live),
    row("maxmemory-policy", Choice(EVICTION_POLICIES), Cluster, Live),
    row("maxmemory-samples", Integer(1, I32), Cluster, Live),
    row("lfu-log-factor", Integer(0, I32), Cluster, Live),
    row("lfu-decay-time", Integer(0, I32), Cluster, Live),
    row("notify-keyspace-events", EventClasses, Cluster, Live),
    aliased(
        "hash-max-ziplist-entries",
        row("hash-max-listpack-entries", Integer(0, i64::MAX), Cluster, Live),
    ),
    aliased(
        "hash-max-ziplist-value",
        row("hash-max-listpack-value", Memory(0, BYTES), Cluster, Live),
    ),
    aliased(
        "list-max-ziplist-size",
        row("list-max-listpack-size", Integer(i32::MIN as i64, I32), Cluster, Live),
    ),
    row("list-compress-depth", Integer(0, I32), Cluster, Live),
    row("set-max-intset-entries", Integer(0, i64::MAX), Cluster, Live),
    row("set-max-listpack-entries", Integer(0, i64::MAX), Cluster, Live),
    row("set-max-listpack-value", Memory(0, BYTES), Cluster, Live),
    aliased(
        "zset-max-ziplist-entries",
        row("zset-max-listpack-entries", Integer(0, i64::MAX), Cluster, Live),
    ),
    aliased(
        "zset-max-ziplist-value",
        row("zset-max-listpack-value", Memory(0, BYTES), Cluster, Live),
    ),
    row("port", Integer(0, 65535), Node("listen.resp_port", SAME), Fixed),
    row("bind", Text, Node("listen.resp_host", SAME), Fixed),
    row("tls-port", Integer(0, 65535), Node("listen.resp_tls_port", SAME), Fixed),
    row("tls-cert-file", Text, Node("tls.certificate_file", SAME), Fixed),
    row("tls-key-file", Text, Node("tls.key_file", SAME), Fixed),
    row("tls-ca-cert-file", Text, Node("tls.client_ca_file", SAME), Fixed),
    row(
        "tls-auth-clients",
        Choice(&["no", "yes", "optional"]),
        Node(
            "tls.client_certificates",
            &[("no", "none"), ("yes", "required"), ("optional", "optional")],
        ),
        Fixed,
    ),
    row("tls-cluster", YesNo, Node("tls.peer_mode", PEER_MODES), Fixed),
    row("tls-replication", YesNo, Node("tls.peer_mode", PEER_MODES), Fixed),
    row("tcp-backlog", Integer(0, I32), Node("listen.backlog", SAME), Restart),
    row("dir", Text, Node("data.directory", SAME), Protected),
    row("requirepass", Text, Node("security.requirepass", SAME), Live),
    row(
        "enable-debug-command",
        Choice(&["no", "yes", "local"]),
        Node("security.enable_debug_command", SAME),
        Restart,
    ),
    row("io-threads", Integer(1, 128), Node("threads.io", SAME), Restart),
    row("maxclients", Integer(1, U32), Node("limits.clients_max", SAME), Live),
    row("timeout", Integer(0, I32), Node("limits.idle_timeout_s", SAME), Live),
    row("tcp-keepalive", Integer(0, I32), Node("limits.tcp_keepalive_s", SAME), Live),
    row("client-output-buffer-limit", OutputBuffer, Node("limits.output_buffer", SAME), Live),
    row(
        "client-query-buffer-limit",
        Memory(1 << 20, BYTES),
        Node("limits.query_buffer_bytes_max", SAME),
        Live,
    ),
    row("proto-max-bulk-len", Memory(1 << 20, BYTES), Node("limits.bulk_bytes_max", SAME), Live),
    row(
        "limits-key-bytes-max",
        Memory(1, ENTRY_BYTES_MAX as u64),
        Node("limits.key_bytes_max", SAME),
        Live,
    ),
    row(
        "limits-entry-piece-bytes",
        // The file may set smaller values, which are useful only in tests.
        Memory(64 << 10, ENTRY_BYTES_MAX as u64),
        Node("limits.entry_piece_bytes", SAME),
        Live,
    ),
    row("maxmemory-clients", MemoryOrPercent, Node("limits.clients_memory_max", SAME), Live),
    row(
        "limits-transaction-bytes-max",
        Memory(1 << 20, BYTES),
        Node("limits.transaction_bytes_max", SAME),
        Live,
    ),
    row(
        "limits-queue-bytes-max",
        Memory(1 << 20, BYTES),
        Node("limits.queue_bytes_max", SAME),
        Live,
    ),
    row("data-free-bytes-min", Memory(0, BYTES), Node("data.free_bytes_min", SAME), Live),
    row("raft-lease-percent", Integer(10, 90), Node("raft.lease_percent", SAME), Live),
    row(
        "raft-clock-offset-max-ms",
        Integer(100, I32),
        Node("raft.clock_offset_max_ms", SAME),
        Live,
    ),
    row("raft-request-timeout-ms", Integer(1, I32), Node("raft.request_timeout_ms", SAME), Live),
    row("raft-shutdown-timeout-ms", Integer(1, I32), Node("raft.shutdown_timeout_ms", SAME), Live),
    row("node-drain-ms", Integer(0, 600_000), Node("node.drain_ms", SAME), Live),
    row("reads-mode", Choice(READ_MODES), Node("reads.mode", SAME), Live),
    row("reads-stale-lag-max-ms", Integer(0, I32), Node("reads.stale_lag_max_ms", SAME), Live),
    row("log-retained-bytes", Memory(0, BYTES), Node("log.retained_bytes", SAME), Live),
    row("checkpoint-log-bytes-min", Memory(0, BYTES), Node("checkpoint.log_bytes_min", SAME), Live),
    row(
        "checkpoint-log-percent-of-data",
        Integer(0, U32),
        Node("checkpoint.log_percent_of_data", SAME),
        Live,
    ),
    row(
        "checkpoint-bytes-per-second-max",
        Memory(0, BYTES),
        Node("checkpoint.bytes_per_second_max", SAME),
        Live,
    ),
    row(
        "cluster-enabled",
        YesNo,
        Node("routing.redirect", &[("no", "proxy"), ("yes", "moved")]),
        Restart,
    ),
    row(
        "loglevel",
        Choice(&["debug", "verbose", "notice", "warning", "nothing"]),
        Node("telemetry.level", LEVELS),
        Live,
    ),
    row(
        "slowlog-log-slower-than",
        Integer(-1, i64::MAX),
        Node("telemetry.slow_command_us", SAME),
        Live,
    ),
    row(
        "cluster-feature-level-max",
        Integer(0, U32),
        Node("cluster.feature_level_max", SAME),
        Live,
    ),
    row(
        "cluster-digest-interval-s",
        Integer(0, U32),
        Node("cluster.digest_interval_s", SAME),
        Live,
    ),
    row("slowlog-max-len", Integer(0, i64::MAX), Node("telemetry.slow_commands_max", SAME), Live),
    row(
        "latency-monitor-threshold",
        Integer(0, i64::MAX),
        Node("telemetry.latency_threshold_ms", SAME),
        Live,
    ),
    row(
        "latency-tracking",
        YesNo,
        Node("telemetry.latency_tracking", &[("yes", "true"), ("no", "false")]),
        Live,
    ),
    row(
        "latency-tracking-info-percentiles",
        Percentiles,
        Node("telemetry.latency_percentiles", SAME),
        Live,
    ),
];

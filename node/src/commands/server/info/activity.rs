//! Sections with counters: Stats, Commandstats, Errorstats, Latencystats.

use super::lines::Lines;
use crate::base::telemetry::{CommandSnapshot, Stat};
use crate::commands::run::NodeContext;

pub(super) fn statistics(context: &NodeContext<'_>, lines: &mut Lines) {
    let node = context.node;
    let metrics = &node.telemetry.metrics;
    let counted = metrics.since_reset();
    let rates = metrics.rates();
    let stat = |stat| counted.stat(stat);
    lines.add("total_connections_received", stat(Stat::ConnectionsReceived));
    lines.add("total_commands_processed", counted.calls());
    lines.add("instantaneous_ops_per_sec", rates.commands.round());
    lines.add("total_net_input_bytes", stat(Stat::BytesIn));
    lines.add("total_net_output_bytes", stat(Stat::BytesOut));
    lines.add("total_net_repl_input_bytes", 0);
    lines.add("total_net_repl_output_bytes", 0);
    lines.add("instantaneous_input_kbps", format_args!("{:.2}", rates.bytes_in / 1024.0));
    lines.add("instantaneous_output_kbps", format_args!("{:.2}", rates.bytes_out / 1024.0));
    lines.add("instantaneous_input_repl_kbps", "0.00");
    lines.add("instantaneous_output_repl_kbps", "0.00");
    lines.add("rejected_connections", stat(Stat::ConnectionsRejected));
    lines.add("sync_full", 0);
    lines.add("sync_partial_ok", 0);
    lines.add("sync_partial_err", 0);
    lines.add("expired_keys", stat(Stat::ExpiredKeys));
    lines.add("expired_stale_perc", "0.00");
    lines.add("expired_time_cap_reached_count", 0);
    lines.add("expire_cycle_cpu_milliseconds", 0);
    lines.add("evicted_keys", stat(Stat::EvictedKeys));
    lines.add("evicted_clients", stat(Stat::EvictedClients));
    lines.add("total_eviction_exceeded_time", 0);
    lines.add("current_eviction_exceeded_time", 0);
    lines.add("keyspace_hits", stat(Stat::KeyspaceHits));
    lines.add("keyspace_misses", stat(Stat::KeyspaceMisses));
    for name in [
        "pubsub_channels",
        "pubsub_patterns",
        "pubsubshard_channels",
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
        "tracking_total_keys",
        "tracking_total_items",
        "tracking_total_prefixes",
        "unexpected_error_replies",
    ] {
        lines.add(name, 0);
    }
    lines.add("total_error_replies", counted.error_replies());
    lines.add("dump_payload_sanitizations", 0);
    lines.add("total_reads_processed", stat(Stat::ReadsProcessed));
    lines.add("total_writes_processed", stat(Stat::WritesProcessed));
    lines.add("io_threaded_reads_processed", 0);
    lines.add("io_threaded_writes_processed", 0);
    lines.add("reply_buffer_shrinks", 0);
    lines.add("reply_buffer_expands", 0);
    lines.add("acl_access_denied_auth", stat(Stat::AuthFailures));
    lines.add("acl_access_denied_cmd", 0);
    lines.add("acl_access_denied_key", 0);
    lines.add("acl_access_denied_channel", 0);
}

pub(super) fn commands(context: &NodeContext<'_>, lines: &mut Lines) {
    for_each_used(context, |name, command| {
        let (calls, us) = (command.calls, command.busy_ns / 1000);
        let mean_us = command.busy_ns as f64 / 1000.0 / calls.max(1) as f64;
        lines.add(&format!("cmdstat_{name}"), format_args!(
            "calls={calls},usec={us},usec_per_call={mean_us:.2},rejected_calls={},failed_calls={}",
            command.rejected, command.failed
        ));
    });
}

pub(super) fn errors(context: &NodeContext<'_>, lines: &mut Lines) {
    let counted = context.node.telemetry.metrics.since_reset();
    for (code, count) in &counted.errors {
        lines.add(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

pub(super) fn latencies(context: &NodeContext<'_>, lines: &mut Lines) {
    let config = context.node.config.load();
    if !config.telemetry.latency_tracking {
        return;
    }
    let percentiles: Vec<&str> =
        config.telemetry.latency_percentiles.split_ascii_whitespace().collect();
    for_each_used(context, |name, command| {
        let shown = percentiles.iter().filter_map(|percent| {
            let time = command.latency.percentile(percent.parse().ok()?)?;
            Some(format!("p{percent}={:.3}", time.as_nanos() as f64 / 1000.0))
        });
        let shown: Vec<String> = shown.collect();
        if !shown.is_empty() {
            lines.add(&format!("latency_percentiles_usec_{name}"), shown.join(","));
        }
    });
}

fn for_each_used(context: &NodeContext<'_>, mut show: impl FnMut(&str, &CommandSnapshot)) {
    let metrics = &context.node.telemetry.metrics;
    let counted = metrics.since_reset();
    let rows = metrics.command_names().iter().zip(&counted.commands);
    for (name, command) in rows.filter(|(_, command)| command.calls + command.rejected > 0) {
        show(name, command);
    }
}

//! Sections about what is stored: Persistence, Keyspace.

use super::lines::Lines;
use crate::commands::run::NodeContext;

/// Checkpoints replace RDB files, and the Raft log replaces the AOF. Every acknowledged write is on
/// disk, so the fields about unsaved changes show the changes since the last checkpoint.
pub(super) fn persistence(context: &NodeContext<'_>, lines: &mut Lines) {
    let status = context.node.cluster.status();
    let seconds = status.checkpoint_ms / 1000;
    lines.add("loading", 0);
    lines.add("async_loading", 0);
    lines.add("current_cow_peak", 0);
    lines.add("current_cow_size", 0);
    lines.add("current_cow_size_age", 0);
    lines.add("current_fork_perc", "0.00");
    lines.add("current_save_keys_processed", 0);
    lines.add("current_save_keys_total", 0);
    let changes = status.applied.saturating_sub(status.checkpoint_index);
    lines.add("rdb_changes_since_last_save", changes);
    lines.add("rdb_bgsave_in_progress", u8::from(status.checkpoint_running));
    lines.add("rdb_last_save_time", status.checkpoint_at_ms / 1000);
    lines.add("rdb_last_bgsave_status", "ok");
    let written = status.checkpoints > 0;
    let shown = if written { i64::try_from(seconds).unwrap_or(i64::MAX) } else { -1 };
    lines.add("rdb_last_bgsave_time_sec", shown);
    lines.add("rdb_current_bgsave_time_sec", if status.checkpoint_running { 0 } else { -1 });
    lines.add("rdb_saves", status.checkpoints);
    lines.add("rdb_last_cow_size", 0);
    lines.add("rdb_last_load_keys_expired", 0);
    lines.add("rdb_last_load_keys_loaded", 0);
    lines.add("aof_enabled", 1);
    lines.add("aof_rewrite_in_progress", u8::from(status.checkpoint_running));
    lines.add("aof_rewrite_scheduled", 0);
    lines.add("aof_last_rewrite_time_sec", shown);
    lines.add("aof_current_rewrite_time_sec", if status.checkpoint_running { 0 } else { -1 });
    lines.add("aof_last_bgrewrite_status", "ok");
    lines.add("aof_rewrites", status.checkpoints);
    lines.add("aof_rewrites_consecutive_failures", 0);
    lines.add("aof_last_write_status", "ok");
    lines.add("aof_last_cow_size", 0);
    lines.add("module_fork_in_progress", 0);
    lines.add("module_fork_last_cow_size", 0);
    lines.add("aof_current_size", status.log_bytes);
    lines.add("aof_base_size", status.checkpoint_bytes);
}

pub(super) fn keyspace(context: &NodeContext<'_>, lines: &mut Lines) {
    let now_ms = context.node.storage.read_time_ms();
    let keyspace = context.node.storage.keyspace().read();
    for (id, database) in keyspace.databases().filter(|(_, database)| !database.is_empty()) {
        let name = format!("db{}", id.0);
        lines.add(
            &name,
            format_args!(
                "keys={},expires={},avg_ttl={}",
                database.len(),
                database.expiring_len(),
                database.average_ttl_ms(now_ms)
            ),
        );
    }
}

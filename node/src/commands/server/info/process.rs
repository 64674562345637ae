//! Sections about the process: Server, Clients, Memory, CPU.

use super::lines::Lines;
use crate::base::config::{Redirect, show_memory};
use crate::commands::run::NodeContext;
use crate::commands::version::{IRONKV_VERSION, REDIS_VERSION};
use crate::services::sessions::{ClientFilter, ClientFlag};

pub(super) fn server(context: &NodeContext<'_>, lines: &mut Lines) {
    let node = context.node;
    let config = node.config.load();
    let process = &node.telemetry.process;
    let system = rustix::system::uname();
    let uptime = process.uptime().as_secs();
    let clustered = config.routing.redirect == Redirect::Moved;
    lines.add("redis_version", REDIS_VERSION);
    lines.add("ironkv_version", IRONKV_VERSION);
    lines.add("redis_git_sha1", "00000000");
    lines.add("redis_git_dirty", 0);
    lines.add("redis_build_id", "0");
    lines.add("redis_mode", if clustered { "cluster" } else { "standalone" });
    let words = [system.sysname(), system.release(), system.machine()];
    lines.add("os", words.map(|word| word.to_string_lossy()).join(" "));
    lines.add("arch_bits", usize::BITS);
    lines.add("monotonic_clock", "POSIX clock_gettime");
    lines.add("multiplexing_api", "epoll");
    lines.add("process_id", process.id());
    lines.add("process_supervised", "no");
    lines.add("run_id", &process.run_id);
    let ports = [("tcp", config.listen.resp_port), ("tls", config.listen.resp_tls_port)];
    let open = || ports.into_iter().filter(|(_, port)| *port != 0);
    lines.add("tcp_port", open().next().map_or(0, |(_, port)| port));
    lines.add("server_time_usec", node.clock.unix_us());
    lines.add("uptime_in_seconds", uptime);
    lines.add("uptime_in_days", uptime / 86_400);
    let hertz = config.parameters.get("hz").map_or("10", String::as_str);
    lines.add("hz", hertz);
    lines.add("configured_hz", hertz);
    // Redis's LRU clock is the lowest 24 bits of the time in seconds.
    lines.add("lru_clock", (node.clock.unix_ms() / 1000) & 0xff_ffff);
    lines.add("executable", process.executable().display());
    let file = node.config.file();
    lines.add("config_file", file.map(|path| path.display().to_string()).unwrap_or_default());
    lines.add("io_threads_active", u8::from(config.threads.io > 1));
    for (index, (name, port)) in open().enumerate() {
        let host = &config.listen.resp_host;
        lines.add(&format!("listener{index}"), format_args!("name={name},bind={host},port={port}"));
    }
}

pub(super) fn clients(context: &NodeContext<'_>, lines: &mut Lines) {
    let clients = &context.node.clients;
    let all = clients.matching(&ClientFilter::default());
    let loads = || all.iter().map(|client| client.load());
    let blocked = all.iter().filter(|client| client.has(ClientFlag::Blocked)).count();
    lines.add("connected_clients", all.len());
    lines.add("cluster_connections", 0);
    lines.add("maxclients", clients.limit());
    let input = loads().map(|load| load.input_bytes).max();
    lines.add("client_recent_max_input_buffer", input.unwrap_or(0));
    let output = loads().map(|load| load.output_bytes).max();
    lines.add("client_recent_max_output_buffer", output.unwrap_or(0));
    lines.add("blocked_clients", blocked);
    lines.add("tracking_clients", 0);
    lines.add("clients_in_timeout_table", 0);
    lines.add("total_blocking_keys", 0);
    lines.add("total_blocking_keys_on_nokey", 0);
}

pub(super) fn memory(context: &NodeContext<'_>, lines: &mut Lines) {
    let node = context.node;
    let telemetry = &node.telemetry;
    let process = telemetry.process.memory();
    let keyspace = node.storage.keyspace().read();
    let (used, settings) = (keyspace.memory_bytes() as u64, &keyspace.settings);
    let peak = telemetry.process.note_used_memory(used);
    let both = |lines: &mut Lines, name: &str, bytes: u64| {
        lines.add(name, bytes);
        lines.add(&format!("{name}_human"), show_memory(bytes));
    };
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    both(lines, "used_memory", used);
    both(lines, "used_memory_rss", process.resident);
    both(lines, "used_memory_peak", peak);
    lines.add("used_memory_peak_perc", format_args!("{:.2}%", percent(used, peak)));
    let entries = keyspace.databases().map(|(_, database)| database.overhead().entry_bytes);
    let startup = keyspace.own_bytes() as u64;
    let overhead = startup + entries.sum::<usize>() as u64;
    let dataset = used - overhead;
    lines.add("used_memory_overhead", overhead);
    lines.add("used_memory_startup", startup);
    lines.add("used_memory_dataset", dataset);
    let share = percent(dataset, used - startup);
    lines.add("used_memory_dataset_perc", format_args!("{share:.2}%"));
    lines.add("used_memory_rss_peak", process.resident_peak);
    allocator(lines, used, process.resident);
    both(lines, "total_system_memory", telemetry.process.system_memory());
    lines.add("used_memory_vm_eval", 0);
    both(lines, "used_memory_lua", 0);
    lines.add("used_memory_scripts_eval", 0);
    lines.add("number_of_cached_scripts", 0);
    lines.add("number_of_functions", 0);
    lines.add("number_of_libraries", 0);
    lines.add("used_memory_vm_functions", 0);
    both(lines, "used_memory_vm_total", 0);
    lines.add("used_memory_functions", 0);
    both(lines, "used_memory_scripts", 0);
    both(lines, "maxmemory", settings.maxmemory);
    lines.add("maxmemory_policy", settings.maxmemory_policy.name());
    let ratio = process.resident as f64 / used.max(1) as f64;
    lines.add("mem_fragmentation_ratio", format_args!("{ratio:.2}"));
    lines.add("mem_fragmentation_bytes", process.resident.saturating_sub(used));
    lines.add("mem_not_counted_for_evict", 0);
    lines.add("mem_replication_backlog", node.cluster.status().log_cache_bytes);
    lines.add("mem_total_replication_buffers", 0);
    lines.add("mem_clients_slaves", 0);
    lines.add("mem_clients_normal", node.clients.memory_bytes());
    lines.add("mem_cluster_links", 0);
    lines.add("mem_aof_buffer", 0);
    lines.add("mem_allocator", "mimalloc");
    lines.add("active_defrag_running", 0);
    lines.add("lazyfree_pending_objects", 0);
    lines.add("lazyfreed_objects", 0);
}

/// The allocator gives no statistics: used memory counts as allocated and active, and the rest of
/// the resident memory as overhead of the allocator.
fn allocator(lines: &mut Lines, used: u64, resident: u64) {
    let free = resident.saturating_sub(used);
    let ratio = resident as f64 / used.max(1) as f64;
    lines.add("allocator_allocated", used);
    lines.add("allocator_active", used);
    lines.add("allocator_resident", resident);
    lines.add("allocator_frag_ratio", "1.00");
    lines.add("allocator_frag_bytes", 0);
    lines.add("allocator_rss_ratio", format_args!("{ratio:.2}"));
    lines.add("allocator_rss_bytes", free);
    lines.add("rss_overhead_ratio", "1.00");
    lines.add("rss_overhead_bytes", 0);
}

pub(super) fn processor(context: &NodeContext<'_>, lines: &mut Lines) {
    let time = context.node.telemetry.process.time();
    for (name, seconds) in [
        ("used_cpu_sys", time.system_s),
        ("used_cpu_user", time.user_s),
        ("used_cpu_sys_children", time.children_system_s),
        ("used_cpu_user_children", time.children_user_s),
        // No single thread corresponds to the main thread of Redis, so these are of all threads.
        ("used_cpu_sys_main_thread", time.system_s),
        ("used_cpu_user_main_thread", time.user_s),
    ] {
        lines.add(name, format_args!("{seconds:.6}"));
    }
}

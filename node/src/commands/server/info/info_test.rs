use crate::base::ids::NodeId;
use crate::commands::testing::TestNode;
use crate::services::cluster::RaftRole;

fn headings(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# ")).collect()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

#[test]
fn sections_are_chosen_as_redis_chooses_them() {
    let node = TestNode::new();
    let default = node.text(["INFO"]);
    assert!(headings(&default).starts_with(&["Server", "Clients", "Memory", "Persistence"]));
    assert!(!headings(&default).contains(&"Commandstats"));
    assert!(headings(&default).contains(&"Modules"));
    let all = node.text(["INFO", "all"]);
    assert!(headings(&all).contains(&"Commandstats") && !headings(&all).contains(&"Modules"));
    assert!(headings(&node.text(["INFO", "everything"])).contains(&"Modules"));
    let two = node.text(["INFO", "keyspace", "SERVER", "server"]);
    assert_eq!(headings(&two), ["Server", "Keyspace"]);
    assert_eq!(node.text(["INFO", "nonsense"]), "");
}

#[test]
fn sections_are_separated_by_an_empty_line() {
    let text = TestNode::new().text(["INFO", "cpu", "modules", "cluster"]);
    assert!(text.starts_with("# CPU\r\nused_cpu_sys:"), "{text}");
    assert!(text.contains("\r\n\r\n# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n"), "{text}");
}

#[test]
fn the_leader_is_a_master_and_others_are_its_slaves() {
    let node = TestNode::new();
    let text = node.text(["INFO", "replication"]);
    assert_eq!(field(&text, "role"), Some("master"));
    assert_eq!(field(&text, "connected_slaves"), Some("2"));
    assert_eq!(field(&text, "slave0"), Some("ip=kv-2,port=6379,state=online,offset=7,lag=2"));
    {
        let mut status = node.status.lock();
        status.role = RaftRole::Follower;
        status.leader = Some(NodeId(2));
        status.leader_contact_ms = Some(1500);
    }
    let text = node.text(["INFO", "replication"]);
    assert_eq!(field(&text, "role"), Some("slave"));
    assert_eq!(field(&text, "master_host"), Some("kv-2"));
    assert_eq!(field(&text, "master_link_status"), Some("up"));
    assert_eq!(field(&text, "master_last_io_seconds_ago"), Some("1"));
    assert_eq!(field(&text, "master_replid").map(str::len), Some(40));
}

#[test]
fn the_fields_that_monitoring_tools_read_are_there() {
    let text = TestNode::new().text(["INFO", "memory", "cpu"]);
    for name in [
        "allocator_allocated",
        "allocator_active",
        "allocator_resident",
        "allocator_frag_ratio",
        "allocator_frag_bytes",
        "allocator_rss_ratio",
        "allocator_rss_bytes",
        "rss_overhead_ratio",
        "rss_overhead_bytes",
        "used_memory_vm_functions",
        "used_memory_vm_total",
        "used_memory_vm_total_human",
        "used_memory_functions",
        "used_memory_scripts_human",
        "used_cpu_sys_main_thread",
        "used_cpu_user_main_thread",
    ] {
        assert!(field(&text, name).is_some(), "no {name}: {text}");
    }
}

#[test]
fn without_a_leader_the_link_is_down() {
    let node = TestNode::new();
    {
        let mut status = node.status.lock();
        status.role = RaftRole::Candidate;
        status.leader = None;
    }
    let text = node.text(["INFO", "replication"]);
    assert_eq!(field(&text, "master_link_status"), Some("down"));
}

#[test]
fn commands_and_errors_are_counted_by_name() {
    let node = TestNode::new();
    let metrics = &node.telemetry.metrics;
    let ping = metrics.command_names().iter().position(|name| name == "ping").unwrap_or(0);
    let thread = metrics.thread();
    thread.called(ping, std::time::Duration::from_micros(40), false);
    thread.called(ping, std::time::Duration::from_micros(40), true);
    thread.error("WRONGPASS");
    let text = node.text(["INFO", "commandstats", "errorstats", "latencystats"]);
    let counted = "calls=2,usec=80,usec_per_call=40.00,rejected_calls=0,failed_calls=1";
    assert_eq!(field(&text, "cmdstat_ping"), Some(counted));
    assert_eq!(field(&text, "errorstat_WRONGPASS"), Some("count=1"));
    let latency = field(&text, "latency_percentiles_usec_ping").unwrap_or_default();
    assert!(latency.starts_with("p50=") && latency.contains(",p99.9="), "{latency}");
}

#[test]
fn keys_are_counted_by_database() {
    use crate::base::ids::DatabaseId;
    use crate::data::keyspace::Object;
    use crate::data::types::{StringValue, Value};
    let node = TestNode::new();
    let object = Object::new(Value::String(StringValue::new(b"v")), None, 1);
    node.keyspace.write().database_mut(DatabaseId(3)).insert("k", object);
    let text = node.text(["INFO", "keyspace"]);
    assert_eq!(field(&text, "db3"), Some("keys=1,expires=0,avg_ttl=0"));
    assert_eq!(field(&text, "db0"), None);
}

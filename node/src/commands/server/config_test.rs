use crate::commands::testing::TestNode;
use crate::resp::{Reply, ReplyError};

fn pairs(reply: Reply) -> Vec<(String, String)> {
    let Reply::Map(pairs) = reply else { return Vec::new() };
    let text = |reply: Reply| match reply {
        Reply::Bulk(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    };
    pairs.into_iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn get(node: &TestNode, name: &str) -> String {
    let found = pairs(node.run(["CONFIG", "GET", name]));
    found.into_iter().find(|(own, _)| own == name).map(|(_, value)| value).unwrap_or_default()
}

#[track_caller]
fn check_error(node: &TestNode, argv: &[&str], expected: &str) {
    let argv = ["CONFIG", "SET"].iter().chain(argv);
    assert_eq!(node.run(argv), ReplyError::new(expected.to_owned()).into());
}

#[test]
fn parameters_of_node_and_cluster_are_set_together() {
    let node = TestNode::new();
    let argv = ["config", "set", "maxclients", "7", "MaxMemory", "1mb", "hz", "20"];
    assert_eq!(node.run(argv), Reply::OK);
    assert_eq!(get(&node, "maxclients"), "7");
    assert_eq!(get(&node, "maxmemory"), "1048576");
    assert_eq!(get(&node, "hz"), "20");
    assert_eq!(node.clients.limit(), 7);
}

#[test]
fn one_mistake_changes_nothing() {
    let node = TestNode::new();
    check_error(
        &node,
        &["maxmemory", "1mb", "timeout", "abc"],
        "ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be \
         parsed into an integer",
    );
    assert_eq!(get(&node, "maxmemory"), "0");
}

#[test]
fn parameters_of_the_cluster_are_set_by_one_change() {
    let node = TestNode::new();
    let argv =
        ["CONFIG", "SET", "maxmemory", "1mb", "timeout", "7", "maxmemory-policy", "volatile-ttl"];
    assert_eq!(node.run(argv), Reply::OK);
    assert_eq!(*node.asked.lock(), ["parameters maxmemory maxmemory-policy"]);
    assert_eq!(get(&node, "timeout"), "7");
}

#[test]
fn refusals_are_those_of_redis() {
    let node = TestNode::new();
    let failed = |name: &str, reason: &str| {
        format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
    };
    let unknown = "ERR Unknown option or number of arguments for CONFIG SET - 'foo'";
    check_error(&node, &["foo", "bar"], unknown);
    check_error(&node, &["port", "1"], &failed("port", "can't set immutable config"));
    let port = get(&node, "port");
    assert_eq!(node.run(["CONFIG", "SET", "port", port.as_str()]), Reply::OK);
    let percent = "percentage argument must be less or equal to 100";
    check_error(&node, &["maxmemory-clients", "101%"], &failed("maxmemory-clients", percent));
    check_error(&node, &["dir", "/"], &failed("dir", "can't set protected config"));
    let twice = ["timeout", "1", "timeout", "2"];
    check_error(&node, &twice, &failed("timeout", "duplicate parameter"));
    let policies = failed(
        "maxmemory-policy",
        "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, \
         volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction",
    );
    check_error(&node, &["maxmemory-policy", "foo"], &policies);
}

#[test]
fn get_takes_patterns_in_any_case() {
    let node = TestNode::new();
    let found = pairs(node.run(["CONFIG", "GET", "MAXMEMORY*", "appendonly", "hash-max-zip*"]));
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"maxmemory-policy") && names.contains(&"appendonly"), "{names:?}");
    assert!(names.contains(&"hash-max-ziplist-entries"), "{names:?}");
    assert!(pairs(node.run(["CONFIG", "GET", "nothing"])).is_empty());
}

#[test]
fn every_parameter_is_shown() {
    let node = TestNode::new();
    let shown = pairs(node.run(["CONFIG", "GET", "*"]));
    let expected = super::names().count();
    assert_eq!(shown.len(), expected);
}

#[test]
fn a_password_takes_effect_at_once() {
    let node = TestNode::new();
    assert!(!node.asks_for_password() && !node.accepts_password(b""));
    assert_eq!(node.run(["CONFIG", "SET", "requirepass", "123"]), Reply::OK);
    assert!(node.asks_for_password() && node.accepts_password(b"123"));
    assert!(!node.accepts_password(b"12") && !node.accepts_password(b""));
    assert_eq!(get(&node, "requirepass"), "123");
}

#[test]
fn resetting_statistics_resets_calls() {
    let node = TestNode::new();
    let thread = node.telemetry.metrics.thread();
    thread.called(0, std::time::Duration::from_micros(5), false);
    assert_eq!(node.run(["CONFIG", "RESETSTAT"]), Reply::OK);
    assert_eq!(node.telemetry.metrics.since_reset().calls(), 0);
}

#[test]
fn without_a_file_rewrite_is_an_error() {
    let error = ReplyError::new("ERR The server is running without a config file");
    assert_eq!(TestNode::new().run(["CONFIG", "REWRITE"]), error.into());
}

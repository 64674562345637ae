use crate::commands::testing::TestNode;
use crate::resp::{Reply, ReplyError};

fn bulks(argv: &[&str]) -> Reply {
    Reply::Array(argv.iter().map(Reply::bulk).collect())
}

fn statuses(argv: &[&'static str]) -> Reply {
    Reply::Set(argv.iter().map(|word| Reply::Status(word)).collect())
}

fn row(node: &TestNode, name: &str) -> Vec<Reply> {
    match node.run(["COMMAND", "INFO", name]) {
        Reply::Array(mut rows) => match rows.pop() {
            Some(Reply::Array(fields)) => fields,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

#[test]
fn a_row_has_redis_ten_fields() {
    let node = TestNode::new();
    let get = row(&node, "get");
    assert_eq!(get.len(), 10);
    assert_eq!(get[0], Reply::bulk("get"));
    assert_eq!(get[1], Reply::Integer(2));
    assert_eq!(get[2], statuses(&["readonly", "fast"]));
    assert_eq!(&get[3..6], [Reply::Integer(1), Reply::Integer(1), Reply::Integer(1)]);
    assert_eq!(get[6], statuses(&["@read", "@string", "@fast"]));
    let flush = row(&node, "FLUSHALL");
    assert_eq!(flush[6], statuses(&["@write", "@keyspace", "@slow", "@dangerous"]));
    let set = row(&node, "config|set");
    assert_eq!(set[0], Reply::bulk("config|set"));
    assert_eq!(set[2], statuses(&["admin", "noscript", "loading", "stale"]));
    assert_eq!(set[6], statuses(&["@admin", "@slow", "@dangerous"]));
}

#[test]
fn unknown_names_are_null_in_info_and_left_out_in_docs() {
    let node = TestNode::new();
    let reply = node.run(["COMMAND", "INFO", "nonsense"]);
    assert_eq!(reply, Reply::Array(vec![Reply::NullArray]));
    assert_eq!(node.run(["COMMAND", "DOCS", "nonsense"]), Reply::Map(Vec::new()));
}

#[test]
fn count_and_the_bare_command_agree() {
    let node = TestNode::new();
    let Reply::Array(rows) = node.run(["COMMAND"]) else { return assert_eq!(1, 2, "no array") };
    assert_eq!(node.run(["COMMAND", "COUNT"]), Reply::count(rows.len()));
}

#[test]
fn keys_are_found_and_mistakes_named() {
    let node = TestNode::new();
    assert_eq!(node.run(["COMMAND", "GETKEYS", "get", "a"]), bulks(&["a"]));
    let usage = ["COMMAND", "GETKEYS", "memory", "usage", "k"];
    assert_eq!(node.run(usage), bulks(&["k"]));
    for (argv, error) in [
        (&["foo", "bar"][..], "ERR Invalid command specified"),
        (&["ping", "x"], "ERR The command has no key arguments"),
        (&["get", "a", "b"], "ERR Invalid number of arguments specified for command"),
    ] {
        let argv = ["COMMAND", "GETKEYS"].iter().chain(argv);
        assert_eq!(node.run(argv), ReplyError::new(error).into());
    }
}

#[test]
fn list_filters_by_pattern_and_category() {
    let node = TestNode::new();
    let list = |argv: &[&str]| node.run(["COMMAND", "LIST", "FILTERBY"].iter().chain(argv));
    let found = list(&["PATTERN", "CONFIG|RE*"]);
    assert_eq!(found, bulks(&["config|resetstat", "config|rewrite"]));
    let Reply::Array(transactions) = list(&["ACLCAT", "transaction"]) else { return };
    assert!(transactions.contains(&Reply::bulk("multi")));
    assert_eq!(list(&["MODULE", "x"]), bulks(&[]));
    assert_eq!(list(&["WORD", "x"]), ReplyError::SYNTAX.into());
}

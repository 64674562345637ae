use crate::commands::testing::TestDatabase;
use crate::commands::testing::TestNode;
use crate::resp::{Reply, ReplyError};

#[test]
fn populate_makes_keys_that_do_not_exist_yet() {
    let mut database = TestDatabase::new();
    assert_eq!(database.run(["SET", "key:1", "mine"]), Reply::OK);
    assert_eq!(database.run(["DEBUG", "POPULATE", "3"]), Reply::OK);
    assert_eq!(database.run(["DBSIZE"]), Reply::Integer(3));
    assert_eq!(database.run(["GET", "key:1"]), Reply::bulk("mine"));
    assert_eq!(database.run(["GET", "key:2"]), Reply::bulk("value:2"));
    assert_eq!(database.run(["DEBUG", "POPULATE", "1", "p", "4"]), Reply::OK);
    assert_eq!(database.run(["GET", "p:0"]), Reply::bulk("valu"));
    let refused = database.run(["DEBUG", "POPULATE", "-1"]);
    assert_eq!(refused, ReplyError::NOT_POSITIVE.into());
}

#[test]
fn digests_depend_on_content_only() {
    let mut database = TestDatabase::new();
    let empty = database.run(["DEBUG", "DIGEST"]);
    assert_eq!(empty, Reply::Line("0".repeat(40)));
    database.run(["SET", "a", "1"]);
    let one = database.run(["DEBUG", "DIGEST"]);
    database.run(["SET", "b", "1"]);
    let values = database.run(["DEBUG", "DIGEST-VALUE", "a", "b", "c"]);
    let Reply::Array(values) = values else { return assert_eq!(values, Reply::OK) };
    assert_eq!(values[0], values[1]);
    assert_eq!(values[2], Reply::Line("0".repeat(40)));
    database.run(["DEL", "b"]);
    assert_eq!(database.run(["DEBUG", "DIGEST"]), one);
}

#[test]
fn objects_are_described() {
    let mut database = TestDatabase::new();
    database.run(["SET", "a", "1"]);
    let Reply::Line(text) = database.run(["DEBUG", "OBJECT", "a"]) else { return };
    assert!(text.contains(" encoding:int ") && text.contains(" lru_seconds_idle:"), "{text}");
    assert_eq!(database.run(["DEBUG", "OBJECT", "b"]), ReplyError::NO_SUCH_KEY.into());
    let refused = ReplyError::new("ERR Not a listpack encoded object.");
    assert_eq!(database.run(["DEBUG", "LISTPACK", "a"]), refused.into());
}

#[test]
fn protocol_returns_every_type_it_names() {
    let node = TestNode::new();
    let run = |name: &str| node.run(["DEBUG", "PROTOCOL", name]);
    assert_eq!(run("integer"), Reply::Integer(12_345));
    assert_eq!(run("TRUE"), Reply::Boolean(true));
    assert_eq!(run("push"), ReplyError::new("ERR RESP2 is not supported by this command").into());
    assert!(matches!(run("nonsense"), Reply::Error(_)));
    assert_eq!(node.run(["DEBUG", "ERROR", "MY text"]), ReplyError::new("MY text").into());
}

#[test]
fn active_expiry_is_switched_for_the_whole_cluster() {
    let node = TestNode::new();
    assert_eq!(node.run(["DEBUG", "SET-ACTIVE-EXPIRE", "0"]), Reply::OK);
    assert!(!node.keyspace.read().settings.active_expire);
}

#[test]
fn reload_takes_options_and_reloads_once() {
    let node = TestNode::new();
    assert_eq!(node.run(["DEBUG", "RELOAD", "NOSAVE", "MERGE", "NOFLUSH"]), Reply::OK);
    assert_eq!(*node.asked.lock(), ["reload"]);
    assert!(matches!(node.run(["DEBUG", "RELOAD", "TWICE"]), Reply::Error(_)));
}

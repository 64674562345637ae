use crate::commands::testing::TestNode;
use crate::resp::{Reply, ReplyError};

#[test]
fn the_leader_comes_first_and_serves_all_slots() {
    let node = TestNode::new();
    node.status.lock().leader = Some(crate::base::ids::NodeId(2));
    let text = node.text(["CLUSTER", "NODES"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains(" kv-2:6379@6380 master - 0 0 3 connected 0-16383"), "{text}");
    assert!(lines[1].contains(" kv-1:6379@6380 myself,slave "), "{text}");
    let leader_name = &lines[0][..40];
    assert!(lines[1].contains(leader_name), "{text}");
    let Reply::Array(ranges) = node.run(["CLUSTER", "SLOTS"]) else { return };
    let Some(Reply::Array(range)) = ranges.first() else { return };
    assert_eq!(range[..2], [Reply::Integer(0), Reply::Integer(16_383)]);
    let Reply::Array(first) = &range[2] else { return };
    assert_eq!(first[..3], [Reply::bulk("kv-2"), Reply::Integer(6379), Reply::bulk(leader_name)]);
    assert_eq!(range.len(), 5);
}

#[test]
fn without_a_leader_no_slot_is_served() {
    let node = TestNode::new();
    node.status.lock().leader = None;
    assert_eq!(node.run(["CLUSTER", "SLOTS"]), Reply::Array(Vec::new()));
    let text = node.text(["CLUSTER", "INFO"]);
    assert!(text.starts_with("cluster_state:fail\r\ncluster_slots_assigned:16384\r\n"), "{text}");
}

#[test]
fn the_cluster_is_ok_when_it_has_a_leader() {
    let text = TestNode::new().text(["CLUSTER", "INFO"]);
    assert!(text.contains("cluster_state:ok\r\n") && text.contains("cluster_known_nodes:3\r\n"));
}

#[test]
fn my_id_is_the_name_others_use_for_this_node() {
    let node = TestNode::new();
    let own = node.text(["CLUSTER", "MYID"]);
    let nodes = node.text(["CLUSTER", "NODES"]);
    let line = nodes.lines().find(|line| line.contains("myself"));
    assert!(line.is_some_and(|line| line.starts_with(&own)), "{own} {nodes}");
}

#[test]
fn keys_have_redis_slots() {
    let node = TestNode::new();
    assert_eq!(node.run(["CLUSTER", "KEYSLOT", "foo"]), Reply::Integer(12_182));
    assert_eq!(node.run(["CLUSTER", "KEYSLOT", "{foo}bar"]), Reply::Integer(12_182));
}

#[test]
fn leadership_is_transferred_on_request() {
    let node = TestNode::new();
    assert_eq!(node.run(["RAFT", "TRANSFER"]), Reply::OK);
    assert_eq!(node.run(["RAFT", "TRANSFER", "3"]), Reply::OK);
    assert_eq!(*node.asked.lock(), ["transfer to None", "transfer to Some(NodeId(3))"]);
    let error = ReplyError::new("ERR node id must be a positive number, see RAFT MEMBERS");
    assert_eq!(node.run(["RAFT", "TRANSFER", "-1"]), error.into());
}

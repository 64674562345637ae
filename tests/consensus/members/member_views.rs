//! The members that answer, as each node reports them to its clients: the view of the leader while
//! there is contact to it, and only itself afterwards.

use std::time::Duration;

use ironkv_tests::clients::reply::Reply;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::{Instant, sleep};

/// The reports of one node about the cluster.
#[derive(Debug)]
struct View {
    nodes: String,
    shards: String,
    slots: String,
    info: String,
    replication: String,
    role: String,
}

impl View {
    async fn of(cluster: &Cluster, index: usize) -> Self {
        let mut client = cluster.client(index).await;
        let mut ask = async |line: &str| client.line(line).await.expect("an answer");
        let nodes = ask("CLUSTER NODES").await.text();
        let shards = format!("{:?}", ask("CLUSTER SHARDS").await);
        let slots = format!("{:?}", ask("CLUSTER SLOTS").await);
        let info = ask("CLUSTER INFO").await.text();
        let replication = ask("INFO replication").await.text();
        let role = format!("{:?}", ask("ROLE").await);
        Self { nodes, shards, slots, info, replication, role }
    }

    /// The flags and the state of the link to the node with this name.
    fn link(&self, name: &str) -> (&str, &str) {
        let line = self.nodes.lines().find(|line| line.starts_with(name));
        let fields: Vec<&str> = line.expect("a line for every member").split(' ').collect();
        (fields[2].trim_start_matches("myself,"), fields[7])
    }
}

/// Waits until a node reports what is wanted.
async fn wait_for_view(
    cluster: &Cluster,
    index: usize,
    what: &str,
    wanted: impl Fn(&View) -> bool,
) -> View {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let view = View::of(cluster, index).await;
        if wanted(&view) {
            return view;
        }
        assert!(Instant::now() < deadline, "node {index} does not report {what}: {view:#?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The offset and the health of a node in a reply of CLUSTER SHARDS.
async fn shard_node(cluster: &Cluster, index: usize, name: &str) -> (i64, String) {
    let reply = cluster.client(index).await.line("CLUSTER SHARDS").await.expect("an answer");
    let nodes = field(&items(&reply)[0], "nodes");
    let node = items(nodes).iter().find(|node| field(node, "id").text() == name);
    let node = node.expect("every member");
    let offset = field(node, "replication-offset").integer();
    (offset.expect("a number"), field(node, "health").text())
}

fn items(reply: &Reply) -> &[Reply] {
    reply.elements().expect("an array")
}

fn field<'a>(map: &'a Reply, name: &str) -> &'a Reply {
    let mut pairs = items(map).chunks(2);
    pairs.find(|pair| pair[0].text() == name).map(|pair| &pair[1]).expect("a field")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_reports_the_members_that_answer_the_leader_and_a_survivor_only_itself() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let (dead, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let mut names = Vec::new();
    for index in 0..3 {
        let reply = cluster.client(index).await.line("CLUSTER MYID").await.expect("an answer");
        names.push(reply.text());
    }
    let mut client = cluster.client(leader).await;
    for number in 0..20 {
        client.line(&format!("SET key {number}")).await.expect("an answer");
    }
    let whole = |view: &View| names.iter().all(|name| view.link(name).1 == "connected");
    for index in 0..3 {
        wait_for_view(&cluster, index, "that all answer", whole).await;
        for name in &names {
            let (offset, health) = shard_node(&cluster, index, name).await;
            assert!(offset > 0 && health == "online", "{index}: {offset} {health}");
        }
    }

    cluster.nodes[dead].process().kill();
    let gone = |view: &View| {
        view.link(&names[dead]) == ("slave,fail", "disconnected")
            && !view.slots.contains(&names[dead])
            && view.info.contains("cluster_state:ok")
    };
    for index in [other, leader] {
        let view = wait_for_view(&cluster, index, "that a follower is dead", gone).await;
        for alive in [leader, other] {
            assert_eq!(view.link(&names[alive]).1, "connected", "{view:#?}");
            assert!(view.slots.contains(&names[alive]), "{view:#?}");
        }
        let (offset, health) = shard_node(&cluster, index, &names[dead]).await;
        assert!(offset > 0 && health == "failed", "{offset} {health}");
    }

    // Afterwards the view is that of the next leader.
    let id = cluster.node_id(other).await;
    let moved = client.line(&format!("RAFT TRANSFER {id}")).await.expect("an answer");
    assert!(!moved.is_error(), "{moved:?}");
    for index in [leader, other] {
        let moved = |view: &View| view.link(&names[other]).0 == "master" && gone(view);
        wait_for_view(&cluster, index, "the next leader and the dead follower", moved).await;
    }

    cluster.nodes[other].process().kill();
    let view = wait_for_view(&cluster, leader, "that it knows of itself alone", |view| {
        let lost = |index: usize| view.link(&names[index]);
        [dead, other].into_iter().all(|index| {
            let (flags, link) = lost(index);
            flags.ends_with(",fail?") && link == "disconnected"
        }) && view.info.contains("cluster_state:fail")
    });
    let view = view.await;
    assert_eq!(view.link(&names[leader]), ("slave", "connected"), "{view:#?}");
    assert!(!names.iter().any(|name| view.slots.contains(name)), "{view:#?}");
    assert!(view.replication.contains("master_link_status:down"), "{view:#?}");
    assert!(!view.role.contains("connected"), "{view:#?}");
    assert!(view.shards.contains("failed"), "{view:#?}");

    cluster.start_node(dead).await;
    cluster.start_node(other).await;
    for index in 0..3 {
        wait_for_view(&cluster, index, "that all answer again", whole).await;
    }
}

#![allow(clippy::unwrap_used)]

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use tower::ServiceExt as _;

use super::*;
use crate::base::ids::NodeId;
use crate::base::limits::STUCK_AFTER;
use crate::commands::testing::TestNode;
use crate::services::cluster::{Contact, RaftRole};

async fn get(lifecycle: &Arc<Lifecycle>, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router(Arc::clone(lifecycle)).oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn running() -> (Arc<Lifecycle>, TestNode) {
    let (lifecycle, node) = (Lifecycle::new(), TestNode::new());
    lifecycle.started(node.services.clone());
    (lifecycle, node)
}

#[tokio::test]
async fn a_starting_node_is_alive_but_neither_started_nor_ready() {
    let lifecycle = Lifecycle::new();
    assert_eq!(get(&lifecycle, "/livez").await.0, StatusCode::OK);
    for path in ["/startupz", "/readyz", "/v1/status"] {
        let (status, body) = get(&lifecycle, path).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(body.contains("being loaded"), "{body}");
    }
    assert!(get(&lifecycle, "/metrics").await.1.contains("ironkv_started 0"));
}

#[tokio::test]
async fn a_running_node_is_ready_until_it_stops() {
    let (lifecycle, _) = running();
    for path in ["/livez", "/startupz", "/readyz"] {
        assert_eq!(get(&lifecycle, path).await, (StatusCode::OK, "ok\n".to_owned()), "{path}");
    }
    lifecycle.stopping();
    assert_eq!(get(&lifecycle, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&lifecycle, "/livez").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_node_with_a_wrong_clock_reports_it_and_serves() {
    let (lifecycle, node) = running();
    node.status.lock().clock_wrong = true;
    node.status.lock().clock_offset_ms = Some(-60_000);
    let (code, text) = get(&lifecycle, "/readyz").await;
    assert_eq!(code, StatusCode::OK);
    assert!(text.contains("60000 ms behind a majority's"), "{text}");
}

#[tokio::test]
async fn a_node_with_a_full_disk_reports_it_and_serves_reads() {
    let (lifecycle, node) = running();
    node.status.lock().disk_full = true;
    let (code, text) = get(&lifecycle, "/readyz").await;
    assert_eq!(code, StatusCode::OK);
    assert!(text.starts_with("ok\n") && text.contains("every write is refused"), "{text}");
    let status: NodeStatus = serde_json::from_str(&get(&lifecycle, "/v1/status").await.1).unwrap();
    assert!(status.ready && status.warning.is_some());
}

#[tokio::test]
async fn a_node_that_has_moved_reports_why_no_leader_reaches_it() {
    let (lifecycle, node) = running();
    node.status.lock().known_as = Some("10.0.0.1:6380".to_owned());
    let (code, text) = get(&lifecycle, "/readyz").await;
    assert!(code == StatusCode::OK && text.contains("10.0.0.1:6380"), "{text}");
    node.status.lock().role = RaftRole::Follower;
    node.status.lock().leader_contact_ms = None;
    let (code, text) = get(&lifecycle, "/readyz").await;
    assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("since the start; the members know this node by another"), "{text}");
}

#[tokio::test]
async fn without_a_leader_or_a_cluster_a_node_is_not_ready() {
    let (lifecycle, node) = running();
    node.status.lock().leader = None;
    assert!(get(&lifecycle, "/readyz").await.1.contains("no leader"));
    node.status.lock().cluster_id = None;
    assert!(get(&lifecycle, "/readyz").await.1.contains("cluster init"));
    for path in ["/livez", "/startupz"] {
        assert_eq!(get(&lifecycle, path).await.0, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_node_cut_off_from_its_leader_or_its_followers_is_not_ready_but_alive() {
    let (lifecycle, node) = running();
    node.status.lock().leader_contact_ms = Some(100_000);
    assert!(get(&lifecycle, "/readyz").await.1.contains("no majority acknowledged it for 100000"));
    node.status.lock().role = RaftRole::Follower;
    assert!(get(&lifecycle, "/readyz").await.1.contains("no leader was heard for 100000 ms"));
    node.status.lock().leader_contact_ms = None;
    assert!(get(&lifecycle, "/readyz").await.1.contains("no leader was heard since the start"));
    assert_eq!(get(&lifecycle, "/livez").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_removed_node_and_one_that_is_no_member_yet_are_not_ready() {
    let (lifecycle, node) = running();
    node.status.lock().node_id = Some(NodeId(9));
    assert!(get(&lifecycle, "/readyz").await.1.contains("do not know the node yet"));
    node.status.lock().role = RaftRole::Stopped;
    assert!(get(&lifecycle, "/readyz").await.1.contains("no part"));
}

#[tokio::test]
async fn a_node_far_behind_is_not_ready() {
    let (lifecycle, node) = running();
    node.status.lock().committed = 1_000_000;
    assert!(get(&lifecycle, "/readyz").await.1.contains("not applied here yet"));
}

#[tokio::test(start_paused = true)]
async fn a_node_is_stuck_when_it_does_not_apply_its_entries_and_not_when_they_never_arrive() {
    let (lifecycle, node) = running();
    let after = async |committed, last_log| {
        let applied = node.status.lock().applied + 1;
        node.status.lock().applied = applied;
        (node.status.lock().committed, node.status.lock().last_log) =
            (applied + committed, applied + last_log);
        assert_eq!(get(&lifecycle, "/livez").await.0, StatusCode::OK);
        tokio::time::advance(STUCK_AFTER).await;
        get(&lifecycle, "/livez").await.0
    };
    assert_eq!(after(5, 3).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(after(5, 0).await, StatusCode::OK);
}

#[tokio::test]
async fn a_member_that_waits_for_a_snapshot_lacks_everything() {
    let (lifecycle, node) = running();
    let last_log = {
        let mut status = node.status.lock();
        status.members[1].matched = None;
        status.members[1].contact = Contact::Answers;
        status.members[2].matched = None;
        status.members[2].contact = Contact::Silent;
        status.last_log
    };
    let body = get(&lifecycle, "/metrics").await.1;
    let row = format!("ironkv_raft_member_lag_entries{{node_id=\"2\"}} {last_log}");
    assert!(body.contains(&row), "{row} is missing in:\n{body}");
    assert!(!body.contains("ironkv_raft_member_lag_entries{node_id=\"3\"}"), "{body}");
}

#[tokio::test]
async fn status_reports_node_and_members() {
    let (lifecycle, _) = running();
    let (code, body) = get(&lifecycle, "/v1/status").await;
    let status: NodeStatus = serde_json::from_str(&body).unwrap();
    assert_eq!((code, status.node_id, status.leader), (StatusCode::OK, Some(1), Some(1)));
    assert_eq!((status.role.as_str(), status.members.len(), status.ready), ("leader", 3, true));
}

#[tokio::test]
async fn metrics_hold_counters_and_the_group() {
    let (lifecycle, _) = running();
    let body = get(&lifecycle, "/metrics").await.1;
    for line in [
        "ironkv_ready 1",
        "ironkv_raft_term 3",
        "ironkv_raft_role{role=\"leader\"} 1",
        "ironkv_raft_member_lag_entries{node_id=\"2\"} 2",
        "ironkv_connections_received_total 0",
        "# EOF",
    ] {
        assert!(body.contains(line), "{line} is missing in:\n{body}");
    }
}

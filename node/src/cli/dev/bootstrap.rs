//! From empty nodes to one cluster: the first node is initialised, the others join and are
//! promoted. Safe to repeat: on a cluster that exists it only waits until a leader serves.

use std::time::Duration;

use ironkv_proto::admin::v1::{InitRequest, JoinRequest, NodeRequest, StatusResponse};
use tokio::time::{Instant, sleep};

use super::layout::{Layout, Node};
use crate::cli::admin;
use crate::cli::output::{Failure, Outcome};

/// Loading a large checkpoint and replaying the log come before the first answer.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);

pub(super) async fn form_cluster(layout: &Layout) -> Outcome {
    for node in &layout.nodes {
        answer(layout, node).await?;
    }
    let first = &layout.nodes[0];
    if answer(layout, first).await?.cluster_id.is_none() {
        let mut admin = admin::connect(&layout.dialer, &first.grpc_address()).await?;
        admin.init(InitRequest::default()).await?;
    }
    leader(layout).await?;
    for node in &layout.nodes[1..] {
        join(layout, node).await?;
    }
    all_ready(layout).await
}

/// The node's status as soon as it gives one.
async fn answer(layout: &Layout, node: &Node) -> Result<StatusResponse, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match admin::status(&layout.dialer, &node.grpc_address()).await {
            Ok(status) => return Ok(status),
            Err(failure) if Instant::now() > deadline => return Err(failure),
            Err(_) => sleep(POLL).await,
        }
    }
}

async fn join(layout: &Layout, node: &Node) -> Outcome {
    let mut status = answer(layout, node).await?;
    if status.cluster_id.is_none() {
        let seeds = vec![layout.nodes[0].grpc_address()];
        let mut admin = admin::connect(&layout.dialer, &node.grpc_address()).await?;
        admin.join(JoinRequest { seeds, expected_cluster_id: String::new() }).await?;
        status = answer(layout, node).await?;
    }
    let voter = status.members.iter().any(|m| admin::member_id(m) == status.node_id && m.voter);
    if voter {
        return Ok(());
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut admin =
            admin::connect(&layout.dialer, &leader(layout).await?.grpc_address()).await?;
        let request = NodeRequest { node_id: status.node_id, ..NodeRequest::default() };
        match admin.promote(request).await {
            Ok(_) => return Ok(()),
            // Refused until it has caught up.
            Err(refused) if Instant::now() > deadline => {
                return Err(Failure::new(refused.message()));
            }
            Err(_) => sleep(POLL).await,
        }
    }
}

async fn all_ready(layout: &Layout) -> Outcome {
    for node in &layout.nodes {
        let deadline = Instant::now() + PATIENCE;
        while !answer(layout, node).await?.ready {
            if Instant::now() > deadline {
                return Err(Failure::new(format!("node {} does not get ready", node.number))
                    .try_next(format!("its log: {}", node.log().display())));
            }
            sleep(POLL).await;
        }
    }
    Ok(())
}

/// The node that leads, as soon as there is one.
pub(super) async fn leader(layout: &Layout) -> Result<&Node, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for node in &layout.nodes {
            let status = admin::status(&layout.dialer, &node.grpc_address()).await;
            if status.is_ok_and(|status| admin::is_leader(&status)) {
                return Ok(node);
            }
        }
        if Instant::now() > deadline {
            return Err(Failure::new("no node became leader")
                .try_next("look at `ironkv dev status` and `ironkv dev logs`"));
        }
        sleep(POLL).await;
    }
}

//! From empty nodes to one cluster: the first node is initialised, the others join and are
//! promoted. Safe to repeat: with an existing cluster it only waits until a leader serves.

use std::time::Duration;

use ironkv_proto::admin::v1::{
    InitRequest, JoinRequest, MemberStatus, NodeRequest, StatusResponse,
};
use ironkv_proto::types::v1::Member;
use tokio::time::{Instant, sleep};

use super::layout::{Layout, Node};
use crate::cli::client::admin;
use crate::cli::output::{self, Failure, Outcome};

/// A node may load a large checkpoint and replay its log before it answers.
const TIMEOUT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);
const STATUS_TIME: Duration = Duration::from_secs(2);
/// After this time a message says what the wait is for.
const NOTE_AFTER: Duration = Duration::from_secs(5);

/// A wait with a timeout and with messages for the user.
struct Wait<'a> {
    what: &'a str,
    deadline: Instant,
    note_at: Instant,
}

impl<'a> Wait<'a> {
    fn to(what: &'a str) -> Self {
        let now = Instant::now();
        Self { what, deadline: now + TIMEOUT, note_at: now + NOTE_AFTER }
    }

    /// Sleeps; returns whether to continue waiting.
    async fn pause(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.note_at {
            self.note_at = now + 2 * NOTE_AFTER;
            output::note(format!("waiting {}; see `ironkv dev status`", self.what));
        }
        sleep(POLL).await;
        now < self.deadline
    }
}

pub(super) async fn form_cluster(layout: &Layout) -> Outcome {
    let mut formed = Vec::new();
    for node in &layout.nodes {
        if member_status(layout, node).await?.is_some() {
            formed.push(node);
        }
    }
    let first = &layout.nodes[0];
    if formed.is_empty() {
        let mut admin = admin::connect(&layout.dialer, &first.grpc_address()).await?;
        admin.init(InitRequest::default()).await.map_err(admin::refused)?;
        formed.push(first);
    }
    if formed.len() < layout.nodes.len() {
        check_majority(layout, &formed).await?;
    }
    leader(layout).await?;
    let seeds: Vec<String> = formed.iter().map(|node| node.grpc_address()).collect();
    for node in &layout.nodes {
        join(layout, node, &seeds).await?;
    }
    all_ready(layout).await
}

/// Nodes whose directories are empty, although they are voters of the cluster, may be so many that
/// no leader can be elected.
async fn check_majority(layout: &Layout, formed: &[&Node]) -> Outcome {
    let status = answer(layout, formed[0]).await?;
    let voters = status.members.iter().filter(|member| member.voter).count();
    if formed.len() > voters / 2 {
        return Ok(());
    }
    let lost = layout.nodes.iter().filter(|node| formed.iter().all(|it| it.number != node.number));
    let lost: Vec<String> = lost.map(|node| node.number.to_string()).collect();
    Err(Failure::new(format!(
        "the directories of nodes {} are empty, and the {} that hold data are no majority of \
         {voters} voters: no node can lead",
        lost.join(", "),
        formed.len()
    ))
    .try_next("restore the data of the others, or delete the directory to create a new cluster"))
}

/// The node's status as soon as it returns one.
async fn answer(layout: &Layout, node: &Node) -> Result<StatusResponse, Failure> {
    let what = format!("for an answer of node {}", node.number);
    let mut wait = Wait::to(&what);
    loop {
        match admin::status(&layout.dialer, &node.grpc_address()).await {
            Ok(status) => return Ok(status),
            Err(failure) if !wait.pause().await => return Err(failure),
            Err(_) => {}
        }
    }
}

/// The status of a member; `None` for a node that is empty or whose join was interrupted. After a
/// start it takes a moment until a node reports its members.
async fn member_status(layout: &Layout, node: &Node) -> Result<Option<StatusResponse>, Failure> {
    let deadline = Instant::now() + STATUS_TIME;
    loop {
        let status = answer(layout, node).await?;
        if status.members.iter().any(|member| admin::member_id(member) == status.node_id) {
            return Ok(Some(status));
        }
        if status.cluster_id.is_none() || Instant::now() > deadline {
            return Ok(None);
        }
        sleep(POLL).await;
    }
}

async fn join(layout: &Layout, node: &Node, seeds: &[String]) -> Outcome {
    let member = member_status(layout, node).await?;
    if member.is_none() {
        remove_former(layout, node).await?;
        let mut admin = admin::connect(&layout.dialer, &node.grpc_address()).await?;
        let request = JoinRequest { seeds: seeds.to_vec(), expected_cluster_id: String::new() };
        admin.join(request).await.map_err(|refusal| {
            admin::refused(refusal).at(&format!("node {} cannot join", node.number))
        })?;
    }
    let status = match member {
        Some(status) => status,
        None => answer(layout, node).await?,
    };
    let voter = status.members.iter().any(|m| admin::member_id(m) == status.node_id && m.voter);
    if voter {
        return Ok(());
    }
    let what = format!("for node {} to catch up with the log", node.number);
    let mut wait = Wait::to(&what);
    loop {
        let mut admin =
            admin::connect(&layout.dialer, &leader(layout).await?.grpc_address()).await?;
        let request = NodeRequest { node_id: status.node_id, ..NodeRequest::default() };
        match admin.promote(request).await {
            Ok(_) => return Ok(()),
            // Refused until it has caught up.
            Err(refused) if !wait.pause().await => return Err(admin::refused(refused)),
            Err(_) => {}
        }
    }
}

/// A node whose directory was emptied joins as a new member; the old member is removed permanently.
async fn remove_former(layout: &Layout, node: &Node) -> Outcome {
    let what = format!("to replace the member that node {} was", node.number);
    let own = answer(layout, node).await?.node_id;
    let (mut wait, mut noted) = (Wait::to(&what), false);
    loop {
        let leader = leader(layout).await?;
        let members = answer(layout, leader).await?.members;
        let was = |member: &&MemberStatus| {
            let here = |it: &Member| it.raft_address == node.grpc_address() && it.node_id != own;
            member.member.as_ref().is_some_and(here)
        };
        let Some(former) = members.iter().find(was).map(admin::member_id) else { return Ok(()) };
        if !std::mem::replace(&mut noted, true) {
            output::note(format!(
                "node {} has an empty directory: it joins again, and member {former} is removed",
                node.number
            ));
        }
        let mut admin = admin::connect(&layout.dialer, &leader.grpc_address()).await?;
        let request = NodeRequest { node_id: former, ..NodeRequest::default() };
        match admin.remove(request).await {
            Ok(_) => return Ok(()),
            // Refused until the leader has contact to the others.
            Err(refused) if !wait.pause().await => return Err(admin::refused(refused)),
            Err(_) => {}
        }
    }
}

async fn all_ready(layout: &Layout) -> Outcome {
    for node in &layout.nodes {
        let what = format!("for node {} to be ready", node.number);
        let mut wait = Wait::to(&what);
        while !answer(layout, node).await?.ready {
            if !wait.pause().await {
                return Err(Failure::new(format!("node {} does not become ready", node.number))
                    .try_next(format!("its log: {}", node.log().display())));
            }
        }
    }
    Ok(())
}

/// The leader, as soon as there is one.
pub(super) async fn leader(layout: &Layout) -> Result<&Node, Failure> {
    let mut wait = Wait::to("for a leader, which needs a majority of the voters");
    loop {
        for node in &layout.nodes {
            let status = admin::status(&layout.dialer, &node.grpc_address()).await;
            if status.is_ok_and(|status| admin::is_leader(&status)) {
                return Ok(node);
            }
        }
        if !wait.pause().await {
            return Err(Failure::new("no node became leader")
                .try_next("look at `ironkv dev status` and `ironkv dev logs`"));
        }
    }
}

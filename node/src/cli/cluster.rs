//! `ironkv cluster`: form a cluster and change its members, one safe step at a time. The leader
//! checks every step; what would endanger the quorum is refused with the reason.

use clap::{Args, Subcommand};
use ironkv_proto::admin::v1::{
    InitRequest, JoinRequest, NodeRequest, StatusResponse, TransferRequest,
};

use super::admin::{self, index, refused};
use super::output::{self, Outcome};
use super::tls::TlsFlags;

#[derive(Debug, Args)]
pub(super) struct Cluster {
    #[command(subcommand)]
    action: Action,
    /// gRPC address of any node (for `init` and `add`: of the empty node).
    #[arg(long, global = true, default_value = "127.0.0.1:6380")]
    address: String,
    #[command(flatten)]
    tls: TlsFlags,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make the empty node at --address the first member of a new cluster.
    Init {
        /// 32 lower-case hexadecimal digits; chosen at random when absent.
        #[arg(long)]
        cluster_id: Option<String>,
    },
    /// Show every member.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let the empty node at --address join the cluster of --member as a learner.
    Add {
        /// gRPC address of a member; repeat for more.
        #[arg(long, required = true)]
        member: Vec<String>,
        /// Refuse any other cluster.
        #[arg(long, default_value = "")]
        cluster_id: String,
    },
    /// Make a caught-up learner a voter.
    Promote {
        /// The learner.
        node_id: u64,
    },
    /// Make a voter a learner.
    Demote {
        /// The voter.
        node_id: u64,
    },
    /// Remove a member for good: it stops and never starts on its disk again.
    Remove {
        /// The member.
        node_id: u64,
    },
    /// Hand leadership over.
    Transfer {
        /// To this voter; to the most caught-up one when absent.
        node_id: Option<u64>,
    },
}

impl Cluster {
    pub(super) fn run(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.act())
    }

    async fn act(self) -> Outcome {
        if let Action::Status { json } = self.action {
            return self.status(json).await;
        }
        let mut admin = admin::connect(&self.tls.dialer()?, &self.address).await?;
        let node = |node_id| NodeRequest { node_id, ..NodeRequest::default() };
        let done = match self.action {
            Action::Init { cluster_id } => {
                let request = InitRequest { cluster_id: cluster_id.unwrap_or_default() };
                let made = admin.init(request).await.map_err(refused)?.into_inner();
                format!("cluster {} has its first member, node {}", made.cluster_id, made.node_id)
            }
            Action::Add { member, cluster_id } => {
                let request = JoinRequest { seeds: member, expected_cluster_id: cluster_id };
                let joined = admin.join(request).await.map_err(refused)?.into_inner();
                format!(
                    "node {} joined as a learner; make it a voter with `ironkv cluster promote {}`",
                    joined.node_id, joined.node_id
                )
            }
            Action::Promote { node_id } => {
                admin.promote(node(node_id)).await.map_err(refused)?;
                format!("node {node_id} is a voter")
            }
            Action::Demote { node_id } => {
                admin.demote(node(node_id)).await.map_err(refused)?;
                format!("node {node_id} is a learner")
            }
            Action::Remove { node_id } => {
                admin.remove(node(node_id)).await.map_err(refused)?;
                format!("node {node_id} is removed")
            }
            Action::Transfer { node_id } => {
                let node_id = node_id.unwrap_or(0);
                let request = TransferRequest { node_id, ..TransferRequest::default() };
                admin.transfer_leader(request).await.map_err(refused)?;
                "leadership was handed over".to_owned()
            }
            Action::Status { .. } => return Ok(()),
        };
        output::line(done);
        Ok(())
    }

    async fn status(&self, json: bool) -> Outcome {
        let status = admin::status(&self.tls.dialer()?, &self.address).await?;
        output::line(if json { as_json(&status) } else { as_table(&status) });
        Ok(())
    }
}

fn as_table(status: &StatusResponse) -> String {
    let Some(cluster_id) = &status.cluster_id else {
        return "this node is empty: it waits for `ironkv cluster init` or `ironkv cluster add`"
            .to_owned();
    };
    let rows = status.members.iter().map(|member| {
        let address = member.member.as_ref();
        let id = admin::member_id(member);
        let role = match (id == status.leader_node_id, member.voter) {
            (true, _) => "leader",
            (false, true) => "voter",
            (false, false) => "learner",
        };
        [
            id.to_string(),
            role.to_owned(),
            address.map_or_else(String::new, |member| member.client_address.clone()),
            address.map_or_else(String::new, |member| member.raft_address.clone()),
            member.matched.as_ref().map_or("-".to_owned(), |log_id| log_id.index.to_string()),
            if member.caught_up { "yes" } else { "-" }.to_owned(),
        ]
    });
    let header = ["NODE", "ROLE", "CLIENTS", "PEERS", "MATCHED", "CAUGHT UP"];
    format!(
        "cluster {cluster_id}  term {}  committed {}  applied {}\n{}{}",
        status.term,
        index!(status.committed),
        index!(status.applied),
        output::table(header, rows),
        concerns(status),
    )
}

/// What somebody should do something about at this node, a line each.
fn concerns(status: &StatusResponse) -> String {
    let pending = status.pending_restart.iter();
    let mut lines: Vec<_> =
        pending.map(|key| format!("{key} takes effect at a restart of this node")).collect();
    let refused = status.configuration_error.iter();
    lines.extend(refused.map(|error| format!("this node refused its new configuration: {error}")));
    if status.disk_full {
        lines.push("the disk of this node is full: it refuses writes while it leads".to_owned());
    }
    lines.iter().map(|line| format!("\n{line}")).collect()
}

fn as_json(status: &StatusResponse) -> String {
    let members: Vec<_> = status
        .members
        .iter()
        .map(|member| {
            let at = member.member.clone().unwrap_or_default();
            serde_json::json!({
                "node_id": at.node_id,
                "voter": member.voter,
                "client_address": at.client_address,
                "raft_address": at.raft_address,
                "http_address": at.http_address,
                "matched": member.matched.as_ref().map(|log_id| log_id.index),
                "reachable": member.reachable,
                "caught_up": member.caught_up,
            })
        })
        .collect();
    serde_json::json!({
        "cluster_id": status.cluster_id,
        "node_id": status.node_id,
        "role": admin::role_name(status),
        "leader_node_id": status.leader_node_id,
        "term": status.term,
        "last_log": index!(status.last_log),
        "committed": index!(status.committed),
        "applied": index!(status.applied),
        "ready": status.ready,
        "pending_restart": status.pending_restart,
        "configuration_error": status.configuration_error,
        "disk_full": status.disk_full,
        "members": members,
    })
    .to_string()
}

//! `ironkv cluster`: creates a cluster and changes its members, one safe step at a time. The leader
//! checks every step; what would endanger the quorum is refused with the reason.

mod downgrade;
mod joining;
mod readmit;
mod reset_time;
mod status;

use std::time::Duration;

use clap::{Args, Subcommand};
use ironkv_proto::admin::v1::{InitRequest, NodeRequest, TransferRequest};

use super::client::admin::{self, refused};
use super::client::tls::{Dialer, TlsFlags};
use super::output::{self, Failure, Outcome};
use readmit::Readmit;
use reset_time::ResetTime;

#[derive(Debug, Args)]
pub(super) struct Cluster {
    #[command(subcommand)]
    action: Action,
    /// gRPC address of any node; for `init` and `add`, of the empty node.
    #[arg(long, global = true, default_value = "127.0.0.1:6380")]
    address: String,
    /// Milliseconds to wait for each answer of a node [default: 3000 for what it knows, 30000 for a
    /// change].
    #[arg(long, global = true)]
    timeout_ms: Option<u64>,
    #[command(flatten)]
    tls: TlsFlags,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check whether the nodes can return to an older version.
    #[command(subcommand)]
    Downgrade(downgrade::Downgrade),
    /// Make the empty node at --address the first member of a new cluster.
    Init {
        /// Cluster id, 32 lower-case hexadecimal digits; random when absent.
        #[arg(long)]
        cluster_id: Option<String>,
    },
    /// Show every member as the node at --address sees it. Ends with status 1 when that node serves
    /// no requests. STATE is whether the leader hears the member; CAUGHT UP is what `promote` asks
    /// for; LEVEL is the feature level, which the leader knows of all.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let the empty node at --address join the cluster of --member as a learner. A member that
    /// advertises other addresses than before is known by these afterwards.
    Add {
        /// gRPC address of a member; may be repeated.
        #[arg(long, required = true)]
        member: Vec<String>,
        /// Id of the cluster to join; any other cluster is refused.
        #[arg(long, default_value = "")]
        cluster_id: String,
    },
    /// Make a learner a voter, once it has caught up with the log.
    Promote {
        /// Node id of the learner.
        node_id: u64,
        /// Seconds to wait until it has caught up.
        #[arg(long, default_value_t = 60)]
        wait_s: u64,
    },
    /// Make a voter a learner.
    Demote {
        /// Node id of the voter.
        node_id: u64,
    },
    /// Remove a member permanently: it stops and never starts again on its disk.
    Remove {
        /// Node id of the member.
        node_id: u64,
    },
    /// Let a stopped node that is marked as removed start again, if it is still a member; or, on an
    /// administrator's decision, a node whose data directory the members report to be an old state.
    Readmit(Readmit),
    /// Set the cluster's time back to a majority's clocks, if it is far ahead of them.
    ResetTime(ResetTime),
    /// Transfer the leadership.
    Transfer {
        /// Node id of the next leader; the most caught-up voter when absent.
        node_id: Option<u64>,
    },
}

impl Cluster {
    pub(super) fn run(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.act())
    }

    fn dialer(&self) -> Result<Dialer, Failure> {
        let timeout = self.timeout_ms.map(Duration::from_millis);
        Ok(self.tls.dialer()?.answered_within(timeout))
    }

    async fn act(self) -> Outcome {
        let (dialer, address) = (self.dialer()?, self.address.as_str());
        let node = |node_id| NodeRequest { node_id, ..NodeRequest::default() };
        let done = match self.action {
            Action::Status { json } => {
                return status::show(&admin::status(&dialer, address).await?, json);
            }
            Action::Readmit(readmit) => return readmit.run(&dialer).await,
            Action::ResetTime(reset) => return reset.run(&dialer, address).await,
            Action::Downgrade(downgrade) => return downgrade.act(&dialer, address).await,
            Action::Init { cluster_id } => {
                let request = InitRequest { cluster_id: cluster_id.unwrap_or_default() };
                let mut admin = admin::connect(&dialer, address).await?;
                let made = admin.init(request).await.map_err(refused)?.into_inner();
                joining::initialised(&made)
            }
            Action::Add { member, cluster_id } => {
                joining::add(&dialer, address, member, cluster_id, &self.tls.shown()).await?
            }
            Action::Promote { node_id, wait_s } => {
                joining::promote(&dialer, address, node_id, Duration::from_secs(wait_s)).await?;
                format!("node {node_id} is a voter")
            }
            Action::Demote { node_id } => {
                let mut admin = admin::connect(&dialer, address).await?;
                admin.demote(node(node_id)).await.map_err(refused)?;
                format!("node {node_id} is a learner")
            }
            Action::Remove { node_id } => {
                let mut admin = admin::connect(&dialer, address).await?;
                admin.remove(node(node_id)).await.map_err(refused)?;
                format!("node {node_id} is removed")
            }
            Action::Transfer { node_id } => {
                let node_id = node_id.unwrap_or(0);
                let request = TransferRequest { node_id, ..TransferRequest::default() };
                let mut admin = admin::connect(&dialer, address).await?;
                admin.transfer_leader(request).await.map_err(refused)?;
                "leadership was transferred".to_owned()
            }
        };
        output::line(done);
        Ok(())
    }
}

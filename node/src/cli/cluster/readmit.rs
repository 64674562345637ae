//! `ironkv cluster readmit`: removes the mark of a data directory whose node believed that it was
//! removed, when its cluster still has it as a member; or the mark of a copy or an old state, when
//! an operator confirms that nothing newer exists, or that too few nodes can work without it.

use std::path::PathBuf;

use clap::Args;
use ironkv_proto::admin::v1::{StandingRequest, StandingResponse};

use crate::base::ids::{ClusterId, NodeId};
use crate::cli::client::admin;
use crate::cli::client::tls::Dialer;
use crate::cli::output::{self, Failure, Outcome};
use crate::cli::stopped;
use crate::consensus::standing::{Verdict, judge, unasked};

#[derive(Debug, Args)]
pub(super) struct Readmit {
    /// Data directory of the stopped node.
    #[arg(long, value_name = "DIRECTORY")]
    data_directory: PathBuf,
    /// gRPC address of a member; may be repeated. The voters that it names are asked too.
    #[arg(long, required_unless_present = "without_asking")]
    member: Vec<String>,
    /// Ask no member; for a cluster that has no majority without this node. Confirm with the id of
    /// the node. If the node was removed, it detects that and stops again.
    #[arg(long, value_name = "NODE_ID", conflicts_with = "member")]
    without_asking: Option<u64>,
}

impl Readmit {
    pub(super) async fn run(self, dialer: &Dialer) -> Outcome {
        let shown = self.data_directory.display();
        let (_lock, meta) = stopped::open(&self.data_directory)?;
        let facts = meta.facts();
        let (Some(id), Some(cluster_id)) = (facts.node_id, facts.cluster_id) else {
            return Err(Failure::new(format!("the node on {shown} belongs to no cluster yet")));
        };
        let old = facts.superseded.or(facts.contested);
        let Some(reason) = facts.removed.or(old.as_ref().map(|old| old.reason.clone())) else {
            return Err(Failure::new(format!("node {id} is not marked as removed"))
                .try_next("start it as usual"));
        };
        match self.without_asking {
            None if old.is_some() => return Err(old_state(id, &reason)),
            None => check_member(dialer, &self.member, &cluster_id, id).await?,
            Some(confirmed) if confirmed == id.0 => {}
            Some(_) => {
                return Err(Failure::new(format!("this directory is that of node {id}"))
                    .try_next(format!("confirm with --without-asking {id}")));
            }
        }
        meta.update(|facts| {
            facts.removed = None;
            for old in [facts.contested.take(), facts.superseded.take()].into_iter().flatten() {
                facts.lineage.claim(old.registered);
            }
        })?;
        output::line(format!(
            "node {id} may start on {shown} again; it had stopped because: {reason}"
        ));
        if old.is_some() {
            output::note(
                "what was acknowledged after this state was made, and is not on another voter that \
                 works with it, is lost",
            );
        }
        Ok(())
    }
}

/// No member can confirm a directory that is known to be old.
fn old_state(id: NodeId, reason: &str) -> Failure {
    Failure::new(format!("the directory is not that of node {id} any more: {reason}")).try_next(
        format!(
            "remove node {id} from the cluster, empty the directory, start the node and let it \
             join with `ironkv cluster add`; only when nothing newer is left of the data, or no \
             majority works without this node, use --without-asking {id}"
        ),
    )
}

/// Refuses unless a majority of the other voters has the node as a member.
async fn check_member(
    dialer: &Dialer,
    members: &[String],
    cluster_id: &ClusterId,
    id: NodeId,
) -> Outcome {
    let mut answers = Vec::new();
    for address in members {
        answers.extend(ask(dialer, address, cluster_id, id).await);
    }
    let rest = unasked(cluster_id, id, &answers);
    let rest: Vec<String> = rest.iter().map(|member| member.raft_address.clone()).collect();
    for address in rest {
        answers.extend(ask(dialer, &address, cluster_id, id).await);
    }
    match judge(cluster_id, id, &answers) {
        Verdict::Member(_) => Ok(()),
        Verdict::Removed(at) => Err(Failure::new(format!(
            "node {id} was removed from cluster {cluster_id}, see the membership of log index {}",
            at.index
        ))
        .try_next("empty the directory, start the node and let it join with `ironkv cluster add`")),
        Verdict::Undecided(reason) => Err(Failure::new(format!(
            "it is not certain that node {id} is still a member: {reason}"
        ))
        .try_next(format!(
            "name more members with --member; when there is no majority without this node, use \
             --without-asking {id}"
        ))),
    }
}

/// `None` when there is no answer; the reason is printed as a note.
async fn ask(
    dialer: &Dialer,
    address: &str,
    cluster_id: &ClusterId,
    id: NodeId,
) -> Option<StandingResponse> {
    let cluster_id = cluster_id.0.clone();
    let request = StandingRequest { cluster_id, node_id: id.0, lineage: None };
    let answer = match admin::connect(dialer, address).await {
        Ok(mut admin) => admin.standing(request).await.map_err(admin::refused),
        Err(failure) => Err(failure),
    };
    match answer {
        Ok(answer) => Some(answer.into_inner()),
        Err(failure) => {
            output::note(format!("{address} gives no answer: {failure}"));
            None
        }
    }
}

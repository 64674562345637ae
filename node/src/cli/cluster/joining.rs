//! `ironkv cluster init`, `add` and `promote`: from an empty node to a voter.

use std::time::Duration;

use ironkv_proto::admin::v1::{
    InitResponse, JoinRequest, JoinResponse, Joined, NodeRequest, StatusResponse,
};
use tokio::time::{Instant, sleep};

use crate::cli::client::admin::{self, index, refused};
use crate::cli::client::tls::Dialer;
use crate::cli::output::{self, Failure, Outcome};

const POLL: Duration = Duration::from_millis(500);

/// The result of `init`.
pub(super) fn initialised(made: &InitResponse) -> String {
    let InitResponse { cluster_id, node_id, existed } = made;
    if *existed {
        return format!(
            "cluster {cluster_id} exists already, and this is its node {node_id}: nothing was \
             changed; see it with `ironkv cluster status`"
        );
    }
    format!("cluster {cluster_id} has its first member, node {node_id}")
}

/// Lets the node join; prints what was done.
pub(super) async fn add(
    dialer: &Dialer,
    address: &str,
    members: Vec<String>,
    cluster_id: String,
    tls_flags: &str,
) -> Result<String, Failure> {
    let known = members.first().cloned().unwrap_or_default();
    let request = JoinRequest { seeds: members, expected_cluster_id: cluster_id };
    let mut admin = admin::connect(dialer, address).await?;
    let joined = admin.join(request).await.map_err(refused)?.into_inner();
    Ok(describe(&joined, &known, tls_flags))
}

fn describe(joined: &JoinResponse, member: &str, tls_flags: &str) -> String {
    let JoinResponse { cluster_id, node_id: id, voter, .. } = joined;
    let role = if *voter { "voter" } else { "learner" };
    let done = match joined.joined() {
        Joined::Before => {
            format!("node {id} is a {role} of cluster {cluster_id} already: nothing was changed")
        }
        Joined::Moved => format!("node {id}, a {role}, is known by its new addresses now"),
        Joined::AsLearner | Joined::Unspecified => format!("node {id} joined as a learner"),
    };
    if *voter {
        return done;
    }
    format!(
        "{done}; make it a voter with `ironkv cluster promote {id} --address {member}{tls_flags}`"
    )
}

/// Gives a learner a vote as soon as it has caught up.
pub(super) async fn promote(
    dialer: &Dialer,
    address: &str,
    node_id: u64,
    timeout: Duration,
) -> Outcome {
    let deadline = Instant::now() + timeout;
    let mut noted = false;
    loop {
        let mut admin = admin::connect(dialer, address).await?;
        let request = NodeRequest { node_id, ..NodeRequest::default() };
        let Err(refusal) = admin.promote(request).await else { return Ok(()) };
        let status = admin::status(dialer, address).await?;
        let Some(progress) = catching_up(&status, node_id) else { return Err(refused(refusal)) };
        if Instant::now() > deadline {
            return Err(refused(refusal));
        }
        if !noted {
            noted = true;
            output::note(format!("node {node_id} is catching up with the log: {progress}"));
        }
        sleep(POLL).await;
    }
}

/// The progress of a learner that has not caught up or has just done so; `None` for any other node.
fn catching_up(status: &StatusResponse, node_id: u64) -> Option<String> {
    let is_meant = |member: &&_| admin::member_id(member) == node_id;
    let member = status.members.iter().find(is_meant).filter(|member| !member.voter)?;
    let serves = status.leader_node_id != 0 && status.ready;
    let last = index!(status.last_log).max(index!(status.committed));
    serves.then(|| format!("it has entry {} of {last}", index!(member.matched)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironkv_proto::admin::v1::MemberStatus;
    use ironkv_proto::types::v1::Member;

    #[test]
    fn only_what_was_done_is_reported() {
        let joined = |joined: Joined, voter| {
            let (cluster_id, node_id) = ("c".to_owned(), 2);
            let response = JoinResponse { cluster_id, node_id, joined: joined.into(), voter };
            describe(&response, "a:6380", " --tls")
        };
        let next = "make it a voter with `ironkv cluster promote 2 --address a:6380 --tls`";
        assert_eq!(joined(Joined::AsLearner, false), format!("node 2 joined as a learner; {next}"));
        assert!(joined(Joined::Before, false).contains(next));
        let before = "node 2 is a voter of cluster c already: nothing was changed";
        assert_eq!(joined(Joined::Before, true), before);
        assert!(joined(Joined::Moved, true).ends_with("is known by its new addresses now"));
        let made = |existed| initialised(&InitResponse { existed, ..InitResponse::default() });
        assert!(made(true).contains("exists already") && made(false).contains("first member"));
    }

    #[test]
    fn only_a_learner_of_a_cluster_that_serves_is_waited_for() {
        let member = |node_id, voter| MemberStatus {
            member: Some(Member { node_id, ..Member::default() }),
            voter,
            ..MemberStatus::default()
        };
        let members = vec![member(1, true), member(2, false)];
        let mut status =
            StatusResponse { members, leader_node_id: 1, ready: true, ..StatusResponse::default() };
        assert!(catching_up(&status, 2).is_some());
        assert_eq!((catching_up(&status, 1), catching_up(&status, 3)), (None, None));
        status.ready = false;
        assert_eq!(catching_up(&status, 2), None);
    }
}

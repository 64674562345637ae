//! `ironkv cluster status`: one node's view of its cluster, for users and for programs.

use ironkv_proto::admin::v1::{Contact, MemberStatus, StatusResponse};

use crate::base::feature_level::FeatureLevel;
use crate::cli::client::admin::{self, index};
use crate::cli::output::{self, Failure, Outcome};

/// Prints the status of a node; fails when it serves no requests, so that scripts notice it.
pub(super) fn show(status: &StatusResponse, json: bool) -> Outcome {
    output::line(if json { as_json(status) } else { as_table(status) });
    match (&status.cluster_id, not_ready(status)) {
        (Some(_), Some(reason)) => {
            Err(Failure::new(format!("this node serves no requests: {reason}")).try_next(ADVICE))
        }
        _ => Ok(()),
    }
}

const ADVICE: &str = "a cluster serves while a majority of its voters runs and reach each other: \
                      start those that are down, and ask the others with --address too";

/// Nodes of an older version report that they are not ready, but not why.
fn not_ready(status: &StatusResponse) -> Option<&str> {
    let unknown = || (!status.ready).then_some("it is not ready");
    status.not_ready_because.as_deref().or_else(unknown)
}

fn as_table(status: &StatusResponse) -> String {
    let Some(cluster_id) = &status.cluster_id else {
        return "this node is empty: it waits for `ironkv cluster init` or `ironkv cluster add`"
            .to_owned();
    };
    let rows = status.members.iter().map(|member| {
        let address = member.member.as_ref();
        let id = admin::member_id(member);
        let contact = contact(status, member);
        // A node without contact to its leader remembers one that may be gone.
        let leads = id == status.leader_node_id && contact == Contact::Answers;
        let role = match (leads, member.voter) {
            (true, _) => "leader",
            (false, true) => "voter",
            (false, false) => "learner",
        };
        [
            id.to_string(),
            role.to_owned(),
            contact_name(contact).to_owned(),
            address.map_or_else(String::new, |member| member.client_address.clone()),
            address.map_or_else(String::new, |member| member.raft_address.clone()),
            member.matched.as_ref().map_or("-".to_owned(), |log_id| log_id.index.to_string()),
            match (member.caught_up, contact) {
                (true, _) => "yes",
                (false, Contact::Unknown) => "-",
                (false, _) => "no",
            }
            .to_owned(),
            match level(status, member) {
                0 => "-".to_owned(),
                level => level.to_string(),
            },
        ]
    });
    let header = ["NODE", "ROLE", "STATE", "CLIENTS", "PEERS", "MATCHED", "CAUGHT UP", "LEVEL"];
    format!(
        "cluster {cluster_id}  feature level {}  term {}  committed {}  applied {}\n{}{}",
        FeatureLevel::from_number(status.feature_level),
        status.term,
        index!(status.committed),
        index!(status.applied),
        output::table(header, rows),
        concerns(status),
    )
}

/// Whether a member answers, as far as this node knows.
fn contact(status: &StatusResponse, member: &MemberStatus) -> Contact {
    let leads = status.leader_node_id == status.node_id;
    match member.contact() {
        // Reported by an older version, of which only leaders know it.
        Contact::Unspecified if member.reachable => Contact::Answers,
        Contact::Unspecified if leads => Contact::Silent,
        Contact::Unspecified => Contact::Unknown,
        contact => contact,
    }
}

const fn contact_name(contact: Contact) -> &'static str {
    match contact {
        Contact::Answers => "up",
        Contact::Silent => "down",
        Contact::Unknown | Contact::Unspecified => "unknown",
    }
}

/// A follower knows its own level, the leader that of every member.
fn level(status: &StatusResponse, member: &MemberStatus) -> u32 {
    if admin::member_id(member) == status.node_id {
        return status.feature_level_understood;
    }
    member.feature_level_understood
}

/// What an administrator should act on at this node, one line each.
fn concerns(status: &StatusResponse) -> String {
    let pending = status.pending_restart.iter();
    let mut lines: Vec<_> =
        pending.map(|key| format!("{key} takes effect at a restart of this node")).collect();
    let refused = status.configuration_error.iter();
    lines.extend(refused.map(|error| format!("this node refused its new configuration: {error}")));
    lines.extend(status.warning.clone());
    if let Some(reason) = &status.unconfirmed {
        lines.push(format!("this node takes no part until its data is confirmed: {reason}"));
    }
    if status.disk_full && status.warning.is_none() {
        lines.push("the disk of this node is full: it refuses writes while it leads".to_owned());
    }
    lines.extend(status.differing_node_ids.iter().map(|id| {
        format!(
            "node {id} holds other data than its leader: see operations.md, replicas that differ"
        )
    }));
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
                "state": contact_name(contact(status, member)),
                "caught_up": member.caught_up,
                "feature_level_understood": level(status, member),
                "feature_level_agreed": member.feature_level_agreed,
                "digest_compared": member.digest_compared,
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
        "not_ready_because": not_ready(status),
        "warning": status.warning,
        "pending_restart": status.pending_restart,
        "configuration_error": status.configuration_error,
        "disk_full": status.disk_full,
        "unconfirmed": status.unconfirmed,
        "feature_level": FeatureLevel::from_number(status.feature_level).0,
        "differing_node_ids": status.differing_node_ids,
        "digest_index": status.digest_index,
        "members": members,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironkv_proto::types::v1::Member;

    fn member(node_id: u64, contact: Contact, caught_up: bool) -> MemberStatus {
        MemberStatus {
            member: Some(Member { node_id, ..Member::default() }),
            voter: true,
            reachable: contact == Contact::Answers,
            caught_up,
            contact: contact.into(),
            ..MemberStatus::default()
        }
    }

    fn rows(status: &StatusResponse) -> Vec<String> {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        as_table(status).lines().map(words).collect()
    }

    #[test]
    fn a_dead_member_is_shown_as_down_and_a_remembered_leader_as_no_leader() {
        let known = StatusResponse {
            cluster_id: Some("c".to_owned()),
            node_id: 3,
            leader_node_id: 1,
            ready: true,
            members: vec![
                member(1, Contact::Answers, true),
                member(2, Contact::Silent, false),
                member(3, Contact::Answers, true),
            ],
            ..StatusResponse::default()
        };
        let shown = rows(&known);
        assert_eq!(
            &shown[2..],
            ["1 leader up - yes -", "2 voter down - no -", "3 voter up - yes -"]
        );
        assert!(show(&known, false).is_ok());
        let mut alone = known;
        alone.members[0] = member(1, Contact::Unknown, false);
        (alone.ready, alone.not_ready_because) = (false, Some("no leader was heard".to_owned()));
        assert_eq!(rows(&alone)[2], "1 voter unknown - - -");
        assert!(show(&alone, true).unwrap_err().to_string().contains("no leader was heard"));
    }
}

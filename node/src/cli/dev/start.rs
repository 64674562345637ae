//! Brings up what can be brought up: a node that does not start, or serves nothing, does not keep
//! the others from serving.

use std::time::Duration;

use tokio::time::timeout;

use super::bootstrap::{self, Formed};
use super::layout::{Layout, Node};
use super::process;
use crate::cli::output::Failure;

/// The end of a process is noticed a moment after its connections failed.
const END_TIME: Duration = Duration::from_millis(500);

const NO_MAJORITY: &str = "see `ironkv dev logs`; to begin again with no data, delete the \
                           directory of the cluster";

/// A node that serves no requests.
#[derive(Debug)]
pub(super) struct Absent {
    node: Node,
    reason: String,
    runs: bool,
}

/// Waits until a majority of the nodes serves as one cluster; returns the other nodes. Fails with
/// the reasons of all of them when there is no such majority.
pub(super) async fn bring_up(
    layout: &Layout,
    nodes: &mut process::Nodes,
) -> Result<Vec<Absent>, Failure> {
    let mut absent: Vec<Absent> = Vec::new();
    loop {
        check_majority(layout, &absent)?;
        let rest = layout.only(|node| absent.iter().all(|other| other.node.number != node.number));
        let complete = absent.is_empty();
        let formed = tokio::select! {
            formed = bootstrap::form_cluster(&rest, complete) => Some(formed),
            (node, reason) = nodes.next_ended() => {
                absent.push(Absent { node, reason, runs: false });
                None
            }
        };
        match formed {
            None => {}
            Some(Ok(Formed::Serving(others))) => {
                let others = others.into_iter();
                absent.extend(others.map(|(node, reason)| Absent { node, reason, runs: true }));
                absent.sort_by_key(|absent| absent.node.number);
                return check_majority(layout, &absent).map(|()| absent);
            }
            Some(Ok(Formed::Foreign(others))) => {
                for (node, reason) in others {
                    nodes.forget(node.number);
                    process::stop_all(std::slice::from_ref(&node)).await?;
                    absent.push(Absent { node, reason, runs: false });
                }
            }
            Some(Err(failure)) => match timeout(END_TIME, nodes.next_ended()).await {
                Ok((node, reason)) => absent.push(Absent { node, reason, runs: false }),
                Err(_) if absent.is_empty() => return Err(failure),
                Err(_) => {
                    let all = format!("{failure}\n{}", describe(&absent));
                    return Err(Failure::new(all).try_next(NO_MAJORITY));
                }
            },
        }
    }
}

fn check_majority(layout: &Layout, absent: &[Absent]) -> Result<(), Failure> {
    if absent.is_empty() || layout.nodes.len() - absent.len() > layout.nodes.len() / 2 {
        return Ok(());
    }
    Err(Failure::new(format!(
        "no majority of the {} can serve:\n{}",
        nodes(layout.nodes.len()),
        describe(absent)
    ))
    .try_next(NO_MAJORITY))
}

/// One line for each node, with its reason.
fn describe(absent: &[Absent]) -> String {
    let lines = absent.iter().map(|Absent { node, reason, runs }| {
        let what = if *runs { "runs, but serves nothing" } else { "did not start" };
        format!("node {} {what}: {reason}", node.number)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What the user sees of a cluster that serves.
pub(super) fn greeting(layout: &Layout, absent: &[Absent]) -> String {
    let is_up = |node: &&Node| absent.iter().all(|absent| absent.node.number != node.number);
    let up: Vec<_> = layout.nodes.iter().filter(is_up).collect();
    let count = match (up.len(), layout.nodes.len()) {
        (1, 1) => "1 node is up. It serves every command".to_owned(),
        (up, all) if up == all => format!("{all} nodes are up. Any of them serves every command"),
        (up, all) => format!("{up} of {all} nodes are up. Any of them serves every command"),
    };
    let port = up.first().map_or(0, |node| node.resp_port);
    let mut text = format!(
        "{count}:\n\n  redis-cli -p {port}{}\n\n\
         kill any node with `kill -9` (its pid is in the table); `ironkv dev start` brings it \
         back.\n\
         Logs and data: {}\n",
        layout.client_flags(),
        layout.directory.display(),
    );
    for absent in absent {
        let data = absent.node.data();
        let stop = if absent.runs { "`ironkv dev stop`, " } else { "" };
        text += &format!(
            "\n{}\n  {stop}delete {} and run `ironkv dev start` again: the node joins empty\n",
            describe(std::slice::from_ref(absent)),
            data.display(),
        );
    }
    text
}

/// `1 node`, `3 nodes`.
pub(super) fn nodes(count: usize) -> String {
    format!("{count} node{}", if count == 1 { "" } else { "s" })
}

//! `ironkv dev test`: tests the durability guarantee on the running cluster. Writes through a
//! follower, kills the leader with SIGKILL half-way, and reads every acknowledged write back from
//! every node.

use std::io;
use std::time::Duration;

use ironkv_proto::admin::v1::MemberStatus;
use tokio::time::{Instant, sleep};

use super::layout::{Layout, Node};
use super::{bootstrap, process};
use crate::cli::client::admin;
use crate::cli::client::connection::Connection;
use crate::cli::client::redirect;
use crate::cli::client::tls::Dialer;
use crate::cli::output::{self, Failure, Outcome};
use crate::resp::Reply;

/// A new leader is elected in one to two seconds; a loaded laptop may take longer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A new leader hears every member that is up within this time.
const CONTACT_TIME: Duration = Duration::from_secs(3);
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to one node.
struct Route<'a> {
    dialer: &'a Dialer,
    node: &'a Node,
    password: Option<&'a str>,
}

impl Route<'_> {
    async fn open(&self) -> io::Result<Connection> {
        self.open_at(&self.node.resp_address()).await
    }

    async fn open_at(&self, address: &str) -> io::Result<Connection> {
        let mut connection = Connection::open(self.dialer, address, REPLY_TIMEOUT).await?;
        match connection.authenticate(self.password).await {
            // A password that was set at run time is lost when the node is killed.
            Err(error) if !error.to_string().contains("without any password") => Err(error),
            _ => Ok(connection),
        }
    }
}

/// The leader, if the others can elect another one after it is killed.
async fn expendable_leader(layout: &Layout) -> Result<&Node, Failure> {
    let deadline = Instant::now() + CONTACT_TIME;
    loop {
        let leader = bootstrap::leader(layout).await?;
        let status = admin::status(&layout.dialer, &leader.grpc_address()).await?;
        let Err(failure) = check_voters(&status.members) else { return Ok(leader) };
        // A new leader has not heard the others yet.
        if Instant::now() > deadline {
            return Err(failure);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

fn check_voters(members: &[MemberStatus]) -> Outcome {
    let voters = members.iter().filter(|member| member.voter);
    let up = voters.clone().filter(|member| member.reachable).count();
    let all = voters.count();
    if up > all / 2 + 1 {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the test kills the leader, and no majority of the voters would be left: {up} of {all} are \
         up, {} must be",
        (all / 2 + 2).max(3)
    ))
    .try_next("start the others with `ironkv dev start`; a cluster needs at least 3 nodes"))
}

pub(super) async fn run(layout: &Layout, writes: u32, password: Option<&str>) -> Outcome {
    if process::stopped(layout).len() == layout.nodes.len() {
        return Err(Failure::new("no node of this cluster runs")
            .try_next("start them with `ironkv dev start`"));
    }
    let leader = expendable_leader(layout).await?;
    let others = layout.nodes.iter().filter(|node| node.number != leader.number);
    let mut others = others.filter(|node| process::running(node).is_some());
    let other =
        others.next().ok_or_else(|| Failure::new("no other node of the cluster runs here"))?;
    let route = |node| Route { dialer: &layout.dialer, node, password };
    let target = route(other);
    let key = format!("ironkv:dev-test:{}", std::process::id());
    let mut gap = Duration::ZERO;
    let mut connection = None;
    for number in 0..writes {
        if number == writes / 2 {
            process::kill(leader)?;
            output::line(format!("killed node {}, the leader", leader.number));
        }
        let start = Instant::now();
        write_until_acknowledged(&target, &mut connection, &key, number).await?;
        gap = gap.max(start.elapsed());
    }
    process::restart(layout, leader)?;
    let running: Vec<_> =
        layout.nodes.iter().filter(|node| process::running(node).is_some()).collect();
    for node in &running {
        verify(&route(node), &key, writes).await?;
    }
    delete(&target, &key).await?;
    output::line(format!(
        "{writes} writes acknowledged, all of them read back from {} nodes; longest wait {:.0} ms",
        running.len(),
        gap.as_secs_f64() * 1000.0,
    ));
    Ok(())
}

/// Writes one hash field. Writing the same field again is harmless, so a lost reply is retried
/// here, which the server could not do.
async fn write_until_acknowledged(
    route: &Route<'_>,
    kept: &mut Option<Connection>,
    key: &str,
    number: u32,
) -> Outcome {
    let deadline = Instant::now() + TIMEOUT;
    let text = number.to_string();
    let words = [b"HSET".as_slice(), key.as_bytes(), text.as_bytes(), text.as_bytes()];
    loop {
        let tried = async {
            if kept.is_none() {
                *kept = Some(route.open().await?);
            }
            kept.as_mut().expect("opened above").call(&words).await
        };
        let why = match tried.await {
            Ok(Reply::Integer(_)) => return Ok(()),
            Ok(Reply::Error(error)) => {
                if let Some(leader) = redirect::moved_to(&error) {
                    *kept = route.open_at(leader).await.ok();
                }
                error.0.into_owned()
            }
            Ok(reply) => format!("{reply:?}"),
            Err(error) => {
                *kept = None;
                error.to_string()
            }
        };
        if ["NOAUTH", "WRONGPASS", "NOPERM"].iter().any(|code| why.starts_with(code)) {
            return Err(Failure::new(why).try_next("give the password with --password"));
        }
        if Instant::now() > deadline {
            return Err(Failure::new(format!("no write was accepted for {TIMEOUT:?}: {why}"))
                .try_next("look at `ironkv dev status` and `ironkv dev logs`"));
        }
        sleep(Duration::from_millis(10)).await;
    }
}

async fn verify(route: &Route<'_>, key: &str, written: u32) -> Outcome {
    let deadline = Instant::now() + TIMEOUT;
    let number = route.node.number;
    loop {
        match count(route, key).await {
            Ok(Reply::Integer(found)) if found == i64::from(written) => return Ok(()),
            Ok(Reply::Integer(found)) if Instant::now() > deadline => {
                return Err(Failure::new(format!(
                    "node {number} has {found} of {written} acknowledged writes"
                )));
            }
            _ if Instant::now() < deadline => sleep(Duration::from_millis(100)).await,
            Ok(reply) => return Err(Failure::new(format!("node {number}: {reply:?}"))),
            Err(error) => return Err(Failure::new(format!("node {number}: {error}"))),
        }
    }
}

/// Counts on this node itself. One that sends clients to the leader counts what it has applied,
/// which may be less for a moment.
async fn count(route: &Route<'_>, key: &str) -> io::Result<Reply> {
    let words = [b"HLEN".as_slice(), key.as_bytes()];
    let mut connection = route.open().await?;
    match connection.call(&words).await? {
        Reply::Error(error) if redirect::moved_to(&error).is_some() => {
            connection.call(&[b"READONLY"]).await?;
            connection.call(&words).await
        }
        reply => Ok(reply),
    }
}

async fn delete(route: &Route<'_>, key: &str) -> io::Result<()> {
    let words = [b"DEL".as_slice(), key.as_bytes()];
    let reply = route.open().await?.call(&words).await?;
    if let Reply::Error(error) = reply
        && let Some(leader) = redirect::moved_to(&error)
    {
        route.open_at(leader).await?.call(&words).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_must_remain_without_the_leader() {
        let members = |up: usize, all: usize| -> Vec<_> {
            let member = |number| MemberStatus {
                voter: true,
                reachable: number < up,
                ..MemberStatus::default()
            };
            (0..all).map(member).collect()
        };
        let enough = [(1, 1), (2, 2), (2, 3), (3, 3), (3, 5), (4, 5)]
            .map(|(up, all)| check_voters(&members(up, all)).is_ok());
        assert_eq!(enough, [false, false, false, true, false, true]);
    }
}

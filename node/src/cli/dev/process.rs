//! Starting, finding and stopping the processes of a development cluster.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::os::unix::process::CommandExt;
use tokio::time::Instant;

use super::layout::{Layout, Node};
use crate::cli::output::{self, Failure, Outcome};

/// A graceful stop transfers leadership and flushes; after this time the node is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Children of this process.
#[derive(Debug)]
pub(super) struct Nodes {
    children: Vec<(Node, Child)>,
}

impl Nodes {
    /// Waits until a node has ended, which is always a failure.
    pub(super) async fn any_ended(&mut self) -> Failure {
        loop {
            for (node, child) in &mut self.children {
                if let Ok(Some(status)) = child.try_wait() {
                    return Failure::new(format!(
                        "node {} ended with {status}:\n{}",
                        node.number,
                        last_lines(node)
                    ))
                    .try_next(format!("its whole log: {}", node.log().display()));
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The end of a node's log, which contains the reason of its end.
fn last_lines(node: &Node) -> String {
    let text = fs::read_to_string(node.log()).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

/// Starts nodes, each in its own process group, so that an interrupt of the terminal reaches only
/// this process, which then stops the nodes in order.
pub(super) fn start_all(layout: &Layout, nodes: &[Node]) -> Result<Nodes, Failure> {
    let children = nodes
        .iter()
        .map(|node| Ok((node.clone(), start(layout, node)?)))
        .collect::<Result<_, Failure>>()?;
    Ok(Nodes { children })
}

fn start(layout: &Layout, node: &Node) -> Result<Child, Failure> {
    if running(node).is_some() {
        return Err(Failure::new(format!("node {} runs already", node.number)));
    }
    fs::create_dir_all(node.data())?;
    let log = File::options().create(true).append(true).open(node.log())?;
    let child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg("--data-directory")
        .arg(node.data())
        .args(layout.port_flags(node))
        .args(["--listen-grpc-port", &node.grpc_port.to_string()])
        .args(["--listen-http-port", &node.http_port.to_string()])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()?;
    fs::write(node.pid(), child.id().to_string())?;
    Ok(child)
}

/// The process of a node if it runs and is ours: another process may have the same pid.
pub(super) fn running(node: &Node) -> Option<Pid> {
    let pid: i32 = fs::read_to_string(node.pid()).ok()?.trim().parse().ok()?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let data = node.data();
    let data = data.as_os_str().as_encoded_bytes();
    let ours = command.split(|byte| *byte == 0).any(|word| word == data);
    Pid::from_raw(pid).filter(|pid| ours && !is_zombie(*pid))
}

/// A killed child process stays in the process table until its parent ends.
fn is_zombie(pid: Pid) -> bool {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    fs::read_to_string(path).is_ok_and(|stat| stat.contains(") Z "))
}

/// The nodes that are not running.
pub(super) fn stopped(layout: &Layout) -> Vec<Node> {
    layout.nodes.iter().filter(|node| running(node).is_none()).cloned().collect()
}

/// Asks nodes to stop, waits, and kills those that do not. Returns the number of nodes that ran.
pub(super) async fn stop_all(nodes: &[Node]) -> Result<usize, Failure> {
    let pids: Vec<_> = nodes.iter().filter_map(|n| Some((n, running(n)?))).collect();
    for (_, pid) in &pids {
        // It may have ended since; then there is nothing to stop.
        let _ = kill_process(*pid, Signal::TERM);
    }
    let deadline = Instant::now() + STOP_TIMEOUT;
    for (node, pid) in &pids {
        while test_kill_process(*pid).is_ok() && !is_zombie(*pid) {
            if Instant::now() > deadline {
                output::note(format!("node {} did not stop in time: killed", node.number));
                let _ = kill_process(*pid, Signal::KILL);
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    for node in nodes {
        let _ = fs::remove_file(node.pid());
    }
    Ok(pids.len())
}

/// `kill -9`.
pub(super) fn kill(node: &Node) -> Outcome {
    let pid =
        running(node).ok_or_else(|| Failure::new(format!("node {} does not run", node.number)))?;
    kill_process(pid, Signal::KILL)?;
    Ok(())
}

/// Starts one node again.
pub(super) fn restart(layout: &Layout, node: &Node) -> Outcome {
    start(layout, node).map(drop)
}

/// Waits for an interrupt or a termination signal.
pub(super) async fn interrupted() -> Outcome {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome?,
        _ = terminate.recv() => {}
    }
    output::line("\nstopping");
    Ok(())
}

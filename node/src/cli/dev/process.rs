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
#[derive(Debug, Default)]
pub(super) struct Nodes {
    children: Vec<Running>,
    /// Nodes whose process could not be created.
    failed: Vec<(Node, String)>,
}

#[derive(Debug)]
struct Running {
    node: Node,
    child: Child,
    /// The length of the node's log before this run.
    log_start: u64,
}

impl Nodes {
    /// Waits until a node has ended or could not be started; returns it and the reason.
    pub(super) async fn next_ended(&mut self) -> (Node, String) {
        loop {
            if let Some(failed) = self.failed.pop() {
                return failed;
            }
            let ended = self
                .children
                .iter_mut()
                .enumerate()
                .find_map(|(at, running)| Some((at, running.child.try_wait().ok()??)));
            if let Some((at, status)) = ended {
                let Running { node, log_start, .. } = self.children.swap_remove(at);
                let log = fs::read(node.log()).unwrap_or_default();
                let start = usize::try_from(log_start).unwrap_or(usize::MAX).min(log.len());
                let reason = reason(&String::from_utf8_lossy(&log[start..]))
                    .unwrap_or_else(|| format!("its process ended with {status}"));
                return (node, reason);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The end of this node is expected from now on.
    pub(super) fn forget(&mut self, number: u16) {
        self.children.retain(|running| running.node.number != number);
    }
}

/// Why a run of `ironkv serve` ended: its message for the user, otherwise its last line.
fn reason(log_of_run: &str) -> Option<String> {
    let message = log_of_run
        .rsplit_once("ironkv: ")
        .filter(|(before, _)| before.is_empty() || before.ends_with('\n'));
    let text = match message {
        Some((_, message)) => message,
        None => log_of_run.trim_end().lines().next_back()?,
    };
    Some(text.trim_end().to_owned())
}

/// Starts nodes, each in its own process group, so that an interrupt of the terminal reaches only
/// this process, which then stops the nodes in order.
pub(super) fn start_all(layout: &Layout, nodes: &[Node]) -> Nodes {
    let mut started = Nodes::default();
    for node in nodes {
        let log_start = fs::metadata(node.log()).map_or(0, |log| log.len());
        match start(layout, node) {
            Ok(child) => started.children.push(Running { node: node.clone(), child, log_start }),
            Err(failure) => started.failed.push((node.clone(), failure.to_string())),
        }
    }
    started
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_an_end_is_the_last_message_for_the_user() {
        let log = "ERROR cannot start error=damaged\nironkv: the log is damaged\n  replace it\n";
        assert_eq!(reason(log).as_deref(), Some("the log is damaged\n  replace it"));
        assert_eq!(reason("INFO a\npanicked at b\n").as_deref(), Some("panicked at b"));
        assert_eq!(reason(""), None);
    }
}

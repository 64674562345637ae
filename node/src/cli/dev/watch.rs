//! What a user sees of a development cluster: the table and the logs.

use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;

use super::layout::{Layout, Node};
use super::process;
use crate::cli::client::admin::{self, index};
use crate::cli::output::{self, Failure, Outcome};

const REFRESH: Duration = Duration::from_secs(1);
/// A working node answers at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a changed table is printed when the output is not a terminal.
const CHECK: Duration = Duration::from_millis(500);

/// One row per node.
pub(super) async fn table(layout: &Layout) -> String {
    let rows = join_all(layout.nodes.iter().map(|node| row(layout, node))).await;
    let header = ["NODE", "PID", "RESP", "GRPC", "HTTP", "ROLE", "TERM", "APPLIED", "MEMORY"];
    output::table(header, rows)
}

async fn row(layout: &Layout, node: &Node) -> [String; 9] {
    let dash = || "-".to_owned();
    let pid = process::running(node);
    let address = node.grpc_address();
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, admin::status(&layout.dialer, &address));
    let answer = if pid.is_some() { Some(answer.await) } else { None };
    let role = match &answer {
        None => "stopped",
        Some(Err(_)) => "silent",
        // The port opens when checkpoint and log are loaded.
        Some(Ok(Err(_))) => "starting",
        Some(Ok(Ok(status))) => admin::role_name(status),
    };
    let status = answer.and_then(|answer| answer.ok()?.ok());
    [
        node.number.to_string(),
        pid.map_or_else(dash, |pid| pid.as_raw_nonzero().to_string()),
        node.resp_port.to_string(),
        node.grpc_port.to_string(),
        node.http_port.to_string(),
        role.to_owned(),
        status.as_ref().map_or_else(dash, |status| status.term.to_string()),
        status.as_ref().map_or_else(dash, |status| index!(status.applied).to_string()),
        status.as_ref().map_or_else(dash, |status| mebibytes(status.memory_bytes)),
    ]
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Shows the table until the caller stops it: redrawn in place on a terminal, otherwise only the
/// roles, when they change.
pub(super) async fn live(layout: &Layout) {
    let mut shown = String::new();
    loop {
        if output::is_terminal() {
            let table = table(layout).await;
            let lines = shown.lines().count();
            let up = if lines > 0 { format!("\x1b[{lines}A\x1b[J") } else { String::new() };
            output::line(format!("{up}{table}"));
            shown = table;
            sleep(REFRESH).await;
        } else {
            let rows = join_all(layout.nodes.iter().map(|node| row(layout, node))).await;
            let roles = output::table(
                ["NODE", "PID", "RESP", "ROLE", "TERM"],
                rows.into_iter()
                    .map(|[node, pid, resp, _, _, role, term, ..]| [node, pid, resp, role, term]),
            );
            if roles != shown {
                output::line(&roles);
                shown = roles;
            }
            sleep(CHECK).await;
        }
    }
}

/// Prints the logs, each line after its node's number when there are several.
pub(super) async fn logs(layout: &Layout, only: Option<u16>, follow: bool) -> Outcome {
    let nodes: Vec<_> =
        layout.nodes.iter().filter(|node| only.is_none_or(|only| only == node.number)).collect();
    if nodes.is_empty() {
        return Err(Failure::new(format!("this cluster has nodes 1 to {}", layout.nodes.len())));
    }
    let mut tails: Vec<_> = nodes.into_iter().map(|node| Tail { node, offset: 0 }).collect();
    let many = tails.len() > 1;
    loop {
        for tail in &mut tails {
            for line in tail.read()?.lines() {
                let prefix =
                    if many { format!("node {} | ", tail.node.number) } else { String::new() };
                output::line(format!("{prefix}{line}"));
            }
        }
        if !follow {
            return Ok(());
        }
        tokio::select! {
            () = sleep(Duration::from_millis(200)) => {}
            outcome = process::interrupted() => return outcome,
        }
    }
}

/// A log that was read up to an offset.
#[derive(Debug)]
struct Tail<'a> {
    node: &'a Node,
    offset: u64,
}

impl Tail<'_> {
    /// The complete lines that were appended since the last call.
    fn read(&mut self) -> Result<String, Failure> {
        let mut file = std::fs::File::open(self.node.log())?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes.truncate(whole);
        self.offset += whole as u64;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

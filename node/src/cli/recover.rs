//! `ironkv recover`: repairs for a node that does not start.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::output::{self, Failure, Outcome};
use super::stopped;
use crate::consensus::new_cluster;
use crate::consensus::recover::{find_entry, skip_entry};

#[derive(Debug, Args)]
pub(super) struct Recover {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Skip one log entry that ends every node which executes it. The changes of this entry are
    /// lost. Run it on every node, with the same checksum, while all nodes are stopped. Without
    /// --checksum, show the entry and change nothing.
    SkipEntry {
        /// Data directory of a stopped node.
        directory: PathBuf,
        /// Log index of the entry, from the last lines that the node logged.
        #[arg(long)]
        index: u64,
        /// Checksum of the entry; the same command without --checksum shows it.
        #[arg(long)]
        checksum: Option<String>,
    },
    /// Begin a new cluster with what one stopped node has: for a cluster that has lost a majority
    /// of its voters permanently. What only the others had is lost, and they can never join again
    /// with their data. Without --confirm, show what the node has and change nothing.
    NewCluster {
        /// Data directory of a node that does not run: the one with the highest term and index.
        directory: PathBuf,
        /// The id of the node.
        #[arg(long, value_name = "NODE_ID")]
        confirm: Option<u64>,
    },
}

impl Recover {
    pub(super) fn run(self) -> Outcome {
        match self.action {
            Action::SkipEntry { directory, index, checksum } => {
                let _lock = stopped::lock(&directory)?;
                skip(&directory, index, checksum)
            }
            Action::NewCluster { directory, confirm } => {
                let _lock = stopped::lock(&directory)?;
                begin_new_cluster(&directory, confirm)
            }
        }
    }
}

fn skip(directory: &Path, index: u64, checksum: Option<String>) -> Outcome {
    let Some(checksum) = checksum else {
        let found = find_entry(directory, index)?;
        let Some(found) = found else {
            return Err(Failure::new(format!("entry {index} is not in this node's log"))
                .try_next("look for it on another node, then pass its checksum here too"));
        };
        output::line(format!("entry     {index} of term {}: {}", found.term, found.content));
        output::line(format!("checksum  {:016x}", found.checksum));
        output::note(format!(
            "to skip it, run this again on every node with --checksum {:016x}",
            found.checksum
        ));
        return Ok(());
    };
    let checksum = u64::from_str_radix(&checksum, 16)
        .map_err(|_| Failure::new("a checksum is 16 hexadecimal digits"))?;
    skip_entry(directory, index, checksum)?;
    output::line(format!("entry {index} is skipped when this node starts"));
    Ok(())
}

fn begin_new_cluster(directory: &Path, confirm: Option<u64>) -> Outcome {
    let found = new_cluster::examine(directory)?;
    let id = found.node_id;
    let Some(confirmed) = confirm else {
        output::line(format!("node     {id} of cluster {}", found.cluster_id));
        output::line(format!("last     term {}, index {}", found.term, found.last));
        if let Some(mark) = found.mark {
            output::line(format!("mark     {mark}"));
        }
        output::note(format!(
            "compare with the other directories that are left; to begin a new cluster with this \
             one, whose last entry is the newest, add --confirm {id}"
        ));
        return Ok(());
    };
    if confirmed != id.0 {
        return Err(Failure::new(format!("this directory is that of node {id}"))
            .try_next(format!("confirm with --confirm {id}")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cluster_id = runtime.block_on(new_cluster::begin(directory))?;
    output::line(format!(
        "node {id} is the only voter of the new cluster {cluster_id}: start it, then let nodes \
         with empty directories join"
    ));
    Ok(())
}

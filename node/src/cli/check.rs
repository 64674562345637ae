//! `ironkv check`: reads everything in a stopped node's data directory and verifies every checksum.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::output::{self, Failure, Outcome};
use crate::base::disk::{Disk, RealDisk};
use crate::base::ids::GroupId;
use crate::consensus::log::{Log, LogOptions};
use crate::data::checkpoint;
use crate::data::meta::Meta;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Data directory of a node that does not run.
    directory: PathBuf,
}

impl Check {
    pub(super) fn run(self) -> Outcome {
        let disk = RealDisk;
        let directory = &self.directory;
        if !directory.join("meta.redb").exists() {
            return Err(Failure::new(format!("{} holds no node", directory.display()))
                .try_next("name the directory that was given as --data-directory"));
        }
        let _lock = disk.lock(&directory.join("lock")).map_err(|error| {
            Failure::new(format!("{}: {error}", directory.display()))
                .try_next("stop the node that runs on it first")
        })?;
        let meta = Meta::open(&disk, directory)?;
        let facts = meta.facts();
        let group = directory.join(format!("group-{}", GroupId::FIRST));
        let text = |id: Option<String>| id.unwrap_or_else(|| "none yet".to_owned());
        output::line(format!("node        {}", text(facts.node_id.map(|id| id.to_string()))));
        output::line(format!("cluster     {}", text(facts.cluster_id.map(|id| id.to_string()))));
        if let Some(reason) = facts.removed {
            output::line(format!("removed     {reason}; this directory cannot be used again"));
        }
        let checkpoint = match facts.checkpoint {
            Some(name) => check_checkpoint(&disk, &group.join(name))?,
            None => 0,
        };
        check_log(&group.join("log"), checkpoint)
    }
}

/// The index of the checkpoint.
fn check_checkpoint(disk: &dyn Disk, path: &Path) -> Result<u64, Failure> {
    let keys = checkpoint::verify(disk, path)?;
    let header = checkpoint::read_header(disk, path)?;
    output::line(format!("checkpoint  {keys} keys at log index {}, whole", header.index));
    Ok(header.index)
}

fn check_log(directory: &Path, checkpoint: u64) -> Outcome {
    let state = Log::check(Arc::new(RealDisk), directory, LogOptions::default())?;
    let Some(state) = state else {
        output::line("log         none yet");
        return Ok(());
    };
    let last = state.last.map_or(0, |last| last.index);
    let first = state.first_index().unwrap_or(last + 1);
    if first > checkpoint + 1 {
        return Err(Failure::new(format!(
            "entries are missing: the log begins at {first}, the checkpoint ends at {checkpoint}"
        ))
        .try_next("remove this member and let the node join again with an empty directory"));
    }
    output::line(format!("log         entries {first} to {last}, whole"));
    Ok(())
}

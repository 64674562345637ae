//! `ironkv check`: reads everything in a stopped node's data directory and verifies every checksum.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::output::{self, Failure, Outcome};
use super::stopped;
use crate::base::disk::{Disk, RealDisk};
use crate::consensus::log::{Log, LogOptions};
use crate::consensus::{check_facts, parts};
use crate::data::checkpoint;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Data directory of a stopped node.
    directory: PathBuf,
}

impl Check {
    pub(super) fn run(self) -> Outcome {
        let disk = RealDisk;
        let directory = &self.directory;
        let (_lock, meta) = stopped::open(directory)?;
        let facts = meta.facts();
        let group = directory.join(stopped::group_name());
        let text = |id: Option<String>| id.unwrap_or_else(|| "none yet".to_owned());
        output::line(format!("node        {}", text(facts.node_id.map(|id| id.to_string()))));
        output::line(format!(
            "cluster     {}",
            text(facts.cluster_id.as_ref().map(ToString::to_string))
        ));
        parts::check_data(&disk, &facts, directory, &group)?;
        for entry in &facts.skipped {
            output::line(format!(
                "skipped     entry {} with checksum {:016x}",
                entry.index, entry.checksum
            ));
        }
        let checkpoint = match &facts.checkpoint {
            Some(name) => check_checkpoint(&disk, &group.join(name))?,
            None => 0,
        };
        check_log(&group.join("log"), checkpoint)?;
        // Undamaged data may be refused nevertheless, such as that of a removed node.
        check_facts(&facts).map_err(|refusal| Failure::new(format!("no node starts: {refusal}")))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::data::meta::Meta;

    fn check(directory: &Path) -> Result<(), String> {
        let check = Check { directory: directory.to_owned() };
        check.run().map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_directory_on_which_no_node_starts_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        assert!(check(directory.path()).unwrap_err().contains("holds no node"));
        drop(Meta::open(&RealDisk, directory.path()).unwrap());
        let log = directory.path().join(stopped::group_name()).join("log");
        std::fs::create_dir_all(log).unwrap();
        assert_eq!(check(directory.path()), Ok(()));
        let meta = Meta::open(&RealDisk, directory.path()).unwrap();
        meta.update(|facts| facts.removed = Some("voted out".to_owned())).unwrap();
        drop(meta);
        let text = check(directory.path()).unwrap_err();
        assert!(text.starts_with("no node starts: ") && text.contains("voted out"), "{text}");
    }

    #[test]
    fn a_log_without_its_facts_is_not_an_empty_directory() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join(stopped::group_name()).join("log");
        std::fs::create_dir_all(&log).unwrap();
        std::fs::write(log.join("segment-00000000000000000001"), "x").unwrap();
        let text = check(directory.path()).unwrap_err();
        assert!(text.contains("meta.redb is missing"), "{text}");
    }
}

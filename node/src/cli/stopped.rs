//! The data directory of a node that is not running, for subcommands that read or repair it.

use std::path::Path;

use super::output::Failure;
use crate::base::disk::{Disk, LockGuard, RealDisk};
use crate::base::ids::GroupId;
use crate::consensus::parts;
use crate::data::meta::{self, Meta};

/// Fails if there is no node, or a running one. No node can start on it while the guard is held.
pub(super) fn lock(directory: &Path) -> Result<Box<dyn LockGuard>, Failure> {
    if !directory.join(meta::FILE_NAME).exists() {
        parts::check_meta(&RealDisk, directory, &directory.join(group_name()))?;
        return Err(Failure::new(format!("{} holds no node", directory.display()))
            .try_next("name the directory that was given as --data-directory"));
    }
    RealDisk.lock(&directory.join("lock")).map_err(|error| {
        Failure::new(format!("{}: {error}", directory.display()))
            .try_next("stop the node that runs on it first")
    })
}

/// The same, with the facts.
pub(super) fn open(directory: &Path) -> Result<(Box<dyn LockGuard>, Meta), Failure> {
    let lock = lock(directory)?;
    Ok((lock, Meta::open(&RealDisk, directory)?))
}

/// The name of the directory of the only group.
pub(super) fn group_name() -> String {
    format!("group-{}", GroupId::FIRST)
}

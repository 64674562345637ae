//! The data directory of a node that is not running, for subcommands that read or repair it.

use std::io;
use std::path::Path;

use super::output::Failure;
use crate::base::disk::{Disk, LockGuard, RealDisk};
use crate::base::ids::GroupId;
use crate::consensus::parts;
use crate::data::meta::{self, Meta};

/// Fails if there is no node, or a running one. No node can start on it while the guard is held.
pub(super) fn lock(directory: &Path) -> Result<Box<dyn LockGuard>, Failure> {
    let exists = directory.join(meta::FILE_NAME).try_exists();
    if !exists.map_err(|error| unusable(directory, &error))? {
        parts::check_meta(&RealDisk, directory, &directory.join(group_name()))?;
        return Err(Failure::new(format!("{} holds no node", directory.display()))
            .try_next("name the directory that was given as --data-directory"));
    }
    RealDisk.lock(&directory.join("lock")).map_err(|error| unusable(directory, &error))
}

fn unusable(directory: &Path, error: &io::Error) -> Failure {
    let next = match error.kind() {
        io::ErrorKind::PermissionDenied => "run this as the user that the node runs as, or as root",
        _ => "stop the node that runs on it first",
    };
    Failure::new(format!("{}: {error}", directory.display())).try_next(next)
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

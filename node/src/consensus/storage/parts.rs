//! Whether a data directory has all its parts. One that lost a part must not be taken for an empty
//! one: its node would forget what it voted for and what it acknowledged.

use std::path::{Path, PathBuf};

use crate::base::disk::Disk;
use crate::data::meta::{FILE_NAME, Facts};

/// A part of the directory is gone.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{missing} is missing, though {found} shows that a node ran on this directory: put it back if \
     it was moved; a node cannot start without it, so otherwise remove the member from its \
     cluster, empty the directory and let the node join as a new one"
)]
pub struct Incomplete {
    missing: PathBuf,
    found: PathBuf,
}

/// To be called before the file with the facts is created.
pub(crate) fn check_meta(disk: &dyn Disk, root: &Path, group: &Path) -> Result<(), Incomplete> {
    let missing = root.join(FILE_NAME);
    if disk.list(root).unwrap_or_default().contains(&missing) {
        return Ok(());
    }
    let segment = first(disk, &group.join("log"), "segment-");
    match segment.or_else(|| first(disk, group, "checkpoint-")) {
        Some(found) => Err(Incomplete { missing, found }),
        None => Ok(()),
    }
}

/// Whether what the facts speak of is there.
pub(crate) fn check_data(
    disk: &dyn Disk,
    facts: &Facts,
    root: &Path,
    group: &Path,
) -> Result<(), Incomplete> {
    let incomplete = |missing| Err(Incomplete { missing, found: root.join(FILE_NAME) });
    if let Some(name) = &facts.checkpoint
        && first(disk, group, name).is_none()
    {
        return incomplete(group.join(name));
    }
    let log = group.join("log");
    // A node has a log before it has an identity.
    if facts.node_id.is_some() && first(disk, &log, "segment-").is_none() {
        return incomplete(log);
    }
    Ok(())
}

fn first(disk: &dyn Disk, directory: &Path, prefix: &str) -> Option<PathBuf> {
    let begins = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    disk.list(directory).unwrap_or_default().into_iter().find(begins)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::base::disk::MemoryDisk;
    use crate::base::ids::NodeId;

    const ROOT: &str = "/data";
    const GROUP: &str = "/data/group-0";

    fn disk_with(files: &[&str]) -> MemoryDisk {
        let disk = MemoryDisk::default();
        for file in files {
            disk.create(&Path::new(ROOT).join(file)).unwrap();
        }
        disk
    }

    fn missing(found: Result<(), Incomplete>) -> Option<PathBuf> {
        found.err().map(|error| error.missing)
    }

    #[test]
    fn a_directory_without_its_facts_is_no_empty_one() {
        let check =
            |files: &[&str]| check_meta(&disk_with(files), Path::new(ROOT), Path::new(GROUP));
        let log = "group-0/log/segment-00000000000000000001";
        let checkpoint = "group-0/checkpoint-0-00000000000000000007.redb";
        let facts = Some(PathBuf::from("/data/meta.redb"));
        assert_eq!(missing(check(&[log])), facts);
        assert_eq!(missing(check(&[checkpoint])), facts);
        assert_eq!(missing(check(&["meta.redb", log, checkpoint])), None);
        // What a first start leaves that was interrupted, and what file systems put there.
        assert_eq!(missing(check(&["lock", "lost+found/a", "meta.unfinished"])), None);
        assert_eq!(missing(check(&["group-0/incoming-1", "group-0/log/spare-1.new"])), None);
    }

    #[test]
    fn facts_without_the_log_or_the_checkpoint_that_they_speak_of_are_refused() {
        let check = |files: &[&str], facts: &Facts| {
            check_data(&disk_with(files), facts, Path::new(ROOT), Path::new(GROUP))
        };
        let mut facts = Facts::default();
        assert_eq!(missing(check(&["meta.redb"], &facts)), None, "no identity yet");
        facts.node_id = Some(NodeId(1));
        let log = "group-0/log/segment-00000000000000000001";
        assert_eq!(missing(check(&["meta.redb"], &facts)), Some("/data/group-0/log".into()));
        assert_eq!(missing(check(&["meta.redb", log], &facts)), None);
        facts.checkpoint = Some("checkpoint-0-7.redb".to_owned());
        let gone = Some("/data/group-0/checkpoint-0-7.redb".into());
        assert_eq!(missing(check(&["meta.redb", log], &facts)), gone);
        let text = check(&["meta.redb", log], &facts).unwrap_err().to_string();
        assert!(text.contains("/data/meta.redb") && text.contains("join as a new one"), "{text}");
    }
}

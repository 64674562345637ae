//! Files whose content is replaced while the process runs, as Kubernetes does with mounted Secrets.
//! Changes are found by content, because replacing a link changes neither the name nor the time of
//! its target.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

/// A file that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", file.display())]
pub struct FileError {
    /// The file.
    pub file: PathBuf,
    /// The reason.
    pub reason: String,
}

impl FileError {
    /// A file and why it cannot be used.
    pub fn new(file: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self { file: file.into(), reason: reason.into() }
    }
}

/// One file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The file.
    pub file: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Content {
    /// Reads a file.
    pub fn read(file: impl Into<PathBuf>) -> Result<Self, FileError> {
        let file = file.into();
        match std::fs::read(&file) {
            Ok(bytes) => Ok(Self { file, bytes }),
            Err(error) => Err(FileError::new(file, error.to_string())),
        }
    }
}

type Parse<T> = Box<dyn Fn(&[Content]) -> Result<T, FileError> + Send + Sync>;

/// What some files mean together: the last valid meaning.
pub struct Watched<T> {
    files: Vec<PathBuf>,
    parse: Parse<T>,
    current: ArcSwap<T>,
    /// What was last read, valid or not, so that an error is reported once.
    seen: Mutex<Result<Vec<Content>, FileError>>,
}

impl<T> Watched<T> {
    /// Reads the files; `parse` gets them in the same order.
    pub fn open<const N: usize>(
        files: [PathBuf; N],
        parse: impl Fn([&Content; N]) -> Result<T, FileError> + Send + Sync + 'static,
    ) -> Result<Self, FileError> {
        let files = files.to_vec();
        let parse = move |all: &[Content]| parse(std::array::from_fn(|index| &all[index]));
        let contents = read(&files)?;
        let current = ArcSwap::from_pointee(parse(&contents)?);
        Ok(Self { files, parse: Box::new(parse), current, seen: Mutex::new(Ok(contents)) })
    }

    /// The current meaning.
    pub fn load(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Reads the files again and returns whether their meaning changed. After an error the previous
    /// meaning stays current, and the error is returned once.
    pub fn reload(&self) -> Result<bool, FileError> {
        let mut seen = self.seen.lock();
        let now = read(&self.files);
        if *seen == now {
            return Ok(false);
        }
        *seen = now.clone();
        self.current.store(Arc::new((self.parse)(&now?)?));
        Ok(true)
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(files: &[PathBuf]) -> Result<Vec<Content>, FileError> {
    files.iter().map(Content::read).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn number([content]: [&Content; 1]) -> Result<u32, FileError> {
        let text = String::from_utf8_lossy(&content.bytes);
        text.trim().parse().map_err(|_| FileError::new(&content.file, "no number"))
    }

    #[test]
    fn a_broken_file_keeps_the_old_meaning_and_is_reported_once() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        std::fs::write(&path, "1").unwrap();
        let watched = Watched::open([path.to_path_buf()], number).unwrap();
        assert_eq!(watched.reload(), Ok(false));
        std::fs::write(&path, "x").unwrap();
        assert_eq!(watched.reload(), Err(FileError::new(&*path, "no number")));
        assert_eq!((watched.reload(), *watched.load()), (Ok(false), 1));
        std::fs::write(&path, "2").unwrap();
        assert_eq!((watched.reload(), *watched.load()), (Ok(true), 2));
        std::fs::remove_file(&path).unwrap();
        assert!(watched.reload().is_err());
        assert_eq!((watched.reload(), *watched.load()), (Ok(false), 2));
    }
}

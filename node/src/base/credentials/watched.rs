//! Files whose content is replaced while the process runs, as Kubernetes does with mounted Secrets:
//! by content, because a swapped link changes neither name nor time of the file behind it.

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
    /// What is wrong with it.
    pub reason: String,
}

impl FileError {
    /// A file and what is wrong with it.
    pub fn new(file: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self { file: file.into(), reason: reason.into() }
    }
}

/// One file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Where it is.
    pub file: PathBuf,
    /// What it holds.
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

/// What some files mean together; the last meaning that made sense.
pub struct Watched<T> {
    files: Vec<PathBuf>,
    parse: Parse<T>,
    current: ArcSwap<T>,
    /// What was last read, good or bad, so that a mistake is reported once.
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

    /// The meaning now.
    pub fn load(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Reads the files again; whether they mean something new. A mistake leaves the old meaning in
    /// force and is told once.
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
    fn a_broken_file_keeps_the_old_meaning_and_is_told_once() {
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

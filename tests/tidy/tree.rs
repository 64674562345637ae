//! The files of the repository and where a rule was broken.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::masked;

/// A broken rule at a position that an editor can open.
pub struct Violation {
    pub file: String,
    pub line: usize,
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}:{}: {}", self.file, self.line, self.message)
    }
}

/// One text file, its path relative to the top of the repository.
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    /// The text with comments and literals blanked, lines and columns kept.
    pub fn code(&self) -> String {
        masked::mask(&self.text)
    }

    pub fn violation(&self, line: usize, message: impl Into<String>) -> Violation {
        Violation { file: self.path.clone(), line, message: message.into() }
    }
}

/// Every Rust file of ours.
pub fn rust_files() -> Vec<Source> {
    text_files().into_iter().filter(|source| source.path.ends_with(".rs")).collect()
}

/// Every text file, with build output and version control left out.
pub fn text_files() -> Vec<Source> {
    let root = root();
    let mut files = Vec::new();
    walk(&root, &root, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 10, "found only {} files under {}", files.len(), root.display());
    files
}

fn root() -> PathBuf {
    match option_env!("CARGO_MANIFEST_DIR") {
        Some(tests) => Path::new(tests).join(".."),
        None => PathBuf::from("."),
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().unwrap();
        // In a second work tree `.git` is a file.
        if matches!(name.as_str(), "target" | ".git" | "corpus" | "artifacts") {
            continue;
        }
        if kind.is_dir() {
            walk(root, &path, files);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            let path = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.push(Source { path, text });
        }
    }
}

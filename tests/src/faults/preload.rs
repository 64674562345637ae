//! Small libraries that are loaded before the C library, so that a real process meets faults for
//! which the server has no option.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles a library of this name and source in a directory.
///
/// # Errors
/// The C compiler is missing or the directory cannot be written.
pub fn compile(directory: &Path, name: &str, source: &str) -> io::Result<PathBuf> {
    let (text, library) =
        (directory.join(format!("{name}.c")), directory.join(format!("{name}.so")));
    std::fs::write(&text, source)?;
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(&text);
    if compiler.status()?.success() {
        Ok(library)
    } else {
        Err(io::Error::other(format!("the C compiler refuses {}", text.display())))
    }
}

/// The words before a program that should run with a library and these variables.
pub fn wrapper(library: &Path, variables: &[(&str, &Path)]) -> Vec<String> {
    let variable = |(name, path): &(&str, &Path)| format!("{name}={}", path.display());
    let mut words = vec!["env".to_owned(), variable(&("LD_PRELOAD", library))];
    words.extend(variables.iter().map(variable));
    words
}

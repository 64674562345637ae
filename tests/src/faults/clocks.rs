//! Wall clocks of processes that can be set wrong at run time. The server has no option for it: a
//! small library that is loaded before the C library adds the value in a file to `CLOCK_REALTIME`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::faults::preload;

const SHIM: &str = include_str!("clocks.c");

/// The wall clock of one process.
#[derive(Debug)]
pub struct ProcessClock {
    library: PathBuf,
    offset: PathBuf,
}

impl ProcessClock {
    /// A correct clock, with its files in this directory.
    ///
    /// # Errors
    /// The C compiler is missing or the directory cannot be written.
    pub fn new(directory: &Path) -> io::Result<Self> {
        let library = preload::compile(directory, "clock", SHIM)?;
        let clock = Self { library, offset: directory.join("clock.offset") };
        clock.set_wrong(0)?;
        Ok(clock)
    }

    /// The words before a program that should use this clock.
    pub fn wrapper(&self) -> Vec<String> {
        preload::wrapper(&self.library, &[("WRONG_CLOCK", &self.offset)])
    }

    /// From now on the clock is ahead by so many seconds.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_wrong(&self, seconds: i64) -> io::Result<()> {
        // In place: processes have mapped the file.
        let mut file =
            File::options().create(true).truncate(false).write(true).open(&self.offset)?;
        file.write_all(&seconds.to_ne_bytes())
    }
}

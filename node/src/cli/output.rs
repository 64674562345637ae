//! The output of subcommands: results on standard output, errors on standard error.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the command line is the reader")]

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use comfy_table::presets;
use comfy_table::{Cell, Table};

/// Why a subcommand failed, and what the user should do next.
#[derive(Debug)]
pub(super) struct Failure {
    what: String,
    next: Option<String>,
}

/// The outcome of a subcommand.
pub(super) type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure without advice.
    pub(super) fn new(what: impl Display) -> Self {
        Self { what: what.to_string(), next: None }
    }

    /// Adds where it happened.
    pub(super) fn at(mut self, place: &str) -> Self {
        self.what = format!("{place}: {}", self.what);
        self
    }

    /// Adds the next step.
    pub(super) fn try_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.what.fmt(f)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

/// Prints a failure and returns the exit code.
pub(super) fn exit(outcome: Outcome) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    eprintln!("ironkv: {}", failure.what);
    if let Some(next) = failure.next {
        eprintln!("  {next}");
    }
    ExitCode::FAILURE
}

/// One line on standard output.
pub(super) fn line(text: impl Display) {
    print(format!("{text}\n").as_bytes());
}

/// Bytes on standard output. A closed pipe (`ironkv … | head`) ends the process quietly.
pub(super) fn print(bytes: &[u8]) {
    let mut output = std::io::stdout().lock();
    if output.write_all(bytes).and_then(|()| output.flush()).is_err() {
        #[expect(clippy::disallowed_methods, reason = "a reader that left wants no more")]
        std::process::exit(0);
    }
}

/// One line on standard error, for progress and advice.
pub(super) fn note(text: impl Display) {
    eprintln!("{text}");
}

/// Whether standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// A table without borders, as `kubectl` prints them.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.map(Cell::new));
    table.add_rows(rows.into_iter().map(|row| row.map(Cell::new)));
    table.trim_fmt()
}

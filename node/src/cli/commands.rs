//! `ironkv commands`: every command of the server, from the command table.

use clap::{Args, ValueEnum};

use super::output::{self, Outcome};
use crate::commands::declare::{Flags, Resolved, Run};
use crate::commands::table;

#[derive(Debug, Args)]
pub(super) struct Commands {
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Markdown,
    Json,
}

impl Commands {
    pub(super) fn run(self) -> Outcome {
        let mut rows: Vec<&Resolved> = table::rows()
            .iter()
            .filter(|row| !matches!(row.command.run, Run::Container(_)))
            .collect();
        rows.sort_by_key(|row| row.full_name());
        match self.format {
            Format::Markdown => {
                output::line(
                    "| command | arguments | does | cost | since |\n|---|---|---|---|---|",
                );
                rows.into_iter().for_each(|row| output::line(markdown(row)));
            }
            Format::Json => {
                let all: Vec<_> = rows.into_iter().map(json).collect();
                output::line(serde_json::to_string_pretty(&all)?);
            }
        }
        Ok(())
    }
}

fn name(row: &Resolved) -> String {
    row.full_name().replace('|', " ").to_ascii_uppercase()
}

fn markdown(row: &Resolved) -> String {
    let command = row.command;
    let syntax = command.syntax.replace('|', "\\|");
    let syntax = if syntax.is_empty() { String::new() } else { format!("`{syntax}`") };
    format!(
        "| {} | {syntax} | {} | {} | {} |",
        name(row),
        command.summary,
        command.complexity,
        command.since
    )
}

fn json(row: &Resolved) -> serde_json::Value {
    let command = row.command;
    let route = match command.run {
        Run::Read(_) => "read",
        Run::Write(_) => "write",
        Run::Session(_) => "session",
        Run::Node(_) | Run::Describe(_) => "node",
        Run::Container(_) => "container",
    };
    serde_json::json!({
        "name": name(row),
        "arguments": command.syntax,
        "summary": command.summary,
        "complexity": command.complexity,
        "since": command.since,
        "route": route,
        "fast": command.flags.has(Flags::FAST),
    })
}

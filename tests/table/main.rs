//! What derives from the command table: it agrees with a live Redis, every row is in a script,
//! and every write does the same wherever it is applied.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

#[path = "../commands/script.rs"]
#[allow(dead_code)]
mod script;

mod determinism;
mod documentation;
mod parity;

use std::collections::HashSet;

use ironkv::commands::command::Run;
use ironkv::commands::table;

/// Rows that no script can hold, and why.
const NOT_SCRIPTED: [(&str, &str); 1] = [("shutdown", "it ends the server")];

#[test]
fn every_command_is_in_a_script() {
    let mut seen = HashSet::new();
    for story in script::stories() {
        for line in &story.lines {
            if let script::Step::Send(words) = &line.step {
                let words: Vec<_> = words.iter().map(|word| word.clone().into()).collect();
                if let Ok(resolved) = table::find(&words) {
                    seen.insert(resolved.full_name());
                }
            }
        }
    }
    let excused = |name: &String| NOT_SCRIPTED.iter().any(|(excused, _)| excused == name);
    let missing: Vec<String> = table::rows()
        .iter()
        .filter(|row| !matches!(row.command.run, Run::Container(_)))
        .map(table::Resolved::full_name)
        .filter(|name| !seen.contains(name) && !name.ends_with("|help") && !excused(name))
        .collect();
    assert!(missing.is_empty(), "no line in tests/commands/*.txt runs: {missing:?}");
}

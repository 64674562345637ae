//! The arrows between the folders of a crate go in one direction.

use crate::tree::{Source, Violation, rust_files};

/// A crate whose folders are layers.
struct Stack {
    root: &'static str,
    /// From the bottom of the stack to its top; a layer uses itself and those before it.
    layers: &'static [&'static str],
}

const STACKS: [Stack; 2] = [
    Stack {
        root: "node/src/",
        layers: &[
            "base",
            "resp",
            "data",
            "services",
            "commands",
            "consensus",
            "backup",
            "dispatch",
            "server",
            "node",
            "cli",
            "docs",
        ],
    },
    Stack {
        root: "operator/src/",
        layers: &[
            "names",
            "crd",
            "telemetry",
            "metrics",
            "node_admin",
            "context",
            "controller",
            "health",
            "run",
            "cli",
            "docs",
        ],
    },
];

/// What only `base/` may use, where that holds, and the interface to use instead.
const INTERFACES: [(&str, &[&str], &str); 5] = [
    ("SystemTime", &["node/src/"], "base::clock::Clock"),
    ("std::time::Instant", &["node/src/"], "tokio::time::Instant"),
    ("std::fs", &["node/src/data/", "node/src/consensus/"], "base::disk::Disk"),
    ("std::net::Tcp", &["node/src/data/", "node/src/consensus/"], "base::net::Net"),
    ("std::thread::spawn", &["node/src/data/", "node/src/consensus/"], "base::threads::Threads"),
];

pub fn wrong_order() -> Vec<Violation> {
    STACKS.iter().flat_map(Stack::wrong_order).collect()
}

pub fn wrong_arrows() -> Vec<Violation> {
    STACKS.iter().flat_map(Stack::wrong_arrows).collect()
}

impl Stack {
    fn wrong_order(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut last = 0;
        let root = format!("{}lib.rs", self.root);
        for source in rust_files().iter().filter(|source| source.path == root) {
            for (index, line) in source.code().lines().enumerate() {
                let name = line.trim_start_matches("pub ").strip_prefix("mod ");
                let Some(name) = name.map(|rest| rest.trim_end_matches(';')) else { continue };
                match self.rank(name) {
                    None => violations.push(source.violation(index + 1, unknown(name))),
                    Some(rank) if rank < last => {
                        let message = format!("`{name}` must come before `{}`", self.layers[last]);
                        violations.push(source.violation(index + 1, message));
                    }
                    Some(rank) => last = rank,
                }
            }
        }
        violations
    }

    fn wrong_arrows(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        for source in rust_files() {
            let Some(from) = self.layer_of(&source.path) else { continue };
            let Some(own) = self.rank(from) else {
                violations.push(source.violation(1, unknown(from)));
                continue;
            };
            let depth = module_depth(&source.path);
            for (index, line) in uses(&source.code()) {
                for target in targets(&line, depth) {
                    if self.rank(&target).is_some_and(|rank| rank > own) {
                        let message = format!("`{from}` uses `{target}`, which is below it");
                        violations.push(source.violation(index, message));
                    }
                }
            }
        }
        violations
    }

    fn rank(&self, layer: &str) -> Option<usize> {
        self.layers.iter().position(|name| *name == layer)
    }

    /// The layer of a file; `lib.rs` and `main.rs` are above all.
    fn layer_of<'path>(&self, path: &'path str) -> Option<&'path str> {
        let path = path.strip_prefix(self.root)?;
        let first = path.split('/').next()?.trim_end_matches(".rs").trim_end_matches("_test");
        (!matches!(first, "lib" | "main")).then_some(first)
    }
}

pub fn foreign_openraft() -> Vec<Violation> {
    find_in_code(
        "openraft",
        &["node/src/"],
        |path| path.starts_with("node/src/consensus/"),
        || "only consensus/ may mention openraft".to_owned(),
    )
}

pub fn ways_round_base() -> Vec<Violation> {
    let find = |(word, places, interface): &(&str, &[&str], &str)| {
        let allowed = |path: &str| path.starts_with("node/src/base/") || path.ends_with("_test.rs");
        find_in_code(word, places, allowed, || format!("`{word}`: use {interface}"))
    };
    INTERFACES.iter().flat_map(find).collect()
}

fn find_in_code(
    word: &str,
    places: &[&str],
    allowed: impl Fn(&str) -> bool,
    message: impl Fn() -> String,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in node_files() {
        if allowed(&source.path) || !places.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        let code = source.code();
        let lines = code.lines().take_while(|line| !line.starts_with("mod tests"));
        for (index, _) in lines.enumerate().filter(|(_, line)| line.contains(word)) {
            violations.push(source.violation(index + 1, message()));
        }
    }
    violations
}

fn node_files() -> Vec<Source> {
    rust_files().into_iter().filter(|source| source.path.starts_with("node/src/")).collect()
}

fn unknown(layer: &str) -> String {
    format!("`{layer}` is no layer; give it a place in lib.rs and tests/tidy/layers.rs")
}

/// How many `super` lead from the module in this file to the crate's root.
fn module_depth(path: &str) -> usize {
    let below = path.matches('/').count() - 1;
    if path.ends_with("/mod.rs") { below - 1 } else { below }
}

/// Statements that may hold a path, each with the number of its first line.
pub fn uses(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = code.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let mut statement = line.to_owned();
        if line.trim_start().starts_with("use ") || line.contains("pub use ") {
            while !statement.contains(';') {
                let Some((_, more)) = lines.next() else { break };
                statement.push_str(more.trim());
            }
        }
        found.push((index + 1, statement));
    }
    found
}

/// First names after the crate's root in the paths of a statement.
fn targets(statement: &str, depth: usize) -> Vec<String> {
    let supers = "super::".repeat(depth);
    let mut targets = Vec::new();
    for root in ["crate::", supers.as_str()].into_iter().filter(|root| !root.is_empty()) {
        for (at, _) in statement.match_indices(root) {
            let before = &statement[..at];
            let part_of_word = before.ends_with(|c: char| c.is_alphanumeric() || "_$".contains(c));
            if !part_of_word && !before.ends_with("::") {
                targets.extend(first_names(&statement[at + root.len()..]));
            }
        }
    }
    targets
}

/// `a::b` gives `a`; `{a::b, c::{d, e}}` gives `a` and `c`.
fn first_names(path: &str) -> Vec<String> {
    let word = |text: &str| {
        text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(String::new()),
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.iter().map(|part| word(part.trim_start_matches(','))).collect()
}

#[test]
fn arrows_are_found_in_every_form_of_path() {
    let check = |statement: &str, depth, expected: &[&str]| {
        assert_eq!(targets(statement, depth), expected, "{statement}");
    };
    check("use crate::data::types::Value;", 1, &["data"]);
    check("use crate::{data::{a, b}, resp::Reply};", 1, &["data", "resp"]);
    check("let x = crate::base::limits::MAX;", 2, &["base"]);
    check("use super::super::server::Listener;", 2, &["server"]);
    check("use super::args::Args;", 2, &[]);
    check("$crate::x", 3, &[]);
}

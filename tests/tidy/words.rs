//! What a file must say, and what it must not.

use crate::tree::{Source, Violation, rust_files, text_files};

/// Split in two so that this file does not break its own rules.
const HOLES: [(&str, &str); 4] =
    [("todo", "!("), ("unimplemented", "!("), ("FIX", "ME"), ("XX", "X:")];
const MACHINE_PATHS: [(&str, &str); 4] =
    [("/wo", "rk/"), ("/tmp", "/h/"), ("/ho", "me/"), ("/ro", "ot/")];

pub fn missing_heads() -> Vec<Violation> {
    let headless = |source: &Source| {
        let first = source.text.lines().next().unwrap_or_default();
        let head = first.starts_with("//! ") && first.len() > 8;
        (!head).then(|| source.violation(1, "say in a `//!` line what this file is"))
    };
    // A `_test.rs` file belongs to the file it tests, which has a head.
    let files = rust_files().into_iter().filter(|source| !source.path.ends_with("_test.rs"));
    files.filter_map(|source| headless(&source)).collect()
}

pub fn holes() -> Vec<Violation> {
    let words = HOLES.map(|(a, b)| format!("{a}{b}"));
    find(&rust_files(), &words, "write it or take it away")
}

pub fn machine_paths() -> Vec<Violation> {
    let words = MACHINE_PATHS.map(|(a, b)| format!("{a}{b}"));
    find(&text_files(), &words, "a path that other machines do not have")
}

/// Rows of `glossary.md` read `| term | meaning | not these words |`; the last column is banned
/// from the code (comments included), as whole words.
pub fn replaced_words() -> Vec<Violation> {
    let files = text_files();
    let glossary = files.iter().find(|source| source.path == "node/src/docs/glossary.md");
    let mut violations = Vec::new();
    for (term, banned) in glossary.map(banned_words).unwrap_or_default() {
        for source in files.iter().filter(|source| source.path.ends_with(".rs")) {
            for (index, line) in source.text.lines().enumerate() {
                let is_word = |c: char| c.is_alphanumeric() || c == '_';
                let mut words = line.split(|c| !is_word(c));
                if words.any(|word| word.eq_ignore_ascii_case(&banned)) {
                    let message = format!("`{banned}`: we say `{term}`");
                    violations.push(source.violation(index + 1, message));
                }
            }
        }
    }
    violations
}

fn banned_words(glossary: &Source) -> Vec<(String, String)> {
    let mut banned = Vec::new();
    for line in glossary.text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [term, _, words] = cells[..] else { continue };
        for word in words.split(',').map(|word| word.trim().trim_matches('`')) {
            let plain = |c: char| c.is_alphanumeric() || c == '_';
            if !word.is_empty() && word.chars().all(plain) && !word.starts_with("not") {
                banned.push((term.trim_matches('`').to_owned(), word.to_owned()));
            }
        }
    }
    banned
}

fn find(sources: &[Source], words: &[String], message: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                violations.push(source.violation(index + 1, format!("`{word}`: {message}")));
            }
        }
    }
    violations
}

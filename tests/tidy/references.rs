//! Documents refer only to existing files and tests.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use crate::tree::{Source, Violation, rust_files, text_files};

/// A name with at least this many underscores is treated as the name of a test.
const UNDERSCORES_OF_A_TEST_MIN: usize = 4;

/// Relative links of documents that lead nowhere. Links to web pages are not followed.
pub fn broken_links() -> Vec<Violation> {
    let files = text_files();
    let known: HashSet<PathBuf> = files.iter().flat_map(|file| with_folders(&file.path)).collect();
    let mut violations = Vec::new();
    for source in files.iter().filter(|source| source.path.ends_with(".md")) {
        for (index, line) in source.text.lines().enumerate() {
            for link in links(line).filter(|link| !known.contains(&resolve(&source.path, link))) {
                violations.push(source.violation(index + 1, format!("`{link}` leads nowhere")));
            }
        }
    }
    violations
}

fn with_folders(path: &str) -> impl Iterator<Item = PathBuf> + '_ {
    Path::new(path).ancestors().map(Path::to_owned)
}

/// The paths in `[text](path)`, without what follows a `#`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let paths = links.map(|link| link.split('#').next().unwrap_or_default());
    paths.filter(|path| !path.is_empty() && !path.contains(':'))
}

fn resolve(document: &str, link: &str) -> PathBuf {
    let mut path = Path::new(document).parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// Tests that documents and `seeded.txt` name and that do not exist.
pub fn missing_tests() -> Vec<Violation> {
    let functions: HashSet<String> = rust_files().iter().flat_map(functions).collect();
    let names_tests =
        |source: &Source| source.path.ends_with(".md") || source.path == "tests/seeded.txt";
    let mut violations = Vec::new();
    for source in text_files().iter().filter(|source| names_tests(source)) {
        for (index, line) in source.text.lines().enumerate() {
            for name in tests_named_in(line).filter(|name| !functions.contains(*name)) {
                violations.push(source.violation(index + 1, format!("there is no test `{name}`")));
            }
        }
    }
    violations
}

fn functions(source: &Source) -> Vec<String> {
    let names = source.text.split("fn ").skip(1);
    let name = |rest: &str| rest.split(|c: char| !is_name(c)).next().unwrap_or_default().to_owned();
    names.map(name).collect()
}

/// Keys of the configuration have a dot before them, and metrics begin with `ironkv_`.
fn tests_named_in(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !is_name(c) && c != '.').map(|word| word.trim_matches('.'));
    let plain = |word: &&str| {
        word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    words
        .filter(|word| !word.starts_with("ironkv_"))
        .filter(plain)
        .filter(|word| word.matches('_').count() >= UNDERSCORES_OF_A_TEST_MIN)
}

const fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[test]
fn links_are_resolved_from_the_folder_of_their_document() {
    let line = "see [a](../b/c.md#d), [e](https://example.com) and [f](g.md)";
    assert_eq!(links(line).collect::<Vec<_>>(), ["../b/c.md", "g.md"]);
    assert_eq!(resolve("a/x/y.md", "../b/c.md"), Path::new("a/b/c.md"));
}

#[test]
fn names_of_tests_differ_from_keys_metrics_and_constants() {
    let line = "`a_node_that_has_left` sets `raft.a_b_c_d_e` and shows `ironkv_a_b_c_d`, A_B_C_D_E";
    assert_eq!(tests_named_in(line).collect::<Vec<_>>(), ["a_node_that_has_left"]);
}

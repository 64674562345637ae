//! Sizes of folders, files, functions and lines.

use std::collections::BTreeMap;

use crate::tree::{Source, Violation, rust_files};

const FOLDER_FILES_MAX: usize = 12;
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

/// Folders that are still to be divided.
const UNFINISHED: [&str; 4] = [
    "node/src/base",
    "node/src/base/config",
    "node/src/consensus/storage/log",
    "node/src/data/keyspace",
];

pub fn crowded_folders() -> Vec<Violation> {
    let files = rust_files();
    crowded(&files).into_iter().filter(|found| !UNFINISHED.contains(&found.file.as_str())).collect()
}

fn crowded(files: &[Source]) -> Vec<Violation> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for source in files {
        let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *counts.entry(folder).or_default() += 1;
    }
    let too_many = counts.into_iter().filter(|(_, count)| *count > FOLDER_FILES_MAX);
    let violation = |(folder, count): (&str, usize)| Violation {
        file: folder.to_owned(),
        line: 1,
        message: format!("{count} files"),
    };
    too_many.map(violation).collect()
}

pub fn long_files() -> Vec<Violation> {
    let too_long = |source: &Source| {
        let lines = source.text.lines().count();
        (lines > FILE_LINES_MAX).then(|| source.violation(lines, format!("{lines} lines")))
    };
    rust_files().iter().filter_map(too_long).collect()
}

pub fn wide_lines() -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in rust_files() {
        for (index, line) in source.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX {
                violations.push(source.violation(index + 1, format!("{columns} columns")));
            }
        }
    }
    violations
}

pub fn long_functions() -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in rust_files() {
        for function in functions(&source.code()) {
            let lines = function.last_line - function.first_line + 1;
            if lines > FUNCTION_LINES_MAX {
                let message = format!("`{}` has {lines} lines", function.name);
                violations.push(source.violation(function.first_line, message));
            }
        }
    }
    violations
}

struct Function {
    name: String,
    first_line: usize,
    last_line: usize,
}

/// Every function with a body, nested ones included, in masked text.
fn functions(code: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + 3..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if let (false, Some(end)) = (name.is_empty(), body_end(rest)) {
            functions.push(Function {
                name,
                first_line: line_of(code, at),
                last_line: line_of(code, at + 3 + end),
            });
        }
    }
    functions
}

/// Offset of the brace that closes the body; `None` for a declaration without one.
fn body_end(text: &str) -> Option<usize> {
    let (mut braces, mut others) = (0_i32, 0_i32);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            ';' if braces == 0 && others == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces <= 0 {
                    return (braces == 0).then_some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[test]
fn bodies_are_measured_and_declarations_are_not() {
    let found: Vec<_> = functions("fn a();\nfn b(x: [u8; 2]) {\n  fn c() {}\n}\nlet f: fn (u8);")
        .into_iter()
        .map(|f| (f.name, f.first_line, f.last_line))
        .collect();
    assert_eq!(found, [("b".to_owned(), 2, 4), ("c".to_owned(), 3, 3)]);
}

#[test]
fn a_folder_is_crowded_by_its_own_files_only() {
    let file = |path: String| Source { path, text: String::new() };
    let full = (0..13).map(|number| file(format!("a/full/{number}.rs")));
    let divided = (0..13).map(|number| file(format!("a/{}/{number}.rs", number % 2)));
    let found = crowded(&full.chain(divided).collect::<Vec<_>>());
    assert_eq!(found.iter().map(|one| one.file.as_str()).collect::<Vec<_>>(), ["a/full"]);
}

//! Paths of Rust code, as text: imports flattened, and those named inside code.

use std::ops::Range;

/// One name that a `use` brings in.
#[derive(Debug, PartialEq, Eq)]
pub struct Import {
    /// The name here, after `as`.
    pub name: String,
    pub path: Vec<String>,
    /// A re-export.
    pub is_public: bool,
}

/// Every import of masked code.
pub fn imports(code: &str) -> Vec<Import> {
    let mut found = Vec::new();
    for (is_public, tree) in statements(code) {
        let mut leaves = Vec::new();
        flatten(&[], &code[tree], &mut leaves);
        found.extend(leaves.into_iter().map(|(path, name)| Import { name, path, is_public }));
    }
    found
}

/// The positions of the trees of the imports, and whether each is a re-export.
fn statements(code: &str) -> Vec<(bool, Range<usize>)> {
    let statement = |(at, _): (usize, &str)| {
        let line_start = code[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let before = code[line_start..at].trim();
        let is_public = before.starts_with("pub") && !before.contains(' ');
        let end = at + code[at..].find(';')?;
        (is_public || before.is_empty()).then_some((is_public, at + 4..end))
    };
    code.match_indices("use ").filter_map(statement).collect()
}

/// The paths of a tree `a::{b, c as d}`, each with its name here.
fn flatten(base: &[String], tree: &str, leaves: &mut Vec<(Vec<String>, String)>) {
    let tree = tree.trim();
    if tree.is_empty() {
        return;
    }
    let group = tree.find('{');
    let (head, inner) = match group {
        Some(at) => (tree[..at].trim_end_matches("::"), Some(&tree[at + 1..])),
        None => (tree, None),
    };
    let (head, alias) =
        head.split_once(" as ").map_or((head, None), |(path, name)| (path, Some(name)));
    let parts = head.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty());
    let mut path: Vec<String> = base.iter().cloned().chain(parts).collect();
    match inner {
        Some(inner) => {
            let inner = inner.trim_end().trim_end_matches('}');
            split_group(inner).into_iter().for_each(|part| flatten(&path, part, leaves));
        }
        None => {
            if path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let last = path.last().cloned().unwrap_or_default();
            leaves.push((path, alias.map_or(last, |name| name.trim().to_owned())));
        }
    }
}

/// At the commas outside of inner groups.
fn split_group(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Paths of more than one part in the code outside of imports.
pub fn inline_paths(code: &str) -> Vec<Vec<String>> {
    let mut code = code.to_owned();
    for (_, tree) in statements(&code).into_iter().rev() {
        code.replace_range(tree, "");
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some(at) = rest.find("::") {
        let start = rest[..at].rfind(|c| !is_part(c)).map_or(0, |before| before + 1);
        let end =
            rest[at..].find(|c| !is_part(c) && c != ':').map_or(rest.len(), |length| at + length);
        let parts = rest[start..end].split("::").map(str::to_owned);
        let parts: Vec<String> =
            parts.take_while(|part| part.chars().all(is_part) && !part.is_empty()).collect();
        if parts.len() > 1 {
            found.push(parts);
        }
        rest = &rest[end.max(at + 2)..];
    }
    found
}

#[test]
fn imports_are_flattened() {
    let check = |code: &str, expected: &[(&str, &str, bool)]| {
        let found: Vec<_> = imports(code)
            .into_iter()
            .map(|import| (import.path.join("::"), import.name, import.is_public))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(path, name, public)| ((*path).to_owned(), (*name).to_owned(), *public))
            .collect();
        assert_eq!(found, expected, "{code}");
    };
    check("use a::b;", &[("a::b", "b", false)]);
    check(
        "pub(crate) use a::{self, b::{c, d as e}};",
        &[("a", "a", true), ("a::b::c", "c", true), ("a::b::d", "e", true)],
    );
    check("let because = 1;", &[]);
}

#[test]
fn paths_in_code_are_found() {
    let found: Vec<_> = inline_paths("use x::y;\nf(crate::a::b(x), A::new::<u8>(), super::C);");
    let found: Vec<_> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["crate::a::b", "A::new", "super::C"]);
}

//! `CONFIG REWRITE`: changes single values of a YAML file and keeps the rest of its text.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde_yaml::Value;

use super::tree;

/// Writes `changed` (by dotted key) into the file and replaces the file atomically.
pub(super) fn rewrite(path: &Path, changed: &BTreeMap<String, Value>) -> io::Result<()> {
    let old = std::fs::read_to_string(path)?;
    let mut lines: Vec<String> = old.lines().map(str::to_owned).collect();
    for (key, value) in changed {
        change_line(&mut lines, key, value);
    }
    let mut text = lines.join("\n");
    text.push('\n');
    if !says(&text, &old, changed) {
        // The file uses a form that cannot be edited by lines, such as `{a: 1}`.
        text = from_tree(&old, changed)?;
    }
    replace(path, &text)
}

/// Replaces one value on its line, or adds the line to its section, or the section to the end.
fn change_line(lines: &mut Vec<String>, key: &str, value: &Value) {
    let Some((section, field)) = key.split_once('.') else { return };
    let shown = serde_yaml::to_string(value).unwrap_or_default();
    let line = format!("  {field}: {}", shown.trim_end());
    let head = format!("{section}:");
    let Some(start) = lines.iter().position(|line| line.trim_end() == head) else {
        lines.extend([head, line]);
        return;
    };
    let is_inside = |line: &String| line.is_empty() || line.starts_with([' ', '#']);
    let length = lines[start + 1..].iter().take_while(|line| is_inside(line)).count();
    let prefix = format!("{field}:");
    let inside = &lines[start + 1..start + 1 + length];
    match inside.iter().position(|line| line.trim_start().starts_with(&prefix)) {
        Some(index) => lines[start + 1 + index] = line,
        None => lines.insert(start + 1, line),
    }
}

/// Whether `text` means the same as `old` with `changed` applied.
fn says(text: &str, old: &str, changed: &BTreeMap<String, Value>) -> bool {
    let parse = |text: &str| serde_yaml::from_str::<Value>(text).map(|tree| tree::flatten(&tree).0);
    let (Ok(found), Ok(mut expected)) = (parse(text), parse(old)) else { return false };
    expected.extend(changed.clone());
    found == expected
}

fn from_tree(old: &str, changed: &BTreeMap<String, Value>) -> io::Result<String> {
    let tree: Value = serde_yaml::from_str(old).map_err(io::Error::other)?;
    let (mut flat, _) = tree::flatten(&tree);
    flat.extend(changed.clone());
    serde_yaml::to_string(&tree::unflatten(&flat)).map_err(io::Error::other)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("rewrite");
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(old: &str, key: &str, value: impl Into<Value>, expected: &str) {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        std::fs::write(&path, old).unwrap();
        rewrite(&path, &BTreeMap::from([(key.to_owned(), value.into())])).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    }

    #[test]
    fn a_value_is_changed_on_its_line() {
        check(
            "a:\n  x: 1\n  # why\n  y: 2\nb:\n  y: 3\n",
            "b.y",
            4,
            "a:\n  x: 1\n  # why\n  y: 2\nb:\n  y: 4\n",
        );
    }

    #[test]
    fn a_missing_line_or_section_is_added() {
        check("a:\n  x: 1\n", "a.y", 2, "a:\n  y: 2\n  x: 1\n");
        check("a:\n  x: 1\n", "b.y", "t", "a:\n  x: 1\nb:\n  y: t\n");
        check("", "b.y", "no", "b:\n  y: no\n");
    }

    #[test]
    fn a_file_in_flow_form_is_written_as_a_whole() {
        check("a: {x: 1}\n", "a.x", 2, "a:\n  x: 2\n");
    }

    #[test]
    fn a_text_that_looks_like_a_number_stays_a_text() {
        check("a:\n  x: 1\n", "a.x", "12", "a:\n  x: '12'\n");
    }
}

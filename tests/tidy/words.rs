//! Required and forbidden texts.

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
        (!head).then(|| source.violation(1, "describe this file in a `//!` line"))
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

const GLOSSARY: &str = "node/src/docs/glossary.md";

/// Words of the glossary's third column that the repository still uses, so they are not banned
/// yet. Take a word off this list when its last use is replaced; an empty list is the aim.
const NOT_YET_BANNED: &[&str] = &[
    "anew",
    "nobody",
    "somebody",
    "whoever",
    "everybody",
    "anybody",
    "in force",
    "room",
    "stand for election",
    "stands for election",
    "for ever",
    "unanswered",
    "hand-over",
    "hand over",
    "hands over",
    "handed over",
    "hand_over",
    "handed_over",
    "door",
    "doors",
    "spare segment",
    "told",
    "said",
    "time-out",
    "time-outs",
];

/// Rows of `glossary.md` read `| term | meaning | not these words |`; the last column is banned
/// from code (comments included) and documents, as whole words, in upper and lower case.
pub fn replaced_words() -> Vec<Violation> {
    find_replaced(&text_files(), NOT_YET_BANNED)
}

fn find_replaced(files: &[Source], not_yet: &[&str]) -> Vec<Violation> {
    let banned = files.iter().find(|source| source.path == GLOSSARY).map(banned_words);
    let banned = banned.unwrap_or_default();
    if banned.is_empty() {
        let message = format!("the third column of {GLOSSARY} bans no word");
        return vec![Violation { file: GLOSSARY.to_owned(), line: 1, message }];
    }
    let banned = banned.iter().filter(|(_, word)| !not_yet.contains(&word.as_str()));
    let banned: Vec<_> = banned.map(|(term, word)| (term, word.to_ascii_lowercase())).collect();
    let mut violations = Vec::new();
    for source in files.iter().filter(|source| keeps_to_the_glossary(&source.path)) {
        for (index, line) in source.text.lines().enumerate() {
            let line = line.to_ascii_lowercase();
            for (term, word) in banned.iter().filter(|(_, word)| has_word(&line, word)) {
                violations.push(source.violation(index + 1, format!("`{word}`: we say `{term}`")));
            }
        }
    }
    violations
}

fn keeps_to_the_glossary(path: &str) -> bool {
    let documents = ["node/src/docs/", "operator/src/docs/", "charts/"];
    let is_document = path == "README.md" || documents.iter().any(|top| path.starts_with(top));
    path.ends_with(".rs") || (path.ends_with(".md") && is_document && path != GLOSSARY)
}

/// Whether `word` (or several words) is in `line` and is not a part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let ends_here = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        ends_here(before.chars().next_back()) && ends_here(after.chars().next())
    })
}

/// The pairs of a term and a word that it replaces. The head of the table bans nothing.
fn banned_words(glossary: &Source) -> Vec<(String, String)> {
    let rows = glossary.text.lines().filter(|line| line.starts_with('|')).skip(2);
    let mut banned = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [term, _, words] = cells[..] else { continue };
        let words = words.split(',').map(str::trim).filter(|word| !word.is_empty());
        banned.extend(words.map(|word| (term.to_owned(), word.to_owned())));
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

#[cfg(test)]
mod tests {
    use super::*;

    const MADE_UP: &str = "| word | meaning | not |\n|---|---|---|\n\
                           | gear | turns | cogwheel, toothed wheel |\n| axle | holds gears | |\n";

    fn check(glossary: &str, path: &str, text: &str) -> Vec<String> {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let files = [source(GLOSSARY, glossary), source(path, text)];
        find_replaced(&files, &[]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_replaced_word_is_found_in_code_and_documents_whatever_its_case() {
        let at = |path: &str, text: &str| check(MADE_UP, path, text);
        assert_eq!(at("a.rs", "\n// A Cogwheel."), ["  a.rs:2: `cogwheel`: we say `gear`"]);
        assert_eq!(at("a.rs", "struct Cogwheel;").len(), 1);
        assert_eq!(at("charts/x/README.md", "Toothed wheel, cogwheel").len(), 2);
        assert_eq!(at("README.md", "a cogwheel").len(), 1);
    }

    #[test]
    fn parts_of_words_other_files_and_the_glossary_itself_are_left_alone() {
        let at = |path: &str, text: &str| check(MADE_UP, path, text);
        assert!(at("a.rs", "fn cogwheel_of() { cogwheels() } // axle, gear, word").is_empty());
        assert!(at("tests/run", "cogwheel").is_empty());
        assert!(at("manifests/notes.md", "cogwheel").is_empty());
    }

    #[test]
    fn a_word_that_is_not_banned_yet_is_left_alone() {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let files = [source(GLOSSARY, MADE_UP), source("a.rs", "cogwheel toothed wheel")];
        assert_eq!(find_replaced(&files, &["cogwheel"]).len(), 1);
    }

    #[test]
    fn a_glossary_that_bans_nothing_fails() {
        let two_columns = "| word | meaning |\n|---|---|\n| gear | turns |\n";
        let head_only = "| word | meaning | not |\n|---|---|---|\n";
        for glossary in [two_columns, head_only, ""] {
            let found = check(glossary, "a.rs", "fn main() {}");
            assert!(found.len() == 1 && found[0].contains("bans no word"), "{found:?}");
        }
        assert_eq!(find_replaced(&[], &[]).len(), 1, "no glossary at all");
    }
}

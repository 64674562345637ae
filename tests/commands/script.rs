//! Scripts of requests. A file holds stories; a story starts from an empty server and with new
//! connections:
//!
//! ```text
//! # set_with_nx_keeps_the_old_value
//! SET key "a value\r\n"
//! SET key b NX
//! ~ SMEMBERS set        the order of the reply does not matter
//! ? TIME                only the kinds of the reply are compared
//! 2> GET key            on a second connection (1 to 9)
//! = -ERR text | +OK     what 7.2 answers to the line above, where 7.0 answers something else
//! + CLUSTER INFO         Redis's reply is not looked at, ours is no error
//! - DEBUG SLEEP 0        sent to both, no reply is looked at
//! sleep 20              milliseconds
//! ```
//!
//! Words are split and quoted as in redis-cli.

use std::path::Path;

/// Requests that belong together.
#[derive(Debug)]
pub struct Story {
    /// Name of the file.
    pub file: String,
    /// What the story shows.
    pub name: String,
    /// In order.
    pub lines: Vec<Line>,
}

/// How a reply is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Likeness {
    /// Byte by byte.
    Exact,
    /// The elements in any order.
    AnyOrder,
    /// The kinds only.
    Kind,
    /// Our reply is not an error.
    Works,
    /// Not at all.
    Ignored,
    /// With this text, not with Redis 7.0.
    Text(String),
}

/// One step.
#[derive(Debug)]
pub struct Line {
    /// Line number in the file.
    pub number: usize,
    /// Which connection.
    pub connection: usize,
    /// How the replies are compared.
    pub likeness: Likeness,
    /// What happens.
    pub step: Step,
}

/// The action of a line.
#[derive(Debug)]
pub enum Step {
    /// A request.
    Send(Vec<Vec<u8>>),
    /// Both wait this long.
    SleepMs(u64),
}

/// All stories beside this file.
pub fn stories() -> Vec<Story> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("commands");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension() == Some("txt".as_ref())).collect();
    paths.sort();
    let wanted = std::env::var("IRONKV_TEST_SCRIPT").unwrap_or_default();
    let mut stories = Vec::new();
    for path in paths {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if file.contains(&wanted) {
            stories.extend(parse(&file, &std::fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(!stories.is_empty(), "no story in a file named like {wanted:?}");
    stories
}

/// The stories in a text.
pub fn parse(file: &str, text: &str) -> Vec<Story> {
    let mut stories: Vec<Story> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("# ") {
            let story = Story { file: file.to_owned(), name: name.to_owned(), lines: Vec::new() };
            stories.push(story);
        } else if !line.is_empty() {
            let story = stories.last_mut().unwrap_or_else(|| panic!("{file}: a line before `# `"));
            add_line(story, index + 1, line);
        }
    }
    stories
}

fn add_line(story: &mut Story, number: usize, line: &str) {
    if let Some(text) = line.strip_prefix("= ") {
        let above = story.lines.last_mut().expect("`=` follows a request");
        above.likeness = Likeness::Text(text.to_owned());
        return;
    }
    let (connection, line) = match line.as_bytes() {
        [digit @ b'1'..=b'9', b'>', ..] => (usize::from(digit - b'1'), line[2..].trim_start()),
        _ => (0, line),
    };
    let (likeness, line) = match line.split_at_checked(2) {
        Some(("~ ", rest)) => (Likeness::AnyOrder, rest),
        Some(("? ", rest)) => (Likeness::Kind, rest),
        Some(("+ ", rest)) => (Likeness::Works, rest),
        Some(("- ", rest)) => (Likeness::Ignored, rest),
        _ => (Likeness::Exact, line),
    };
    let step = match line.strip_prefix("sleep ") {
        Some(ms) => Step::SleepMs(ms.parse().expect("milliseconds")),
        None => Step::Send(split(line).unwrap_or_else(|| panic!("{}:{number}", story.file))),
    };
    story.lines.push(Line { number, connection, likeness, step });
}

/// Words as redis-cli splits them: "\r\n\t\x00" in double quotes, \' in single ones.
fn split(line: &str) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start().as_bytes();
    while let Some(first) = rest.first() {
        let (word, after) = match first {
            b'"' => double_quoted(&rest[1..])?,
            b'\'' => single_quoted(&rest[1..])?,
            _ => {
                let end = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
                (rest[..end].to_vec(), &rest[end..])
            }
        };
        words.push(word);
        rest = after.trim_ascii_start();
    }
    Some(words)
}

fn double_quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match rest {
            [b'"', after @ ..] => return Some((word, after)),
            [b'\\', b'x', high, low, after @ ..] => {
                let digits = [*high, *low];
                word.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                rest = after;
            }
            [b'\\', escaped, after @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
                rest = after;
            }
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

fn single_quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match rest {
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                rest = after;
            }
            [b'\'', after @ ..] => return Some((word, after)),
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

#[test]
fn words_are_split_as_redis_cli_splits_them() {
    let check = |line: &str, expected: &[&[u8]]| assert_eq!(split(line).unwrap(), expected);
    check("SET a b", &[b"SET", b"a", b"b"]);
    check(r#"SET "a b\r\n\x00" 'c\'d' """#, &[b"SET", b"a b\r\n\0", b"c'd", b""]);
    assert_eq!(split("SET \"a"), None);
}

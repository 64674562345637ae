//! Blanks comments and literals of Rust text, so that the rules look at code only.

/// The same text with every character of a comment, string or character literal turned into a
/// space. Line breaks stay, so lines and columns are those of the original.
pub fn mask(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let end = literal_end(&characters, at);
        if end == at {
            masked.push(characters[at]);
            at += 1;
        } else {
            let blank = |c: &char| if *c == '\n' { '\n' } else { ' ' };
            masked.extend(characters[at..end].iter().map(blank));
            at = end;
        }
    }
    masked
}

/// Where the comment or literal that starts at `at` ends; `at` itself when none starts there.
fn literal_end(text: &[char], at: usize) -> usize {
    let next = text.get(at + 1).copied();
    let inside_word = at > 0 && is_word(text[at - 1]);
    match text[at] {
        '/' if next == Some('/') => find(text, at, |c| c == '\n'),
        '/' if next == Some('*') => block_comment_end(text, at),
        '"' => string_end(text, at),
        'r' if !inside_word && matches!(next, Some('"' | '#')) => raw_string_end(text, at),
        'b' if !inside_word && next == Some('r') => {
            let end = raw_string_end(text, at + 1);
            if end == at + 1 { at } else { end }
        }
        '\'' => character_end(text, at),
        _ => at,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn find(text: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    text[from..].iter().position(|c| wanted(*c)).map_or(text.len(), |offset| from + offset)
}

fn block_comment_end(text: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut position = at;
    while position + 1 < text.len() {
        match (text[position], text[position + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                position += 1;
                continue;
            }
        }
        position += 2;
        if depth == 0 {
            return position;
        }
    }
    text.len()
}

fn string_end(text: &[char], at: usize) -> usize {
    let mut position = at + 1;
    while position < text.len() {
        match text[position] {
            '\\' => position += 2,
            '"' => return position + 1,
            _ => position += 1,
        }
    }
    text.len()
}

fn raw_string_end(text: &[char], at: usize) -> usize {
    let quote = find(text, at + 1, |c| c != '#');
    let hashes = quote - at - 1;
    if text.get(quote) != Some(&'"') {
        return at;
    }
    let closes = |position: &usize| {
        text[*position] == '"'
            && text[position + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (quote + 1..text.len()).find(closes).map_or(text.len(), |end| end + 1 + hashes)
}

/// A lifetime starts like a character literal; only the latter has a quote at its end.
fn character_end(text: &[char], at: usize) -> usize {
    match text.get(at + 1) {
        Some('\\') => find(text, at + 3, |c| c == '\'') + 1,
        Some(_) if text.get(at + 2) == Some(&'\'') => at + 3,
        _ => at,
    }
}

#[test]
fn literals_and_comments_are_blanked_and_lifetimes_stay() {
    let check = |text: &str, expected: &str| assert_eq!(mask(text), expected, "{text}");
    check("a // b\nc", "a     \nc");
    check("a /* b /* c */ d */ e", "a                   e");
    check("x(\"{ \\\" }\", y)", "x(        , y)");
    check("r#\"a \" b\"# + 1", "           + 1");
    check("br\"a\";", "     ;");
    check("fn f<'a>(c: &'a str) { '{' }", "fn f<'a>(c: &'a str) {     }");
    check("'\\'' + '\\n'", "     +     ");
    check("for r in rows {}", "for r in rows {}");
}

//! Redis' glob patterns: `*`, `?`, `[a-z]`, `[^a]`, `\` before a special character.

/// Whether the whole of `text` matches `pattern`. Takes time proportional to the product of their
/// lengths at worst: only the last `*` is ever tried again.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while place < text.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, place));
            continue;
        }
        if let Some(next) = match_one(pattern, at, text[place]) {
            (at, place) = (next, place + 1);
            continue;
        }
        let Some((after_star, taken)) = retry else { return false };
        (at, place) = (after_star, taken + 1);
        retry = Some((at, place));
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Where the pattern goes on if its item at `at`, which is no star, matches `byte`.
fn match_one(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => match_class(pattern, at + 1, byte),
        b'\\' if at + 1 < pattern.len() => (pattern[at + 1] == byte).then_some(at + 2),
        literal => (literal == byte).then_some(at + 1),
    }
}

/// Where the pattern goes on if the class that starts at `at`, after its bracket, has `byte`. A
/// class without an end reaches to the end of the pattern.
fn match_class(pattern: &[u8], mut at: usize, byte: u8) -> Option<usize> {
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut found = false;
    loop {
        match pattern[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                at += 2;
            }
            [start, b'-', end, ..] => {
                found |= (start.min(end)..=start.max(end)).contains(&byte);
                at += 3;
            }
            [single, ..] => {
                found |= single == byte;
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_redis_matches_them() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "abc", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeeello", true),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            (r"h\*llo", "h*llo", true),
            (r"h\*llo", "hello", false),
            (r"[\]]", "]", true),
            (r"a\", r"a\", true),
            ("[ab", "b", true),
            ("[", "a", false),
            ("[]a", "a", false),
            ("*a*b", "xxaxxab", true),
            ("*a*bc", "xxaxxabcd", false),
            ("a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}

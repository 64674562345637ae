#![allow(clippy::unwrap_used)]

use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    Pattern::new(pattern, case).unwrap().matches(text)
}

/// The definition, simple and slow.
fn reference(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty() || pattern == b"*";
    }
    holds(pattern, text, case)
}

fn holds(pattern: &[u8], text: &[u8], case: Case) -> bool {
    let same = |first: u8, second: u8| match case {
        Case::Sensitive => first == second,
        Case::Ignored => first.eq_ignore_ascii_case(&second),
    };
    match (pattern, text) {
        ([], _) => text.is_empty(),
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| holds(rest, &text[taken..], case)),
        (_, []) => false,
        ([b'?', rest @ ..], [_, after @ ..]) => holds(rest, after, case),
        ([b'[', rest @ ..], [byte, after @ ..]) => {
            let (found, rest) = class_holds(rest, *byte, case);
            found && holds(rest, after, case)
        }
        ([b'\\', escaped, rest @ ..], [byte, after @ ..]) => {
            same(*escaped, *byte) && holds(rest, after, case)
        }
        ([literal, rest @ ..], [byte, after @ ..]) => {
            same(*literal, *byte) && holds(rest, after, case)
        }
    }
}

fn class_holds(mut class: &[u8], byte: u8, case: Case) -> (bool, &[u8]) {
    let lower = |byte: u8| match case {
        Case::Sensitive => byte,
        Case::Ignored => byte.to_ascii_lowercase(),
    };
    let negated = class.first() == Some(&b'^');
    if negated {
        class = &class[1..];
    }
    let mut found = false;
    while let Some(first) = class.first() {
        if *first == b'\\' && class.len() > 1 {
            found |= class[1] == byte;
            class = &class[2..];
        } else if *first == b']' {
            return (found != negated, &class[1..]);
        } else if class.len() > 2 && class[1] == b'-' {
            let (start, end) = (class[0].min(class[2]), class[0].max(class[2]));
            found |= lower(start) <= lower(byte) && lower(byte) <= lower(end);
            class = &class[3..];
        } else {
            found |= lower(*first) == lower(byte);
            class = &class[1..];
        }
    }
    (found != negated, class)
}

#[test]
fn patterns_match_as_redis_matches_them() {
    let cases = [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("**", "", false),
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
        ("[^", "a", true),
        ("[]a", "a", false),
        ("*a*b", "xxaxxab", true),
        ("*a*bc", "xxaxxabcd", false),
        ("*a?c*", "xabxabc", true),
        ("ab*ba", "aba", false),
        ("a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ];
    for (pattern, text, expected) in cases {
        let found = matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive);
        assert_eq!(found, expected, "{pattern} {text}");
    }
}

#[test]
fn case_can_be_ignored_but_not_that_of_an_escaped_letter_in_a_class() {
    for (pattern, text, expected) in [
        ("MaxMemory*", "maxmemory-policy", true),
        ("*[A-C]x", "bX", true),
        (r"[\A]", "A", true),
        (r"[\A]", "a", false),
        (r"\A", "a", true),
    ] {
        let found = matches(pattern.as_bytes(), text.as_bytes(), Case::Ignored);
        assert_eq!(found, expected, "{pattern} {text}");
    }
}

/// A matcher with backtracking needs days for these.
#[test]
fn no_pattern_and_no_text_take_more_than_linear_time() {
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        let text = vec![b'a'; 4 << 20];
        let long = [b"*", &text[..2 << 20], b"b*"].concat();
        let wild = [b"*", &[b'?', b'a'].repeat(2000)[..], b"b*"].concat();
        let many = [&b"*a"[..]].repeat(1000).concat();
        let found = [
            matches(&long, &text, Case::Sensitive),
            matches(&wild, &text[..1 << 18], Case::Sensitive),
            matches(&[&many[..], b"b"].concat(), &text, Case::Sensitive),
            matches(&many, &text, Case::Sensitive),
        ];
        done.send(found).unwrap();
    });
    let found = finished.recv_timeout(Duration::from_secs(120));
    assert_eq!(found, Ok([false, false, false, true]), "it is not done after two minutes");
}

#[test]
fn a_part_with_wildcards_that_is_too_long_is_refused() {
    let part = |length: usize| [b"*?", &vec![b'a'; length][..], b"*"].concat();
    assert!(Pattern::new(&part(PATTERN_WILD_ITEMS_MAX - 1), Case::Sensitive).is_ok());
    let refused = Pattern::new(&part(PATTERN_WILD_ITEMS_MAX), Case::Sensitive);
    assert_eq!(refused.err(), Some(PatternTooComplex));
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[abAB]{1,3}",
        3 => Just("*".to_owned()),
        2 => Just("?".to_owned()),
        1 => r"\[\^?[ab]{0,2}(a-b|B-a|\\A)?\]?",
        1 => r"\\[*?a\]]",
        1 => Just("\\".to_owned()),
        1 => Just("[".to_owned()),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn it_agrees_with_the_definition(
        pattern in pieces(),
        text in r"[abAB*\]\\]{0,12}",
        ignores_case: bool,
    ) {
        let case = if ignores_case { Case::Ignored } else { Case::Sensitive };
        let expected = reference(&pattern, text.as_bytes(), case);
        prop_assert_eq!(matches(&pattern, text.as_bytes(), case), expected);
    }

    #[test]
    fn parts_of_more_than_a_word_are_found_like_short_ones(
        head in "[ab?]{60,70}",
        tail in "[ab]{0,150}",
        before in "[ab]{0,90}",
        after in "[ab]{0,9}",
    ) {
        let part = format!("{head}{tail}");
        let text = format!("{before}{}{after}", part.replace('?', "a")).into_bytes();
        let pattern = format!("*{part}*").into_bytes();
        prop_assert!(matches(&pattern, &text, Case::Sensitive));
        let other = format!("*{part}c*").into_bytes();
        prop_assert!(!matches(&other, &text, Case::Sensitive));
    }
}

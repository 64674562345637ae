//! Commands typed by hand: words between spaces, quoted as in Redis's `sdssplitargs`.

use bytes::Bytes;

/// The words of a line; `None` when a quote does not end, or ends inside a word.
pub fn split(line: &[u8]) -> Option<Vec<Bytes>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let mut word = Vec::new();
        rest = read_word(rest, &mut word)?;
        words.push(Bytes::from(word));
        rest = rest.trim_ascii_start();
    }
    Some(words)
}

/// Reads one word and returns what follows it.
fn read_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b' ' | b'\n' | b'\r' | b'\t' => return Some(after),
            b'"' => return end_of_quote(read_double(after, word)?),
            b'\'' => return end_of_quote(read_single(after, word)?),
            byte => {
                word.push(*byte);
                after
            }
        };
    }
    Some(rest)
}

fn end_of_quote(rest: &[u8]) -> Option<&[u8]> {
    match rest.first() {
        None => Some(rest),
        Some(byte) if byte.is_ascii_whitespace() => Some(rest),
        Some(_) => None,
    }
}

fn read_double<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match rest {
            [b'\\', b'x', high, low, after @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                (hex(*high)? << 4 | hex(*low)?, after)
            }
            [b'\\', letter, after @ ..] => (escape(*letter), after),
            [b'"', after @ ..] => return Some(after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        word.push(byte);
        rest = after;
    }
}

fn read_single<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match rest {
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [b'\'', after @ ..] => return Some(after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        word.push(byte);
        rest = after;
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

const fn escape(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&[&[u8]]>) {
        let words = split(line.as_bytes());
        let words = words.as_ref().map(|words| words.iter().map(|word| &word[..]).collect());
        assert_eq!(words, expected.map(<[&[u8]]>::to_vec), "{line}");
    }

    #[test]
    fn words_are_separated_by_spaces() {
        check("", Some(&[]));
        check("  set  a\tb ", Some(&[b"set", b"a", b"b"]));
    }

    #[test]
    fn quotes_hold_spaces_and_escapes() {
        check(r#"set a "b c\n\x41\"" "#, Some(&[b"set", b"a", b"b c\nA\""]));
        check(r"set a 'b \' \n'", Some(&[b"set", b"a", br"b ' \n"]));
        check(r#"set "" ''"#, Some(&[b"set", b"", b""]));
        check(r#""\xzz""#, Some(&[b"xzz"]));
    }

    #[test]
    fn open_quotes_and_quotes_inside_words_are_refused() {
        check("set \"a", None);
        check("set 'a", None);
        check("set \"a\"b", None);
        check("set \"a\\", None);
    }
}

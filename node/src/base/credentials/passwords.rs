//! A file of passwords, one per line. All are valid, so that clients can change from an old one to
//! a new one.

use super::watched::{Content, FileError};
use crate::base::secret::Secret;

/// The passwords of a file. A file without one is an error, because no client could authenticate.
pub(super) fn parse([content]: [&Content; 1]) -> Result<Vec<Secret>, FileError> {
    let wrong = |reason| FileError::new(&content.file, reason);
    let text = std::str::from_utf8(&content.bytes).map_err(|_| wrong("is not UTF-8 text"))?;
    let passwords: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(Secret::new).collect();
    if passwords.is_empty() {
        return Err(wrong("holds no password; write one per line"));
    }
    Ok(passwords)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: Result<Vec<&str>, &str>) {
        let content = Content { file: "p".into(), bytes: text.to_vec() };
        let found = parse([&content]);
        let found = match &found {
            Ok(passwords) => Ok(passwords.iter().map(Secret::expose).collect()),
            Err(error) => Err(error.reason.as_str()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn every_line_is_a_password() {
        check(b"new\r\n\nold with spaces \n", Ok(vec!["new", "old with spaces "]));
        check(b"only", Ok(vec!["only"]));
    }

    #[test]
    fn a_file_without_a_password_is_an_error() {
        check(b"\n\r\n", Err("holds no password; write one per line"));
        check(b"\xff", Err("is not UTF-8 text"));
    }
}

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use super::*;
use crate::commands::command::Keys;

fn words(text: &str) -> Vec<Bytes> {
    text.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}

#[test]
fn a_command_is_found_whatever_its_case() {
    for text in ["PING", "ping", "PiNg"] {
        assert_eq!(find(&words(text)).unwrap().command.name, "PING");
    }
    assert!(matches!(find(&words("nope")), Err(Unknown::Command)));
    assert!(matches!(find(&[]), Err(Unknown::Command)));
}

#[test]
fn a_subcommand_is_found_in_its_container_only() {
    let found = find(&words("client setname x")).unwrap();
    assert_eq!(found.full_name(), "client|setname");
    assert_eq!(found.words(), 2);
    assert!(matches!(find(&words("client nope")), Err(Unknown::Subcommand(_))));
    assert_eq!(find(&words("client")).unwrap().full_name(), "client");
    assert!(matches!(find(&words("setname x")), Err(Unknown::Command)));
}

#[test]
fn names_are_upper_case_and_unique() {
    let mut seen = HashSet::new();
    for row in rows() {
        let name = row.command.name;
        assert_eq!(name, name.to_ascii_uppercase());
        assert!(seen.insert((row.container_name(), name)), "{} stands twice", row.full_name());
        assert_eq!(find_named(row.container_name(), name.as_bytes()).unwrap().id, row.id);
    }
}

#[test]
fn arity_counts_the_name_and_the_subcommand() {
    for row in rows() {
        assert!(row.command.arity.least() >= row.words(), "{}", row.full_name());
    }
}

#[test]
fn key_positions_lie_within_the_least_arity() {
    for row in rows() {
        let least = row.command.arity.least();
        let ok = match row.command.keys {
            Keys::None | Keys::Found(_) => true,
            Keys::First => least >= 2,
            Keys::Range { first, step, .. } => {
                step >= 1 && first >= 1 && usize::from(first) < least
            }
            Keys::Counted { at, also } => {
                usize::from(at) < least && also.is_none_or(|key| usize::from(key) < least)
            }
        };
        assert!(ok, "{}: keys outside the arguments", row.full_name());
    }
}

#[test]
fn every_command_is_documented_and_its_container_holds_no_container() {
    for row in rows() {
        assert!(!row.command.summary.is_empty(), "{}", row.full_name());
        assert!(!row.command.since.is_empty(), "{}", row.full_name());
        let nested = matches!(row.command.run, Run::Container(_)) && row.container.is_some();
        assert!(!nested, "{}", row.full_name());
    }
}

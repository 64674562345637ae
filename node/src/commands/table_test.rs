#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use super::*;
use crate::base::feature_level::FeatureLevel;
use crate::commands::declare::{Arity, Keys, Run, syntax};

fn argv(line: &str) -> Vec<Bytes> {
    line.split(' ').map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect()
}

#[test]
fn a_command_is_found_whatever_its_case() {
    for text in ["PING", "ping", "PiNg"] {
        assert_eq!(find(&argv(text)).unwrap().command.name, "PING");
    }
    assert!(matches!(find(&argv("nope")), Err(Unknown::Command)));
    assert!(matches!(find(&[]), Err(Unknown::Command)));
}

#[test]
fn a_subcommand_is_found_in_its_container_only() {
    let found = find(&argv("client setname x")).unwrap();
    assert_eq!(found.full_name(), "client|setname");
    assert_eq!(found.name_len(), 2);
    assert!(matches!(find(&argv("client nope")), Err(Unknown::Subcommand(_))));
    assert_eq!(find(&argv("client")).unwrap().full_name(), "client");
    assert!(matches!(find(&argv("setname x")), Err(Unknown::Command)));
}

#[test]
fn names_are_upper_case_and_unique() {
    let mut seen = HashSet::new();
    for row in rows() {
        let name = row.command.name;
        assert_eq!(name, name.to_ascii_uppercase());
        let container = row.container.map_or("", |container| container.name);
        assert!(seen.insert((container, name)), "{} is declared twice", row.full_name());
        assert_eq!(find_named(container.as_bytes(), name.as_bytes()).unwrap().id, row.id);
    }
}

#[test]
fn arity_counts_the_name_and_the_subcommand() {
    for row in rows() {
        assert!(row.command.arity.least() >= row.name_len(), "{}", row.full_name());
    }
}

#[test]
fn key_positions_lie_within_the_least_arity() {
    for row in rows() {
        let least = row.command.arity.least();
        let ok = match row.command.keys {
            Keys::None => true,
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
fn the_syntax_of_every_command_is_valid() {
    for row in rows() {
        assert!(syntax::parse(row.command.syntax).is_ok(), "{}", row.full_name());
    }
}

/// What a declaration must not leave at the defaults of `Command::NEW`.
#[test]
fn every_command_is_documented_and_its_container_holds_no_container() {
    for row in rows() {
        assert!(!row.command.complexity.is_empty(), "{}", row.full_name());
        assert!(!matches!(row.command.run, Run::Container([])), "{}", row.full_name());
        assert!(!row.command.summary.is_empty(), "{}", row.full_name());
        assert!(!row.command.since.is_empty(), "{}", row.full_name());
        let nested = matches!(row.command.run, Run::Container(_)) && row.container.is_some();
        assert!(!nested, "{}", row.full_name());
    }
}

/// Every command that a log entry may contain, with its arity, which is checked when it is
/// executed. A command that version 0.1.0 does not have, or has with another arity, stops the
/// members of that version.
#[test]
fn the_commands_of_the_first_level_never_change() {
    let first = include_str!("first_level.txt");
    let mut now: Vec<String> = rows()
        .iter()
        .filter(|row| matches!(row.command.run, Run::Write(_) | Run::Read(_)))
        .filter(|row| row.command.flags.level() == FeatureLevel::FIRST)
        .map(|row| match row.command.arity {
            Arity::Exactly(count) => format!("{} {count}\n", row.full_name()),
            Arity::AtLeast(count) => format!("{} {count}+\n", row.full_name()),
        })
        .collect();
    now.sort_unstable();
    assert_eq!(now.concat(), first, "a new command has `needs_level` among its flags");
}

//! Rules for every file of the repository: sizes, layers, heads, banned words.
//!
//! Nothing but the standard library is used, so that `rustc --test tests/tidy/main.rs` run at the
//! top of the repository gives an answer even while the rest does not build.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod cycles;
mod layers;
mod masked;
mod paths;
mod purity;
mod references;
mod sizes;
mod tree;
mod words;

use tree::Violation;

fn check(what: &str, violations: Vec<Violation>) {
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} {what}:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn folders_have_at_most_12_files_side_by_side() {
    check("folders are too full; divide them by subject", sizes::crowded_folders());
}

#[test]
fn files_have_at_most_500_lines() {
    check("files are too long; split them by what they hold", sizes::long_files());
}

#[test]
fn functions_have_at_most_70_lines() {
    check("functions are too long; give a part of each a name", sizes::long_functions());
}

#[test]
fn lines_have_at_most_100_columns() {
    check("lines are too wide", sizes::wide_lines());
}

#[test]
fn layers_use_only_layers_above_them() {
    check("arrows against the order of lib.rs", layers::wrong_arrows());
}

#[test]
fn every_folder_has_its_place_in_the_layer_order() {
    check("modules of lib.rs out of the layer order", layers::wrong_order());
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    check("cycles between files", cycles::cycles());
}

#[test]
fn only_consensus_knows_openraft() {
    check("uses of openraft outside consensus/", layers::foreign_openraft());
}

#[test]
fn decisions_of_the_operator_use_no_client() {
    check("ways from deciding to acting", purity::impure_decisions());
}

#[test]
fn clocks_disks_sockets_and_threads_are_reached_through_base() {
    check("uses that bypass the interfaces of base/", layers::ways_round_base());
}

#[test]
fn every_file_begins_with_a_description() {
    check("files without `//!` as their first line", words::missing_heads());
}

#[test]
fn nothing_is_left_to_be_written() {
    check("holes", words::holes());
}

#[test]
fn nothing_names_a_place_of_one_machine() {
    check("absolute paths of one machine", words::machine_paths());
}

#[test]
fn words_the_glossary_replaces_are_not_used() {
    check("words that glossary.md replaces", words::replaced_words());
}

#[test]
fn documents_link_to_files_that_exist() {
    check("links that lead nowhere", references::broken_links());
}

#[test]
fn documents_name_tests_that_exist() {
    check("names of tests that do not exist", references::missing_tests());
}

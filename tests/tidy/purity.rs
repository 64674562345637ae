//! Code that only decides cannot act.

use crate::layers::uses;
use crate::tree::{Source, Violation, rust_files};

/// The folder that decides. It may use the plain types of `k8s_openapi`, but nothing of `kube`,
/// which is the client, and nothing of the phases that use a client.
const DECIDING: &str = "operator/src/controller/decide/";

/// Crates and modules by which code reaches Kubernetes, a node, a file or a clock.
const BANNED: [&str; 12] = [
    "kube",
    "kube_lease_manager",
    "tokio",
    "tonic",
    "reqwest",
    "node_admin",
    "context",
    "observe",
    "report",
    "act",
    "SystemTime",
    "Instant",
];

pub fn impure_decisions() -> Vec<Violation> {
    let files = rust_files();
    let deciding = files.iter().filter(|source| source.path.starts_with(DECIDING));
    deciding.flat_map(impurities).collect()
}

fn impurities(source: &Source) -> Vec<Violation> {
    let statements = uses(&source.code()).into_iter();
    let found = statements.flat_map(|(line, statement)| {
        banned_words(&statement).into_iter().map(move |word| (line, word))
    });
    found.map(|(line, word)| source.violation(line, format!("`{word}` is banned here"))).collect()
}

/// The banned names in a statement that are part of a path or imported as a whole.
fn banned_words(statement: &str) -> Vec<&'static str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for word in BANNED {
        let in_path = statement.match_indices(word).any(|(at, _)| {
            let (before, after) = (&statement[..at], &statement[at + word.len()..]);
            let whole = !before.ends_with(is_word) && !after.starts_with(is_word);
            let imported = statement.trim_start().starts_with("use ") || before.ends_with("::");
            whole && (after.starts_with("::") || imported)
        });
        if in_path {
            found.push(word);
        }
    }
    found
}

#[test]
fn every_way_to_a_client_is_found() {
    let check = |statement: &str, expected: &[&str]| {
        assert_eq!(banned_words(statement), expected, "{statement}");
    };
    check("use kube::{Api, Client};", &["kube"]);
    check("use kube::Client;", &["kube"]);
    check("use ::kube::Api as A;", &["kube"]);
    check("use kube as k;", &["kube"]);
    check("    let pods: kube::Api<Pod> = all();", &["kube"]);
    check("use kube_lease_manager::LeaseManager;", &["kube_lease_manager"]);
    check("use crate::controller::act::Applier;", &["act"]);
    check("use super::super::{observe, report};", &["observe", "report"]);
    check("pub(crate) use crate::{context::Context, crd};", &["context"]);
    check("use std::time::{Duration, Instant};", &["Instant"]);
    check("use k8s_openapi::api::core::v1::Pod;", &[]);
    check("use crate::crd::IronKVCluster;", &[]);
    check("let act = report(context);", &[]);
    check("/// An action of `act`.", &[]);
}

#[test]
fn an_impure_file_is_found() {
    let text = "//! Head.\n\nuse super::super::{\n    act,\n    decide,\n};\n// use kube::Api;\n";
    let path = format!("{DECIDING}plan.rs");
    let found = impurities(&Source { path, text: text.to_owned() });
    assert_eq!(found.iter().map(|violation| violation.line).collect::<Vec<_>>(), [3]);
}

#[test]
fn the_folder_that_decides_exists() {
    let files = rust_files();
    assert!(files.iter().any(|source| source.path.starts_with(DECIDING)), "{DECIDING} is empty");
}

//! What is derived from the command table: it agrees with a live Redis, every row is in a script,
//! and every write has the same effect on every replica.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

#[path = "../commands/script.rs"]
#[allow(dead_code)]
mod script;

mod determinism;
mod documentation;
mod parity;

use std::collections::HashSet;

use ironkv::commands::declare::Run;
use ironkv::commands::table;
use ironkv_tests::clients::client::Client;
use ironkv_tests::cluster::Cluster;
use ironkv_tests::redis::Redis;

/// A redis-server and one node, with a client of each.
struct Pair {
    theirs: Client,
    ours: Client,
    _redis: Redis,
    _cluster: Cluster,
}

impl Pair {
    async fn start() -> Self {
        let (redis, cluster) = (Redis::start(&[]).await, Cluster::start(1).await);
        let theirs = Client::connect(redis.address()).await.unwrap();
        let ours = cluster.client(0).await;
        Self { theirs, ours, _redis: redis, _cluster: cluster }
    }
}

/// Rows that cannot be in a script, and why.
const NOT_SCRIPTED: [(&str, &str); 1] = [("shutdown", "it ends the server")];

#[test]
fn every_command_is_in_a_script() {
    let mut seen = HashSet::new();
    for story in script::stories() {
        for line in &story.lines {
            if let script::Step::Send(words) = &line.step {
                let words: Vec<_> = words.iter().map(|word| word.clone().into()).collect();
                if let Ok(resolved) = table::find(&words) {
                    seen.insert(resolved.full_name());
                }
            }
        }
    }
    let excused = |name: &String| NOT_SCRIPTED.iter().any(|(excused, _)| excused == name);
    let missing: Vec<String> = table::rows()
        .iter()
        .filter(|row| !matches!(row.command.run, Run::Container(_)))
        .map(table::Resolved::full_name)
        .filter(|name| !seen.contains(name) && !name.ends_with("|help") && !excused(name))
        .collect();
    assert!(missing.is_empty(), "no line in tests/commands/*.txt runs: {missing:?}");
}

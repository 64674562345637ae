//! `COMMAND DOCS` of every row, here and in Redis: arguments, versions of changes, deprecations.

use ironkv::commands::table;
use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::reply::Reply;

use crate::Pair;

/// Commands whose arguments differ on purpose, and why.
const ON_PURPOSE: &[(&str, &str)] = &[
    ("client|kill", "the filters are in one group, and SKIPME takes one of two words"),
    ("client|list", "ID takes several ids without a group around them"),
    ("command|getkeys", "Redis 7.2 documents them"),
    ("command|getkeysandflags", "Redis 7.2 documents them"),
    ("config|get", "several patterns without a group around them"),
    ("hscan", "NOVALUES is newer"),
    ("zrank", "WITHSCORE is newer"),
    ("zrevrank", "WITHSCORE is newer"),
];

fn field<'a>(map: &'a Reply, name: &str) -> Option<&'a Reply> {
    let pairs = map.elements()?.chunks_exact(2);
    pairs.into_iter().find(|pair| pair[0].text() == name).map(|pair| &pair[1])
}

fn text(map: &Reply, name: &str) -> String {
    field(map, name).map(Reply::text).unwrap_or_default()
}

fn many<'a>(map: &'a Reply, name: &str) -> &'a [Reply] {
    field(map, name).and_then(Reply::elements).unwrap_or_default()
}

/// `name:type#key specification{flags}`, its token before it, its parts in brackets.
fn show(argument: &Reply) -> String {
    let mut flags: Vec<String> = many(argument, "flags").iter().map(Reply::text).collect();
    flags.sort();
    let parts: Vec<String> = many(argument, "arguments").iter().map(show).collect();
    format!(
        "{}={}:{}#{}{{{}}}({})",
        text(argument, "token"),
        text(argument, "name"),
        text(argument, "type"),
        text(argument, "key_spec_index"),
        flags.join(","),
        parts.join(" ")
    )
}

/// The compared facts of one command, one line each.
fn facts(name: &str, docs: &Reply) -> Vec<String> {
    let mut lines = vec![
        format!("{name} since {}", text(docs, "since")),
        format!("{name} group {}", text(docs, "group")),
        format!("{name} deprecated since {}", text(docs, "deprecated_since")),
    ];
    lines.extend(many(docs, "doc_flags").iter().map(|flag| format!("{name} {}", flag.text())));
    let changes = many(docs, "history").iter().filter_map(|change| change.elements()?.first());
    lines.extend(changes.map(|version| format!("{name} changed in {}", version.text())));
    if !ON_PURPOSE.iter().any(|(own, _)| *own == name) {
        let arguments: Vec<String> = many(docs, "arguments").iter().map(show).collect();
        lines.push(format!("{name} {}", arguments.join(" ")));
    }
    lines
}

async fn docs(client: &mut Client, name: &str) -> Option<Vec<String>> {
    let reply = client.command(&["COMMAND", "DOCS", name]).await.unwrap();
    Some(facts(name, reply.elements()?.get(1)?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_and_history_are_those_of_redis() {
    let Pair { theirs, ours, .. } = &mut Pair::start().await;
    let (mut compared, mut found) = (0, Vec::new());
    for row in table::rows() {
        let name = row.full_name();
        let Some(theirs) = docs(theirs, &name).await else { continue };
        let ours = docs(ours, &name).await.unwrap_or_default();
        if theirs != ours {
            found.push(format!("Redis  {}\nIronKV {}", theirs.join("\n  "), ours.join("\n  ")));
        }
        compared += 1;
    }
    assert!(compared > 200, "only {compared} commands compared");
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

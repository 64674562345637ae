//! `COMMAND INFO` of every row, here and there.

use std::collections::BTreeSet;

use ironkv::commands::table;
use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::reply::Reply;
use ironkv_tests::cluster::Cluster;

use crate::Pair;

/// What differs on purpose: command, field, reason.
const ON_PURPOSE: &[(&str, &str, &str)] = &[
    ("zrank", "arity", "7.2 added WITHSCORE"),
    ("zrevrank", "arity", "7.2 added WITHSCORE"),
    ("command|getkeys", "arity", "7.2 lets a command without arguments be named"),
    ("command|getkeysandflags", "arity", "7.2 lets a command without arguments be named"),
    ("wait", "flags", "7.2 calls it blocking"),
    ("wait", "categories", "7.2 calls it blocking"),
    ("asking", "flags", "derived from the session route"),
    ("readonly", "flags", "derived from the session route"),
    ("readwrite", "flags", "derived from the session route"),
    ("client|help", "flags", "derived from the session route"),
    ("object|help", "flags", "derived from the read route"),
    ("object|help", "categories", "derived from the read route"),
    ("restore-asking", "flags", "slots do not move, so nothing asks"),
    ("lolwut", "flags", "it reads no key, so it has the node's route"),
    ("lolwut", "categories", "it reads no key, so it has the node's route"),
    ("cluster|countkeysinslot", "flags", "it reads the keyspace: the read route"),
    ("cluster|countkeysinslot", "categories", "it reads the keyspace: the read route"),
    ("cluster|getkeysinslot", "flags", "it reads the keyspace: the read route"),
    ("cluster|getkeysinslot", "categories", "it reads the keyspace: the read route"),
];

/// Flags about states that do not exist here: busy scripts, loading from a primary, the slow log of
/// EXEC itself.
const WITHOUT_MEANING: [&str; 3] = ["allow_busy", "no_async_loading", "skip_slowlog"];

/// What can be compared of a command.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    arity: i64,
    flags: BTreeSet<String>,
    keys: Vec<i64>,
    categories: BTreeSet<String>,
    tips: BTreeSet<String>,
}

fn facts(info: &Reply) -> Option<Facts> {
    let fields = info.elements()?;
    let words = |at: usize| {
        fields[at].elements().unwrap_or_default().iter().map(Reply::text).collect::<BTreeSet<_>>()
    };
    Some(Facts {
        arity: fields[1].integer()?,
        flags: words(2),
        keys: fields[3..6].iter().filter_map(Reply::integer).collect(),
        categories: words(6),
        tips: words(7),
    })
}

fn differences(name: &str, theirs: &Facts, ours: &Facts) -> Vec<String> {
    let purpose = |field: &str| ON_PURPOSE.iter().any(|(n, f, _)| *n == name && *f == field);
    let mut found = Vec::new();
    let mut compare = |field: &str, theirs: String, ours: String| {
        if theirs != ours && !purpose(field) {
            found.push(format!("{name} {field}: Redis {theirs}, IronKV {ours}"));
        }
    };
    let text = |words: &BTreeSet<String>| {
        let meant = words.iter().filter(|word| !WITHOUT_MEANING.contains(&word.as_str()));
        meant.cloned().collect::<Vec<_>>().join(" ")
    };
    compare("arity", theirs.arity.to_string(), ours.arity.to_string());
    compare("keys", format!("{:?}", theirs.keys), format!("{:?}", ours.keys));
    compare("flags", text(&theirs.flags), text(&ours.flags));
    compare("categories", text(&theirs.categories), text(&ours.categories));
    compare("tips", text(&theirs.tips), text(&ours.tips));
    found
}

async fn info(client: &mut Client, name: &str) -> Option<Facts> {
    let reply = client.command(&["COMMAND", "INFO", name]).await.unwrap();
    facts(reply.elements()?.first()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arity_flags_keys_categories_and_tips_are_those_of_redis() {
    let Pair { theirs, ours, .. } = &mut Pair::start().await;
    let (mut compared, mut found) = (0, Vec::new());
    for row in table::rows() {
        let name = row.full_name();
        let Some(their_facts) = info(theirs, &name).await else { continue };
        match info(ours, &name).await {
            Some(our_facts) => found.extend(differences(&name, &their_facts, &our_facts)),
            None => found.push(format!("{name} has no COMMAND INFO")),
        }
        compared += 1;
    }
    assert!(compared > 100, "only {compared} commands compared");
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docs_have_what_clients_read() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(0).await;
    for row in table::rows().iter().filter(|row| row.container.is_none()) {
        let name = row.full_name();
        let reply = client.command(&["COMMAND", "DOCS", &name]).await.unwrap();
        let texts = format!("{reply:?}");
        for field in ["\"summary\"", "\"since\"", "\"group\""] {
            assert!(texts.contains(field), "COMMAND DOCS {name} lacks {field}: {texts}");
        }
    }
    let count = client.line("COMMAND COUNT").await.unwrap().integer().unwrap();
    let list = client.line("COMMAND LIST").await.unwrap();
    // COUNT is of commands, LIST has the subcommands too.
    let names = list.elements().unwrap().iter().map(Reply::text);
    assert_eq!(names.filter(|name| !name.contains('|')).count() as i64, count);
}

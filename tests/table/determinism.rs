//! The scripts run on two independent keyspaces: same replies, same digests.

use bytes::Bytes;
use ironkv::base::ids::DatabaseId;
use ironkv::commands::declare::{Resolved, Run};
use ironkv::commands::request::Call;
use ironkv::commands::run::execute::{EntryContext, execute_call};
use ironkv::commands::table;
use ironkv::data::keyspace::Keyspace;

use crate::script;

const START_MS: u64 = 1_700_000_000_000;

/// One replica.
struct Replica {
    keyspace: Keyspace,
    index: u64,
}

impl Replica {
    fn apply(&mut self, found: &Resolved, argv: &[Bytes], seed: u64) -> String {
        self.index += 1;
        let mut entry = EntryContext::new(self.index, START_MS + self.index, seed);
        let call = Call::new(DatabaseId(0), found, argv);
        let mut events = Vec::new();
        let reply = execute_call(&call, &mut self.keyspace, &mut entry, &mut events);
        format!("{reply:?} {events:?}")
    }
}

#[test]
fn a_write_does_the_same_on_every_replica() {
    let new = || Replica { keyspace: Keyspace::default(), index: 0 };
    let (mut one, mut other) = (new(), new());
    let mut writes = 0_u64;
    for story in script::stories() {
        for line in &story.lines {
            let script::Step::Send(words) = &line.step else { continue };
            let words: Vec<Bytes> = words.iter().map(|word| word.clone().into()).collect();
            let Ok(resolved) = table::find(&words) else { continue };
            let is_write = matches!(resolved.command.run, Run::Write(_));
            if !is_write || !resolved.command.arity.accepts(words.len()) {
                continue;
            }
            writes += 1;
            let (first, second) =
                (one.apply(&resolved, &words, writes), other.apply(&resolved, &words, writes));
            assert_eq!(first, second, "{}:{} {words:?}", story.file, line.number);
        }
        let digests = (one.keyspace.digest(), other.keyspace.digest());
        assert_eq!(digests.0, digests.1, "after {} {}", story.file, story.name);
    }
    assert!(writes > 300, "only {writes} writes in the scripts");
}

#[test]
fn seeds_matter_where_chance_is_asked_for() {
    let build = |seed: u64| {
        let mut replica = Replica { keyspace: Keyspace::default(), index: 0 };
        let run = |replica: &mut Replica, line: &str, seed: u64| {
            let words: Vec<Bytes> =
                line.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
            replica.apply(&table::find(&words).unwrap(), &words, seed)
        };
        let members: Vec<String> = (0..1000).map(|number| format!("m{number}")).collect();
        run(&mut replica, &format!("SADD set {}", members.join(" ")), 1);
        run(&mut replica, "SPOP set 20", seed)
    };
    assert_eq!(build(1), build(1));
    assert_ne!(build(1), build(2), "SPOP ignores the entry's seed");
}

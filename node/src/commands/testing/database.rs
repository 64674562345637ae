//! Runs commands on a keyspace in memory, without server, log or network. For unit tests.
#![allow(clippy::panic)]

use bytes::Bytes;

use crate::base::ids::DatabaseId;
use crate::commands::declare::Run;
use crate::commands::request::Call;
use crate::commands::run::execute::{EntryContext, execute_call};
use crate::commands::run::{Expiry, WriteContext};
use crate::commands::table;
use crate::data::keyspace::{Event, EventClass, Keyspace, Settings};
use crate::data::types::{StringValue, Value};
use crate::resp::{Reply, ReplyError};

/// The time at the start, Unix milliseconds.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// A keyspace with its own time and log index.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    /// The state, to inspect.
    pub(crate) keyspace: Keyspace,
    database: DatabaseId,
    now_ms: u64,
    index: u64,
    seed: u64,
    events: Vec<Event>,
}

impl TestDatabase {
    /// Empty, at [`START_MS`], with default settings.
    pub(crate) fn new() -> Self {
        Self {
            keyspace: Keyspace::default(),
            database: DatabaseId(0),
            now_ms: START_MS,
            index: 0,
            seed: 0,
            events: Vec::new(),
        }
    }

    /// Sets the time of the commands to come: `database.at_ms(5).run(…)`.
    pub(crate) const fn at_ms(&mut self, now_ms: u64) -> &mut Self {
        self.now_ms = now_ms;
        self
    }

    /// Lets time pass before the commands to come.
    pub(crate) const fn advance_ms(&mut self, ms: u64) -> &mut Self {
        self.now_ms += ms;
        self
    }

    /// Stores a string without a deadline and without an event.
    pub(crate) fn put(&mut self, key: &str, text: &str) {
        let mut events = Vec::new();
        self.index += 1;
        let (now_ms, index, database) = (self.now_ms, self.index, self.database);
        let keyspace = &mut self.keyspace;
        let mut ctx = WriteContext::new(keyspace, database, now_ms, index, 0, &mut events);
        let value = Value::String(StringValue::from_text(text.as_bytes()));
        let key = Bytes::copy_from_slice(key.as_bytes());
        ctx.put(&key, value, Expiry::Clear, (EventClass::String, "set"));
    }

    /// Changes the database of the commands to come.
    pub(crate) const fn select(&mut self, database: u8) -> &mut Self {
        self.database = DatabaseId(database);
        self
    }

    /// Parameters, to change.
    pub(crate) const fn settings(&mut self) -> &mut Settings {
        &mut self.keyspace.settings
    }

    /// Takes the events since the last call, as `("set", "key")`.
    pub(crate) fn events(&mut self) -> Vec<(&'static str, String)> {
        let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        self.events.drain(..).map(|event| (event.name, text(&event.key))).collect()
    }

    /// Runs one command by name, with the arity check that comes before it in the server.
    pub(crate) fn run<A: AsRef<[u8]>>(&mut self, argv: impl IntoIterator<Item = A>) -> Reply {
        let argv: Vec<Bytes> =
            argv.into_iter().map(|arg| Bytes::copy_from_slice(arg.as_ref())).collect();
        let found = match table::find(&argv) {
            Ok(found) => found,
            Err(unknown) => panic!("{argv:?}: {unknown:?}"),
        };
        if !found.command.arity.accepts(argv.len()) {
            return ReplyError::arity(&found.full_name()).into();
        }
        let call = Call::new(self.database, &found, &argv);
        self.seed += 1;
        match found.command.run {
            Run::Read(_) => {
                let mut entry = self.entry();
                execute_call(&call, &mut self.keyspace, &mut entry, &mut Vec::new())
            }
            Run::Write(_) => self.write(&call),
            _ => panic!("{argv:?} needs a server"),
        }
    }

    fn entry(&self) -> EntryContext {
        EntryContext::new(self.index, self.now_ms, self.seed)
    }

    /// Executes a write on this database and on a copy of it, which must not differ.
    fn write(&mut self, call: &Call) -> Reply {
        self.index += 1;
        let (mut replica, mut events) = (self.keyspace.clone(), Vec::new());
        let expected = execute_call(call, &mut replica, &mut self.entry(), &mut events);
        drop(replica);
        let (mut entry, first_event) = (self.entry(), self.events.len());
        let reply = execute_call(call, &mut self.keyspace, &mut entry, &mut self.events);
        let name = call.command.name;
        assert_eq!(reply, expected, "{name} is not deterministic");
        assert_eq!(self.events[first_event..], events, "{name}");
        reply
    }
}

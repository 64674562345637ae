//! Runs commands on a keyspace in memory, without server, log or network. For unit tests.
#![allow(clippy::panic)]

use bytes::Bytes;

use crate::base::ids::DatabaseId;
use crate::data::keyspace::{Event, EventClass, Keyspace, Settings};
use crate::data::types::{StringValue, Value};
use crate::resp::{Reply, ReplyError};

use super::args::Args;
use super::command::{Command, CommandResult, Run};
use super::context::{Expiry, ReadContext, WriteContext};
use super::table;

/// Where time starts, Unix milliseconds.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// A keyspace with a time and a log index of its own.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    /// The state, to look into.
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

    /// Takes what was recorded since the last call, as `("set", "key")`.
    pub(crate) fn events(&mut self) -> Vec<(&'static str, String)> {
        let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        self.events.drain(..).map(|event| (event.name, text(&event.key))).collect()
    }

    /// Runs one command by name, with the arity check that comes before it in the server.
    pub(crate) fn run<W: AsRef<[u8]>>(&mut self, words: impl IntoIterator<Item = W>) -> Reply {
        let words: Vec<Bytes> =
            words.into_iter().map(|word| Bytes::copy_from_slice(word.as_ref())).collect();
        let resolved = match table::find(&words) {
            Ok(resolved) => resolved,
            Err(unknown) => panic!("{words:?}: {unknown:?}"),
        };
        if !resolved.command.arity.accepts(words.len()) {
            return ReplyError::arity(&resolved.full_name()).into();
        }
        let args = Args::new(&words[resolved.words()..]);
        self.call(resolved.command, args).unwrap_or_else(Reply::Error)
    }

    fn call(&mut self, command: &Command, args: Args<'_>) -> CommandResult {
        match command.run {
            Run::Read(function) => {
                self.seed += 1;
                function(
                    &ReadContext::new(&self.keyspace, self.database, self.now_ms, self.seed),
                    args,
                )
            }
            Run::Write(function) => {
                self.seed += 1;
                self.index += 1;
                let (now_ms, index, seed) = (self.now_ms, self.index, self.seed);
                let mut replica = self.keyspace.clone();
                let mut events = Vec::new();
                let expected = function(
                    &mut WriteContext::new(
                        &mut replica,
                        self.database,
                        now_ms,
                        index,
                        seed,
                        &mut events,
                    ),
                    args,
                );
                drop(replica);
                let first_event = self.events.len();
                let reply = function(
                    &mut WriteContext::new(
                        &mut self.keyspace,
                        self.database,
                        now_ms,
                        index,
                        seed,
                        &mut self.events,
                    ),
                    args,
                );
                assert_eq!(reply, expected, "{} is not deterministic", command.name);
                assert_eq!(self.events[first_event..], events, "{}", command.name);
                reply
            }
            Run::Session(_) | Run::Node(_) | Run::Container(_) => {
                panic!("{} needs a server", command.name)
            }
        }
    }
}

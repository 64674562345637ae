//! Whether a command may run at all: checks in Redis' order, one function each.

use bytes::Bytes;

use super::{Dispatcher, Rules, Store};
use crate::base::config::DebugAccess;
use crate::base::limits::TRANSACTION_BYTES_MAX;
use crate::commands::command::{Flags, Run};
use crate::commands::table::{self, Resolved, Unknown};
use crate::data::keyspace::MaxmemoryPolicy;
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::Session;

/// How much of a client's own words an error text repeats.
const QUOTED_BYTES_MAX: usize = 128;

impl<S: Store> Dispatcher<S> {
    /// The command, or why it is refused. A refusal spoils the transaction being collected.
    pub(super) fn admit(
        &self,
        session: &mut Session,
        rules: &Rules,
        words: &[Bytes],
    ) -> Result<Resolved, ReplyError> {
        let found = find(words);
        let known = found.as_ref().ok().copied();
        let admitted = found.and_then(|found| {
            check_arity(&found, words)?;
            check_authenticated(session, &found)?;
            check_transaction(session, &found)?;
            self.check_debug(session, &found)?;
            self.check_route(session, rules, &found, words)?;
            self.check_memory(session, &found)?;
            Ok(found)
        });
        admitted.map_err(|error| {
            self.count_refused(known, &error);
            refuse(session, known, error)
        })
    }

    /// DEBUG is for those whom the configuration of this node trusts.
    fn check_debug(&self, session: &Session, found: &Resolved) -> Result<(), ReplyError> {
        if found.container.is_none_or(|container| container.name != "DEBUG") {
            return Ok(());
        }
        let config = self.node.config().load();
        let allowed = match config.security.enable_debug_command {
            DebugAccess::Yes => true,
            DebugAccess::Local => session.client.is_local(),
            DebugAccess::No => false,
        };
        if allowed { Ok(()) } else { Err(ReplyError::DEBUG_NOT_ALLOWED) }
    }

    /// Without room nothing is queued, as in Redis: even reads would take memory in the queue. For
    /// writes outside of a transaction it is decided when they are proposed; until then nobody
    /// knows what evictions will free.
    fn check_memory(&self, session: &Session, found: &Resolved) -> Result<(), ReplyError> {
        if session.transaction.is_none() || found.command.flags.has(Flags::NOT_QUEUED) {
            return Ok(());
        }
        let keyspace = self.store.keyspace().read();
        let settings = &keyspace.settings;
        let never_evicts = settings.maxmemory_policy == MaxmemoryPolicy::NoEviction;
        let full = || keyspace.memory_bytes() as u64 > settings.maxmemory;
        if never_evicts && settings.maxmemory > 0 && full() {
            return Err(ReplyError::OUT_OF_MEMORY);
        }
        Ok(())
    }

    /// Puts a command aside for EXEC.
    pub(super) fn queue(&self, session: &mut Session, words: &[Bytes]) -> Reply {
        let Some(transaction) = &mut session.transaction else { return Reply::Nothing };
        // A word is a slice of the read buffer: a small command must not keep a large buffer alive.
        let words: Vec<Bytes> = words.iter().map(|word| Bytes::copy_from_slice(word)).collect();
        transaction.bytes += words.iter().map(Bytes::len).sum::<usize>();
        if transaction.bytes > TRANSACTION_BYTES_MAX {
            transaction.failed = true;
            transaction.queue.clear();
            return Reply::Error(ReplyError::TRANSACTION_TOO_LONG);
        }
        transaction.queue.push(words);
        Reply::Status("QUEUED")
    }
}

/// The answer to an EXEC that was refused as a whole.
pub(super) fn aborted(reason: &ReplyError) -> ReplyError {
    ReplyError::new(format!(
        "EXECABORT Transaction discarded because of: {}",
        reason.0.strip_prefix("ERR ").unwrap_or(&reason.0)
    ))
}

fn refuse(session: &mut Session, found: Option<Resolved>, error: ReplyError) -> ReplyError {
    let is_exec = found.is_some_and(|found| found.command.name == "EXEC");
    if is_exec && session.transaction.take().is_some() {
        session.watches.clear();
        return aborted(&error);
    }
    if let Some(transaction) = &mut session.transaction {
        transaction.failed = true;
    }
    error
}

/// The command that the words name.
pub(super) fn find(words: &[Bytes]) -> Result<Resolved, ReplyError> {
    table::find(words).map_err(|unknown| match unknown {
        Unknown::Command => unknown_command(words),
        Unknown::Subcommand(container) => ReplyError::new(format!(
            "ERR unknown subcommand '{}'. Try {} HELP.",
            quoted(words.get(1).map_or(b"", |word| word), QUOTED_BYTES_MAX),
            container.name
        )),
    })
}

fn unknown_command(words: &[Bytes]) -> ReplyError {
    let name = words.first().map_or(&b""[..], |word| word);
    let mut text = format!(
        "ERR unknown command '{}', with args beginning with: ",
        quoted(name, QUOTED_BYTES_MAX)
    );
    let start = text.len();
    for word in words.iter().skip(1) {
        let used = text.len() - start;
        if used >= QUOTED_BYTES_MAX {
            break;
        }
        text.push('\'');
        text.push_str(&quoted(word, QUOTED_BYTES_MAX - used));
        text.push_str("' ");
    }
    ReplyError::new(text)
}

/// As Redis prints it: up to a NUL byte.
fn quoted(word: &[u8], most: usize) -> String {
    let word = word.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(&word[..word.len().min(most)]).into_owned()
}

fn check_arity(found: &Resolved, words: &[Bytes]) -> Result<(), ReplyError> {
    let alone = matches!(found.command.run, Run::Container(_));
    if alone || !found.command.arity.accepts(words.len()) {
        return Err(ReplyError::arity(&found.full_name()));
    }
    Ok(())
}

fn check_authenticated(session: &Session, found: &Resolved) -> Result<(), ReplyError> {
    if session.authenticated || found.command.flags.has(Flags::NO_AUTH) {
        return Ok(());
    }
    Err(ReplyError::NO_AUTH)
}

fn check_transaction(session: &Session, found: &Resolved) -> Result<(), ReplyError> {
    if session.transaction.is_some() && found.command.flags.has(Flags::NO_MULTI) {
        return Err(ReplyError::NOT_IN_TRANSACTION);
    }
    Ok(())
}

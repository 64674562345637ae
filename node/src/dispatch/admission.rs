//! Whether a command may run at all: the checks in Redis's order, one function each.

use bytes::Bytes;

use super::dispatcher::{BatchSettings, Dispatcher};
use super::store::Store;
use crate::base::config::DebugAccess;
use crate::commands::declare::{Flags, Resolved, Run, Unknown};
use crate::commands::run::key_length::creates_too_long_key;
use crate::commands::table;
use crate::data::keyspace::MaxmemoryPolicy;
use crate::data::keyspace::slot::slot_of;
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::{Session, Transaction};

/// Bytes of an argument that an error text quotes.
const QUOTED_BYTES_MAX: usize = 128;

impl<S: Store> Dispatcher<S> {
    /// The command, or why it is refused. A refusal makes the EXEC of its transaction abort.
    pub(super) fn admit(
        &self,
        session: &mut Session,
        settings: &BatchSettings,
        argv: &[Bytes],
    ) -> Result<Resolved, ReplyError> {
        let found = find(argv);
        let known = found.as_ref().ok().copied();
        let admitted = found.and_then(|found| {
            check_arity(&found, argv)?;
            check_authenticated(session, &found)?;
            check_transaction(session, &found)?;
            self.check_debug(session, &found)?;
            check_key_length(settings, &found, argv)?;
            self.check_route(session, settings, &found, argv)?;
            self.check_memory(session, &found)?;
            Ok(found)
        });
        admitted.map_err(|error| {
            self.record_refused(known, &error);
            refuse(session, known, error)
        })
    }

    /// DEBUG is only for clients that the configuration of this node trusts.
    fn check_debug(&self, session: &Session, found: &Resolved) -> Result<(), ReplyError> {
        if !found.command.flags.has(Flags::DEBUG) {
            return Ok(());
        }
        let config = self.node.config.load();
        let allowed = match config.security.enable_debug_command {
            DebugAccess::Yes => true,
            DebugAccess::Local => session.client.is_local(),
            DebugAccess::No => false,
        };
        if allowed { Ok(()) } else { Err(ReplyError::DEBUG_NOT_ALLOWED) }
    }

    /// In cluster mode the keys of a command must share a slot, and the leader serves it. Clients
    /// that follow redirections are sent there with `MOVED`; other clients are proxied.
    fn check_route(
        &self,
        session: &Session,
        settings: &BatchSettings,
        found: &Resolved,
        argv: &[Bytes],
    ) -> Result<(), ReplyError> {
        if !settings.moved {
            return Ok(());
        }
        let positions = found.command.keys.positions(argv).unwrap_or_default();
        let mut slots = positions.iter().filter_map(|at| argv.get(*at)).map(|key| slot_of(key));
        let Some(slot) = slots.next() else { return Ok(()) };
        if slots.any(|other| other != slot) {
            return Err(ReplyError::CROSS_SLOT);
        }
        let reads = matches!(found.command.run, Run::Read(_));
        if self.store.is_leader() || (reads && session.read_only) {
            return Ok(());
        }
        match self.store.leader() {
            Some(leader) => {
                Err(ReplyError::new(format!("MOVED {} {}", slot.0, leader.client_address)))
            }
            // There is no node to which the client could be redirected, or the leader is silent and
            // may be dead: the command waits on this node for the next leader.
            None => Ok(()),
        }
    }

    /// When memory is full, nothing is queued, as in Redis: even a read takes memory in the queue.
    /// Writes outside of a transaction are checked when they are proposed, because evictions may
    /// free memory until then.
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

    /// Queues a command for EXEC.
    pub(super) fn queue(
        &self,
        session: &mut Session,
        settings: &BatchSettings,
        argv: &[Bytes],
    ) -> Reply {
        let Some(transaction) = &mut session.transaction else { return Reply::Nothing };
        let bytes = transaction.bytes + Transaction::bytes_of(argv);
        if bytes as u64 > settings.transaction_bytes_max {
            transaction.failed = true;
            transaction.queue = Vec::new();
            transaction.bytes = 0;
            return Reply::Error(ReplyError::TRANSACTION_TOO_LONG);
        }
        // A failed transaction keeps no commands.
        if !transaction.failed {
            // An argument is a slice of the read buffer, which a small command must not keep alive.
            let argv = argv.iter().map(|arg| Bytes::copy_from_slice(arg)).collect();
            transaction.queue.push(argv);
            transaction.bytes = bytes;
        }
        Reply::Status("QUEUED")
    }
}

/// The reply to an EXEC that was refused as a whole.
pub(super) fn aborted(reason: &ReplyError) -> ReplyError {
    ReplyError::new(format!(
        "EXECABORT Transaction discarded because of: {}",
        reason.0.strip_prefix("ERR ").unwrap_or(&reason.0)
    ))
}

fn refuse(session: &mut Session, found: Option<Resolved>, error: ReplyError) -> ReplyError {
    let is_exec = found.is_some_and(|found| found.command.flags.has(Flags::EXECUTES_QUEUE));
    if is_exec && session.transaction.take().is_some() {
        session.watches.clear();
        return aborted(&error);
    }
    if let Some(transaction) = &mut session.transaction {
        transaction.failed = true;
    }
    error
}

/// Finds a command, or returns Redis's error.
pub(super) fn find(argv: &[Bytes]) -> Result<Resolved, ReplyError> {
    table::find(argv).map_err(|unknown| match unknown {
        Unknown::Command => unknown_command(argv),
        Unknown::Subcommand(container) => ReplyError::new(format!(
            "ERR unknown subcommand '{}'. Try {} HELP.",
            quoted(argv.get(1).map_or(b"", |arg| arg), QUOTED_BYTES_MAX),
            container.name
        )),
    })
}

fn unknown_command(argv: &[Bytes]) -> ReplyError {
    let name = argv.first().map_or(&b""[..], |arg| arg);
    let mut text = format!(
        "ERR unknown command '{}', with args beginning with: ",
        quoted(name, QUOTED_BYTES_MAX)
    );
    let start = text.len();
    for arg in argv.iter().skip(1) {
        let used = text.len() - start;
        if used >= QUOTED_BYTES_MAX {
            break;
        }
        text.push('\'');
        text.push_str(&quoted(arg, QUOTED_BYTES_MAX - used));
        text.push_str("' ");
    }
    ReplyError::new(text)
}

/// An argument as Redis prints it: up to a NUL byte.
fn quoted(arg: &[u8], bytes_max: usize) -> String {
    let text = arg.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(&text[..text.len().min(bytes_max)]).into_owned()
}

fn check_arity(found: &Resolved, argv: &[Bytes]) -> Result<(), ReplyError> {
    let without_subcommand = matches!(found.command.run, Run::Container(_));
    if without_subcommand || !found.command.arity.accepts(argv.len()) {
        return Err(ReplyError::arity(&found.full_name()));
    }
    Ok(())
}

/// The one place where the length of key names is checked, before anything is queued or logged.
fn check_key_length(
    settings: &BatchSettings,
    found: &Resolved,
    argv: &[Bytes],
) -> Result<(), ReplyError> {
    if creates_too_long_key(found.command, argv, settings.key_bytes_max) {
        return Err(ReplyError::KEY_TOO_LONG);
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

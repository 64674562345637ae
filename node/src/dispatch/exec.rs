//! EXEC and WATCH. A transaction is one unit of the log, or one read under one lock; commands about
//! the connection or the node run around it, and all replies are merged in the order of the queue.

use bytes::Bytes;
use tokio::time::Instant;

use super::account::Timing;
use super::admission;
use super::call::Call;
use super::dispatcher::{BatchSettings, Dispatcher, Flow, Route};
use super::read::{ReadAt, is_long};
use super::store::{Failure, Store};
use crate::base::group_time::GroupTime;
use crate::base::ids::DatabaseId;
use crate::base::limits::DATABASES;
use crate::commands::args::parse_integer;
use crate::commands::declare::{Flags, Resolved, Run};
use crate::commands::request::{RequestBuilder, Watch};
use crate::commands::run::execute::is_broken;
use crate::commands::run::{SessionAction, Waiting};
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::{Client, ClientFlag, Session, Transaction};

/// A queued command, looked up again.
struct Queued {
    found: Resolved,
    argv: Vec<Bytes>,
    /// The database it runs in, after the SELECTs queued before it.
    database: DatabaseId,
}

impl Queued {
    fn call(&self) -> Call<'_> {
        Call { found: self.found, argv: &self.argv }
    }

    fn is_data(&self) -> bool {
        matches!(self.call().run(), Run::Read(_) | Run::Write(_))
    }

    fn writes(&self) -> bool {
        self.call().writes()
    }
}

impl<S: Store> Dispatcher<S> {
    /// Executes what MULTI has queued; `None` when it is unknown whether it was executed. The flow
    /// is whether the connection ends after the reply.
    pub(super) async fn execute(
        &self,
        session: &mut Session,
        settings: &BatchSettings,
    ) -> Option<(Reply, Flow)> {
        let watches = std::mem::take(&mut session.watches);
        let transaction = session.transaction.take()?;
        match self.run_queue(session, settings, &watches, *transaction).await {
            Ok(Some((queue, replies))) => Some(self.merge(session, &queue, replies).await),
            Ok(None) => Some((Reply::NullArray, Flow::Continue)),
            Err(Failure::NotExecuted(error)) if error.code() == "OOM" => {
                Some((admission::aborted(&error).into(), Flow::Continue))
            }
            Err(Failure::NotExecuted(error)) => Some((Reply::Error(error), Flow::Continue)),
            Err(Failure::Unknown) => None,
        }
    }

    /// Looks up the queued commands again and runs those that use keys; `None` when a watched key
    /// has changed.
    async fn run_queue(
        &self,
        session: &Session,
        settings: &BatchSettings,
        watches: &[Watch],
        transaction: Transaction,
    ) -> Result<Option<(Vec<Queued>, Vec<Reply>)>, Failure> {
        if transaction.failed {
            return Err(Failure::NotExecuted(ReplyError::EXEC_ABORT));
        }
        let queue = resolve(session.database, transaction.queue).map_err(Failure::NotExecuted)?;
        let replies = if queue.iter().any(Queued::writes) {
            self.execute_write(&session.client, &queue, watches).await?
        } else {
            let stale = settings.stale || session.read_only;
            self.execute_read(&session.client, &queue, watches, stale)
                .await
                .map_err(Failure::NotExecuted)?
        };
        Ok(replies.map(|replies| (queue, replies)))
    }

    /// Watches keys in their present state.
    pub(super) async fn watch(
        &self,
        session: &mut Session,
        settings: &BatchSettings,
        keys: Vec<Bytes>,
    ) -> Result<(), ReplyError> {
        let (database, stale) = (session.database, settings.stale || session.read_only);
        let watches = self.confirmed(stale, |time| self.watches_of(&keys, database, time)).await?;
        for watch in watches {
            let same = |old: &Watch| old.key == watch.key && old.database == watch.database;
            // An older watch of the same key is kept: changes since then must be detected.
            if !session.watches.iter().any(same) {
                session.watches.push(watch);
            }
        }
        Ok(())
    }

    fn watches_of(&self, keys: &[Bytes], database: DatabaseId, time: GroupTime) -> Vec<Watch> {
        // The index is taken before the keys: a stale index can only cause a spurious abort. It
        // does not include an entry that is visible in part, because the rest of the entry may
        // change a key without giving it a newer version.
        let index = self.store.applied_index();
        let keyspace = self.store.keyspace().read();
        let now_ms = self.time_under_lock(time).ms();
        let watch = |key: &Bytes| {
            let existed = keyspace.database(database).find(key, now_ms).is_some();
            Watch { database, key: key.clone(), existed, index }
        };
        keys.iter().map(watch).collect()
    }

    async fn execute_write(
        &self,
        client: &Client,
        queue: &[Queued],
        watches: &[Watch],
    ) -> Result<Option<Vec<Reply>>, Failure> {
        let data: Vec<&Queued> = queue.iter().filter(|queued| queued.is_data()).collect();
        let calls =
            data.iter().map(|queued| (queued.database, queued.found, queued.call().args().rest()));
        let mut builder = RequestBuilder::new();
        builder.transaction(watches, calls);
        let start = Instant::now();
        let executed = self.store.propose(builder.finish()).await?;
        let elapsed = start.elapsed();
        let times = executed.times(elapsed);
        let index = executed.index;
        match <[Reply; 1]>::try_from(executed.replies) {
            Ok([Reply::Array(replies)]) if replies.len() == data.len() => {
                client.note_write(index);
                for ((queued, reply), ran) in data.iter().zip(&replies).zip(times) {
                    self.record(client, queued.call(), Timing { elapsed, ran }, reply);
                }
                Ok(Some(replies))
            }
            Ok([Reply::NullArray]) => Ok(None),
            Ok([Reply::Error(error)]) => Err(Failure::NotExecuted(error)),
            _ => Err(Failure::Unknown),
        }
    }

    async fn execute_read(
        &self,
        client: &Client,
        queue: &[Queued],
        watches: &[Watch],
        stale: bool,
    ) -> Result<Option<Vec<Reply>>, ReplyError> {
        let touches_keys = !watches.is_empty() || queue.iter().any(Queued::is_data);
        if !touches_keys {
            return Ok(Some(Vec::new()));
        }
        self.confirmed(stale, |time| {
            let data = || queue.iter().filter(|queued| queued.is_data());
            let mut now_ms = time.ms();
            let keyspace = self.store.keyspace().view(|keyspace| {
                now_ms = self.time_under_lock(time).ms();
                data().any(|queued| is_long(keyspace, queued.call(), queued.database))
            });
            if watches.iter().any(|watch| is_broken(watch, &keyspace, now_ms)) {
                return None;
            }
            let read = |queued: &Queued| {
                let start = Instant::now();
                let database = queued.database;
                let at = ReadAt { database, now_ms, touches: !client.has(ClientFlag::NoTouch) };
                let reply = self.read_one(&keyspace, queued.call(), at);
                self.record_since(client, queued.call(), start, &reply);
                reply
            };
            Some(data().map(read).collect())
        })
        .await
    }

    /// Runs the commands that use no keys and puts all replies in the order of the queue. All of
    /// them run, but a client that ends its own connection gets no reply after that, as in Redis.
    async fn merge(
        &self,
        session: &mut Session,
        queue: &[Queued],
        data: Vec<Reply>,
    ) -> (Reply, Flow) {
        let mut data = data.into_iter();
        let mut flow = Flow::Continue;
        let mut replies = Vec::with_capacity(queue.len());
        for queued in queue {
            let before = flow;
            let reply = match queued.found.command.run {
                Run::Session(_) => {
                    let (reply, action) = self.call_session(session, queued.call());
                    if action == SessionAction::Close {
                        flow = Flow::Close;
                    }
                    reply
                }
                Run::Node(_) | Run::Describe(_) => {
                    self.run_node(session, queued.call(), Waiting::Refused).await
                }
                _ => data.next().unwrap_or(Reply::Nothing),
            };
            replies.push(if before == Flow::Continue { reply } else { Reply::Nothing });
        }
        (Reply::Array(replies), flow)
    }
}

/// Looks up the queued commands again and follows the SELECTs among them.
fn resolve(mut database: DatabaseId, queue: Vec<Vec<Bytes>>) -> Result<Vec<Queued>, ReplyError> {
    let mut queued = Vec::with_capacity(queue.len());
    for argv in queue {
        let found = admission::find(&argv)?;
        if found.command.flags.has(Flags::SELECTS_DATABASE)
            && let Some(number) = argv.get(1).and_then(|arg| parse_integer(arg))
            && let Ok(number @ 0..DATABASES) = u8::try_from(number)
        {
            database = DatabaseId(number);
        }
        queued.push(Queued { found, argv, database });
    }
    Ok(queued)
}

/// Whether a command may change keys, so that `CLIENT PAUSE … WRITE` delays it.
pub(super) fn may_write(session: &Session, route: &Route) -> bool {
    let writes = |found: &Resolved| matches!(found.command.run, Run::Write(_));
    match route {
        Route::Data(found) => writes(found),
        Route::Session(found) if found.command.flags.has(Flags::EXECUTES_QUEUE) => {
            let queue = session.transaction.iter().flat_map(|transaction| &transaction.queue);
            queue.filter_map(|argv| admission::find(argv).ok()).any(|found| writes(&found))
        }
        _ => false,
    }
}

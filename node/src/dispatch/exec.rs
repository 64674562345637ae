//! EXEC and WATCH. A transaction is one unit of the log, or one read under one lock; commands about
//! the connection or the node run around it, and all replies are merged in the order of the queue.

use bytes::Bytes;
use tokio::time::Instant;

use super::read::Place;
use super::{Dispatcher, Failure, Flow, Route, Rules, Store, admission};
use crate::base::ids::DatabaseId;
use crate::base::limits::DATABASES;
use crate::commands::args::parse_integer;
use crate::commands::command::Run;
use crate::commands::context::Then;
use crate::commands::request::{RequestBuilder, Watch};
use crate::commands::table::Resolved;
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::{Client, ClientFlag, Session, Transaction};

/// A queued command, found again.
struct Queued {
    found: Resolved,
    words: Vec<Bytes>,
    /// The database it runs in, after the SELECTs queued before it.
    database: DatabaseId,
}

impl Queued {
    const fn is_data(&self) -> bool {
        matches!(self.found.command.run, Run::Read(_) | Run::Write(_))
    }

    const fn writes(&self) -> bool {
        matches!(self.found.command.run, Run::Write(_))
    }

    fn call(&self) -> (Resolved, &[Bytes]) {
        (self.found, &self.words)
    }

    fn args(&self) -> &[Bytes] {
        &self.words[self.found.words()..]
    }
}

impl<S: Store> Dispatcher<S> {
    /// Executes what MULTI collected; `None` when it is unknown whether it was executed. The flow
    /// says whether the connection ends after the reply.
    pub(super) async fn execute(
        &self,
        session: &mut Session,
        rules: &Rules,
    ) -> Option<(Reply, Flow)> {
        let watches = std::mem::take(&mut session.watches);
        let transaction = session.transaction.take()?;
        match self.run_queue(session, rules, &watches, *transaction).await {
            Ok(Some((queue, replies))) => Some(self.merge(session, &queue, replies).await),
            Ok(None) => Some((Reply::NullArray, Flow::Continue)),
            Err(Failure::NotExecuted(error)) if error.code() == "OOM" => {
                Some((admission::aborted(&error).into(), Flow::Continue))
            }
            Err(Failure::NotExecuted(error)) => Some((Reply::Error(error), Flow::Continue)),
            Err(Failure::Unknown) => None,
        }
    }

    /// The queue, found again, and the replies of its commands about keys; `None` when a watched
    /// key has changed.
    async fn run_queue(
        &self,
        session: &Session,
        rules: &Rules,
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
            let stale = rules.stale || session.read_only;
            self.execute_read(&session.client, &queue, (watches, stale))
                .await
                .map_err(Failure::NotExecuted)?
        };
        Ok(replies.map(|replies| (queue, replies)))
    }

    /// Remembers keys as they are now.
    pub(super) async fn watch(
        &self,
        session: &mut Session,
        rules: &Rules,
        keys: Vec<Bytes>,
    ) -> Result<(), ReplyError> {
        let (database, stale) = (session.database, rules.stale || session.read_only);
        let watches = self.confirmed(stale, || self.look_at(database, &keys)).await?;
        for watch in watches {
            let same = |old: &Watch| old.key == watch.key && old.database == watch.database;
            // The first look counts: what changed since then must be noticed.
            if !session.watches.iter().any(same) {
                session.watches.push(watch);
            }
        }
        Ok(())
    }

    fn look_at(&self, database: DatabaseId, keys: &[Bytes]) -> Vec<Watch> {
        // The index is taken before the keys: too early an index can only abort in vain.
        let index = self.store.applied_index();
        let now_ms = self.store.read_time_ms();
        let keyspace = self.store.keyspace().read();
        let look = |key: &Bytes| {
            let object = keyspace.database(database).find(key, now_ms);
            let seen = object.map_or(0, |object| object.version);
            Watch { database, key: key.clone(), existed: object.is_some(), index: index.max(seen) }
        };
        keys.iter().map(look).collect()
    }

    async fn execute_write(
        &self,
        client: &Client,
        queue: &[Queued],
        watches: &[Watch],
    ) -> Result<Option<Vec<Reply>>, Failure> {
        let data: Vec<&Queued> = queue.iter().filter(|queued| queued.is_data()).collect();
        let calls = data.iter().map(|queued| (queued.database, queued.found, queued.args()));
        let mut builder = RequestBuilder::new();
        builder.transaction(watches, calls);
        let start = Instant::now();
        let replies = self.store.propose(builder.finish()).await?;
        match <[Reply; 1]>::try_from(replies) {
            Ok([Reply::Array(replies)]) if replies.len() == data.len() => {
                for (queued, reply) in data.iter().zip(&replies) {
                    self.count_since(client, queued.call(), start, reply);
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
        (watches, stale): (&[Watch], bool),
    ) -> Result<Option<Vec<Reply>>, ReplyError> {
        let touches_keys = !watches.is_empty() || queue.iter().any(Queued::is_data);
        if !touches_keys {
            return Ok(Some(Vec::new()));
        }
        self.confirmed(stale, || {
            let now_ms = self.store.read_time_ms();
            let keyspace = self.store.keyspace().read();
            let changed = |watch: &Watch| {
                let database = keyspace.database(watch.database);
                database.changed_since(&watch.key, watch.index, watch.existed, now_ms)
            };
            if watches.iter().any(changed) {
                return None;
            }
            let read = |queued: &Queued| {
                let start = Instant::now();
                let database = queued.database;
                let place = Place { database, now_ms, touches: !client.has(ClientFlag::NoTouch) };
                let reply = self.read_one(&keyspace, queued.call(), place);
                self.count_since(client, queued.call(), start, &reply);
                reply
            };
            Some(queue.iter().filter(|queued| queued.is_data()).map(read).collect())
        })
        .await
    }

    /// Runs the commands that need no keys and puts all replies in the order of the queue. All of
    /// them run, but a client that ends its own connection hears of none after that, as in Redis.
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
                    let (reply, then) = self.call_session(session, queued.found, &queued.words);
                    if then == Then::Close {
                        flow = Flow::Close;
                    }
                    reply
                }
                Run::Node(_) => self.run_node(session, queued.found, &queued.words).await,
                _ => data.next().unwrap_or(Reply::Nothing),
            };
            replies.push(if before == Flow::Continue { reply } else { Reply::Nothing });
        }
        (Reply::Array(replies), flow)
    }
}

/// Finds the queued commands again and follows the SELECTs among them.
fn resolve(mut database: DatabaseId, queue: Vec<Vec<Bytes>>) -> Result<Vec<Queued>, ReplyError> {
    let mut queued = Vec::with_capacity(queue.len());
    for words in queue {
        let found = admission::find(&words)?;
        if found.command.name == "SELECT"
            && let Some(number) = words.get(1).and_then(|word| parse_integer(word))
            && let Ok(number @ 0..DATABASES) = u8::try_from(number)
        {
            database = DatabaseId(number);
        }
        queued.push(Queued { found, words, database });
    }
    Ok(queued)
}

/// Whether a command may change keys: what `CLIENT PAUSE … WRITE` holds back.
pub(super) fn may_write(session: &Session, route: &Route) -> bool {
    match route {
        Route::Data(found) => matches!(found.command.run, Run::Write(_)),
        Route::Session(found) if found.command.name == "EXEC" => {
            let queue = session.transaction.iter().flat_map(|transaction| &transaction.queue);
            let found = queue.filter_map(|words| admission::find(words).ok());
            found.into_iter().any(|found| matches!(found.command.run, Run::Write(_)))
        }
        _ => false,
    }
}

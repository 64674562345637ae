//! The apply thread: the only writer of the keyspace. Whole batches in, replies straight to the
//! threads that wait for them.

use std::io;
use std::sync::Arc;

use openraft::EntryPayload;
use openraft::storage::EntryResponder;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::apply::{Applier, ItemOutcome};
use super::digests::Digests;
use super::replicated_state::ReplicatedState;
use crate::base::seeded::{Bug, seeded};
use crate::base::threads::Threads;
use crate::consensus::proposal::entry::GroupEntry;
use crate::consensus::snapshot::checkpoints::Checkpoints;
use crate::consensus::types::{Entry, TypeConfig};
use crate::data::keyspace::{Keyspace, Settings};

/// The state between two entries, for a checkpoint. Cheap: the keyspace shares its structure.
pub(crate) struct Cut {
    pub(crate) keyspace: Keyspace,
    pub(crate) state: ReplicatedState,
}

enum Command {
    Apply(Vec<EntryResponder<TypeConfig>>, oneshot::Sender<io::Result<()>>),
    Cut(oneshot::Sender<Cut>),
    DropKeys(oneshot::Sender<()>),
    Install(Box<Keyspace>, Box<ReplicatedState>, oneshot::Sender<()>),
    State(oneshot::Sender<ReplicatedState>),
    Settings(oneshot::Sender<Settings>),
    Reload(Arc<Checkpoints>, oneshot::Sender<io::Result<()>>),
}

/// Who waits for the state between two entries.
struct Cuts {
    digests: Arc<Digests>,
    waiting: Vec<oneshot::Sender<Cut>>,
}

impl Cuts {
    /// Gives the state to all that wait, unless a part of a request is applied: a node that began
    /// with such a state would lack the part. The leader finishes every request within its time or
    /// gives it up, and the first entry of the next one does.
    fn take(&mut self, applier: &Applier, state: &ReplicatedState) {
        if applier.has_unfinished() && !seeded(Bug::CheckpointInRequest) {
            return;
        }
        for waiting in self.waiting.drain(..) {
            let keyspace = applier.keyspace.read().clone();
            // One that has stopped to wait needs none.
            let _ = waiting.send(Cut { keyspace, state: state.clone() });
        }
    }
}

/// Told of every applied membership and incarnation, of every rise of the feature level and of each
/// state that was installed.
pub(crate) type OnStateChange = Arc<dyn Fn(&ReplicatedState) + Send + Sync>;

/// Talks to the apply thread.
#[derive(Clone)]
pub(crate) struct ApplyHandle {
    commands: mpsc::UnboundedSender<Command>,
    pub(crate) digests: Arc<Digests>,
}

impl ApplyHandle {
    /// Starts the thread. It ends when the last handle is gone.
    pub(crate) fn start(
        threads: &dyn Threads,
        mut applier: Applier,
        mut state: ReplicatedState,
        on_change: OnStateChange,
    ) -> Self {
        let digests = Digests::start(threads);
        let own = digests.clone();
        let (commands, mut queue) = mpsc::unbounded_channel();
        let main = async move {
            // A cut shows no request of which a part is applied, so it waits for the rest.
            let mut cuts = Cuts { digests, waiting: Vec::new() };
            while let Some(command) = queue.recv().await {
                match command {
                    Command::Apply(entries, done) => {
                        let result =
                            apply_batch(&mut applier, &mut state, entries, &on_change, &mut cuts);
                        // The core is gone when nobody waits.
                        let _ = done.send(result);
                    }
                    Command::Cut(reply) => {
                        cuts.waiting.push(reply);
                        cuts.take(&applier, &state);
                    }
                    Command::DropKeys(done) => {
                        drop_keys(&applier);
                        let _ = done.send(());
                    }
                    Command::Install(keyspace, new_state, done) => {
                        state = *new_state;
                        applier.forget_unfinished();
                        replace(&applier, *keyspace, &state);
                        applier.applied.end_loading();
                        on_change(&state);
                        cuts.take(&applier, &state);
                        let _ = done.send(());
                    }
                    Command::State(reply) => {
                        let _ = reply.send(state.clone());
                    }
                    Command::Settings(reply) => {
                        let _ = reply.send(applier.keyspace.read().settings.clone());
                    }
                    Command::Reload(_, done) if applier.has_unfinished() => {
                        let text = "a large request is on its way; try again";
                        let _ = done.send(Err(io::Error::other(text)));
                    }
                    Command::Reload(checkpoints, done) => {
                        let keyspace = applier.keyspace.read().clone();
                        let cut = Cut { keyspace, state: state.clone() };
                        // Nothing is applied meanwhile, so nothing can be lost.
                        let loaded = checkpoints.write_and_load(cut).await;
                        let done_with = loaded.map(|loaded| replace(&applier, loaded, &state));
                        let _ = done.send(done_with);
                    }
                }
            }
        };
        drop(threads.spawn("apply-0", Box::new(move || Box::pin(main))));
        Self { commands, digests: own }
    }

    pub(crate) async fn apply(&self, entries: Vec<EntryResponder<TypeConfig>>) -> io::Result<()> {
        self.ask(|done| Command::Apply(entries, done)).await?
    }

    pub(crate) async fn cut(&self) -> io::Result<Cut> {
        self.ask(Command::Cut).await
    }

    /// Frees the keys, whose place those of a snapshot take next. Reads are refused until then.
    pub(crate) async fn drop_keys(&self) -> io::Result<()> {
        self.ask(Command::DropKeys).await
    }

    pub(crate) async fn install(
        &self,
        keyspace: Keyspace,
        state: ReplicatedState,
    ) -> io::Result<()> {
        self.ask(|done| Command::Install(Box::new(keyspace), Box::new(state), done)).await
    }

    pub(crate) async fn state(&self) -> io::Result<ReplicatedState> {
        self.ask(Command::State).await
    }

    /// The cluster-wide parameters. For callers on the raft thread, which may not take the lock.
    pub(crate) async fn settings(&self) -> io::Result<Settings> {
        self.ask(Command::Settings).await
    }

    /// Writes a checkpoint and goes on with what can be read back from it.
    pub(crate) async fn reload(&self, checkpoints: Arc<Checkpoints>) -> io::Result<()> {
        self.ask(|done| Command::Reload(checkpoints, done)).await?
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> io::Result<T> {
        let stopped = || io::Error::other("the apply thread has stopped");
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())
    }
}

fn apply_batch(
    applier: &mut Applier,
    state: &mut ReplicatedState,
    entries: Vec<EntryResponder<TypeConfig>>,
    on_change: &OnStateChange,
    cuts: &mut Cuts,
) -> io::Result<()> {
    for (entry, responder) in entries {
        let marks_digest = marks_digest(&entry);
        let began = Instant::now();
        let outcomes = apply_entry(applier, state, entry, on_change)?;
        applier.applied.note_took(began.elapsed());
        if marks_digest {
            let keyspace = applier.keyspace.read().clone();
            cuts.digests.take(Cut { keyspace, state: state.clone() });
        }
        // Visible before it is acknowledged: whoever sees the reply and reads here sees the write.
        publish(applier, state);
        if let Some(responder) = responder {
            responder.send(outcomes);
        }
        cuts.take(applier, state);
    }
    Ok(())
}

/// An entry without items, see `digests.rs`.
fn marks_digest(entry: &Entry) -> bool {
    matches!(&entry.payload, EntryPayload::Normal(bytes) if GroupEntry::is_empty(&bytes.0))
}

/// Applies one entry of any kind.
pub(crate) fn apply_entry(
    applier: &mut Applier,
    state: &mut ReplicatedState,
    entry: Entry,
    on_change: &OnStateChange,
) -> io::Result<Vec<ItemOutcome>> {
    let level = state.feature_level;
    applier.enter_term(entry.log_id.leader_id.term);
    let outcomes = match entry.payload {
        EntryPayload::Blank => Vec::new(),
        EntryPayload::Normal(bytes) => applier
            .apply(entry.log_id.index, &bytes.0, state)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
        EntryPayload::Membership(membership) => {
            state.change_membership(entry.log_id, membership);
            on_change(state);
            Vec::new()
        }
    };
    state.applied = Some(entry.log_id);
    if state.feature_level != level || outcomes.contains(&ItemOutcome::Registered) {
        on_change(state);
    }
    Ok(outcomes)
}

fn drop_keys(applier: &Applier) {
    applier.applied.begin_loading();
    if !seeded(Bug::StaleSnapshot) {
        let mut keyspace = applier.keyspace.write();
        let mut empty = Keyspace::default();
        empty.settings = keyspace.settings.clone();
        let old = std::mem::replace(&mut *keyspace, empty);
        drop(keyspace);
        drop(old);
    }
}

fn replace(applier: &Applier, keyspace: Keyspace, state: &ReplicatedState) {
    applier.applied.begin(state.applied.map_or(0, |applied| applied.index));
    if !seeded(Bug::StaleSnapshot) {
        let old = std::mem::replace(&mut *applier.keyspace.write(), keyspace);
        drop(old);
    }
    publish(applier, state);
}

fn publish(applier: &Applier, state: &ReplicatedState) {
    {
        let keyspace = applier.keyspace.read();
        applier.applied.set_memory(keyspace.memory_bytes() as u64, keyspace.settings.maxmemory);
    }
    applier.applied.advance_time(state.time());
    applier.applied.set_feature_level(state.feature_level);
    applier.applied.advance(state.applied.map_or(0, |applied| applied.index));
}

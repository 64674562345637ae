//! The apply thread: the only writer of the keyspace. Whole batches in, replies straight to the
//! threads that wait for them.

use std::io;
use std::sync::Arc;

use openraft::EntryPayload;
use openraft::storage::EntryResponder;
use tokio::sync::{mpsc, oneshot};

use super::apply::{Applier, ItemOutcome};
use super::checkpoints::Checkpoints;
use super::replicated::ReplicatedState;
use super::types::{Entry, TypeConfig};
use crate::base::planted::{Bug, planted};
use crate::base::threads::Threads;
use crate::data::keyspace::Keyspace;

/// The state between two entries, for a checkpoint. Cheap: the keyspace shares its structure.
pub(crate) struct Cut {
    pub(crate) keyspace: Keyspace,
    pub(crate) state: ReplicatedState,
}

enum Command {
    Apply(Vec<EntryResponder<TypeConfig>>, oneshot::Sender<io::Result<()>>),
    Cut(oneshot::Sender<Cut>),
    Install(Box<Keyspace>, Box<ReplicatedState>, oneshot::Sender<()>),
    State(oneshot::Sender<ReplicatedState>),
    Reload(Arc<Checkpoints>, oneshot::Sender<io::Result<()>>),
}

/// Told of every applied membership, with whether this replica's state now has tombstones.
pub(crate) type OnMembership = Arc<dyn Fn(&ReplicatedState) + Send + Sync>;

/// Talks to the apply thread.
#[derive(Clone)]
pub(crate) struct ApplyHandle {
    commands: mpsc::UnboundedSender<Command>,
}

impl ApplyHandle {
    /// Starts the thread. It ends when the last handle is gone.
    pub(crate) fn start(
        threads: &dyn Threads,
        mut applier: Applier,
        mut state: ReplicatedState,
        on_membership: OnMembership,
    ) -> Self {
        let (commands, mut queue) = mpsc::unbounded_channel();
        let main = async move {
            while let Some(command) = queue.recv().await {
                match command {
                    Command::Apply(entries, done) => {
                        let result = apply_batch(&mut applier, &mut state, entries, &on_membership);
                        // The core is gone when nobody waits.
                        let _ = done.send(result);
                    }
                    Command::Cut(reply) => {
                        let keyspace = applier.keyspace.read().clone();
                        let _ = reply.send(Cut { keyspace, state: state.clone() });
                    }
                    Command::Install(keyspace, new_state, done) => {
                        state = *new_state;
                        replace(&applier, *keyspace, &state);
                        on_membership(&state);
                        let _ = done.send(());
                    }
                    Command::State(reply) => {
                        let _ = reply.send(state.clone());
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
        Self { commands }
    }

    pub(crate) async fn apply(&self, entries: Vec<EntryResponder<TypeConfig>>) -> io::Result<()> {
        self.ask(|done| Command::Apply(entries, done)).await?
    }

    pub(crate) async fn cut(&self) -> io::Result<Cut> {
        self.ask(Command::Cut).await
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
    on_membership: &OnMembership,
) -> io::Result<()> {
    for (entry, responder) in entries {
        let outcomes = apply_entry(applier, state, entry, on_membership)?;
        // Visible before it is acknowledged: whoever sees the reply and reads here sees the write.
        publish(applier, state);
        if let Some(responder) = responder {
            responder.send(outcomes);
        }
    }
    Ok(())
}

fn apply_entry(
    applier: &mut Applier,
    state: &mut ReplicatedState,
    entry: Entry,
    on_membership: &OnMembership,
) -> io::Result<Vec<ItemOutcome>> {
    let outcomes = match entry.payload {
        EntryPayload::Blank => Vec::new(),
        EntryPayload::Normal(bytes) => applier
            .apply(entry.log_id.index, &bytes.0, state)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
        EntryPayload::Membership(membership) => {
            state.change_membership(entry.log_id, membership);
            on_membership(state);
            Vec::new()
        }
    };
    state.applied = Some(entry.log_id);
    Ok(outcomes)
}

fn replace(applier: &Applier, keyspace: Keyspace, state: &ReplicatedState) {
    if !planted(Bug::StaleSnapshot) {
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
    applier.applied.advance_time(state.time_ms);
    applier.applied.advance(state.applied.map_or(0, |applied| applied.index));
}

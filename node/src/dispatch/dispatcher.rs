//! The dispatcher of a thread, and the settings and decisions that its parts share.

use std::cell::RefCell;
use std::sync::Arc;

use crate::base::telemetry::ThreadMetrics;
use crate::commands::declare::Resolved;
use crate::commands::run::{NodeServices, Random};
use crate::resp::Reply;

/// Runs commands. There is one for each thread.
pub struct Dispatcher<S> {
    pub(super) store: S,
    pub(super) node: Arc<NodeServices>,
    pub(super) metrics: Arc<ThreadMetrics>,
    pub(super) random: RefCell<Random>,
}

/// Whether the connection continues after the replies so far are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// It continues.
    Continue,
    /// It ends.
    Close,
}

/// The progress of a batch.
#[derive(Debug)]
pub struct Progress {
    /// Whether the connection continues.
    pub flow: Flow,
    /// The first command that has not been run.
    pub next: usize,
}

/// What happens with an admitted command.
pub(super) enum Route {
    /// The reply is known: the command was refused or queued.
    Answer(Reply),
    /// Runs together with its neighbours.
    Data(Resolved),
    /// Runs at once, on the connection.
    Session(Resolved),
    /// Runs after everything before it.
    Node(Resolved),
}

/// The configuration for one batch.
pub(super) struct BatchSettings {
    /// Reads may be stale.
    pub(super) stale: bool,
    /// Commands for keys of another node get MOVED.
    pub(super) moved: bool,
    /// The longest name that a command may give to a key.
    pub(super) key_bytes_max: u64,
    /// Memory that the commands queued by MULTI may take.
    pub(super) transaction_bytes_max: u64,
}

//! The parts of the command table: a command, what it may access, and how it is found.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use super::documentation::{ArgumentName, Change, Deprecation};
use super::flags::Flags;
use super::key_use::KeyUse;
use super::keys::Keys;
use super::read_cost::ReadCost;
use crate::commands::args::Args;
use crate::commands::run::context::{ReadContext, WriteContext};
use crate::commands::run::node_context::{NodeContext, SessionContext};
use crate::resp::{Reply, ReplyError};

/// A reply, or the error to return instead.
pub type CommandResult = Result<Reply, ReplyError>;

/// The future of a [`Run::Node`] command.
pub type NodeFuture<'a> = Pin<Box<dyn Future<Output = CommandResult> + 'a>>;

/// One command or subcommand, declared once. A declaration names what it needs and takes the rest
/// from [`Command::NEW`].
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// Upper case; a subcommand has only its own name here.
    pub name: &'static str,
    /// One sentence in our own words.
    pub summary: &'static str,
    /// The Redis version that introduced it.
    pub since: &'static str,
    /// Big-O, with the meaning of N.
    pub complexity: &'static str,
    /// Arguments after the name in Redis's notation, parsed by `syntax.rs`.
    pub syntax: &'static str,
    /// The number of arguments, including the name (and the name of the container).
    pub arity: Arity,
    /// Where the keys are.
    pub keys: Keys,
    /// How each key is used, by its number among the keys; further keys are used as the last one.
    /// Without any, a read accesses its keys and a write accesses and updates them.
    pub key_uses: &'static [KeyUse],
    /// How much a read may examine.
    pub cost: ReadCost,
    /// What cannot be derived.
    pub flags: Flags,
    /// Redis's documentation group, if it is not the one of the family.
    pub group: Option<&'static str>,
    /// Hints for clients and proxies in COMMAND INFO.
    pub tips: &'static [&'static str],
    /// Changes of its arguments and replies in Redis, oldest first.
    pub history: &'static [Change],
    /// Since when it is deprecated.
    pub deprecated: Option<Deprecation>,
    /// Names and types in COMMAND DOCS that do not follow from the syntax.
    pub argument_names: &'static [ArgumentName],
    /// What it may access, which is also its route.
    pub run: Run,
}

impl Command {
    /// The defaults: `Command { name: …, ..Command::NEW }`. Tests of the table find a command
    /// without a name, a summary or a function.
    pub const NEW: Self = Self {
        name: "",
        summary: "",
        since: "",
        complexity: "",
        syntax: "",
        arity: Arity::AtLeast(1),
        keys: Keys::None,
        key_uses: &[],
        cost: ReadCost::Values,
        flags: Flags::NONE,
        group: None,
        tips: &[],
        history: &[],
        deprecated: None,
        argument_names: &[],
        run: Run::Container(&[]),
    };

    /// How the key with this number among its keys is used.
    pub const fn key_use(&self, number: usize) -> KeyUse {
        match self.key_uses {
            [] if matches!(self.run, Run::Write(_)) => KeyUse::Modify,
            [] => KeyUse::Read,
            [.., last] if number >= self.key_uses.len() => *last,
            uses => uses[number],
        }
    }
}

/// Number of arguments including the command name, as Redis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// Exactly this many.
    Exactly(u8),
    /// This many or more.
    AtLeast(u8),
}

impl Arity {
    /// Whether it allows a command of so many arguments, the name included.
    pub const fn accepts(self, count: usize) -> bool {
        match self {
            Self::Exactly(exact) => count == exact as usize,
            Self::AtLeast(least) => count >= least as usize,
        }
    }

    /// The smallest number of arguments.
    pub const fn least(self) -> usize {
        match self {
            Self::Exactly(count) | Self::AtLeast(count) => count as usize,
        }
    }
}

/// What a command may access. The variant is also its route, so the two cannot disagree.
#[derive(Clone, Copy)]
pub enum Run {
    /// Reads keys of one group. Runs on this node after the group has confirmed the read.
    Read(fn(&ReadContext<'_>, Args<'_>) -> CommandResult),
    /// Changes keys. Goes through the log and runs on every replica when the entry is applied.
    Write(fn(&mut WriteContext<'_>, Args<'_>) -> CommandResult),
    /// Accesses only this connection: AUTH, HELLO, CLIENT, MULTI.
    Session(fn(&mut SessionContext<'_>, Args<'_>) -> CommandResult),
    /// Uses this node or the cluster, not the keys: INFO, CONFIG, CLUSTER, WAIT.
    Node(for<'a> fn(&'a NodeContext<'a>, Args<'a>) -> NodeFuture<'a>),
    /// Describes commands and accesses nothing: COMMAND, HELP.
    Describe(fn(&dyn CommandTable, Args<'_>) -> CommandResult),
    /// Contains subcommands: CLIENT, CONFIG, OBJECT.
    Container(&'static [Command]),
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read(_) => "Read",
            Self::Write(_) => "Write",
            Self::Session(_) => "Session",
            Self::Node(_) => "Node",
            Self::Describe(_) => "Describe",
            Self::Container(_) => "Container",
        })
    }
}

/// Commands that share a group in `COMMAND DOCS` and an ACL category.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Redis's group name, such as `sorted-set`.
    pub group: &'static str,
    /// The ACL category, such as `@sortedset`; empty for none.
    pub category: &'static str,
    /// In the order of the documentation.
    pub commands: &'static [Command],
}

/// A position in the table: without gaps and constant for the life of the process, for counters in
/// arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u16);

/// A row of the table: a command with its container, its family and its position.
#[derive(Debug, Clone, Copy)]
pub struct Resolved {
    /// The command. It is a container only when a container was sent without a subcommand.
    pub command: &'static Command,
    /// The container of a subcommand.
    pub container: Option<&'static Command>,
    /// The family that declares it.
    pub family: &'static Family,
    /// Its position in the table.
    pub id: CommandId,
}

impl Resolved {
    /// How many arguments are its name: 2 for a subcommand, else 1.
    pub const fn name_len(&self) -> usize {
        // A subcommand without a name is what a container does when it is sent alone.
        if self.container.is_some() && !self.command.name.is_empty() { 2 } else { 1 }
    }

    /// Lower case with `|` between container and subcommand, as Redis names it in errors and INFO.
    pub fn full_name(&self) -> String {
        let name = match self.container {
            Some(container) if self.name_len() == 2 => {
                format!("{}|{}", container.name, self.command.name)
            }
            Some(container) => container.name.to_owned(),
            None => self.command.name.to_owned(),
        };
        name.to_ascii_lowercase()
    }

    /// Its container, or itself where there is none.
    pub fn top_level(&self) -> &'static Command {
        self.container.unwrap_or(self.command)
    }
}

/// Why no command was found.
#[derive(Debug, Clone, Copy)]
pub enum Unknown {
    /// No command has this name.
    Command,
    /// The container has no such subcommand.
    Subcommand(&'static Command),
}

/// All commands, for commands that describe them.
pub trait CommandTable {
    /// All commands and subcommands; the position of a row is its id.
    fn rows(&self) -> &[Resolved];

    /// Finds the command of `argv`, a whole command as sent.
    fn find(&self, argv: &[Bytes]) -> Result<Resolved, Unknown>;

    /// Finds a command by its own name and that of its container (empty for none); case does not
    /// matter.
    fn find_named(&self, container: &[u8], name: &[u8]) -> Option<Resolved>;
}

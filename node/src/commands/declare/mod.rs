//! The declaration of a command: one constant, from which everything else is derived.

pub mod command;
pub mod container;
pub mod documentation;
pub mod flags;
pub(in crate::commands) mod help;
pub mod key_use;
pub mod keys;
pub mod read_cost;
pub mod syntax;
pub mod table;

pub use command::{
    Arity, Command, CommandId, CommandResult, CommandTable, Family, NodeFuture, Resolved, Run,
    Unknown,
};
pub use flags::Flags;
pub use key_use::KeyUse;
pub use keys::{KeyPositions, Keys};
pub use read_cost::ReadCost;

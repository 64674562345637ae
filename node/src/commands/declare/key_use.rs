//! How a command uses a key, for key specifications and for the limit of key names.

use bytes::Bytes;

/// The use of one key.
#[derive(Debug, Clone, Copy)]
pub enum KeyUse {
    /// Reads only properties of the value, such as its length or type.
    Inspect,
    /// Returns or copies the value.
    Read,
    /// Returns a part of the value and changes it.
    Modify,
    /// Changes the value without returning any of it.
    Update,
    /// Adds to the value without returning or changing what is there.
    Insert,
    /// Removes parts of the value without returning them.
    Delete,
    /// Removes parts of the value and returns them.
    Take,
    /// Replaces any value.
    Overwrite,
    /// Stores a value if there is none.
    Create,
    /// Removes the key.
    Remove,
    /// Depends on the arguments of the whole command.
    ByArguments(fn(&[Bytes]) -> Self),
}

impl KeyUse {
    /// Redis's flags in key specifications, separated by spaces.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Inspect => "RO",
            Self::Read => "RO access",
            Self::Modify => "RW access update",
            Self::Update => "RW update",
            Self::Insert => "RW insert",
            Self::Delete => "RW delete",
            Self::Take => "RW access delete",
            Self::Overwrite => "OW update",
            Self::Create => "OW insert",
            Self::Remove => "RM delete",
            Self::ByArguments(_) => "RW access update variable_flags",
        }
    }

    /// The use in one whole command.
    pub fn in_command(self, argv: &[Bytes]) -> Self {
        match self {
            Self::ByArguments(decide) => decide(argv),
            fixed => fixed,
        }
    }

    /// Whether a key of this name may exist afterwards because of the command.
    pub const fn may_create(self) -> bool {
        match self {
            Self::Modify
            | Self::Update
            | Self::Insert
            | Self::Overwrite
            | Self::Create
            | Self::ByArguments(_) => true,
            Self::Inspect | Self::Read | Self::Delete | Self::Take | Self::Remove => false,
        }
    }

    /// Whether it creates keys by adding to them, which only a command that needs memory does.
    pub const fn inserts(self) -> bool {
        matches!(self, Self::Insert | Self::Create)
    }
}

//! What commands about the connection or the node may access.

use bytes::Bytes;

use super::ports::NodeServices;
use crate::services::sessions::Session;

/// What a `Session` command may access: its own connection, and the node without waiting.
pub struct SessionContext<'a> {
    /// The connection.
    pub session: &'a mut Session,
    /// The node, for operations that do not wait.
    pub node: &'a NodeServices,
    /// What dispatch does after the command.
    pub action: SessionAction,
}

/// What dispatch must do after a `Session` command, which cannot wait itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum SessionAction {
    /// Nothing more.
    #[default]
    None,
    /// Send the reply even if replies are off (`CLIENT REPLY ON`).
    ForceReply,
    /// Close the connection after the reply.
    Close,
    /// Execute the queued commands; their reply replaces the command's.
    Execute,
    /// Watch these keys in their present state; an error replaces the command's reply.
    Watch(Vec<Bytes>),
}

/// What a `Node` command may access: this node and its cluster.
#[derive(Clone, Copy)]
pub struct NodeContext<'a> {
    /// The node.
    pub node: &'a NodeServices,
    /// The connection of the command.
    pub session: &'a Session,
    /// Whether the command may keep the connection waiting.
    pub waiting: Waiting,
}

/// Whether a command may keep its connection waiting. Inside MULTI no command may, as in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It may wait.
    Allowed,
    /// It must reply without waiting.
    Refused,
}

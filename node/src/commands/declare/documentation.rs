//! What COMMAND INFO and COMMAND DOCS show about a command besides its syntax.

use super::syntax::{Argument, Kind};

/// A Redis version and what it changed.
pub type Change = (&'static str, &'static str);

/// Documents that a command is deprecated.
#[derive(Debug, Clone, Copy)]
pub struct Deprecation {
    /// The Redis version that deprecated it.
    pub since: &'static str,
    /// What to use instead.
    pub successor: &'static str,
}

/// Tips: what a client, or a proxy in front of many nodes, may do with a command and its replies.
pub mod tips {
    /// Two replies to the same command may differ.
    pub const VARIES: &[&str] = &["nondeterministic_output"];

    /// Two replies to the same command may differ in their order.
    pub const REORDERS: &[&str] = &["nondeterministic_output_order"];

    /// Sent to every node; it must succeed on all of them.
    pub const EVERY_NODE_OR_FAIL: &[&str] =
        &["request_policy:all_nodes", "response_policy:all_succeeded"];

    /// Sent to every shard; it must succeed on all of them.
    pub const EVERY_SHARD_OR_FAIL: &[&str] =
        &["request_policy:all_shards", "response_policy:all_succeeded"];

    /// A report of every node.
    pub const NODE_REPORT: &[&str] =
        &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

    /// A report of every shard.
    pub const SHARD_REPORT: &[&str] =
        &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

    /// Keys of several shards; the counts of all are added.
    pub const SUM_OF_SHARDS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];
}

/// Redis's name or type of an argument, if it does not follow from the syntax: mostly for groups,
/// which have no name there.
#[derive(Debug, Clone, Copy)]
pub struct ArgumentName {
    is_group: bool,
    /// The name that follows from the syntax.
    from: &'static str,
    to: &'static str,
    /// `None` when the type is correct.
    kind: Option<Kind>,
}

impl ArgumentName {
    /// A group; the syntax names it after its first part.
    pub const fn group(from: &'static str, to: &'static str) -> Self {
        Self { is_group: true, from, to, kind: None }
    }

    /// A single argument of another name.
    pub const fn single(from: &'static str, to: &'static str) -> Self {
        Self { is_group: false, from, to, kind: None }
    }

    /// A single argument of another type.
    pub const fn typed(name: &'static str, kind: Kind) -> Self {
        Self { is_group: false, from: name, to: name, kind: Some(kind) }
    }

    /// The same with another type.
    pub const fn of_type(self, kind: Kind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    fn fits(&self, argument: &Argument) -> bool {
        self.from == argument.name && self.is_group != argument.children.is_empty()
    }

    /// Gives the arguments of a command the names and types of Redis.
    pub fn apply_all(names: &[Self], arguments: &mut [Argument]) {
        apply(&mut names.iter().collect(), arguments);
    }
}

/// Each name applies to the first argument that it fits, from left to right.
fn apply(left: &mut Vec<&ArgumentName>, arguments: &mut [Argument]) {
    for argument in arguments {
        if let Some(at) = left.iter().position(|name| name.fits(argument)) {
            let name = left.remove(at);
            name.to.clone_into(&mut argument.name);
            argument.kind = name.kind.unwrap_or(argument.kind);
        }
        apply(left, &mut argument.children);
    }
}

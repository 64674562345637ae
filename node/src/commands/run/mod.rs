//! What a command may access while it runs, and how requests are executed.

pub mod context;
pub mod execute;
pub mod executed;
pub mod key_length;
pub mod node_context;
pub mod ports;
pub mod read_cost;
pub mod request;

pub use context::{Expiry, Lookups, Random, ReadContext, WriteContext};
pub use node_context::{NodeContext, SessionAction, SessionContext, Waiting};
pub use ports::NodeServices;

//! Client connections: the settings of each, and the list of all.

mod client;
mod filter;
mod memory;
mod pause;
mod registry;
mod session;

pub use client::{Client, ClientFlag, Details, Load};
pub use filter::{ClientFilter, ClientKind};
pub use pause::{Pause, PauseMode};
pub use registry::Clients;
pub use session::{ReplyMode, Session, Transaction, Watch, Watches};

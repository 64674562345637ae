//! Client connections: what each has set up for itself, and the list of all of them.

mod client;
mod filter;
mod pause;
mod registry;
mod session;

pub use client::{Client, ClientFlag, Details, Load};
pub use filter::{ClientFilter, ClientKind};
pub use pause::{Pause, PauseMode};
pub use registry::Clients;
pub use session::{ReplyMode, Session, Transaction, Watch};

//! RESP: bytes to values and back. Knows no command.

pub mod client;
pub mod decode;
pub mod encode;
pub mod error;
pub mod inline;
pub mod reply;

pub use decode::{Batch, Decoder, ProtocolError};
pub use encode::Protocol;
pub use error::ReplyError;
pub use reply::Reply;

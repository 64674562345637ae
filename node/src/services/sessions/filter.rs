//! The clients that `CLIENT LIST` shows and `CLIENT KILL` ends.

use bytes::Bytes;

use super::Client;
use crate::base::ids::ClientId;

/// The type of a client in Redis's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    /// A client of no other type.
    Normal,
    /// A replica that receives the command stream; there are none here.
    Replica,
    /// The master's connection on a replica; there are none here.
    Master,
    /// A subscriber.
    PubSub,
}

impl ClientKind {
    /// Finds a type by Redis's name; case does not matter.
    pub fn named(name: &[u8]) -> Option<Self> {
        let kinds = [
            (&b"normal"[..], Self::Normal),
            (b"slave", Self::Replica),
            (b"replica", Self::Replica),
            (b"master", Self::Master),
            (b"pubsub", Self::PubSub),
        ];
        kinds.iter().find(|(own, _)| name.eq_ignore_ascii_case(own)).map(|(_, kind)| *kind)
    }
}

/// All conditions must hold; an empty filter matches every client.
#[derive(Debug, Clone, Default)]
pub struct ClientFilter {
    /// One of these ids; empty for any.
    pub ids: Vec<ClientId>,
    /// Of this kind.
    pub kind: Option<ClientKind>,
    /// Connected from this `ip:port`.
    pub address: Option<Bytes>,
    /// Connected to this `ip:port`.
    pub local_address: Option<Bytes>,
    /// Not this one.
    pub except: Option<ClientId>,
}

impl ClientFilter {
    /// Whether all conditions hold.
    pub fn matches(&self, client: &Client) -> bool {
        let same = |wanted: &Option<Bytes>, address: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == address.as_bytes())
        };
        (self.ids.is_empty() || self.ids.contains(&client.id()))
            && self.kind.is_none_or(|kind| kind == ClientKind::Normal)
            && same(&self.address, client.address())
            && same(&self.local_address, client.local_address())
            && self.except != Some(client.id())
    }
}

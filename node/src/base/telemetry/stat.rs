//! The process-wide counters, one row each.

/// A counter of the whole process, kept per thread and summed when read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Stat {
    /// Client connections accepted.
    ConnectionsReceived,
    /// Client connections ended.
    ConnectionsClosed,
    /// Client connections refused: `maxclients`.
    ConnectionsRejected,
    /// Client connections ended because too many replies waited: `client-output-buffer-limit`.
    OutputBufferDisconnections,
    /// Client connections ended because a request was too long: `client-query-buffer-limit`.
    QueryBufferDisconnections,
    /// Client connections ended after `timeout` idle seconds.
    IdleDisconnections,
    /// Client connections ended because all together used too much memory: `maxmemory-clients`.
    EvictedClients,
    /// Bytes read from clients.
    BytesIn,
    /// Bytes written to clients.
    BytesOut,
    /// Batches of commands read from sockets.
    ReadsProcessed,
    /// Batches of replies written to sockets.
    WritesProcessed,
    /// Lookups of keys that exist.
    KeyspaceHits,
    /// Lookups of keys that do not.
    KeyspaceMisses,
    /// Keys removed because they expired.
    ExpiredKeys,
    /// Keys removed to free memory.
    EvictedKeys,
    /// Read barriers waited for.
    ReadBarriers,
    /// Reads served under the leader's lease.
    LeaseReads,
    /// Wrong or missing passwords.
    AuthFailures,
    /// Malformed requests, each of which closed its connection.
    ProtocolErrors,
    /// Clients of the TLS port that got no TLS session.
    TlsHandshakeFailures,
}

impl Stat {
    /// Number of counters.
    pub const COUNT: usize = Self::ALL.len();

    /// Every counter with its Prometheus name (`_total` is added) and help text.
    pub const ALL: [(Self, &'static str, &'static str); 20] = [
        (Self::ConnectionsReceived, "connections_received", "Client connections accepted"),
        (Self::ConnectionsClosed, "connections_closed", "Client connections ended"),
        (Self::ConnectionsRejected, "connections_rejected", "Client connections refused"),
        (
            Self::OutputBufferDisconnections,
            "output_buffer_disconnections",
            "Clients disconnected because too many replies waited for them",
        ),
        (
            Self::QueryBufferDisconnections,
            "query_buffer_disconnections",
            "Clients disconnected because a request was too long",
        ),
        (Self::IdleDisconnections, "idle_disconnections", "Clients disconnected while idle"),
        (
            Self::EvictedClients,
            "evicted_clients",
            "Clients disconnected because all clients together took too much memory",
        ),
        (Self::BytesIn, "net_input_bytes", "Bytes read from clients"),
        (Self::BytesOut, "net_output_bytes", "Bytes written to clients"),
        (Self::ReadsProcessed, "reads_processed", "Batches of commands read"),
        (Self::WritesProcessed, "writes_processed", "Batches of replies written"),
        (Self::KeyspaceHits, "keyspace_hits", "Lookups of keys that exist"),
        (Self::KeyspaceMisses, "keyspace_misses", "Lookups of keys that do not exist"),
        (Self::ExpiredKeys, "expired_keys", "Keys removed because they expired"),
        (Self::EvictedKeys, "evicted_keys", "Keys removed to free memory"),
        (Self::ReadBarriers, "read_barriers", "Read barriers waited for"),
        (Self::LeaseReads, "lease_reads", "Reads served under the leader's lease"),
        (Self::AuthFailures, "auth_failures", "Wrong or missing passwords"),
        (Self::ProtocolErrors, "protocol_errors", "Malformed requests"),
        (Self::TlsHandshakeFailures, "tls_handshake_failures", "Failed TLS handshakes of clients"),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_at_its_own_index() {
        for (index, (stat, name, _)) in Stat::ALL.iter().enumerate() {
            assert_eq!(*stat as usize, index, "{name}");
        }
    }
}

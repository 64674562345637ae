//! The sections of the configuration. A field's comment is also its help text.

use serde::{Deserialize, Serialize};

use super::{
    ClientCertificates, ClientsMemory, DebugAccess, LogFormat, LogLevel, OutputBufferLimits,
    ReadMode, Redirect, Switch,
};
use crate::base::limits;
use crate::base::secret::Secret;

/// Declares a section: the struct, its defaults and the list of its documented keys.
macro_rules! section {
    ($(#[doc = $about:literal])* $name:ident in $section:literal {
        $($(#[doc = $doc:literal])* $field:ident: $type:ty = $default:expr;)*
    }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            /// Dotted keys and their help texts.
            pub const DOCS: &[(&str, &str)] =
                &[$((concat!($section, ".", stringify!($field)), concat!($($doc),*)),)*];
        }
    };
}

const LOOPBACK: &str = "127.0.0.1";

section! {
    /// Where this node listens.
    ListenConfig in "listen" {
        /// Host name or address for the Redis protocol; 0.0.0.0 for every interface.
        resp_host: String = LOOPBACK.to_owned();
        /// Port for the Redis protocol; 0 for none.
        resp_port: u16 = 6379;
        /// Port for the Redis protocol over TLS; 0 for none.
        resp_tls_port: u16 = 0;
        /// Host name or address for gRPC, which peers and administrators use.
        grpc_host: String = LOOPBACK.to_owned();
        /// Port for gRPC.
        grpc_port: u16 = 6380;
        /// Host name or address for HTTP: probes, metrics and status.
        http_host: String = LOOPBACK.to_owned();
        /// Port for HTTP.
        http_port: u16 = 8080;
        /// Connections that the kernel may hold before they are accepted.
        backlog: u32 = 511;
    }
}

section! {
    /// How others reach this node.
    AdvertiseConfig in "advertise" {
        /// Host name or address that clients and peers use; empty for the listen host, or for the
        /// name of the machine when the node listens on every interface.
        host: String = String::new();
        /// Port that clients use; 0 for the listen port, or for the TLS port if it is the only one.
        resp_port: u16 = 0;
        /// Port that peers use; 0 for the listen port.
        grpc_port: u16 = 0;
        /// Port that is published for HTTP; 0 for the listen port.
        http_port: u16 = 0;
    }
}

section! {
    /// Where this node keeps its data.
    DataConfig in "data" {
        /// Directory of the log, the checkpoints and the node's identity; one directory for each
        /// node.
        directory: String = "ironkv-data".to_owned();
        /// Writes are refused while fewer bytes than this are free on the disk.
        free_bytes_min: u64 = 64 << 20;
    }
}

section! {
    /// How this node finds its cluster.
    NodeConfig in "node" {
        /// Name that logs and status pages show; empty for the name of the machine.
        name: String = String::new();
        /// gRPC addresses (host:port) of other members. A node that is the only member by its own
        /// data asks them at its start, and does not lead if one of them belongs to its cluster.
        peers: Vec<String> = Vec::new();
        /// Milliseconds for which a stopping node continues to serve, not as leader and not ready,
        /// until clients are sent to other nodes.
        drain_ms: u64 = 0;
    }
}

section! {
    /// What this node agrees to.
    ClusterConfig in "cluster" {
        /// Highest feature level that this node agrees to; 0 for the highest that its program
        /// understands. Before a careful upgrade, set it on one node to the current level: until it
        /// is 0 again, the level does not rise, and every node can return to the previous version.
        feature_level_max: u32 = 0;
        /// Seconds between two comparisons of the digests of all replicas while this node leads; 0
        /// for no comparisons.
        digest_interval_s: u64 = 300;
    }
}

section! {
    /// Timings of consensus. Nodes may have different timings while they are being changed; leases
    /// stay valid.
    RaftConfig in "raft" {
        /// Milliseconds between the leader's heartbeats.
        heartbeat_ms: u64 = 100;
        /// Shortest time without a message from the leader, milliseconds, after which a node starts
        /// an election.
        election_timeout_min_ms: u64 = 1200;
        /// Longest such time; each node draws a value between the two. For half of this time after
        /// a message from a leader, a node votes for no other node: the leader's lease.
        election_timeout_max_ms: u64 = 1500;
        /// Share of that lease, percent, for which a leader may answer reads without asking other
        /// nodes. The rest covers clocks that run at different rates.
        lease_percent: u32 = 70;
        /// Milliseconds by which this machine's clock may differ from a majority's clocks. With a
        /// larger difference, the node does not lead while another one can.
        clock_offset_max_ms: u64 = 5000;
        /// Log entries in flight at the same time.
        proposals_in_flight: u32 = 4;
        /// Milliseconds after which the outcome of a request to the leader counts as unknown.
        request_timeout_ms: u64 = 5000;
        /// Bytes of one piece of a snapshot that is sent to another node.
        snapshot_chunk_bytes: u64 = 1 << 20;
        /// Seconds within which another node must receive a whole snapshot.
        snapshot_timeout_s: u64 = 600;
        /// Milliseconds for a whole orderly stop.
        shutdown_timeout_ms: u64 = 10_000;
    }
}

impl RaftConfig {
    /// After so many milliseconds without a message from the leader, clients are not sent to it any
    /// more: a few heartbeats, well before an election.
    pub const fn leader_silence_ms(&self) -> u64 {
        3 * self.heartbeat_ms
    }

    /// How long a node votes for no other node after a message from a leader, milliseconds.
    pub const fn leader_lease_ms(&self) -> u64 {
        self.election_timeout_max_ms / 2
    }

    /// How long to wait for a leader, milliseconds: enough for an election that has to be
    /// repeated.
    pub const fn leader_patience_ms(&self) -> u64 {
        2 * self.election_timeout_max_ms
    }
}

section! {
    /// How reads are answered.
    ReadsConfig in "reads" {
        /// lease, quorum or stale.
        mode: ReadMode = ReadMode::Lease;
        /// Milliseconds by which a stale read may lag behind the leader.
        stale_lag_max_ms: u64 = 5000;
    }
}

section! {
    /// Where requests are executed.
    RoutingConfig in "routing" {
        /// proxy forwards writes to the leader; moved answers MOVED, for cluster clients.
        redirect: Redirect = Redirect::Proxy;
    }
}

section! {
    /// Every maximum that can be changed.
    LimitsConfig in "limits" {
        /// Client connections at the same time.
        clients_max: u32 = 10_000;
        /// Seconds after which an idle client is disconnected; 0 for never.
        idle_timeout_s: u64 = 0;
        /// Seconds between TCP keepalive probes; 0 for none.
        tcp_keepalive_s: u64 = 300;
        /// Replies that may wait for a client before it is disconnected, in Redis's notation:
        /// class, hard bytes, soft bytes, soft seconds.
        output_buffer: OutputBufferLimits = OutputBufferLimits::default();
        /// Bytes of unread requests that one client may have before it is disconnected.
        query_buffer_bytes_max: u64 = limits::QUERY_BUFFER_BYTES_MAX as u64;
        /// Bytes of the longest bulk string that a client may send. What is written must fit into
        /// limits.entry_bytes_max too, with its key and some bytes of overhead.
        bulk_bytes_max: u64 = limits::BULK_BYTES_MAX as u64;
        /// Bytes of the longest name that a command may give to a key; longer names are refused.
        /// Existing keys with longer names can be read, moved and removed.
        key_bytes_max: u64 = limits::KEY_BYTES_MAX;
        /// Bytes of the largest log entry, and so of the largest request that writes, which may be
        /// all commands of one MULTI; from 1mb to 64mb.
        entry_bytes_max: u64 = limits::ENTRY_BYTES_MAX as u64;
        /// Bytes of the longest request that is proposed as a whole; a longer one travels in pieces
        /// of this size, and other requests are proposed between them.
        entry_piece_bytes: u64 = limits::ENTRY_PIECE_BYTES as u64;
        /// Bytes of requests that may wait in each queue of a node: on the leader for their
        /// proposal, on other nodes for the answer of the leader. Further requests get BUSY.
        queue_bytes_max: u64 = limits::QUEUE_BYTES_MAX;
        /// Memory that the commands queued by one MULTI may take. Their writes must fit into
        /// limits.entry_bytes_max too.
        transaction_bytes_max: u64 = limits::TRANSACTION_BYTES_MAX;
        /// Memory that all client connections together may take, such as 1gb, or a share of
        /// maxmemory, such as 5%; 0 for no limit. Above it, the largest connections are closed.
        clients_memory_max: ClientsMemory = ClientsMemory::Unlimited;
    }
}

section! {
    /// Threads.
    ThreadsConfig in "threads" {
        /// Threads that serve clients; 0 for one thread for each processor, but at most eight.
        io: u32 = 0;
    }
}

section! {
    /// The write-ahead log.
    LogConfig in "log" {
        /// Bytes of one segment file.
        segment_bytes: u64 = 64 << 20;
        /// Bytes of log that are kept on the disk behind the current checkpoint, for followers that
        /// are slow or stopped for a while; fewer on a small disk, none on one that is nearly full.
        retained_bytes: u64 = 128 << 20;
        /// Bytes of recent entries that are kept in memory for slow followers.
        cache_bytes: u64 = 128 << 20;
        /// Empty, preallocated segments that are kept ready.
        spare_segments: u32 = 2;
        /// Milliseconds that a write or flush of the log may take. After that, a leader gives up
        /// its leadership, and a follower starts no election; 0 for no limit.
        stall_ms_max: u64 = 3000;
        /// With this many bytes of entries that are not flushed yet, a leader refuses more, and a
        /// follower lets more wait.
        unflushed_bytes_max: u64 = 256 << 20;
    }
}

section! {
    /// Checkpoints.
    CheckpointConfig in "checkpoint" {
        /// Bytes of log after which a checkpoint is written.
        log_bytes_min: u64 = 256 << 20;
        /// The same limit as a share of the data, percent; the larger of the two applies.
        log_percent_of_data: u32 = 50;
        /// Bytes that are written per second at most; 0 for no limit.
        bytes_per_second_max: u64 = 0;
    }
}

section! {
    /// Access control.
    SecurityConfig in "security" {
        /// Password that clients must send (AUTH); empty for none.
        requirepass: Secret = Secret::default();
        /// Which clients may call DEBUG: no (none), local (those on this machine) or yes (all).
        enable_debug_command: DebugAccess = DebugAccess::No;
    }
}

section! {
    /// Passwords of clients.
    AuthConfig in "auth" {
        /// File with one password on each line. All of them are valid, in addition to
        /// security.requirepass. The file is read again when it changes.
        password_file: String = String::new();
    }
}

section! {
    /// TLS certificates. All files are in PEM format, and are read again when they change.
    TlsConfig in "tls" {
        /// Server certificate, then its chain, for listen.resp_tls_port and for tls.http_mode.
        certificate_file: String = String::new();
        /// Private key of tls.certificate_file.
        key_file: String = String::new();
        /// Certificates of the authorities that sign the certificates of clients.
        client_ca_file: String = String::new();
        /// Whether clients of listen.resp_tls_port must present a certificate: none, optional or
        /// required.
        client_certificates: ClientCertificates = ClientCertificates::None;
        /// on to serve HTTP over TLS, without client certificates.
        http_mode: Switch = Switch::Off;
        /// on to serve gRPC over TLS; peers and administrators must present a certificate too.
        peer_mode: Switch = Switch::Off;
        /// Certificate, then its chain, that this node presents to peers as server and as client.
        peer_certificate_file: String = String::new();
        /// Private key of tls.peer_certificate_file.
        peer_key_file: String = String::new();
        /// Certificates of the authorities that sign the certificates of peers and administrators.
        peer_ca_file: String = String::new();
    }
}

section! {
    /// Logs and measurements.
    TelemetryConfig in "telemetry" {
        /// error, warn, info, debug or trace.
        level: LogLevel = LogLevel::Info;
        /// text or json.
        format: LogFormat = LogFormat::Text;
        /// A command that takes at least so many microseconds enters the slow log; -1 for none, 0
        /// for all.
        slow_command_us: i64 = 10_000;
        /// Entries that the slow log keeps.
        slow_commands_max: u64 = 128;
        /// A pause of at least so many milliseconds is recorded for LATENCY; 0 for none.
        latency_threshold_ms: u64 = 0;
        /// Whether LATENCY HISTOGRAM and INFO latencystats show the commands' times.
        latency_tracking: bool = true;
        /// Percentiles that INFO latencystats shows, separated by spaces.
        latency_percentiles: String = "50 99 99.9".to_owned();
    }
}

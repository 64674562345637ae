//! The sections of the configuration. A field's comment is also its help text.

use serde::{Deserialize, Serialize};

use super::{
    ClientCertificates, DebugAccess, LogFormat, LogLevel, OutputBufferLimits, ReadMode, Redirect,
    Switch,
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
        /// Host of the Redis protocol; 0.0.0.0 for every interface.
        resp_host: String = LOOPBACK.to_owned();
        /// Port of the Redis protocol; 0 for none.
        resp_port: u16 = 6379;
        /// Port of the Redis protocol over TLS; 0 for none.
        resp_tls_port: u16 = 0;
        /// Host of gRPC, for peers and administration.
        grpc_host: String = LOOPBACK.to_owned();
        /// Port of gRPC.
        grpc_port: u16 = 6380;
        /// Host of HTTP, for probes, metrics and status.
        http_host: String = LOOPBACK.to_owned();
        /// Port of HTTP.
        http_port: u16 = 8080;
        /// Connections the kernel may hold before they are accepted.
        backlog: u32 = 511;
    }
}

section! {
    /// How others reach this node.
    AdvertiseConfig in "advertise" {
        /// Name or address told to clients and peers; empty for the listen host, or the machine's
        /// name when that is every interface.
        host: String = String::new();
        /// Port told to clients; 0 for the listen port, that of TLS when there is no other.
        resp_port: u16 = 0;
        /// Port told to peers; 0 for the listen port.
        grpc_port: u16 = 0;
        /// Port told for HTTP; 0 for the listen port.
        http_port: u16 = 0;
    }
}

section! {
    /// Where this node keeps its data.
    DataConfig in "data" {
        /// Directory of the log, the checkpoints and the node's identity. One node each.
        directory: String = "ironkv-data".to_owned();
        /// Free bytes of the disk below which writes are refused.
        free_bytes_min: u64 = 64 << 20;
    }
}

section! {
    /// How this node finds its cluster.
    NodeConfig in "node" {
        /// Name shown to people; empty for the machine's name.
        name: String = String::new();
        /// gRPC addresses (host:port) of nodes to ask about the cluster at start.
        peers: Vec<String> = Vec::new();
        /// Milliseconds for which a node that was asked to stop goes on serving, without leading
        /// and not ready, until clients are sent elsewhere.
        drain_ms: u64 = 0;
    }
}

section! {
    /// Timings of consensus. All nodes of a cluster must agree on them.
    RaftConfig in "raft" {
        /// Milliseconds between the leader's heartbeats.
        heartbeat_ms: u64 = 100;
        /// Shortest silence of the leader, milliseconds, before a node asks for an election.
        election_timeout_min_ms: u64 = 1200;
        /// Longest such silence; each node draws between the two. For half of this time after it
        /// heard a leader a node votes for nobody else: the leader's lease.
        election_timeout_max_ms: u64 = 1500;
        /// Share of that lease, percent, for which a leader may answer reads alone. The rest
        /// covers clocks that run at different rates.
        lease_percent: u32 = 70;
        /// Proposals in flight to the log at one time.
        proposals_in_flight: u32 = 4;
        /// Milliseconds for a request to the leader before its fate is unknown.
        request_timeout_ms: u64 = 5000;
        /// Bytes of one piece of a snapshot sent to another node.
        snapshot_chunk_bytes: u64 = 1 << 20;
        /// Seconds for another node to take a whole snapshot.
        snapshot_timeout_s: u64 = 600;
        /// Milliseconds for the whole of an orderly stop.
        shutdown_timeout_ms: u64 = 10_000;
    }
}

impl RaftConfig {
    /// For how long a node that heard a leader votes for nobody else, milliseconds.
    pub const fn leader_lease_ms(&self) -> u64 {
        self.election_timeout_max_ms / 2
    }

    /// How long to wait for somebody to lead, milliseconds: through an election that has to be
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
        /// Milliseconds a stale read may lag behind the leader.
        stale_lag_max_ms: u64 = 5000;
    }
}

section! {
    /// Where requests are run.
    RoutingConfig in "routing" {
        /// proxy sends writes on to the leader; moved answers MOVED for cluster clients.
        redirect: Redirect = Redirect::Proxy;
    }
}

section! {
    /// Every maximum that can be changed.
    LimitsConfig in "limits" {
        /// Client connections at one time.
        clients_max: u32 = 10_000;
        /// Seconds after which an idle client is disconnected; 0 for never.
        idle_timeout_s: u64 = 0;
        /// Seconds between TCP keepalive probes; 0 for none.
        tcp_keepalive_s: u64 = 300;
        /// Replies waiting for a client before it is disconnected, in Redis' notation:
        /// class, hard bytes, soft bytes, soft seconds.
        output_buffer: OutputBufferLimits = OutputBufferLimits::default();
        /// Bytes of unread requests of one client before it is disconnected.
        query_buffer_bytes_max: u64 = limits::QUERY_BUFFER_BYTES_MAX as u64;
        /// Bytes of the longest bulk string a client may send.
        bulk_bytes_max: u64 = limits::BULK_BYTES_MAX as u64;
        /// Bytes of the largest log entry, so of the largest request that writes.
        entry_bytes_max: u64 = limits::ENTRY_BYTES_MAX as u64;
    }
}

section! {
    /// Threads.
    ThreadsConfig in "threads" {
        /// Threads that serve clients; 0 for one to each processor, eight at most.
        io: u32 = 0;
    }
}

section! {
    /// The write-ahead log.
    LogConfig in "log" {
        /// Bytes of one segment file.
        segment_bytes: u64 = 64 << 20;
        /// Bytes of recent entries kept in memory for slow followers.
        cache_bytes: u64 = 128 << 20;
        /// Empty segments kept ready.
        spare_segments: u32 = 2;
    }
}

section! {
    /// Checkpoints.
    CheckpointConfig in "checkpoint" {
        /// Bytes of log after which a checkpoint is written, at least.
        log_bytes_min: u64 = 256 << 20;
        /// As a share of the data, percent; the larger of the two counts.
        log_percent_of_data: u32 = 50;
        /// Bytes a second written at most; 0 for as fast as the disk takes them.
        bytes_per_second_max: u64 = 0;
    }
}

section! {
    /// Who may do what.
    SecurityConfig in "security" {
        /// Password clients must give (AUTH); empty for none.
        requirepass: Secret = Secret::default();
        /// Who may call DEBUG: no, local or yes.
        enable_debug_command: DebugAccess = DebugAccess::No;
    }
}

section! {
    /// Passwords of clients.
    AuthConfig in "auth" {
        /// File with passwords, one a line, all of them valid beside security.requirepass. Read
        /// again when it changes.
        password_file: String = String::new();
    }
}

section! {
    /// Certificates and who must show one. All files are PEM and read again when they change.
    TlsConfig in "tls" {
        /// Certificate, then its chain, shown on listen.resp_tls_port and with tls.http_mode.
        certificate_file: String = String::new();
        /// Private key of tls.certificate_file.
        key_file: String = String::new();
        /// Certificates of the authorities that sign those of clients.
        client_ca_file: String = String::new();
        /// Whether clients of listen.resp_tls_port show a certificate: none, optional or required.
        client_certificates: ClientCertificates = ClientCertificates::None;
        /// on to serve HTTP over TLS; it never asks for a certificate.
        http_mode: Switch = Switch::Off;
        /// on to serve gRPC over TLS, both sides showing a certificate: peers and administration.
        peer_mode: Switch = Switch::Off;
        /// Certificate, then its chain, shown to peers by both sides of a connection.
        peer_certificate_file: String = String::new();
        /// Private key of tls.peer_certificate_file.
        peer_key_file: String = String::new();
        /// Certificates of the authorities that sign those of peers and administrators.
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
        /// Microseconds from which a command is entered in the slow log; -1 for none, 0 for all.
        slow_command_us: i64 = 10_000;
        /// Entries the slow log keeps.
        slow_commands_max: u64 = 128;
        /// Milliseconds from which a pause is kept for LATENCY; 0 for none.
        latency_threshold_ms: u64 = 0;
        /// Whether LATENCY HISTOGRAM and INFO latencystats show the commands' times.
        latency_tracking: bool = true;
        /// Percentiles shown by INFO latencystats, separated by spaces.
        latency_percentiles: String = "50 99 99.9".to_owned();
    }
}

//! Every maximum of the server: its name, its reason and, where there is one, Redis's equivalent.

/// Slots of the key space; defined by Redis Cluster (`CLUSTER_SLOTS`).
pub const SLOTS: u16 = 16_384;

/// Numbered databases (`databases`); a constant, so that every replica agrees.
pub const DATABASES: u8 = 16;

/// Longest bulk string a client may send (`proto-max-bulk-len`; Redis: 512 MiB). Lower here because
/// a value travels through the log.
pub const BULK_BYTES_MAX: usize = 64 << 20;

/// Longest name that a command may give to a key (Redis: as a bulk string). Existing longer names
/// can be read and removed.
pub const KEY_BYTES_MAX: u64 = 1 << 20;

/// Most arguments of one command (Redis: `INT_MAX`). Their bytes are bounded by
/// [`QUERY_BUFFER_BYTES_MAX`] long before.
pub const ARGUMENTS_MAX: usize = i32::MAX as usize;

/// Longest inline command (`PROTO_INLINE_MAX_SIZE`).
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Largest log entry. A group entry never grows past it; one command above it is refused.
pub const ENTRY_BYTES_MAX: usize = 64 << 20;

/// Distinct error codes counted (`ERRORSTATS` in Redis stops at 128 too).
pub const ERROR_CODES_MAX: usize = 128;

/// Unread bytes of one client before it is disconnected (`client-query-buffer-limit`; Redis: 1
/// GiB).
pub const QUERY_BUFFER_BYTES_MAX: usize = 1 << 30;

/// Bytes to which the compressed strings of one RESTORE may expand. A few bytes can expand to many.
pub const RESTORED_BYTES_MAX: usize = 256 << 20;

/// Most arguments of a command before the client is authenticated (Redis: 10).
pub const UNAUTHENTICATED_ARGUMENTS_MAX: usize = 10;

/// Longest bulk string before the client is authenticated (Redis: 16 KiB).
pub const UNAUTHENTICATED_BULK_BYTES_MAX: usize = 16 * 1024;

/// Memory that the commands queued by MULTI take: an entry of the largest size, and the same again
/// for the overhead of many small commands.
pub const TRANSACTION_BYTES_MAX: u64 = 2 * ENTRY_BYTES_MAX as u64;

/// Arguments of one slow log entry; the rest is counted (`SLOWLOG_ENTRY_MAX_ARGC`).
pub const SLOW_LOG_ARGUMENTS_MAX: usize = 32;

/// Bytes of one argument in the slow log; the rest is counted (`SLOWLOG_ENTRY_MAX_STRING`).
pub const SLOW_LOG_ARGUMENT_BYTES_MAX: usize = 128;

/// Recorded pauses of each kind (`LATENCY_TS_LEN`).
pub const LATENCY_SAMPLES_MAX: usize = 160;

/// Most members that one random choice with repetition returns. Redis has no limit and runs out of
/// memory; clients get the error for a count out of range.
pub const RANDOM_MEMBERS_MAX: usize = 1 << 22;

/// HTTP connections at a time; more wait in the kernel.
pub const HTTP_CONNECTIONS_MAX: usize = 256;

/// Bytes of requests that may wait in one queue.
pub const QUEUE_BYTES_MAX: u64 = 256 << 20;

/// A member that has not answered its leader for this long, and a leader without a message for this
/// long, is reported to clients as failing.
pub const MEMBER_SILENCE_MAX: std::time::Duration = std::time::Duration::from_millis(1500);

/// Entries that a node may be behind what it knows to be committed and still be ready.
pub const READY_LAG_ENTRIES_MAX: u64 = 10_000;

/// A node that has applied nothing for this long, though there are entries to apply, is stuck.
pub const STUCK_AFTER: std::time::Duration = std::time::Duration::from_secs(60);

/// Largest payload of a record of the Raft log: an entry and its envelope.
pub const LOG_RECORD_BYTES_MAX: usize = 1 << 30;

/// Keys that one `DEBUG POPULATE` creates: every replica does it in one step, for which others
/// wait.
pub const POPULATE_KEYS_MAX: usize = 10_000_000;

/// Longest `DEBUG SLEEP`.
pub const DEBUG_SLEEP_MAX: std::time::Duration = std::time::Duration::from_secs(3600);

/// Bytes from which a removed collection is freed in the background, as with `lazyfree-lazy-*` in
/// Redis: below, sending it to another thread costs more than freeing it.
pub const FREE_AT_ONCE_BYTES_MAX: usize = 64 * 1024;

/// Keys evicted by one log entry: a few milliseconds of apply.
pub const EVICT_BATCH_KEYS: usize = 8192;

/// Keys chosen for eviction under one lock, so that writers never wait long.
pub const EVICT_KEYS_PER_LOCK: usize = 64;

/// How long writes that need memory wait for evictions before they are refused. Reached only when
/// `maxmemory` was lowered by far: a few entries of evictions free enough memory for any write.
pub const EVICTION_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(1);

/// Bytes of the names in one item of expirations or evictions. A longer name gets its own item.
pub const REMOVAL_BATCH_BYTES: usize = ENTRY_BATCH_BYTES;

/// Items of a part of a pattern between two stars that contains `?` or classes. Such a part is
/// searched with 64 items per step, so a match costs at most 64 steps for each byte of the text.
pub const PATTERN_WILD_ITEMS_MAX: usize = 4096;

/// What a read may visit under the lock, in elements or 64 bytes of a string: less than a quarter
/// of a millisecond. Larger reads use a snapshot, so that writers do not wait.
pub const READ_COST_UNDER_LOCK_MAX: u64 = 2000;

/// Deepest nesting of a reply between nodes; no command returns a deeper one than `COMMAND DOCS`.
pub const REPLY_DEPTH_MAX: usize = 64;

/// Most different status texts accepted from peers; the program has a few dozen.
pub const STATUS_TEXTS_MAX: usize = 512;

/// Largest message between nodes: one entry of the largest size and its envelope.
pub const PEER_MESSAGE_BYTES_MAX: usize = ENTRY_BYTES_MAX + (16 << 20);

/// Bytes of a long reply to a forwarded request in one message, so that replies to other clients
/// can be sent in between.
pub const FORWARD_PIECE_BYTES: usize = 256 << 10;

/// Bytes of all replies to one forwarded request; a longer reply becomes an error. Clients of the
/// leader have no such maximum except `client-output-buffer-limit`, as in Redis.
pub const FORWARDED_REPLY_BYTES_MAX: usize = 512 << 20;

/// HTTP/2 window of a connection between nodes: bytes that may be in flight without an
/// acknowledgement.
pub const PEER_WINDOW_BYTES: u32 = 16 << 20;

/// Units applied under one write lock before waiting readers get in.
pub const UNITS_PER_LOCK: usize = 64;

/// Bytes of entries read from the log at once: one message to a follower, one step of a replay.
pub const READ_LOG_BYTES: usize = 4 << 20;

/// Entries sent to the apply thread at once.
pub const APPLY_BATCH_ENTRIES: usize = 256;

/// Bytes at which a group entry is full; further requests wait for the next one.
pub const ENTRY_BATCH_BYTES: usize = 1 << 20;

/// Longest part of a request in one entry. A longer request is proposed in pieces of this size,
/// between which other entries may come.
pub const ENTRY_PIECE_BYTES: usize = 1 << 20;

/// A request that is proposed in pieces gets one more second for each so many bytes.
pub const LARGE_REQUEST_BYTES_PER_S: u64 = 8 << 20;

/// Expired keys removed by one log entry.
pub const EXPIRE_BATCH_KEYS: usize = 1000;

/// Most members of one group; more voters only make every write slower.
pub const MEMBERS_MAX: usize = 64;

/// Maximum age of the feature level that a member reported: above it, the member counts as silent.
/// Several heartbeats.
pub const FEATURE_REPORT_AGE_MAX: std::time::Duration = std::time::Duration::from_millis(1500);

/// Entries behind the leader at which a member still counts as caught up.
pub const CAUGHT_UP_ENTRIES: u64 = 1000;

/// Concurrent TLS handshakes with peers and HTTP clients; more wait in the kernel.
pub const TLS_HANDSHAKES_MAX: usize = 256;

/// Longest TLS handshake before the connection is closed: several intercontinental round trips.
pub const TLS_HANDSHAKE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Incarnations that a data directory remembers until it knows that one of them is registered.
pub const LINEAGE_MAX: usize = 32;

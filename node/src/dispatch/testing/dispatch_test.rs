#![allow(clippy::unwrap_used)]

use super::testing::{FakeStore, set_parameter};
use super::*;
use crate::base::clock::{Clock, SystemClock};
use crate::base::ids::ClientId;
use crate::resp::{Decoder, ReplyError};
use crate::services::sessions::Client;

struct Bench {
    store: FakeStore,
    node: Arc<NodeServices>,
    dispatcher: Dispatcher<FakeStore>,
    session: Session,
}

impl Bench {
    fn new() -> Self {
        let store = FakeStore::default();
        let node = store.node();
        let metrics = node.telemetry.metrics.thread();
        let dispatcher = Dispatcher::new(store.clone(), node.clone(), metrics, 7);
        let session = Self::session(1);
        Self { store, node, dispatcher, session }
    }

    fn session(number: u64) -> Session {
        let client = Client::new(ClientId(number), "a:1".to_owned(), "b:2".to_owned());
        Session::new(Arc::new(client), true)
    }

    /// Runs lines as one batch; returns the replies with `\r\n` shown as spaces, and the flow.
    fn run(&mut self, lines: &[&str]) -> (String, Flow) {
        let mut buffer = BytesMut::from(format!("{}\n", lines.join("\n")).as_bytes());
        let (mut decoder, mut batch) = (Decoder::new(1 << 20), Batch::default());
        decoder.set_authenticated(true);
        decoder.decode(&mut buffer, &mut batch).unwrap();
        let mut out = BytesMut::new();
        let run = self.dispatcher.run(&mut self.session, &batch, 0, &mut out);
        let progress = futures::executor::block_on(run);
        let text = String::from_utf8_lossy(&out).replace("\r\n", " ");
        (text.trim_end().to_owned(), progress.flow)
    }

    fn check(&mut self, lines: &[&str], expected: &str) {
        assert_eq!(self.run(lines).0, expected, "{lines:?}");
    }
}

#[test]
fn no_read_sees_an_entry_at_a_time_before_it() {
    let mut bench = Bench::new();
    bench.check(&["set a 1 px 100000", "set b 1", "get a"], "+OK +OK $1 1");
    // As if the entry had been applied after the read took its time and before it took the lock.
    bench.store.apply_at(SystemClock.unix_ms() + 200_000);
    bench.check(&["get a", "pttl a", "get b"], "$-1 :-2 $1 1");
    bench.check(&["multi", "get a", "get b", "exec"], "+OK +QUEUED +QUEUED *2 $-1 $1 1");
    // WATCH treats the key as missing too: setting it is a change.
    bench.check(&["watch a", "set a 2", "multi", "get a", "exec"], "+OK +OK +OK +QUEUED *-1");
    bench.store.become_follower();
    bench.check(&["get a", "get b"], "$1 2 $1 1");
}

#[test]
fn watch_detects_changes_by_the_rest_of_a_visible_entry() {
    let mut bench = Bench::new();
    bench.store.set_in_entry(true);
    bench.check(&["set a 1", "watch a", "get a", "set a 2"], "+OK +OK $1 1 +OK");
    bench.store.set_in_entry(false);
    bench.check(&["multi", "set a 3", "exec", "get a"], "+OK +QUEUED *-1 $1 2");
}

#[test]
fn a_client_that_waits_for_the_end_of_a_pause_counts_as_blocked_and_can_be_killed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let mut bench = Bench::new();
    bench.check(&["client pause 100000 write", "get a"], "+OK $-1");
    let client = Arc::clone(&bench.session.client);
    let killer = std::thread::spawn(move || {
        while !client.has(ClientFlag::Blocked) {
            std::thread::yield_now();
        }
        client.kill();
    });
    assert_eq!(bench.run(&["set a 1"]), (String::new(), Flow::Close));
    killer.join().unwrap();
    assert!(!bench.session.client.has(ClientFlag::Blocked));
    bench.node.clients.pause().end();
    bench.session = Bench::session(2);
    bench.check(&["get a"], "$-1");
}

#[test]
fn a_command_for_which_memory_is_missing_aborts_its_transaction() {
    let mut bench = Bench::new();
    bench.store.keyspace().write().settings.maxmemory = 1;
    let full = ReplyError::OUT_OF_MEMORY.0;
    bench.check(&["multi", "set a 1", "get a"], &format!("+OK -{full} -{full}"));
    bench.check(&["exec"], "-EXECABORT Transaction discarded because of previous errors.");
    bench.store.keyspace().write().settings.maxmemory = 0;
    bench.check(&["multi", "set a 1"], "+OK +QUEUED");
    bench.store.fail_next(Failure::NotExecuted(ReplyError::OUT_OF_MEMORY));
    let aborted = format!("-EXECABORT Transaction discarded because of: {full}");
    bench.check(&["exec", "ping"], &format!("{aborted} +PONG"));
}

#[test]
fn unknown_commands_get_the_errors_of_redis() {
    let mut bench = Bench::new();
    let unknown = "-ERR unknown command 'foo', with args beginning with:";
    bench.check(&["foo"], unknown);
    bench.check(&["foo a b"], &format!("{unknown} 'a' 'b'"));
    bench.check(&["client foo"], "-ERR unknown subcommand 'foo'. Try CLIENT HELP.");
    bench.check(&["client"], "-ERR wrong number of arguments for 'client' command");
    bench.check(&["echo"], "-ERR wrong number of arguments for 'echo' command");
    let error = "-ERR wrong number of arguments for 'client|setname' command";
    bench.check(&["client setname"], error);
}

#[test]
fn replies_keep_the_order_of_commands() {
    let mut bench = Bench::new();
    let lines = ["echo a", "set k 1", "foo", "get k", "set k 2", "ping", "get k", "echo z"];
    let unknown = "-ERR unknown command 'foo', with args beginning with: ";
    bench.check(&lines, &format!("$1 a +OK {unknown} $1 1 +OK +PONG $1 2 $1 z"));
    // From the first write to the last in one request, including the read between them.
    assert_eq!(bench.store.requests(), [3]);
}

#[test]
fn a_refused_request_answers_each_of_its_commands() {
    let mut bench = Bench::new();
    bench.store.fail_next(Failure::NotExecuted(ReplyError::CLUSTER_DOWN));
    let down = "-CLUSTERDOWN The cluster is down";
    bench.check(&["set k 1", "ping", "set k 2"], &format!("{down} +PONG {down}"));
    bench.check(&["get k"], "$-1");
}

#[test]
fn full_memory_refuses_only_what_may_grow_it() {
    let mut bench = Bench::new();
    bench.check(&["set k 1"], "+OK");
    bench.store.fail_next(Failure::NotExecuted(ReplyError::new("OOM full")));
    bench.check(
        &["set a 1", "ping", "del k", "get k", "set b 1"],
        "-OOM full +PONG :1 $-1 -OOM full",
    );
    bench.store.fail_next(Failure::NotExecuted(ReplyError::new("OOM full")));
    bench.check(&["set a 1", "get a", "set b 1"], "-OOM full $-1 -OOM full");
}

#[test]
fn an_unknown_outcome_closes_after_the_replies_before_it() {
    let mut bench = Bench::new();
    bench.store.fail_next(Failure::Unknown);
    let (replies, flow) = bench.run(&["ping", "set k 1", "ping"]);
    assert_eq!((replies.as_str(), flow), ("+PONG", Flow::Close));
}

#[test]
fn a_follower_reads_behind_a_barrier_unless_stale_reads_are_allowed() {
    let mut bench = Bench::new();
    bench.check(&["set k 1"], "+OK");
    bench.store.become_follower();
    bench.check(&["get k", "get k"], "$1 1 $1 1");
    assert_eq!(bench.store.barriers(), 1);
    bench.check(&["readonly", "get k"], "+OK $1 1");
    assert_eq!(bench.store.barriers(), 1);
    bench.check(&["readwrite", "get k"], "+OK $1 1");
    assert_eq!(bench.store.barriers(), 2);
}

#[test]
fn exec_is_one_unit_and_merges_local_commands() {
    let mut bench = Bench::new();
    let lines = ["multi", "set k 1", "ping", "select 1", "set k 2", "get k", "exec", "get k"];
    let queued = "+QUEUED ".repeat(5);
    bench.check(&lines, &format!("+OK {queued}*5 +OK +PONG +OK +OK $1 2 $1 2"));
    assert_eq!(bench.store.requests(), [1]);
    bench.check(&["select 0", "get k"], "+OK $1 1");
    bench.check(&["multi", "exec"], "+OK *0");
    bench.check(&["multi", "get k", "exec"], "+OK +QUEUED *1 $1 1");
    assert_eq!(bench.store.requests(), [1]);
}

#[test]
fn a_refused_command_aborts_its_transaction() {
    let mut bench = Bench::new();
    let unknown = "-ERR unknown command 'foo', with args beginning with: ";
    let abort = "-EXECABORT Transaction discarded because of previous errors.";
    bench.check(&["multi", "set k 1", "foo", "exec"], &format!("+OK +QUEUED {unknown} {abort}"));
    bench.check(&["exec"], "-ERR EXEC without MULTI");
    bench.check(&["discard"], "-ERR DISCARD without MULTI");
    bench.check(&["multi", "multi", "exec"], "+OK -ERR MULTI calls can not be nested *0");
    let inside = "-ERR WATCH inside MULTI is not allowed";
    bench.check(&["multi", "watch k", "discard"], &format!("+OK {inside} +OK"));
    let aborted = "-EXECABORT Transaction discarded because of: wrong number of arguments for \
        'exec' command";
    bench.check(&["multi", "exec 1"], &format!("+OK {aborted}"));
    bench.check(&["get k"], "$-1");
}

#[test]
fn exec_does_nothing_when_a_watched_key_changed() {
    let mut bench = Bench::new();
    bench.check(&["watch k", "set k 1", "multi", "set k 2", "exec"], "+OK +OK +OK +QUEUED *-1");
    bench.check(&["get k"], "$1 1");
    bench.check(&["watch k", "multi", "set k 3", "exec"], "+OK +OK +QUEUED *1 +OK");
    bench.check(&["watch k", "set k 4", "unwatch"], "+OK +OK +OK");
    bench.check(&["multi", "get k", "exec"], "+OK +QUEUED *1 $1 4");
    bench.check(&["watch k", "del k", "multi", "exec"], "+OK :1 +OK *-1");
}

#[test]
fn client_reply_suppresses_replies() {
    let mut bench = Bench::new();
    bench.check(&["client reply skip", "ping", "echo a"], "$1 a");
    bench.check(&["client reply off", "ping", "set k 1"], "");
    bench.check(&["get k", "client reply on", "ping"], "+OK +PONG");
}

#[test]
fn nothing_but_a_greeting_is_answered_before_the_password() {
    let mut bench = Bench::new();
    set_parameter(&bench.node, "requirepass", "secret");
    bench.session.authenticated = false;
    let refused = "-NOAUTH Authentication required.";
    bench.check(&["ping", "get k"], &format!("{refused} {refused}"));
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.";
    bench.check(&["auth wrong", "ping"], &format!("{wrong} {refused}"));
    bench.check(&["auth secret", "ping"], "+OK +PONG");
    bench.check(&["reset", "ping"], &format!("+RESET {refused}"));
    bench.check(&["auth default secret", "ping"], "+OK +PONG");
}

#[test]
fn cluster_clients_are_sent_to_the_leader() {
    let mut bench = Bench::new();
    set_parameter(&bench.node, "cluster-enabled", "yes");
    bench.check(&["mset a 1 b 2"], "-CROSSSLOT Keys in request don't hash to the same slot");
    bench.check(&["mset {a}1 1 {a}2 2"], "+OK");
    bench.store.become_follower();
    bench.check(&["get a"], "-MOVED 15495 127.0.0.1:7000");
    bench.check(&["readonly", "get {a}1"], "+OK $1 1");
    bench.check(&["set a 1"], "-MOVED 15495 127.0.0.1:7000");
}

#[test]
fn quit_is_answered_and_closes() {
    let mut bench = Bench::new();
    let (replies, flow) = bench.run(&["set k 1", "quit", "ping"]);
    assert_eq!((replies.as_str(), flow), ("+OK +OK", Flow::Close));
}

#[test]
fn client_subcommands_reply_like_redis() {
    let mut bench = Bench::new();
    for (line, expected) in [
        ("client getname", "$-1"),
        ("client setname bob", "+OK"),
        ("client getname", "$3 bob"),
        ("client id", ":1"),
        (
            "client setname 'a b'",
            "-ERR Client names cannot contain spaces, newlines or special characters.",
        ),
        ("client setinfo lib-name x", "+OK"),
        (
            "client setinfo lib-ver 'a b'",
            "-ERR lib-ver cannot contain spaces, newlines or special characters.",
        ),
        ("client setinfo foo x", "-ERR Unrecognized option 'foo'"),
        ("client reply foo", "-ERR syntax error"),
        ("client kill id 0", "-ERR client-id should be greater than 0"),
        ("client kill 1.2.3.4:5", "-ERR No such client"),
        ("client kill type foo", "-ERR Unknown client type 'foo'"),
        ("client kill user foo", "-ERR No such user 'foo'"),
        ("client kill skipme maybe", "-ERR syntax error"),
        ("client kill id 1 foo", "-ERR syntax error"),
        ("client kill id 99", ":0"),
        ("client list id x", "-ERR Invalid client ID"),
        ("client list type foo", "-ERR Unknown client type 'foo'"),
        ("client list type master", "$0"),
        ("client list foo", "-ERR syntax error"),
        ("client pause x", "-ERR timeout is not an integer or out of range"),
        ("client pause -1", "-ERR timeout is negative"),
        ("client pause 1 foo", "-ERR CLIENT PAUSE mode must be WRITE or ALL"),
        ("client unpause", "+OK"),
        ("client no-evict foo", "-ERR syntax error"),
        ("client no-touch on", "+OK"),
        ("client unblock 99", ":0"),
        ("client unblock 99 foo", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        ("client tracking on", "-ERR unknown subcommand 'tracking'. Try CLIENT HELP."),
        ("client getredir", ":-1"),
        ("client trackinginfo", "*6 $5 flags *1 $3 off $8 redirect :-1 $8 prefixes *0"),
    ] {
        bench.check(&[line], expected);
    }
}

#[test]
fn hello_and_auth_errors_are_those_of_redis() {
    let mut bench = Bench::new();
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.";
    for (line, expected) in [
        ("hello 4", "-NOPROTO unsupported protocol version"),
        ("hello x", "-ERR Protocol version is not an integer or out of range"),
        ("hello 3 foo", "-ERR Syntax error in HELLO option 'foo'"),
        ("hello 3 auth a", "-ERR Syntax error in HELLO option 'auth'"),
        ("hello 3 auth a b", wrong),
        ("auth a b", wrong),
        ("auth a b c", "-ERR syntax error"),
        ("auth default whatever", "+OK"),
        ("select 16", "-ERR DB index is out of range"),
        ("select x", "-ERR value is not an integer or out of range"),
    ] {
        bench.check(&[line], expected);
    }
    set_parameter(&bench.node, "requirepass", "secret");
    bench.session.authenticated = false;
    let (reply, _) = bench.run(&["hello 3"]);
    assert!(reply.starts_with("-NOAUTH HELLO must be called with"), "{reply}");
    let (reply, _) = bench.run(&["hello 3 auth default secret setname bob", "client getname"]);
    assert!(reply.starts_with("%7 $6 server") && reply.ends_with("$3 bob"), "{reply}");
}

#[tokio::test]
async fn a_pause_of_writes_holds_writes_and_lets_reads_pass() {
    let mut bench = Bench::new();
    let until = tokio::time::Instant::now() + std::time::Duration::from_millis(80);
    let pause = bench.node.clients.pause();
    pause.start(crate::services::sessions::PauseMode::Writes, until);
    let mut buffer = BytesMut::from(&b"get k\nset k 1\n"[..]);
    let (mut decoder, mut batch) = (Decoder::new(1 << 20), Batch::default());
    decoder.set_authenticated(true);
    decoder.decode(&mut buffer, &mut batch).unwrap();
    let mut out = BytesMut::new();
    let run = bench.dispatcher.run(&mut bench.session, &batch, 0, &mut out);
    assert_eq!(run.await.flow, Flow::Continue);
    assert_eq!(&out[..], b"$-1\r\n+OK\r\n");
    assert!(tokio::time::Instant::now() >= until);
}

#[test]
fn the_slow_log_shows_for_how_long_a_write_ran_and_not_how_long_it_waited() {
    let mut bench = Bench::new();
    let slow_log = &bench.node.telemetry.slow_log;
    slow_log.configure(1000, 10);
    bench.store.set_times_us(&[3, 2_000_000, 500]);
    bench.check(&["set a 1", "set b 1", "set c 1"], "+OK +OK +OK");
    bench.check(&["multi", "set d 1", "set e 1", "exec"], "+OK +QUEUED +QUEUED *2 +OK +OK");
    let slow = bench.node.telemetry.slow_log.newest(None);
    let found: Vec<_> = slow.iter().map(|entry| (entry.elapsed_us, &entry.words[1][..])).collect();
    assert_eq!(found, [(2_000_000, &b"e"[..]), (2_000_000, &b"b"[..])]);
}

#[test]
fn a_client_knows_the_entry_of_its_own_last_write() {
    let mut bench = Bench::new();
    let last = |bench: &Bench| bench.session.client.last_write();
    assert_eq!(last(&bench), Some(0));
    bench.check(&["get a"], "$-1");
    assert_eq!(last(&bench), Some(0), "a read is no write");
    bench.check(&["set a 1"], "+OK");
    assert_eq!(last(&bench), Some(1));
    // Another client.
    let first = std::mem::replace(&mut bench.session, Bench::session(2));
    bench.check(&["set b 1", "set c 1"], "+OK +OK");
    assert_eq!((last(&bench), first.client.last_write()), (Some(2), Some(1)));
    bench.check(&["multi", "set d 1", "exec"], "+OK +QUEUED *1 +OK");
    assert_eq!(last(&bench), Some(3));
    // A leader of version 0.1.0 does not send the index.
    bench.session.client.note_write(0);
    assert_eq!(last(&bench), None);
}

//! The links between nodes: a TCP proxy in front of each node's peer port, which cuts and delays by
//! pair and direction and needs no privileges.
//!
//! A cut holds bytes back and forwards them after healing, as retransmission would. The owner of a
//! connection is found in the socket table of the kernel.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

const BUFFER_BYTES: usize = 64 << 10;

/// From one node to another, by index.
pub type Direction = (usize, usize);

/// All links of a cluster.
#[derive(Debug, Clone)]
pub struct Links {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cuts: watch::Sender<HashSet<Direction>>,
    delays: Mutex<HashMap<Direction, Duration>>,
    /// Connections that carry this many bytes at once stop from then on.
    large: watch::Sender<HashMap<Direction, usize>>,
    refusals: watch::Sender<Refusals>,
    refused: AtomicU64,
    /// For each target node: how often its connections were reset.
    resets: watch::Sender<HashMap<usize, u64>>,
    owners: Mutex<HashMap<u32, usize>>,
    held: AtomicU64,
}

/// How connections are answered instead of being forwarded.
#[derive(Debug, Default)]
struct Refusals {
    all: Option<u16>,
    by_node: HashMap<usize, u16>,
}

impl Refusals {
    fn of(&self, to: usize) -> Option<u16> {
        self.by_node.get(&to).copied().or(self.all)
    }
}

impl Links {
    /// Without faults.
    pub fn new() -> Self {
        let shared = Shared {
            cuts: watch::Sender::new(HashSet::new()),
            delays: Mutex::default(),
            large: watch::Sender::default(),
            refusals: watch::Sender::default(),
            refused: AtomicU64::new(0),
            resets: watch::Sender::default(),
            owners: Mutex::default(),
            held: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Listens on a free port for the peers of node `to` and forwards to `target`; returns the
    /// port.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn open(&self, to: usize, target: String) -> io::Result<u16> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let links = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(links.clone().connect(to, target.clone(), stream));
            }
        });
        Ok(port)
    }

    /// Records which node the process with this id is.
    pub fn set_owner(&self, pid: u32, node: usize) {
        self.shared.owners.lock().insert(pid, node);
    }

    /// Stops all traffic in this direction.
    pub fn cut(&self, direction: Direction) {
        self.shared.cuts.send_modify(|cuts| {
            cuts.insert(direction);
        });
    }

    /// Stops all traffic between these nodes and the others, in both directions.
    pub fn isolate(&self, inside: &[usize], nodes: usize) {
        for from in 0..nodes {
            for to in 0..nodes {
                if inside.contains(&from) != inside.contains(&to) {
                    self.cut((from, to));
                }
            }
        }
    }

    /// Delays traffic in this direction.
    pub fn delay(&self, direction: Direction, by: Duration) {
        self.shared.delays.lock().insert(direction, by);
    }

    /// Stops a connection once it carries this many bytes at once: a stream of log entries stops,
    /// and heartbeats on other connections do not.
    pub fn hold_large(&self, direction: Direction, bytes: usize) {
        self.shared.large.send_modify(|large| {
            large.insert(direction, bytes);
        });
    }

    /// Ends every connection and answers every request on new ones with this HTTP status, as a
    /// proxy with a wrong policy does.
    pub fn refuse_all(&self, status: u16) {
        self.shared.refusals.send_modify(|refusals| refusals.all = Some(status));
    }

    /// The same on the connections to one node.
    pub fn refuse(&self, to: usize, status: u16) {
        self.shared.refusals.send_modify(|refusals| {
            refusals.by_node.insert(to, status);
        });
    }

    /// Ends every connection that others have made to a node, possibly within a message. New
    /// connections are forwarded.
    pub fn reset(&self, to: usize) {
        self.shared.resets.send_modify(|resets| *resets.entry(to).or_default() += 1);
    }

    /// How many requests were answered in this way.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Removes every cut, delay and refusal.
    pub fn heal(&self) {
        self.shared.refusals.send_replace(Refusals::default());
        self.shared.large.send_replace(HashMap::new());
        self.shared.delays.lock().clear();
        self.shared.cuts.send_modify(HashSet::clear);
    }

    /// How many times a cut held bytes back: whether the cuts had an effect.
    pub fn held_back(&self) -> u64 {
        self.shared.held.load(Ordering::Relaxed)
    }

    async fn connect(self, to: usize, target: String, incoming: TcpStream) {
        let mut refusals = self.shared.refusals.subscribe();
        let status = refusals.borrow_and_update().of(to);
        let mut resets = self.shared.resets.subscribe();
        let count = |resets: &HashMap<usize, u64>| resets.get(&to).copied();
        let before = count(&resets.borrow_and_update());
        match status {
            Some(status) => {
                tokio::select! {
                    _ended = refuse(incoming, status, &self.shared.refused) => {}
                    _healed = refusals.wait_for(|now| now.of(to) != Some(status)) => {}
                }
            }
            None => {
                tokio::select! {
                    () = self.pass(to, target, incoming) => {}
                    _refused = refusals.wait_for(|now| now.of(to).is_some()) => {}
                    _reset = resets.wait_for(|resets| count(resets) != before) => {}
                }
            }
        }
    }

    async fn pass(&self, to: usize, target: String, incoming: TcpStream) {
        let Ok(outgoing) = TcpStream::connect(&target).await else { return };
        let from = self.owner_of(&incoming);
        let (incoming, outgoing) = match (incoming.set_nodelay(true), outgoing.set_nodelay(true)) {
            (Ok(()), Ok(())) => (incoming.into_split(), outgoing.into_split()),
            _ => return,
        };
        let forth = from.map(|from| (from, to));
        let back = from.map(|from| (to, from));
        tokio::join!(
            self.pump(incoming.0, outgoing.1, forth),
            self.pump(outgoing.0, incoming.1, back)
        );
    }

    async fn pump(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        direction: Option<Direction>,
    ) {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if let Some(direction) = direction {
                self.wait_until_open(direction).await;
                self.wait_if_large(direction, length).await;
            }
            if to.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
        // A cut holds back the end of a stream too.
        if let Some(direction) = direction {
            self.wait_until_open(direction).await;
        }
    }

    async fn wait_until_open(&self, direction: Direction) {
        let mut cuts = self.shared.cuts.subscribe();
        if cuts.borrow_and_update().contains(&direction) {
            self.shared.held.fetch_add(1, Ordering::Relaxed);
            let _ended = cuts.wait_for(|cuts| !cuts.contains(&direction)).await;
        }
        let delay = self.shared.delays.lock().get(&direction).copied();
        if let Some(delay) = delay {
            sleep(delay).await;
        }
    }

    async fn wait_if_large(&self, direction: Direction, length: usize) {
        let mut large = self.shared.large.subscribe();
        let limit = |large: &HashMap<Direction, usize>| large.get(&direction).copied();
        if limit(&large.borrow_and_update()).is_some_and(|limit| length >= limit) {
            self.shared.held.fetch_add(1, Ordering::Relaxed);
            let _ended = large.wait_for(|large| limit(large).is_none()).await;
        }
    }

    /// The node whose process has the other end of a connection.
    fn owner_of(&self, stream: &TcpStream) -> Option<usize> {
        let (theirs, ours) = (stream.peer_addr().ok()?, stream.local_addr().ok()?);
        let inode = socket_inode(theirs.port(), ours.port())?;
        let wanted = format!("socket:[{inode}]");
        let owners = self.shared.owners.lock().clone();
        let holds = |pid: &u32| {
            let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
            files.flatten().any(|file| {
                std::fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == &*wanted)
            })
        };
        owners.iter().find(|(pid, _)| holds(pid)).map(|(_, node)| *node)
    }
}

impl Default for Links {
    fn default() -> Self {
        Self::new()
    }
}

const FRAME_HEADER_BYTES: usize = 9;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACKNOWLEDGEMENT: u8 = 1;
const END_OF_STREAM_AND_HEADERS: u8 = 5;
/// `:status` in the static table of HPACK, to be followed by a literal that is not indexed.
const STATUS_NAME: u8 = 8;

/// Implements as much of HTTP/2 as is needed to answer every request with one status and no body.
async fn refuse(mut stream: TcpStream, status: u16, refused: &AtomicU64) -> io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    stream.write_all(&frame(SETTINGS, 0, [0; 4], &[])).await?;
    loop {
        let mut header = [0; FRAME_HEADER_BYTES];
        stream.read_exact(&mut header).await?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let (kind, flags) = (header[3], header[4]);
        let id = [header[5], header[6], header[7], header[8]];
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await?;
        let answer = match kind {
            HEADERS => {
                refused.fetch_add(1, Ordering::Relaxed);
                let mut block = vec![STATUS_NAME, 3];
                block.extend(status.to_string().bytes());
                frame(HEADERS, END_OF_STREAM_AND_HEADERS, id, &block)
            }
            SETTINGS if flags & ACKNOWLEDGEMENT == 0 => frame(SETTINGS, ACKNOWLEDGEMENT, id, &[]),
            PING if flags & ACKNOWLEDGEMENT == 0 => frame(PING, ACKNOWLEDGEMENT, id, &payload),
            _ => continue,
        };
        stream.write_all(&answer).await?;
    }
}

fn frame(kind: u8, flags: u8, stream: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream);
    frame.extend(payload);
    frame
}

fn socket_inode(local_port: u16, remote_port: u16) -> Option<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let (local, remote) = (format!(":{local_port:04X}"), format!(":{remote_port:04X}"));
    table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let found = words.get(1)?.ends_with(&local) && words.get(2)?.ends_with(&remote);
        found.then(|| words.get(9).map(|inode| (*inode).to_owned()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ended = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_cut_holds_bytes_back_until_it_is_healed() {
        let links = Links::new();
        links.set_owner(std::process::id(), 7);
        let port = links.open(1, echo().await).await.unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut byte = [0];
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        for direction in [(7, 1), (1, 7)] {
            links.cut(direction);
            stream.write_all(b"b").await.unwrap();
            let wait = Duration::from_millis(100);
            let early = tokio::time::timeout(wait, stream.read_exact(&mut byte)).await;
            assert!(early.is_err(), "{direction:?} does not cut");
            links.heal();
            stream.read_exact(&mut byte).await.unwrap();
        }
        assert_eq!(links.held_back(), 2);
    }

    #[tokio::test]
    async fn a_cut_between_other_nodes_has_no_effect() {
        let links = Links::new();
        links.set_owner(std::process::id(), 7);
        let port = links.open(1, echo().await).await.unwrap();
        links.cut((2, 1));
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
    }
}

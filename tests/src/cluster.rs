//! A cluster of real processes with links that can be cut.

use std::path::PathBuf;
use std::time::Duration;

use ironkv_proto::admin::v1::StatusResponse;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::clients::admin;
use crate::clients::certificates::Authority;
use crate::clients::client::{Client, ClientError};
use crate::clients::reply::Reply;
use crate::faults::disk::SmallDisk;
use crate::faults::links::Links;
use crate::faults::network::Network;
use crate::node::{Node, Place, Settings};
use crate::process::free_ports;

/// How long a healthy cluster may take to elect, catch up or agree on a busy machine.
pub const SETTLE_LIMIT: Duration = Duration::from_secs(60);

/// Hexadecimal digits of `DEBUG DIGEST`.
const DIGEST_LENGTH: usize = 40;

const POLL: Duration = Duration::from_millis(30);

/// Nodes, the links between them and their directory.
#[derive(Debug)]
pub struct Cluster {
    /// By index; removed nodes stay in the list.
    pub nodes: Vec<Node>,
    /// The links.
    pub links: Links,
    settings: Settings,
    /// Size of each node's own disk; `None` for the machine's disk.
    disk_megabytes: Option<u32>,
    /// By index, if the nodes have them.
    pub disks: Vec<SmallDisk>,
    directory: Option<TempDir>,
    /// Address and wrapper of each node that does not listen on 127.0.0.1.
    places: Vec<(String, Vec<String>)>,
    /// The program of new nodes; `None` for the program under test.
    pub program: Option<PathBuf>,
    /// Signs the certificates of peers; `None` without TLS between them.
    pub authority: Option<Authority>,
}

impl Cluster {
    /// A cluster of this many voters, ready to serve.
    pub async fn start(nodes: usize) -> Self {
        Self::start_with(nodes, &[]).await
    }

    /// The same with configuration keys set, such as `("reads.mode", "quorum")`.
    ///
    /// # Panics
    /// When the cluster cannot be formed.
    pub async fn start_with(nodes: usize, settings: &[(&str, &str)]) -> Self {
        Self::empty(settings).grow(nodes).await
    }

    /// A cluster with each node in its own network namespace, without links to cut.
    ///
    /// # Panics
    /// When the cluster cannot be formed.
    pub async fn start_in(network: &Network, nodes: usize) -> Self {
        let mut cluster = Self::empty(&[("security.enable_debug_command", "no")]);
        let place = |node| (network.address(node), network.wrapper(node));
        cluster.places = (0..nodes).map(place).collect();
        cluster.grow(nodes).await
    }

    /// A cluster with TLS between its nodes.
    ///
    /// # Panics
    /// When the cluster cannot be formed.
    pub async fn start_with_peer_tls(nodes: usize) -> Self {
        let mut cluster = Self::empty(&[]);
        cluster.authority = Some(Authority::new());
        cluster.grow(nodes).await
    }

    /// A cluster whose nodes have their own small disks. Needs root.
    ///
    /// # Panics
    /// When a disk cannot be mounted or the cluster cannot be formed.
    pub async fn start_on_small_disks(
        nodes: usize,
        megabytes: u32,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut cluster = Self::empty(settings);
        cluster.disk_megabytes = Some(megabytes);
        cluster.grow(nodes).await
    }

    /// Makes an empty cluster one of this many voters.
    ///
    /// # Panics
    /// When that does not succeed in time.
    pub async fn grow(self, nodes: usize) -> Self {
        let mut cluster = self;
        cluster.add_process().await;
        cluster.nodes[0].admin().init().await.expect("an empty node is initialised");
        cluster.nodes[0].wait_ready().await;
        for _ in 1..nodes {
            cluster.add_voter().await;
        }
        for node in &cluster.nodes {
            node.wait_ready().await;
        }
        cluster
    }

    /// Without nodes.
    ///
    /// # Panics
    /// When there is no directory for temporary files.
    pub fn empty(settings: &[(&str, &str)]) -> Self {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Self {
            nodes: Vec::new(),
            links: Links::new(),
            settings: settings.iter().map(own).collect(),
            disk_megabytes: None,
            disks: Vec::new(),
            directory: Some(tempfile::tempdir().expect("a temporary directory")),
            places: Vec::new(),
            program: None,
            authority: None,
        }
    }

    /// The settings of a node with some of them changed, for [`Node::configure`].
    pub fn settings_of(&self, index: usize, changed: &[(&str, &str)]) -> Settings {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let mut settings = self.nodes[index].settings.clone();
        settings.extend(changed.iter().map(own));
        settings
    }

    /// Starts one more empty node; returns its index.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn add_process(&mut self) -> usize {
        let index = self.nodes.len();
        let mut ports: [u16; 3] = free_ports();
        let root = self.directory.as_ref().expect("kept until the end").path();
        let directory = root.join(format!("node-{index}"));
        let (host, wrapper, peer_port) = match self.places.get(index) {
            Some((host, wrapper)) => {
                ports = [6379, 6380, 8080];
                (host.clone(), wrapper.clone(), ports[1])
            }
            None => {
                let target = format!("127.0.0.1:{}", ports[1]);
                let peer_port = self.links.open(index, target).await.expect("a free port");
                ("127.0.0.1".to_owned(), Vec::new(), peer_port)
            }
        };
        let place = Place { index, directory, host, ports, peer_port, wrapper };
        let mut node = Node::prepare(place, &self.settings).expect("a writable directory");
        if let Some(megabytes) = self.disk_megabytes {
            self.disks.push(SmallDisk::mount(&node.data(), megabytes).expect("root can mount"));
        }
        if let Some(authority) = &self.authority {
            node.trust(authority).expect("a writable directory");
        }
        node.program.clone_from(&self.program);
        self.nodes.push(node);
        self.start_node(index).await;
        index
    }

    /// Starts a node that does not run and waits until it answers (not until it is ready).
    pub async fn start_node(&mut self, index: usize) {
        self.nodes[index].spawn();
        let pid = self.nodes[index].process().pid();
        self.links.set_owner(pid, index);
        let deadline = Instant::now() + SETTLE_LIMIT;
        while self.nodes[index].admin().status().await.is_err() {
            let alive = self.nodes[index].is_running() && Instant::now() < deadline;
            assert!(alive, "node {index} does not start:\n{}", self.nodes[index].log_tail());
            sleep(POLL).await;
        }
    }

    /// Starts an empty node, joins it and makes it a voter; returns its index.
    ///
    /// # Panics
    /// When that does not succeed in time.
    pub async fn add_voter(&mut self) -> usize {
        let index = self.add_process().await;
        let leader = self.leader().await;
        let seed = self.nodes[leader].peer_address.clone();
        let deadline = Instant::now() + SETTLE_LIMIT;
        let node_id = loop {
            match self.nodes[index].admin().join(&seed).await {
                Ok(node_id) => break node_id,
                Err(error) => assert!(Instant::now() < deadline, "node {index}: {error}"),
            }
            sleep(POLL).await;
        };
        loop {
            let leader = self.leader().await;
            match self.nodes[leader].admin().promote(node_id).await {
                Ok(()) => return index,
                Err(error) => {
                    assert!(Instant::now() < deadline, "node {index} is not promoted: {error}");
                }
            }
            sleep(POLL).await;
        }
    }

    /// The node ids, by index; 0 for a node that does not answer.
    pub async fn node_id(&self, index: usize) -> u64 {
        self.nodes[index].admin().status().await.map_or(0, |status| status.node_id)
    }

    /// The statuses of the nodes that answer.
    pub async fn statuses(&mut self) -> Vec<(usize, StatusResponse)> {
        let mut statuses = Vec::new();
        for node in &mut self.nodes {
            if node.is_running()
                && let Ok(status) = node.admin().status().await
            {
                statuses.push((node.index, status));
            }
        }
        statuses
    }

    /// The node that leads in the highest term, as soon as there is one.
    ///
    /// # Panics
    /// When no node becomes leader in time; shows the logs.
    pub async fn leader(&mut self) -> usize {
        self.leader_except(usize::MAX).await
    }

    /// The same, but not the node `except`.
    ///
    /// # Panics
    /// When no other node becomes leader in time; shows the logs.
    pub async fn leader_except(&mut self, except: usize) -> usize {
        let deadline = Instant::now() + SETTLE_LIMIT;
        loop {
            let statuses = self.statuses().await;
            let leaders = statuses.iter().filter(|(_, status)| admin::leads(status));
            let newest = leaders.max_by_key(|(_, status)| status.term);
            if let Some((index, status)) = newest
                && status.ready
                && *index != except
            {
                return *index;
            }
            assert!(Instant::now() < deadline, "no node leads:\n{}", self.logs());
            sleep(POLL).await;
        }
    }

    /// A node that is not the leader.
    pub async fn follower(&mut self) -> usize {
        let leader = self.leader().await;
        (leader + 1) % self.nodes.len()
    }

    /// A connection to a node's Redis port.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn client(&self, index: usize) -> Client {
        self.nodes[index].client().await.expect("a node that listens")
    }

    /// A connection to a node's Redis port with this timeout for each reply.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn client_with_timeout(&self, index: usize, limit: Duration) -> Client {
        let address = &self.nodes[index].resp_address;
        Client::connect_with_timeout(address, limit).await.expect("a node that listens")
    }

    /// A connection to the leader.
    pub async fn leader_client(&mut self) -> Client {
        let leader = self.leader().await;
        self.client(leader).await
    }

    /// Sends a line to a node until it is not refused.
    ///
    /// # Panics
    /// When it still is after [`SETTLE_LIMIT`].
    pub async fn retry(&mut self, index: usize, line: &str) -> Reply {
        let deadline = Instant::now() + SETTLE_LIMIT;
        loop {
            let mut last = None;
            if let Ok(mut client) = self.nodes[index].client().await {
                last = client.line(line).await.ok();
            }
            match last {
                Some(reply) if !reply.is_error() => return reply,
                last => assert!(Instant::now() < deadline, "node {index}, {line}: {last:?}"),
            }
            sleep(POLL).await;
        }
    }

    /// Waits until every running node has applied what the leader had committed at the call.
    ///
    /// # Panics
    /// When one does not catch up in time; shows the logs.
    pub async fn settle(&mut self) {
        let deadline = Instant::now() + SETTLE_LIMIT;
        let leader = self.leader().await;
        let status = self.nodes[leader].admin().status().await;
        let goal = status.ok().and_then(|status| status.committed).map_or(0, |log_id| log_id.index);
        loop {
            let running = self.nodes.iter_mut().map(Node::is_running).filter(|runs| *runs).count();
            let statuses = self.statuses().await;
            let applied = |status: &StatusResponse| status.applied.map_or(0, |log_id| log_id.index);
            let behind = statuses.iter().filter(|(_, status)| applied(status) < goal).count();
            if statuses.len() == running && behind == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "{behind} nodes are behind:\n{}", self.logs());
            sleep(POLL).await;
        }
    }

    /// Checks that the running nodes have equal data; returns its digest.
    ///
    /// # Panics
    /// When they do not.
    pub async fn equal_digests(&mut self) -> String {
        self.settle().await;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let digests = self.digests().await;
            let (_, first) = digests.first().expect("a running node");
            if digests.iter().all(|(_, digest)| digest == first && digest.len() == DIGEST_LENGTH) {
                return first.clone();
            }
            // Expiry may be in flight from the leader; real divergence remains.
            assert!(Instant::now() < deadline, "the nodes hold different data: {digests:?}");
            sleep(Duration::from_millis(300)).await;
        }
    }

    async fn digests(&mut self) -> Vec<(usize, String)> {
        let mut digests = Vec::new();
        for node in &mut self.nodes {
            if !node.is_running() {
                continue;
            }
            let mut client = node.client().await.expect("a running node");
            // An error, such as being too far behind, counts as a difference that may pass.
            let digest = client.line("DEBUG DIGEST").await.expect("an answer");
            digests.push((node.index, digest.text()));
        }
        digests
    }

    /// Tries a write through each node until one is acknowledged.
    ///
    /// # Panics
    /// When none is in time.
    pub async fn wait_writable(&mut self) -> usize {
        let deadline = Instant::now() + SETTLE_LIMIT;
        loop {
            for node in &mut self.nodes {
                if node.is_running() && try_write(node).await.is_ok_and(|reply| !reply.is_error()) {
                    return node.index;
                }
            }
            assert!(Instant::now() < deadline, "no node takes a write:\n{}", self.logs());
            sleep(POLL).await;
        }
    }

    /// Kills every node that runs.
    pub fn kill_all(&mut self) {
        for node in &mut self.nodes {
            if let Some(process) = &mut node.process {
                process.kill();
            }
        }
    }

    /// Starts every node that does not run.
    pub async fn start_all(&mut self) {
        for index in 0..self.nodes.len() {
            if !self.nodes[index].is_running() {
                self.start_node(index).await;
            }
        }
    }

    /// The last log lines of all nodes.
    pub fn logs(&self) -> String {
        let tail = |node: &Node| format!("--- node {}\n{}\n", node.index, node.log_tail());
        self.nodes.iter().map(tail).collect()
    }
}

async fn try_write(node: &Node) -> Result<Reply, ClientError> {
    let limit = Duration::from_secs(2);
    let mut client = Client::connect_with_timeout(&node.resp_address, limit).await?;
    client.line("SET ironkv-tests:writable 1").await
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill_all();
        if std::thread::panicking()
            && let Some(directory) = self.directory.take()
        {
            let kept = directory.keep();
            eprintln!("logs and data of the failed run are in {}", kept.display());
        }
    }
}

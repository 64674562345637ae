//! Network namespaces: each node is on its own machine, as far as the kernel can tell. Needs root;
//! the links of `links.rs` do not.

use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::faults::disk::run;

static NETWORKS: AtomicU32 = AtomicU32::new(0);

/// A bridge with one namespace per node; all removed when dropped. The bridge has its own namespace
/// too: the firewall of a machine with containers would drop its packets.
#[derive(Debug)]
pub struct Network {
    switch: String,
    uplink: String,
    names: Vec<String>,
    subnet: String,
}

/// The bridge in the namespace of the switch.
const BRIDGE: &str = "bridge";

impl Network {
    /// Creates this many namespaces.
    ///
    /// # Errors
    /// Not root, or `ip` is missing.
    pub fn create(nodes: usize) -> io::Result<Self> {
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let tag = std::process::id() % 10_000;
        let subnet = format!("10.{}.{}", 64 + tag % 64, (tag / 64 + number) % 250);
        let (switch, uplink) = (format!("ik{tag}x{number}s"), format!("ik{tag}x{number}u"));
        let mut network = Self { switch, uplink, names: Vec::new(), subnet };
        network.connect()?;
        for node in 0..nodes {
            network.add(node, &format!("ik{tag}x{number}n{node}"))?;
        }
        Ok(network)
    }

    /// The address of a node.
    pub fn address(&self, node: usize) -> String {
        format!("{}.{}", self.subnet, node + 1)
    }

    /// The words before a command that run it on the node.
    pub fn wrapper(&self, node: usize) -> Vec<String> {
        ["ip", "netns", "exec", &self.names[node]].map(str::to_owned).to_vec()
    }

    /// Drops every packet between two nodes, both ways.
    ///
    /// # Errors
    /// `iptables` is missing or refuses.
    pub fn cut(&self, a: usize, b: usize) -> io::Result<()> {
        self.drop_from(a, b)?;
        self.drop_from(b, a)
    }

    /// Drops every packet that comes to `to` from `from`.
    ///
    /// # Errors
    /// `iptables` is missing or refuses.
    pub fn drop_from(&self, from: usize, to: usize) -> io::Result<()> {
        self.iptables(to, &format!("-A INPUT -s {} -j DROP", self.address(from)))
    }

    /// Drops packets that come to a node at random.
    ///
    /// # Errors
    /// `iptables` is missing or refuses.
    pub fn lose(&self, node: usize, probability: f64) -> io::Result<()> {
        let rule = "-A INPUT -m statistic --mode random --probability";
        self.iptables(node, &format!("{rule} {probability} -j DROP"))
    }

    /// Removes every cut and loss.
    ///
    /// # Errors
    /// `iptables` is missing or refuses.
    pub fn heal(&self) -> io::Result<()> {
        (0..self.names.len()).try_for_each(|node| self.iptables(node, "-F INPUT"))
    }

    /// How many packets the cuts of a node have dropped: whether they had an effect.
    ///
    /// # Errors
    /// `iptables` is missing or refuses.
    pub fn dropped(&self, node: usize) -> io::Result<u64> {
        let wrapper = self.wrapper(node);
        let output = Command::new(&wrapper[0])
            .args(&wrapper[1..])
            .args(["iptables", "-w", "-nvxL", "INPUT"])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let packets = |line: &str| line.split_whitespace().next()?.parse::<u64>().ok();
        Ok(text.lines().filter(|line| line.contains("DROP")).filter_map(packets).sum())
    }

    /// Creates the bridge, with this process at one of its ports.
    fn connect(&self) -> io::Result<()> {
        let Self { switch, uplink, subnet, .. } = self;
        ip(&format!("netns add {switch}"))?;
        ip(&format!("-n {switch} link add {BRIDGE} type bridge"))?;
        ip(&format!("-n {switch} link set {BRIDGE} up"))?;
        ip(&format!("link add {uplink} type veth peer name {uplink} netns {switch}"))?;
        ip(&format!("-n {switch} link set {uplink} master {BRIDGE} up"))?;
        ip(&format!("addr add {subnet}.254/24 dev {uplink}"))?;
        ip(&format!("link set {uplink} up"))
    }

    fn add(&mut self, node: usize, name: &str) -> io::Result<()> {
        let (outer, switch) = (format!("{name}v"), self.switch.clone());
        ip(&format!("netns add {name}"))?;
        self.names.push(name.to_owned());
        ip(&format!("-n {switch} link add {outer} type veth peer name eth0 netns {name}"))?;
        ip(&format!("-n {switch} link set {outer} master {BRIDGE} up"))?;
        ip(&format!("-n {name} addr add {}/24 dev eth0", self.address(node)))?;
        ip(&format!("-n {name} link set eth0 up"))?;
        ip(&format!("-n {name} link set lo up"))
    }

    fn iptables(&self, node: usize, rule: &str) -> io::Result<()> {
        let wrapper = self.wrapper(node);
        let words = rule.split_whitespace();
        run(Command::new(&wrapper[0]).args(&wrapper[1..]).args(["iptables", "-w"]).args(words))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Both ends of a virtual cable are removed with either of its namespaces.
        for name in self.names.iter().chain([&self.switch]) {
            let _removed = ip(&format!("netns del {name}"));
        }
    }
}

fn ip(arguments: &str) -> io::Result<()> {
    run(Command::new("ip").args(arguments.split_whitespace()))
}

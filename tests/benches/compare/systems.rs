//! Starting the systems, and the CPU time their processes used.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use tempfile::TempDir;

pub(crate) const IRONKV: &str = "IronKV, 3 nodes";
pub(crate) const REDIS: &str = "Redis, appendfsync always";
pub(crate) const ETCD: &str = "etcd, 3 nodes";

/// Clock ticks of `/proc/PID/stat` in a second: 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// RESP port of the first node of the development cluster.
const FIRST_PORT: u16 = 17_000;

/// The protocol of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Resp,
    Etcd,
}

/// A running system; its processes end with it.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) addresses: Vec<String>,
    pub(crate) directory: TempDir,
    children: Vec<Child>,
    pids: Vec<u32>,
}

type Started = Result<Option<System>, String>;

impl System {
    /// User and system time of all its processes so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let ticks: f64 = self
            .pids
            .iter()
            .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok())
            .filter_map(|stat| {
                let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
                Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
            })
            .sum();
        ticks / TICKS_PER_SECOND
    }

    /// Puts the leader's address first, which has the lowest latency.
    pub(crate) fn sort_leader_first(&mut self) {
        self.addresses.sort_by_key(|address| !is_leader(address).unwrap_or(false));
    }

    /// The process behind an address of a development cluster.
    pub(crate) fn pid(&self, address: usize) -> io::Result<u32> {
        let port = self.addresses[address].rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let node = port.and_then(|port: u16| Some(port.checked_sub(FIRST_PORT)? / 2 + 1));
        let node = node.ok_or_else(|| io::Error::other("not an address of the cluster"))?;
        let text = fs::read_to_string(self.directory.path().join(format!("node-{node}/pid")))?;
        text.trim().parse().map_err(io::Error::other)
    }

    /// `kill -9` of that process; waits until its ports are free.
    pub(crate) fn kill(&self, address: usize) -> io::Result<()> {
        let pid = self.pid(address)?.to_string();
        Command::new("kill").args(["-9", &pid]).status()?;
        while TcpStream::connect(&self.addresses[address]).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if self.name == IRONKV {
            let _ = dev(self.directory.path(), &["stop"]);
        }
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs `ironkv dev ARGUMENTS` on a directory.
pub(crate) fn dev(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = ironkv_tests::process::ironkv_command()
        .arg("dev")
        .args(arguments)
        .arg("--dir")
        .arg(directory)
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

pub(crate) fn ironkv(wanted: &dyn Fn(&str) -> bool) -> Started {
    if !wanted("ironkv") {
        return Ok(None);
    }
    let directory = temporary()?;
    let port = FIRST_PORT;
    dev(directory.path(), &["start", "--port", &port.to_string(), "--http-port", "17080"])?;
    let pids = (1..=3)
        .filter_map(|node| {
            let path = directory.path().join(format!("node-{node}/pid"));
            fs::read_to_string(path).ok()?.trim().parse().ok()
        })
        .collect();
    let addresses = [port, port + 2, port + 4].map(|port| format!("127.0.0.1:{port}")).into();
    let mut system = System {
        name: IRONKV,
        protocol: Protocol::Resp,
        addresses,
        directory,
        children: Vec::new(),
        pids,
    };
    system.sort_leader_first();
    Ok(Some(system))
}

/// Sends `ROLE`.
pub(crate) fn is_leader(address: &str) -> io::Result<bool> {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"ROLE\r\n")?;
    let mut reply = [0; 64];
    let length = stream.read(&mut reply)?;
    Ok(reply[..length].windows(6).any(|word| word == b"master"))
}

pub(crate) fn redis(wanted: &dyn Fn(&str) -> bool) -> Started {
    if !wanted("redis") {
        return Ok(None);
    }
    let directory = temporary()?;
    let port = free_port()?;
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
        .arg(directory.path())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("redis-server: {error}; apt-get install redis-server"))?;
    started(REDIS, Protocol::Resp, directory, vec![child], vec![port])
}

pub(crate) fn etcd(wanted: &dyn Fn(&str) -> bool) -> Started {
    if !wanted("etcd") {
        return Ok(None);
    }
    let directory = temporary()?;
    let ports: Vec<(u16, u16)> =
        (0..3).map(|_| Ok((free_port()?, free_port()?))).collect::<Result<_, String>>()?;
    let cluster: Vec<_> = ports
        .iter()
        .enumerate()
        .map(|(index, (_, peer))| format!("n{index}=http://127.0.0.1:{peer}"))
        .collect();
    let children = ports
        .iter()
        .enumerate()
        .map(|(index, (client, peer))| {
            let client = format!("http://127.0.0.1:{client}");
            let peer = format!("http://127.0.0.1:{peer}");
            Command::new("etcd")
                .args(["--name", &format!("n{index}"), "--initial-cluster", &cluster.join(",")])
                .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
                .args(["--log-level", "error", "--data-dir"])
                .arg(directory.path().join(format!("n{index}")))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|error| format!("etcd: {error}; apt-get install etcd-server"))
        })
        .collect::<Result<_, String>>()?;
    let clients = ports.iter().map(|(client, _)| *client).collect();
    let system = started(ETCD, Protocol::Etcd, directory, children, clients)?;
    // The members listen before they have elected a leader.
    std::thread::sleep(Duration::from_secs(3));
    Ok(system)
}

fn started(
    name: &'static str,
    protocol: Protocol,
    directory: TempDir,
    children: Vec<Child>,
    ports: Vec<u16>,
) -> Started {
    let pids = children.iter().map(Child::id).collect();
    let addresses: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let system = System { name, protocol, addresses: addresses.clone(), directory, children, pids };
    let deadline = Instant::now() + Duration::from_secs(20);
    for address in &addresses {
        while TcpStream::connect(address).is_err() {
            if Instant::now() > deadline {
                return Err(format!("{name} does not listen on {address}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(Some(system))
}

fn temporary() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(|error| error.to_string())
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

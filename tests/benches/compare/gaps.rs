//! Figures that are not throughput: how long nobody can write when the leader dies or hands over,
//! how fast a node serves again, what an idle connection costs.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::load::{Load, Row};
use super::systems::{System, dev, is_leader};

/// One measured figure.
#[derive(Debug)]
pub(crate) struct Gap {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

const IDLE_CONNECTIONS: usize = 5_000;
const KEYS: u64 = 1_000_000;

pub(crate) fn measure(system: &System) -> Result<Vec<Gap>, String> {
    let text = |error: io::Error| error.to_string();
    let handed_over = longest_gap(system, |leader| raft_transfer(&system.addresses[leader]))?;
    let idle = idle_connection_bytes(system).map_err(text)?;
    let load = Load {
        row: Row { name: "fill", test: "set", clients: 50, pipeline: 64 },
        seconds: KEYS as f64 / 60_000.0,
    };
    load.run(system)?;
    let killed = longest_gap(system, |leader| kill_node(system, leader))?;
    let start = Instant::now();
    dev(system.directory.path(), &["restart"])?;
    let restart = start.elapsed();
    Ok(vec![
        Gap { name: "write gap, leader hands over", value: millis(handed_over) },
        Gap { name: "write gap, leader killed", value: millis(killed) },
        Gap { name: "memory of an idle connection", value: format!("{:.1} KiB", idle / 1024.0) },
        Gap { name: "stop and restart of all nodes with the data above", value: millis(restart) },
    ])
}

fn millis(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1000.0)
}

/// Writes to every node in turn every few milliseconds while `act` is done to the leader; the
/// longest time between two acknowledged writes.
fn longest_gap(
    system: &System,
    act: impl FnOnce(usize) -> io::Result<()>,
) -> Result<Duration, String> {
    let leader = (0..system.addresses.len())
        .find(|node| is_leader(&system.addresses[*node]).unwrap_or(false))
        .ok_or("no node says it leads")?;
    let door = system.addresses[(leader + 1) % system.addresses.len()].clone();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let stop = stop.clone();
        move || write_until(&door, &stop)
    });
    std::thread::sleep(Duration::from_secs(1));
    act(leader).map_err(|error| error.to_string())?;
    std::thread::sleep(Duration::from_secs(5));
    stop.store(true, Ordering::Relaxed);
    writer.join().map_err(|_| "the writer panicked".to_owned())
}

fn write_until(address: &str, stop: &AtomicBool) -> Duration {
    let mut stream = None;
    let mut last = Instant::now();
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        if one_write(address, &mut stream).is_ok() {
            longest = longest.max(last.elapsed());
            last = Instant::now();
        } else {
            stream = None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    longest
}

fn one_write(address: &str, kept: &mut Option<TcpStream>) -> io::Result<()> {
    if kept.is_none() {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        *kept = Some(stream);
    }
    let stream = kept.as_mut().expect("connected above");
    stream.write_all(b"SET gap:key value\r\n")?;
    let mut reply = [0; 64];
    let length = stream.read(&mut reply)?;
    if reply[..length].starts_with(b"+OK") { Ok(()) } else { Err(io::Error::other("refused")) }
}

fn raft_transfer(leader: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(leader)?;
    stream.write_all(b"RAFT TRANSFER\r\n")?;
    let mut reply = [0; 256];
    let length = stream.read(&mut reply)?;
    if reply.starts_with(b"-") {
        return Err(io::Error::other(String::from_utf8_lossy(&reply[..length]).into_owned()));
    }
    Ok(())
}

fn kill_node(system: &System, node: usize) -> io::Result<()> {
    let port: u16 = system.addresses[node]
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok())
        .ok_or_else(|| io::Error::other("address without port"))?;
    let number = (port - 17_000) / 2 + 1;
    let pid = fs::read_to_string(system.directory.path().join(format!("node-{number}/pid")))?;
    std::process::Command::new("kill").args(["-9", pid.trim()]).status().map(drop)
}

fn idle_connection_bytes(system: &System) -> io::Result<f64> {
    let address = &system.addresses[0];
    let port: u16 = address.rsplit_once(':').and_then(|(_, p)| p.parse().ok()).unwrap_or(0);
    let number = (port - 17_000) / 2 + 1;
    let pid = fs::read_to_string(system.directory.path().join(format!("node-{number}/pid")))?;
    let before = resident_bytes(pid.trim())?;
    let mut idle = Vec::with_capacity(IDLE_CONNECTIONS);
    for _ in 0..IDLE_CONNECTIONS {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"PING\r\n")?;
        let mut reply = [0; 16];
        let _ = stream.read(&mut reply)?;
        idle.push(stream);
    }
    let after = resident_bytes(pid.trim())?;
    Ok((after.saturating_sub(before)) as f64 / IDLE_CONNECTIONS as f64)
}

fn resident_bytes(pid: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<u64>().ok())
        .ok_or_else(|| io::Error::other("no VmRSS in /proc"))?;
    Ok(kib * 1024)
}

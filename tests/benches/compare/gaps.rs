//! How long no client can write when the leader transfers its leadership or dies.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::report::Figure;
use super::systems::{System, dev, is_leader};

const TRANSFERS: usize = 10;
const KILLS: usize = 7;

pub(crate) fn measure(system: &System) -> Result<Vec<Figure>, String> {
    let transferred = (0..TRANSFERS)
        .map(|_| longest_gap(system, |leader| raft_transfer(&system.addresses[leader])))
        .collect::<Result<Vec<_>, String>>()?;
    let killed = (0..KILLS)
        .map(|_| {
            let gap = longest_gap(system, |leader| system.kill(leader))?;
            dev(system.directory.path(), &["start"])?;
            Ok(gap)
        })
        .collect::<Result<Vec<_>, String>>()?;
    Ok(vec![
        Figure { name: "write gap, leadership transfer", value: spread(transferred) },
        Figure { name: "write gap, leader killed", value: spread(killed) },
    ])
}

fn spread(mut gaps: Vec<Duration>) -> String {
    gaps.sort_unstable();
    let (median, longest) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
    format!("{} ms, longest of {} {} ms", median.as_millis(), gaps.len(), longest.as_millis())
}

/// Writes every few milliseconds to a node that is not the leader while `act` is done to the
/// leader; returns the longest time between two acknowledged writes.
fn longest_gap(
    system: &System,
    act: impl FnOnce(usize) -> io::Result<()>,
) -> Result<Duration, String> {
    let leader = (0..system.addresses.len())
        .find(|node| is_leader(&system.addresses[*node]).unwrap_or(false))
        .ok_or("no node leads")?;
    let target = system.addresses[(leader + 1) % system.addresses.len()].clone();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let stop = stop.clone();
        move || write_until(&target, &stop)
    });
    std::thread::sleep(Duration::from_secs(1));
    act(leader).map_err(|error| error.to_string())?;
    std::thread::sleep(Duration::from_secs(3));
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

/// Like a client: it waits for its answer for as long as the server may take.
fn one_write(address: &str, kept: &mut Option<TcpStream>) -> io::Result<()> {
    if kept.is_none() {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(6)))?;
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

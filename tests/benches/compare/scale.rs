//! Many connections, a checkpoint under load, and a restart with many keys.

use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use tokio::time::Instant;

use super::load::{Load, Row};
use super::report::Figure;
use super::systems::{System, dev};

const IDLE_CONNECTIONS: usize = 10_000;
const BUSY_CONNECTIONS: u32 = 1_000;
const KEYS: usize = 1_000_000;
const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn measure(system: &System, seconds: f64) -> Result<Vec<Figure>, String> {
    let text = |error: io::Error| error.to_string();
    let at = |what: &'static str| move |error: String| format!("{what}: {error}");
    let (idle_bytes, busy) = connections(system, seconds).map_err(at("connections"))?;
    fill(&system.addresses[0]).map_err(text).map_err(at("filling"))?;
    let (calm_us, checkpoint_us, checkpoints) =
        under_checkpoints(system, seconds).map_err(at("checkpoints"))?;
    for node in 0..system.addresses.len() {
        system.kill(node).map_err(text)?;
    }
    let start = Instant::now();
    dev(system.directory.path(), &["start"])?;
    first_write(&system.addresses[0]).map_err(text).map_err(at("first write"))?;
    let all = start.elapsed();
    Ok(vec![
        Figure {
            name: "memory of an idle connection (10,000 of them)",
            value: format!("{:.1} KiB", idle_bytes / 1024.0),
        },
        Figure { name: "SET, 1,000 clients beside them", value: format!("{busy:.0} operations/s") },
        Figure {
            name: "SET, 50 clients, 1 M keys: p99 without and with checkpoints",
            value: format!(
                "{:.2} and {:.2} ms ({checkpoints} checkpoints)",
                calm_us as f64 / 1000.0,
                checkpoint_us as f64 / 1000.0
            ),
        },
        Figure {
            name: "three nodes killed with 1 M keys: until a write is acknowledged",
            value: format!("{} ms", all.as_millis()),
        },
    ])
}

/// Bytes of an idle connection, and the throughput of busy ones beside them.
fn connections(system: &System, seconds: f64) -> Result<(f64, f64), String> {
    let text = |error: io::Error| error.to_string();
    let mut admin = TcpStream::connect(&system.addresses[0]).map_err(text)?;
    let all = IDLE_CONNECTIONS + BUSY_CONNECTIONS as usize + 100;
    ask(&mut admin, format!("CONFIG SET maxclients {all}\r\n").as_bytes()).map_err(text)?;
    let before = resident_bytes(system.pid(0).map_err(text)?).map_err(text)?;
    let mut idle = Vec::with_capacity(IDLE_CONNECTIONS);
    for _ in 0..IDLE_CONNECTIONS {
        let mut stream = TcpStream::connect(&system.addresses[0]).map_err(text)?;
        ask(&mut stream, b"PING\r\n").map_err(text)?;
        idle.push(stream);
    }
    let after = resident_bytes(system.pid(0).map_err(text)?).map_err(text)?;
    let row = Row { name: "busy", test: "set", clients: BUSY_CONNECTIONS, pipeline: 1 };
    let busy = Load { row, seconds }.run(system)?;
    for stream in &mut idle {
        ask(stream, b"PING\r\n").map_err(|error| format!("an idle connection broke: {error}"))?;
    }
    let each = after.saturating_sub(before) as f64 / IDLE_CONNECTIONS as f64;
    Ok((each, busy.per_second))
}

/// 99th percentiles of a write, microseconds, before checkpoints and during consecutive ones, and
/// the number of checkpoints.
fn under_checkpoints(system: &System, seconds: f64) -> Result<(u64, u64, u64), String> {
    let row = Row { name: "checkpoint", test: "set", clients: 50, pipeline: 1 };
    let calm = Load { row, seconds }.run(system)?;
    let address = system.addresses[0].clone();
    let length = Duration::from_secs_f64(seconds);
    let writer = std::thread::spawn(move || -> io::Result<u64> {
        let mut stream = TcpStream::connect(address)?;
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < length {
            // The answer comes when the checkpoint is written.
            if ask(&mut stream, b"SAVE\r\n")?.starts_with(b"+OK") {
                count += 1;
            }
        }
        Ok(count)
    });
    let busy = Load { row, seconds }.run(system)?;
    let count = writer.join().map_err(|_| "the asker panicked".to_owned())?;
    Ok((calm.p99_us, busy.p99_us, count.map_err(|error| error.to_string())?))
}

fn fill(address: &str) -> io::Result<()> {
    let stream = TcpStream::connect(address)?;
    let mut replies = stream.try_clone()?;
    let counter = std::thread::spawn(move || {
        let (mut buffer, mut count) = ([0; 1 << 16], 0);
        loop {
            match replies.read(&mut buffer)? {
                0 => return io::Result::Ok(count),
                length => count += buffer[..length].iter().filter(|byte| **byte == b'+').count(),
            }
        }
    });
    let mut out = BufWriter::new(&stream);
    let value = "v".repeat(super::load::VALUE_BYTES);
    for key in 0..KEYS {
        write!(out, "SET fill:{key} {value}\r\n")?;
    }
    out.flush()?;
    drop(out);
    stream.shutdown(Shutdown::Write)?;
    match counter.join() {
        Ok(Ok(KEYS)) => Ok(()),
        other => Err(io::Error::other(format!("{KEYS} keys were not all stored: {other:?}"))),
    }
}

fn first_write(address: &str) -> io::Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let answer = TcpStream::connect(address)
            .and_then(|mut stream| ask(&mut stream, b"SET restart:key value\r\n"));
        match answer {
            Ok(reply) if reply.starts_with(b"+OK") => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn ask(stream: &mut TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(request)?;
    let mut reply = [0; 256];
    let length = stream.read(&mut reply)?;
    if length == 0 {
        Err(io::ErrorKind::ConnectionReset.into())
    } else {
        Ok(reply[..length].into())
    }
}

fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<u64>().ok())
        .ok_or_else(|| io::Error::other("no VmRSS in /proc"))?;
    Ok(kib * 1024)
}

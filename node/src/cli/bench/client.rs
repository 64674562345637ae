//! One connection of the benchmark.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::workload::Workload;
use crate::base::net::Stream;
use crate::cli::client::connection::{closed, not_resp};
use crate::cli::client::tls::Dialer;
use crate::resp::client::encode_request;

/// The measurements of one client.
#[derive(Debug)]
pub(super) struct Samples {
    /// Microseconds from the time at which a command was due to its reply.
    pub(super) latency_us: Histogram<u64>,
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
}

/// A connection.
pub(super) struct Client {
    stream: Box<dyn Stream>,
    input: BytesMut,
}

impl Client {
    pub(super) async fn connect(
        dialer: &Dialer,
        address: &str,
        password: Option<&str>,
    ) -> io::Result<Self> {
        let stream = dialer.connect(address).await?;
        let mut client = Self { stream, input: BytesMut::with_capacity(16 * 1024) };
        if let Some(password) = password {
            let mut output = BytesMut::new();
            encode_request(&mut output, &[b"AUTH", password.as_bytes()] as &[&[u8]]);
            client.stream.write_all(&output).await?;
            client.stream.flush().await?;
            if let Some(error) = client.reply().await? {
                return Err(io::Error::other(error));
            }
        }
        Ok(client)
    }

    /// Sends batches until the workload is over.
    pub(super) async fn drive(
        mut self,
        workload: Rc<Workload>,
        number: u32,
    ) -> io::Result<Samples> {
        let latency_us = Histogram::new_with_bounds(1, 60_000_000, 3).map_err(io::Error::other)?;
        let mut samples = Samples { latency_us, errors: 0, first_error: None };
        let mut random = workload.seed_of(number);
        let mut output = BytesMut::new();
        let mut due = workload.started();
        // The clients' start times are spread over one interval; otherwise all would send at the
        // same time.
        if let Some(pace) = workload.pace {
            due += pace.mul_f64(f64::from(number) / workload.clients as f64);
        }
        loop {
            let batch = workload.take();
            if batch == 0 {
                return Ok(samples);
            }
            match workload.pace {
                Some(pace) => {
                    tokio::time::sleep_until(due).await;
                    self.exchange(&workload, batch, &mut random, &mut output, due, &mut samples)
                        .await?;
                    due += pace;
                }
                None => {
                    let now = Instant::now();
                    self.exchange(&workload, batch, &mut random, &mut output, now, &mut samples)
                        .await?;
                }
            }
        }
    }

    async fn exchange(
        &mut self,
        workload: &Workload,
        batch: u64,
        random: &mut u64,
        output: &mut BytesMut,
        due: Instant,
        samples: &mut Samples,
    ) -> io::Result<()> {
        output.clear();
        for _ in 0..batch {
            workload.write(random, output);
        }
        self.stream.write_all(output).await?;
        self.stream.flush().await?;
        for _ in 0..batch {
            if let Some(error) = self.reply().await? {
                samples.errors += 1;
                samples.first_error.get_or_insert(error);
            }
            samples.latency_us.saturating_record(micros(due.elapsed()));
        }
        workload.count(batch);
        Ok(())
    }

    /// Waits for one reply; returns its text if it is an error. Understands the replies to SET, GET
    /// and AUTH.
    async fn reply(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some((length, error)) = scan(&self.input)? {
                self.input.advance(length);
                return Ok(error);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(closed());
            }
        }
    }
}

/// The length of the first complete reply in `input`, and its text if it is an error.
fn scan(input: &[u8]) -> io::Result<Option<(usize, Option<String>)>> {
    let Some(end) = memchr::memchr(b'\n', input) else { return Ok(None) };
    let line = &input[1..end.saturating_sub(1).max(1)];
    match input[0] {
        b'+' | b':' | b'_' | b',' | b'#' => Ok(Some((end + 1, None))),
        b'-' => Ok(Some((end + 1, Some(String::from_utf8_lossy(line).into_owned())))),
        b'$' if line == b"-1" => Ok(Some((end + 1, None))),
        b'$' => {
            let length: usize = std::str::from_utf8(line)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| not_resp("the reply is not RESP"))?;
            let whole = end + 1 + length + 2;
            Ok((input.len() >= whole).then_some((whole, None)))
        }
        _ => Err(not_resp("the reply is not RESP")),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::scan;

    #[test]
    fn a_reply_is_found_only_when_it_is_whole() {
        assert_eq!(scan(b"+OK\r\n").unwrap(), Some((5, None)));
        assert_eq!(scan(b"+OK\r").unwrap(), None);
        assert_eq!(scan(b"$3\r\nabc\r\n+OK").unwrap(), Some((9, None)));
        assert_eq!(scan(b"$3\r\nab").unwrap(), None);
        assert_eq!(scan(b"$-1\r\n").unwrap(), Some((5, None)));
        assert_eq!(scan(b"-ERR no\r\n").unwrap(), Some((9, Some("ERR no".to_owned()))));
        assert!(scan(b"HTTP/1.1 400\r\n").is_err());
    }
}

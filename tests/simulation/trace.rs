//! What the nodes send to each other, frame by frame, so that two runs of one seed can be compared.

use std::fmt::Write;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ironkv::base::hash::stable_hash;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

/// What a client of HTTP/2 sends before its first frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER_BYTES: usize = 9;
/// HEADERS and CONTINUATION: servers put the date into them, from the clock of the machine.
const DATED_KINDS: [u8; 2] = [1, 9];

/// One line for each frame that was sent: when, from where to where, what. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<String>>);

impl Trace {
    /// All lines so far.
    pub(crate) fn text(&self) -> String {
        self.0.lock().clone()
    }

    fn frame(&self, link: &str, frame: &[u8]) {
        let (header, payload) = frame.split_at(FRAME_HEADER_BYTES);
        let dated = DATED_KINDS.contains(&header[3]);
        let content = if dated { 0 } else { stable_hash(frame) };
        let length = if dated { 0 } else { payload.len() };
        let at = turmoil::sim_elapsed().unwrap_or_default().as_micros();
        let (kind, flags, stream) = (header[3], header[4], &header[5..]);
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.0.lock(),
            "{at} {link} kind {kind} flags {flags} stream {stream:?} {length} {content:016x}"
        );
    }
}

/// A stream whose writes are recorded.
pub(crate) struct Traced {
    stream: TcpStream,
    link: String,
    trace: Trace,
    /// Written, but not a complete frame yet.
    rest: Vec<u8>,
}

impl Traced {
    pub(crate) fn new(stream: TcpStream, trace: Trace) -> io::Result<Self> {
        let link = format!("{} > {}", stream.local_addr()?, stream.peer_addr()?);
        Ok(Self { stream, link, trace, rest: Vec::new() })
    }

    fn note(&mut self, written: &[u8]) {
        self.rest.extend_from_slice(written);
        if self.rest.starts_with(PREFACE) {
            self.rest.drain(..PREFACE.len());
        }
        while let [a, b, c, ..] = self.rest[..] {
            let end = FRAME_HEADER_BYTES + u32::from_be_bytes([0, a, b, c]) as usize;
            if self.rest.len() < end {
                return;
            }
            self.trace.frame(&self.link, &self.rest[..end]);
            self.rest.drain(..end);
        }
    }
}

impl AsyncRead for Traced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Traced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.note(&bytes[..count]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

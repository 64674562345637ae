//! The doors of a simulated node: turmoil's network, tasks for threads, a clock that can be wrong.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::future::BoxFuture;
use ironkv::base::clock::Clock;
use ironkv::base::net::{Listener, Net, Stream};
use ironkv::base::threads::{ThreadMain, Threads};
use tokio::sync::oneshot;
use turmoil::net::{TcpListener, TcpStream};

use crate::trace::{Trace, Traced};

/// Wall time at which every simulation begins: 2026-01-01, so that traces do not depend on today.
const EPOCH_US: u64 = 1_767_225_600_000_000;

/// turmoil's network, with a note of all that is sent.
pub(crate) struct SimulatedNet(pub(crate) Trace);

impl Net for SimulatedNet {
    fn connect(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        let trace = self.0.clone();
        Box::pin(async move {
            let stream = Traced::new(TcpStream::connect(address).await?, trace)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn listen(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let trace = self.0.clone();
        Box::pin(async move {
            // A simulated host has one address; it listens on its port whatever its name.
            let port = address.rsplit_once(':').map_or("0", |(_, port)| port);
            let listener = TcpListener::bind(format!("0.0.0.0:{port}")).await?;
            Ok(Box::new(SimulatedListener(listener, trace)) as Box<dyn Listener>)
        })
    }
}

struct SimulatedListener(TcpListener, Trace);

impl Listener for SimulatedListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, from) = self.0.accept().await?;
            let stream = Traced::new(stream, self.1.clone())?;
            Ok((Box::new(stream) as Box<dyn Stream>, from))
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Every "thread" is a task of the host's runtime.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SimulatedThreads;

impl Threads for SimulatedThreads {
    fn spawn(&self, _name: &str, main: ThreadMain) -> oneshot::Receiver<()> {
        let (ended, wait) = oneshot::channel();
        tokio::task::spawn_local(async move {
            main().await;
            // Nobody may be waiting: that is no error.
            let _ = ended.send(());
        });
        wait
    }
}

/// Simulated time plus a skew that the nemesis sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedClock {
    skew_us: Arc<AtomicI64>,
}

impl SimulatedClock {
    /// Sets how wrong the clock is, in milliseconds.
    pub(crate) fn skew(&self, ms: i64) {
        self.skew_us.store(ms * 1000, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn unix_us(&self) -> u64 {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default().as_micros();
        let right = EPOCH_US + u64::try_from(elapsed).unwrap_or(u64::MAX);
        right.saturating_add_signed(self.skew_us.load(Ordering::Relaxed))
    }
}

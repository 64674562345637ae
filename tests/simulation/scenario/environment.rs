//! The environment of a simulated node: turmoil's network, tasks as threads, a clock that can be
//! wrong.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::future::{BoxFuture, LocalBoxFuture};
use ironkv::base::clock::Clock;
use ironkv::base::net::{Listener, Net, Stream};
use ironkv::base::random::entropy;
use ironkv::base::threads::{ThreadMain, Threads};
use tokio::sync::oneshot;
use tokio::time::sleep;
use turmoil::net::{TcpListener, TcpStream};

use crate::random::Random;
use crate::trace::{Trace, Traced};

/// Wall time at which every simulation begins: 2026-01-01, so that traces do not depend on today.
const EPOCH_US: u64 = 1_767_225_600_000_000;

/// turmoil's network, with a record of everything that is sent.
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
            // A simulated host has one address; it listens on its port under any name.
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

/// Every "thread" is a task of the host's runtime. The apply thread can be made to lag.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedThreads {
    apply_lag_ms_max: Arc<AtomicU64>,
}

impl SimulatedThreads {
    /// From now on the apply thread waits up to this long before each step.
    pub(crate) fn let_apply_lag(&self, ms_max: u64) {
        self.apply_lag_ms_max.store(ms_max, Ordering::Relaxed);
    }

    async fn lag(self, mut main: LocalBoxFuture<'static, ()>) {
        let mut random = Random::new(entropy());
        while poll_once(&mut main).await.is_pending() {
            match self.apply_lag_ms_max.load(Ordering::Relaxed) {
                0 => {}
                ms_max => sleep(Duration::from_millis(random.below(ms_max))).await,
            }
        }
    }
}

/// Polls the future once; when it is not complete, waits until it is woken again.
async fn poll_once(main: &mut LocalBoxFuture<'static, ()>) -> Poll<()> {
    let mut polled = false;
    poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(Poll::Pending);
        }
        main.as_mut().poll(context).map(Poll::Ready)
    })
    .await
}

impl Threads for SimulatedThreads {
    fn spawn(&self, name: &str, main: ThreadMain) -> oneshot::Receiver<()> {
        let (ended, wait) = oneshot::channel();
        let threads = self.clone();
        let lags = name.starts_with("apply");
        tokio::task::spawn_local(async move {
            if lags {
                threads.lag(main()).await;
            } else {
                main().await;
            }
            // The receiver may have been dropped: that is no error.
            let _ = ended.send(());
        });
        wait
    }
}

/// Simulated time plus a skew that the nemesis sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedClock {
    skew_us: Arc<AtomicI64>,
    /// Gain of the clock per second, microseconds.
    drift_us: Arc<AtomicI64>,
    /// Start of the drift, microseconds of the simulation.
    drifts_since_us: Arc<AtomicU64>,
    suspended_us: Arc<AtomicU64>,
}

impl SimulatedClock {
    /// Sets how wrong the clock is, in milliseconds.
    pub(crate) fn skew(&self, ms: i64) {
        self.skew_us.store(ms * 1000, Ordering::Relaxed);
        self.drift(0);
    }

    /// From now on the clock gains so many microseconds in a second.
    pub(crate) fn drift(&self, us: i64) {
        self.drift_us.store(us, Ordering::Relaxed);
        self.drifts_since_us.store(self.awake_us(), Ordering::Relaxed);
    }

    /// Lets the clocks show that the machine has just been suspended for this time.
    pub(crate) fn suspend(&self, duration: Duration) {
        self.suspended_us.fetch_add(duration.as_micros() as u64, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn unix_us(&self) -> u64 {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default().as_micros();
        let right = EPOCH_US + u64::try_from(elapsed).unwrap_or(u64::MAX);
        let drifts_us =
            self.awake_us().saturating_sub(self.drifts_since_us.load(Ordering::Relaxed));
        let drift_us = drifts_us as i64 / 1_000_000 * self.drift_us.load(Ordering::Relaxed);
        right.saturating_add_signed(self.skew_us.load(Ordering::Relaxed) + drift_us)
    }

    fn boot_us(&self) -> u64 {
        self.awake_us() + self.suspended_us.load(Ordering::Relaxed)
    }

    fn awake_us(&self) -> u64 {
        turmoil::sim_elapsed().map_or(0, |elapsed| elapsed.as_micros() as u64)
    }
}

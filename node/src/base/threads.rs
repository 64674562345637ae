//! Starting threads. A "thread" is a future with a runtime of its own: a real thread in production,
//! a task of the one simulated runtime in the simulator. So the whole node consists of actors that
//! share only channels and briefly held locks.

use futures::future::LocalBoxFuture;

use super::blocking::enter_thread;

/// Creates the future inside the new thread, so that it need not be `Send`.
pub type ThreadMain = Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>;

/// Starts named threads.
pub trait Threads: Send + Sync + 'static {
    /// Runs `main` to its end on its own thread. The receiver completes when it has ended.
    fn spawn(&self, name: &str, main: ThreadMain) -> tokio::sync::oneshot::Receiver<()>;
}

/// One operating-system thread and one current-thread runtime for each.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealThreads;

impl Threads for RealThreads {
    fn spawn(&self, name: &str, main: ThreadMain) -> tokio::sync::oneshot::Receiver<()> {
        let (ended, wait) = tokio::sync::oneshot::channel();
        let own_name = name.to_owned();
        let run = move || {
            enter_thread(&own_name);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("the kernel grants an epoll descriptor at start");
            tokio::task::LocalSet::new().block_on(&runtime, main());
            // The receiver may have been dropped: that is no error.
            let _ = ended.send(());
        };
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .expect("the kernel grants a thread at start");
        wait
    }
}

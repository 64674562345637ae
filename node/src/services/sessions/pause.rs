//! `CLIENT PAUSE`: commands wait while connections stay open.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

/// Which commands wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseMode {
    /// Commands that may change keys.
    Writes,
    /// Every command.
    All,
}

/// The pause of this node.
#[derive(Debug)]
pub struct Pause {
    active: AtomicBool,
    state: Mutex<Option<(PauseMode, Instant)>>,
    changed: watch::Sender<()>,
}

impl Default for Pause {
    fn default() -> Self {
        let (changed, _) = watch::channel(());
        Self { active: AtomicBool::new(false), state: Mutex::new(None), changed }
    }
}

impl Pause {
    /// Starts a pause. As in Redis, it never shortens or weakens a current pause.
    pub fn start(&self, mode: PauseMode, until: Instant) {
        let mut state = self.state.lock();
        let current = state.filter(|(_, end)| *end > Instant::now());
        *state = Some(match current {
            Some((old_mode, old_end)) => (old_mode.max(mode), old_end.max(until)),
            None => (mode, until),
        });
        self.active.store(true, Ordering::Release);
        self.changed.send_replace(());
    }

    /// Ends the pause.
    pub fn end(&self) {
        *self.state.lock() = None;
        self.active.store(false, Ordering::Release);
        self.changed.send_replace(());
    }

    /// Whether there may be a pause: cheap enough for every command.
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Whether a command must wait now.
    pub fn holds(&self, writes: bool) -> bool {
        self.is_active() && self.end_for(writes).is_some()
    }

    /// Waits until such a command may run.
    pub async fn wait(&self, writes: bool) {
        let mut changed = self.changed.subscribe();
        while let Some(end) = self.end_for(writes) {
            tokio::select! {
                () = tokio::time::sleep_until(end) => {}
                _ = changed.changed() => {}
            }
        }
    }

    fn end_for(&self, writes: bool) -> Option<Instant> {
        let mut state = self.state.lock();
        let (mode, end) = (*state)?;
        if end <= Instant::now() {
            *state = None;
            self.active.store(false, Ordering::Release);
            return None;
        }
        (writes || mode == PauseMode::All).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Duration;

    #[tokio::test]
    async fn a_pause_of_writes_lets_reads_pass_and_ends_by_itself() {
        let pause = Pause::default();
        assert!(!pause.holds(true));
        pause.start(PauseMode::Writes, Instant::now() + Duration::from_millis(50));
        assert!(pause.holds(true) && !pause.holds(false));
        let before = Instant::now();
        pause.wait(true).await;
        assert!(before.elapsed() > Duration::from_millis(30));
        assert!(!pause.holds(true));
    }

    #[tokio::test]
    async fn a_second_pause_never_weakens_the_first() {
        let pause = Pause::default();
        pause.start(PauseMode::All, Instant::now() + Duration::from_secs(50));
        pause.start(PauseMode::Writes, Instant::now() + Duration::from_millis(10));
        assert!(pause.holds(false));
        pause.end();
        assert!(!pause.holds(true));
    }
}

//! One word to every part of the process: stop.

use tokio::sync::watch;

/// Tells the parts to stop. Dropping it tells them too.
#[derive(Debug)]
pub struct ShutdownSender(watch::Sender<bool>);

/// Heard by the parts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// A sender and the signal that it gives.
pub fn channel() -> (ShutdownSender, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (ShutdownSender(sender), Shutdown(receiver))
}

impl ShutdownSender {
    /// Tells everyone to stop; saying it twice changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// One more listener.
    pub fn listen(&self) -> Shutdown {
        Shutdown(self.0.subscribe())
    }
}

impl Shutdown {
    /// Whether the word was given.
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits for the word. Safe to drop and call again.
    pub async fn stopped(&mut self) {
        // An error means that the sender is gone, which is the same word.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_listener_hears_the_word_once_given() {
        let (sender, mut early) = channel();
        assert!(!early.is_stopping());
        sender.stop();
        early.stopped().await;
        let mut late = sender.listen();
        late.stopped().await;
        assert!(late.is_stopping());
    }

    #[tokio::test]
    async fn losing_the_sender_is_the_same_word() {
        let (sender, mut listener) = channel();
        drop(sender);
        listener.stopped().await;
        assert!(listener.is_stopping());
    }
}

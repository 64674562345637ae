//! The process-wide shutdown signal.

use tokio::sync::watch;

/// Sends the signal. Dropping it sends the signal too.
#[derive(Debug)]
pub struct ShutdownSender(watch::Sender<bool>);

/// Receives the signal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// A sender and the receiver of its signal.
pub fn channel() -> (ShutdownSender, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (ShutdownSender(sender), Shutdown(receiver))
}

impl ShutdownSender {
    /// Sends the signal; a second call has no effect.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// One more receiver.
    pub fn listen(&self) -> Shutdown {
        Shutdown(self.0.subscribe())
    }
}

impl Shutdown {
    /// Whether shutdown was requested.
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits for the signal. Cancellation-safe.
    pub async fn stopped(&mut self) {
        // An error means that the sender is gone, which counts as the signal.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_receiver_gets_the_signal() {
        let (sender, mut early) = channel();
        assert!(!early.is_stopping());
        sender.stop();
        early.stopped().await;
        let mut late = sender.listen();
        late.stopped().await;
        assert!(late.is_stopping());
    }

    #[tokio::test]
    async fn losing_the_sender_is_the_signal_too() {
        let (sender, mut listener) = channel();
        drop(sender);
        listener.stopped().await;
        assert!(listener.is_stopping());
    }
}

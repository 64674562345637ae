//! Frees large values, such as a flushed database or a collection with millions of elements, on a
//! thread for which no client waits. This has no visible effect, so the simulator uses it too.

use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};

type Garbage = Box<dyn Send>;

static SENDER: LazyLock<Sender<Garbage>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<Garbage>();
    let free_all = move || receiver.into_iter().for_each(drop);
    // Without a thread the receiver is dropped, and every send frees the value at once.
    drop(std::thread::Builder::new().name("discard".to_owned()).spawn(free_all));
    sender
});

/// Frees `value` in the background; the caller does not wait.
pub fn discard(value: impl Send + 'static) {
    drop(SENDER.send(Box::new(value)));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::discard;

    struct TellsWhere(mpsc::Sender<Option<String>>);

    impl Drop for TellsWhere {
        fn drop(&mut self) {
            let name = std::thread::current().name().map(str::to_owned);
            self.0.send(name).ok();
        }
    }

    #[test]
    fn a_discarded_value_is_freed_on_another_thread() {
        let (sender, receiver) = mpsc::channel();
        discard(TellsWhere(sender));
        let place = receiver.recv_timeout(Duration::from_secs(10));
        assert_eq!(place, Ok(Some("discard".to_owned())));
    }
}

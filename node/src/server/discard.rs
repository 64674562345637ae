//! Input from a client after the server has decided to close the connection. A connection that is
//! closed with unread bytes is reset, and the client then loses the reply that it has not read: a
//! client that sends a value that is too long would see a broken pipe and no reason.

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Duration, timeout};

/// The longest request that a client of Redis sends, and its end.
const BYTES_MAX: usize = 1 << 30;
/// Time limit for receiving the rest of a request.
const TIME_MAX: Duration = Duration::from_secs(5);
/// After this time without input, no more input is expected.
const SILENCE_MAX: Duration = Duration::from_secs(1);
const PIECE_BYTES: usize = 64 * 1024;

/// Reads and drops input until the client has closed its side, is silent, or has sent too much or
/// for too long. The write side must be closed already.
pub(super) async fn discard_input<T: AsyncRead + Unpin>(stream: &mut T) {
    let reading = async {
        let mut piece = vec![0; PIECE_BYTES];
        let mut left = BYTES_MAX;
        while left > 0 {
            match timeout(SILENCE_MAX, stream.read(&mut piece)).await {
                Ok(Ok(count)) if count > 0 => left = left.saturating_sub(count),
                _ => break,
            }
        }
    };
    let _ = timeout(TIME_MAX, reading).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_client_with_silence_and_when_it_takes_too_long() {
        let (mut client, mut server) = tokio::io::duplex(1024);
        let send = async {
            client.write_all(&[0; 100_000]).await.unwrap();
            drop(client);
        };
        tokio::join!(send, discard_input(&mut server));
        let (_silent, mut server) = tokio::io::duplex(1024);
        discard_input(&mut server).await;
        let (mut endless, mut server) = tokio::io::duplex(1024);
        let send = async {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                endless.write_all(b"x").await.unwrap();
            }
        };
        tokio::select! {
            () = send => {}
            () = discard_input(&mut server) => {}
        }
    }
}

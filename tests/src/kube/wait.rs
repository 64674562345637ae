//! Waiting with a timeout, and with a report of what was seen last.

use std::fmt::Display;
use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

const PAUSE: Duration = Duration::from_millis(500);

/// Calls `ask` until it returns `Ok`; an `Err` contains what was seen instead.
///
/// # Panics
/// When that takes longer than `limit`, with what was seen last.
pub fn until<T, Seen: Display>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> Result<T, Seen>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(seen) if Instant::now() > deadline => {
                panic!("waited {} s for: {what}; seen last: {seen}", limit.as_secs());
            }
            Err(_) => sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_success_is_a_success() {
        let mut asked = 0;
        let mut ask = || {
            asked += 1;
            if asked == 2 { Ok(asked) } else { Err("too early") }
        };
        assert_eq!(until("the second answer", Duration::from_secs(60), &mut ask), 2);
    }

    #[test]
    #[should_panic(expected = "for: a member; seen last: 2 pods")]
    fn a_timeout_reports_what_was_seen_last() {
        until::<(), _>("a member", Duration::ZERO, || Err("2 pods"));
    }
}

//! The drawing of LATENCY GRAPH: a bar for each pause, with its age below in vertical letters.

use crate::base::telemetry::latency::LatencyEvent;

/// Rows of the drawing.
const HEIGHT: u64 = 4;

/// Most bars that fit a terminal.
const BARS: usize = 80;

/// The drawing with its heading.
pub(super) fn draw(name: &str, event: &LatencyEvent, now_s: u64) -> String {
    let skipped = event.samples.len().saturating_sub(BARS);
    let samples: Vec<_> = event.samples.iter().skip(skipped).collect();
    let times = || samples.iter().map(|sample| sample.elapsed_ms);
    let (low, high) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    let mut text = format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        event.max_ms,
        "-".repeat(80)
    );
    for row in (0..HEIGHT).rev() {
        text.extend(times().map(|time| cell(height(time, low, high), row)));
        text.push('\n');
    }
    let ages: Vec<String> =
        samples.iter().map(|sample| age(now_s.saturating_sub(sample.unix_s))).collect();
    let longest = ages.iter().map(String::len).max().unwrap_or(0);
    text.push('\n');
    for row in 0..longest {
        text.extend(ages.iter().map(|age| age.chars().nth(row).unwrap_or(' ')));
        text.push('\n');
    }
    text
}

/// How many half rows a bar fills; the smallest bar fills none.
fn height(time: u64, low: u64, high: u64) -> u64 {
    (time - low) * (HEIGHT * 2 - 1) / (high - low).max(1)
}

fn cell(height: u64, row: u64) -> char {
    match height.saturating_sub(row * 2) {
        0 if row == 0 => '_',
        0 => ' ',
        1 => 'o',
        _ if height / 2 > row => '|',
        _ => '#',
    }
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::telemetry::latency::LatencySample;

    #[test]
    fn the_longest_pause_is_the_tallest_bar() {
        let sample = |unix_s, elapsed_ms| LatencySample { unix_s, elapsed_ms };
        let samples = [sample(100, 10), sample(160, 500)].into();
        let text = draw("command", &LatencyEvent { samples, max_ms: 900 }, 170);
        assert!(text.starts_with("command - high 500 ms, low 10 ms (all time high 900 ms)\n---"));
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(rows[3], "_|");
        assert_eq!(&rows[5..], ["11", "m0", " s"]);
    }
}

//! The values that a Redis parameter takes, and Redis's error texts for other values.

use std::borrow::Cow;

use super::OutputBufferLimits;
use super::memory::parse_memory;
use super::notify_classes::NotifyClasses;

/// The type of a parameter.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Anything.
    Text,
    /// `yes` or `no`.
    YesNo,
    /// A whole number in a range, both ends included.
    Integer(i64, i64),
    /// Octal file mode.
    Octal,
    /// Bytes, with units, in a range.
    Memory(u64, u64),
    /// Bytes with units, or a share such as `50%`.
    MemoryOrPercent,
    /// One word of these.
    Choice(&'static [&'static str]),
    /// Several words of these.
    Choices(&'static [&'static str]),
    /// `save`: pairs of seconds and numbers of changes.
    SavePoints,
    /// `client-output-buffer-limit`.
    OutputBuffer,
    /// `notify-keyspace-events`.
    EventClasses,
    /// Percentiles, separated by spaces.
    Percentiles,
    /// `oom-score-adj-values`.
    OomScores,
    /// Only `no`; the text is Redis's reason why it cannot be `yes`.
    Never(&'static str),
    /// Takes what the inner kind takes, but keeps its value: another one would promise less than
    /// the store guarantees.
    Stays(&'static Kind, &'static str),
}

/// Why a value was refused, in Redis's words.
pub type Refusal = Cow<'static, str>;

impl Kind {
    /// The canonical form of `text`, as `CONFIG GET` returns it. `current` is the present value, of
    /// which some kinds change only a part.
    pub fn check(self, text: &str, current: &str) -> Result<String, Refusal> {
        match self {
            Self::Text => Ok(text.to_owned()),
            Self::YesNo => parse_yes_no(text)
                .map(|yes| if yes { "yes" } else { "no" }.to_owned())
                .ok_or(Cow::Borrowed("argument must be 'yes' or 'no'")),
            Self::Integer(min, max) => {
                // Redis accepts no plus sign.
                let number = text.parse::<i64>().ok().filter(|_| !text.starts_with('+'));
                let number =
                    number.ok_or(Cow::Borrowed("argument couldn't be parsed into an integer"))?;
                in_range(i128::from(number), i128::from(min), i128::from(max))
            }
            Self::Octal => i64::from_str_radix(text, 8)
                .ok()
                .filter(|mode| (0..=0o777).contains(mode))
                .map(|mode| format!("{mode:o}"))
                .ok_or(Cow::Borrowed("argument couldn't be parsed as an octal number")),
            Self::Memory(min, max) => {
                let bytes =
                    parse_memory(text).ok_or(Cow::Borrowed("argument must be a memory value"))?;
                in_range(i128::from(bytes), i128::from(min), i128::from(max))
            }
            Self::MemoryOrPercent => memory_or_percent(text),
            Self::Choice(words) => word_of(text, words).map(str::to_owned),
            Self::Choices(words) => {
                let chosen: Result<Vec<&str>, Refusal> =
                    text.split_ascii_whitespace().map(|word| word_of(word, words)).collect();
                chosen.map(|chosen| chosen.join(" "))
            }
            Self::SavePoints => save_points(text),
            Self::OutputBuffer => output_buffer(text, current),
            Self::EventClasses => NotifyClasses::parse(text)
                .map(String::from)
                .ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into()),
            Self::Percentiles => percentiles(text),
            Self::OomScores => oom_scores(text),
            Self::Stays(kind, value) => kind.check(text, current).map(|_| value.to_owned()),
            Self::Never(why) => match parse_yes_no(text) {
                Some(false) => Ok("no".to_owned()),
                Some(true) => Err(why.into()),
                None => Err("argument must be 'yes' or 'no'".into()),
            },
        }
    }
}

/// Parses `yes` or `no` in upper or lower case.
pub(super) fn parse_yes_no(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("yes") {
        Some(true)
    } else {
        text.eq_ignore_ascii_case("no").then_some(false)
    }
}

fn in_range(number: i128, min: i128, max: i128) -> Result<String, Refusal> {
    if (min..=max).contains(&number) {
        Ok(number.to_string())
    } else {
        Err(format!("argument must be between {min} and {max} inclusive").into())
    }
}

fn memory_or_percent(text: &str) -> Result<String, Refusal> {
    let refused = Cow::Borrowed("argument must be a memory or percent value");
    let Some(digits) = text.strip_suffix('%') else {
        return parse_memory(text).map(|bytes| bytes.to_string()).ok_or(refused);
    };
    match digits.parse::<u64>() {
        Ok(number @ 0..=100) => Ok(format!("{number}%")),
        Ok(_) => Err("percentage argument must be less or equal to 100".into()),
        Err(_) => Err(refused),
    }
}

fn word_of(text: &str, words: &'static [&'static str]) -> Result<&'static str, Refusal> {
    let found = words.iter().copied().find(|word| word.eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        format!("argument(s) must be one of the following: {}", words.join(", ")).into()
    })
}

fn save_points(text: &str) -> Result<String, Refusal> {
    let numbers: Option<Vec<u32>> =
        text.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| {
        numbers.len().is_multiple_of(2) && numbers.iter().step_by(2).all(|&seconds| seconds > 0)
    });
    numbers.map(|numbers| spaced(&numbers)).ok_or(Cow::Borrowed("Invalid save parameters"))
}

fn output_buffer(text: &str, current: &str) -> Result<String, Refusal> {
    let limits = OutputBufferLimits::default().changed(current)?;
    Ok(limits.changed(text)?.to_string())
}

fn percentiles(text: &str) -> Result<String, Refusal> {
    let numbers: Option<Vec<f64>> =
        text.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
    let numbers =
        numbers.ok_or(Cow::Borrowed("Invalid latency-tracking-info-percentiles parameters"))?;
    if numbers.iter().all(|number| (0.0..=100.0).contains(number)) {
        Ok(spaced(&numbers))
    } else {
        let text = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
        Err(text.into())
    }
}

fn oom_scores(text: &str) -> Result<String, Refusal> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if words.len() != 3 {
        return Err("wrong number of arguments".into());
    }
    let numbers: Option<Vec<i32>> = words.iter().map(|word| word.parse().ok()).collect();
    numbers
        .filter(|numbers| numbers.iter().all(|number| (-2000..=2000).contains(number)))
        .map(|numbers| spaced(&numbers))
        .ok_or(Cow::Borrowed(
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ))
}

fn spaced<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, text: &str, expected: &str) {
        let result = kind.check(text, "normal 7 0 0");
        let shown = result.unwrap_or_else(|refusal| format!("! {refusal}"));
        assert_eq!(shown, expected, "{kind:?} {text}");
    }

    #[test]
    fn values_come_back_in_canonical_form() {
        check(Kind::YesNo, "YES", "yes");
        check(Kind::Integer(0, 9), "7", "7");
        check(Kind::Memory(0, u64::MAX), "1mb", "1048576");
        check(Kind::MemoryOrPercent, "50%", "50%");
        check(Kind::MemoryOrPercent, "1k", "1000");
        check(Kind::Choice(&["lru", "lfu"]), "LFU", "lfu");
        check(Kind::Choices(&["default", "save", "now"]), "save now", "save now");
        check(Kind::SavePoints, "3600 1  300 100", "3600 1 300 100");
        check(Kind::SavePoints, "", "");
        check(Kind::Percentiles, "50 99.0 99.9", "50 99 99.9");
        check(Kind::Octal, "755", "755");
        check(Kind::Stays(&Kind::YesNo, "yes"), "no", "yes");
        check(Kind::Stays(&Kind::YesNo, "yes"), "x", "! argument must be 'yes' or 'no'");
    }

    #[test]
    fn a_part_of_the_output_buffer_limits_can_change_alone() {
        check(
            Kind::OutputBuffer,
            "pubsub 1 1 1",
            "normal 7 0 0 slave 268435456 67108864 60 pubsub 1 1 1",
        );
    }

    #[test]
    fn event_classes_are_shown_in_redis_order() {
        for (text, expected) in [
            ("KEA", "AKE"),
            ("Kg$lshzxet", "g$lshzxetK"),
            ("", ""),
            ("lKE", "lKE"),
            ("EKmlg", "glKEm"),
        ] {
            check(Kind::EventClasses, text, expected);
        }
    }

    #[test]
    fn refusals_are_those_of_redis() {
        check(Kind::YesNo, "maybe", "! argument must be 'yes' or 'no'");
        check(Kind::Integer(0, 9), "x", "! argument couldn't be parsed into an integer");
        check(Kind::Integer(0, 9), "10", "! argument must be between 0 and 9 inclusive");
        check(Kind::Memory(0, 9), "1xx", "! argument must be a memory value");
        check(Kind::SavePoints, "10", "! Invalid save parameters");
        check(Kind::Choice(&["a", "b"]), "c", "! argument(s) must be one of the following: a, b");
        check(Kind::OomScores, "1", "! wrong number of arguments");
        check(Kind::Never("not here"), "yes", "! not here");
    }
}

//! The table of cluster-wide parameters: names, ranges, how a value is read and shown.

use super::Settings;
use super::notify_classes::NotifyClasses;
use super::policy::MaxmemoryPolicy;

/// One parameter.
pub(super) struct Parameter {
    name: &'static str,
    alias: Option<&'static str>,
    /// Not shown by `CONFIG`.
    pub hidden: bool,
    kind: Kind,
}

/// How to read and change one field.
struct Field<T: 'static> {
    get: fn(&Settings) -> &T,
    get_mut: fn(&mut Settings) -> &mut T,
}

enum Kind {
    /// A whole number between two others.
    Number(Field<u64>, u64, u64),
    /// A whole number between two others, perhaps negative.
    Signed(Field<i64>, i64, i64),
    /// Bytes, with units, up to a number.
    Memory(Field<u64>, u64),
    Policy(Field<MaxmemoryPolicy>),
    Classes(Field<NotifyClasses>),
    YesNo(Field<bool>),
}

macro_rules! field {
    ($name:ident) => {
        Field { get: |settings| &settings.$name, get_mut: |settings| &mut settings.$name }
    };
}

const fn row(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, alias: None, hidden: false, kind }
}

const fn aliased(name: &'static str, alias: &'static str, kind: Kind) -> Parameter {
    Parameter { name, alias: Some(alias), hidden: false, kind }
}

/// Largest `long` and `int` of the platform whose ranges Redis tells.
const LONG_MAX: u64 = i64::MAX as u64;
const INT_MAX: u64 = i32::MAX as u64;

pub(super) static PARAMETERS: &[Parameter] = &[
    aliased(
        "hash-max-listpack-entries",
        "hash-max-ziplist-entries",
        Kind::Number(field!(hash_max_listpack_entries), 0, LONG_MAX),
    ),
    aliased(
        "hash-max-listpack-value",
        "hash-max-ziplist-value",
        Kind::Memory(field!(hash_max_listpack_value), LONG_MAX),
    ),
    aliased(
        "list-max-listpack-size",
        "list-max-ziplist-size",
        Kind::Signed(field!(list_max_listpack_size), i32::MIN as i64, i32::MAX as i64),
    ),
    row("list-compress-depth", Kind::Number(field!(list_compress_depth), 0, INT_MAX)),
    row("set-max-intset-entries", Kind::Number(field!(set_max_intset_entries), 0, LONG_MAX)),
    row("set-max-listpack-entries", Kind::Number(field!(set_max_listpack_entries), 0, LONG_MAX)),
    row("set-max-listpack-value", Kind::Memory(field!(set_max_listpack_value), LONG_MAX)),
    aliased(
        "zset-max-listpack-entries",
        "zset-max-ziplist-entries",
        Kind::Number(field!(zset_max_listpack_entries), 0, LONG_MAX),
    ),
    aliased(
        "zset-max-listpack-value",
        "zset-max-ziplist-value",
        Kind::Memory(field!(zset_max_listpack_value), LONG_MAX),
    ),
    row("maxmemory", Kind::Memory(field!(maxmemory), u64::MAX)),
    row("maxmemory-policy", Kind::Policy(field!(maxmemory_policy))),
    row("maxmemory-samples", Kind::Number(field!(maxmemory_samples), 1, INT_MAX)),
    row("lfu-log-factor", Kind::Number(field!(lfu_log_factor), 0, INT_MAX)),
    row("lfu-decay-time", Kind::Number(field!(lfu_decay_time), 0, INT_MAX)),
    row("notify-keyspace-events", Kind::Classes(field!(notify_keyspace_events))),
    Parameter {
        name: "active-expire",
        alias: None,
        hidden: true,
        kind: Kind::YesNo(field!(active_expire)),
    },
];

/// By name or alias, in any case.
pub(super) fn find(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|row| row.names().any(|own| own.eq_ignore_ascii_case(name)))
}

impl Parameter {
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        [Some(self.name), self.alias].into_iter().flatten()
    }

    pub(super) fn get(&self, settings: &Settings) -> String {
        match &self.kind {
            Kind::Number(field, ..) | Kind::Memory(field, _) => (field.get)(settings).to_string(),
            Kind::Signed(field, ..) => (field.get)(settings).to_string(),
            Kind::Policy(field) => (field.get)(settings).name().to_owned(),
            Kind::Classes(field) => (*(field.get)(settings)).into(),
            Kind::YesNo(field) => if *(field.get)(settings) { "yes" } else { "no" }.to_owned(),
        }
    }

    /// The error is the reason, in Redis' words.
    pub(super) fn set(&self, settings: &mut Settings, value: &[u8]) -> Result<(), String> {
        match &self.kind {
            Kind::Number(field, min, max) => {
                *(field.get_mut)(settings) = within(integer(value)?, *min, *max)?;
            }
            Kind::Signed(field, min, max) => {
                *(field.get_mut)(settings) = within(integer(value)?, *min, *max)?;
            }
            Kind::Memory(field, max) => {
                *(field.get_mut)(settings) = within(i128::from(memory(value)?), 0, *max)?;
            }
            Kind::Policy(field) => *(field.get_mut)(settings) = policy(value)?,
            Kind::Classes(field) => {
                let refusal = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
                *(field.get_mut)(settings) = NotifyClasses::parse(value).ok_or(refusal)?;
            }
            Kind::YesNo(field) => {
                *(field.get_mut)(settings) = match value.to_ascii_lowercase().as_slice() {
                    b"yes" => true,
                    b"no" => false,
                    _ => return Err("argument must be 'yes' or 'no'".to_owned()),
                };
            }
        }
        Ok(())
    }
}

fn integer(value: &[u8]) -> Result<i128, String> {
    let text = std::str::from_utf8(value).ok().filter(|text| !text.starts_with('+'));
    let number = text.and_then(|text| text.parse::<i64>().ok());
    number.map(i128::from).ok_or("argument couldn't be parsed into an integer".to_owned())
}

fn within<T>(number: i128, min: T, max: T) -> Result<T, String>
where
    T: Copy + TryFrom<i128> + Into<i128> + std::fmt::Display,
{
    let inside = (min.into()..=max.into()).contains(&number);
    let number = T::try_from(number).ok().filter(|_| inside);
    number.ok_or_else(|| format!("argument must be between {min} and {max} inclusive"))
}

/// Digits and a unit; what does not fit 64 bits is the largest number, as `strtoull` has it.
fn memory(value: &[u8]) -> Result<u64, String> {
    let refusal = || "argument must be a memory value".to_owned();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = value.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return Err(refusal()),
    };
    if digits.is_empty() {
        return Err(refusal());
    }
    let number = digits.iter().fold(0_u64, |number, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    Ok(number.saturating_mul(factor))
}

fn policy(value: &[u8]) -> Result<MaxmemoryPolicy, String> {
    let named = |policy: &MaxmemoryPolicy| policy.name().as_bytes().eq_ignore_ascii_case(value);
    MaxmemoryPolicy::ALL.into_iter().find(named).ok_or_else(|| {
        let names = MaxmemoryPolicy::ALL.map(MaxmemoryPolicy::name).join(", ");
        format!("argument(s) must be one of the following: {names}")
    })
}

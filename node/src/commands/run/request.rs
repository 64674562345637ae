//! The commands that one connection wants to have executed together, in the format in which they
//! are sent to the leader and written to the log. It is encoded once on the I/O thread and decoded
//! by every replica, so every length is checked.

use bytes::{BufMut, Bytes, BytesMut};

use crate::base::feature_level::FeatureLevel;
use crate::base::ids::DatabaseId;
use crate::base::limits::{ARGUMENTS_MAX, DATABASES};
use crate::commands::declare::{Command, Flags, Resolved};
use crate::commands::table;
pub use crate::services::sessions::Watch;

/// Commands of one connection, in order.
#[derive(Debug, Clone)]
pub struct Request {
    /// The bytes that [`decode_units`] reads.
    pub bytes: Bytes,
    /// Number of units, which is the number of replies.
    pub units: u32,
    /// Whether some unit may grow memory: refused with -OOM when full.
    pub deny_oom: bool,
    /// The feature level at which every member knows all its commands.
    pub needs_level: FeatureLevel,
}

/// A command or transaction, which is executed without any other command in between.
#[derive(Debug)]
pub enum Unit {
    /// One command; its result is the reply of the command.
    Call(Call),
    /// `EXEC`; its result is an array, or a null array when a watched key has changed.
    Transaction {
        /// The keys that must not have changed.
        watches: Vec<Watch>,
        /// In the order they were queued.
        calls: Vec<Call>,
    },
}

impl Unit {
    /// The feature level at which every member knows all its commands.
    pub fn needs_level(&self) -> FeatureLevel {
        let calls = match self {
            Self::Call(call) => std::slice::from_ref(call),
            Self::Transaction { calls, .. } => calls,
        };
        calls.iter().map(|call| call.command.flags.level()).max().unwrap_or_default()
    }
}

/// One command with its arguments.
#[derive(Debug)]
pub struct Call {
    /// The database that was selected.
    pub database: DatabaseId,
    /// The command; never a container.
    pub command: &'static Command,
    /// The container of a subcommand.
    pub container: Option<&'static Command>,
    /// Without the names; slices of the request's bytes.
    pub args: Vec<Bytes>,
}

impl Call {
    /// The command of `argv`, which [`table::find`] has found.
    pub fn new(database: DatabaseId, found: &Resolved, argv: &[Bytes]) -> Self {
        let args = argv[found.name_len()..].to_vec();
        Self { database, command: found.command, container: found.container, args }
    }
}

/// The bytes are not a request: they are from a newer version, or damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early, or a length exceeds them.
    #[error("request is cut off at byte {0}")]
    Truncated(usize),
    /// A unit of an unknown kind.
    #[error("request holds a unit of unknown kind {0}; a newer version wrote it")]
    UnknownKind(u8),
    /// A command that this version does not have.
    #[error("request holds unknown command '{0}'; a newer version wrote it")]
    UnknownCommand(String),
    /// A number outside its range.
    #[error("request holds a {0} out of range")]
    OutOfRange(&'static str),
}

const KIND_CALL: u8 = 1;
const KIND_TRANSACTION: u8 = 2;

/// Writes a [`Request`].
#[derive(Debug, Default)]
pub struct RequestBuilder {
    bytes: BytesMut,
    units: u32,
    deny_oom: bool,
    needs_level: FeatureLevel,
}

impl RequestBuilder {
    /// An empty request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it holds no unit.
    pub const fn is_empty(&self) -> bool {
        self.units == 0
    }

    /// Units so far.
    pub const fn units(&self) -> u32 {
        self.units
    }

    /// Adds one command; `args` are without its names.
    pub fn call(&mut self, database: DatabaseId, found: &Resolved, args: &[Bytes]) {
        self.bytes.put_u8(KIND_CALL);
        self.put_call(database, found, args);
        self.units += 1;
    }

    /// Adds a transaction.
    pub fn transaction<'a>(
        &mut self,
        watches: &[Watch],
        calls: impl ExactSizeIterator<Item = (DatabaseId, Resolved, &'a [Bytes])>,
    ) {
        self.bytes.put_u8(KIND_TRANSACTION);
        self.put_number(watches.len() as u64);
        for watch in watches {
            self.bytes.put_u8(watch.database.0);
            self.bytes.put_u8(u8::from(watch.existed));
            self.put_number(watch.index);
            self.put_bytes(&watch.key);
        }
        self.put_number(calls.len() as u64);
        for (database, found, args) in calls {
            self.put_call(database, &found, args);
        }
        self.units += 1;
    }

    /// The request.
    pub fn finish(self) -> Request {
        Request {
            bytes: self.bytes.freeze(),
            units: self.units,
            deny_oom: self.deny_oom,
            needs_level: self.needs_level,
        }
    }

    fn put_call(&mut self, database: DatabaseId, found: &Resolved, args: &[Bytes]) {
        self.deny_oom |= found.command.flags.has(Flags::DENY_OOM);
        self.needs_level = self.needs_level.max(found.command.flags.level());
        self.bytes.reserve(32 + args.iter().map(|arg| arg.len() + 5).sum::<usize>());
        self.bytes.put_u8(database.0);
        self.put_bytes(found.container.map_or("", |container| container.name).as_bytes());
        self.put_bytes(found.command.name.as_bytes());
        self.put_number(args.len() as u64);
        for arg in args {
            self.put_bytes(arg);
        }
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_number(bytes.len() as u64);
        self.bytes.put_slice(bytes);
    }

    /// Seven bits in each byte, the lowest first; the high bit is set when more follow.
    fn put_number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.put_u8((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.put_u8(number as u8);
    }
}

/// Reads the units of a request one by one; arguments are slices of `bytes`.
pub fn decode_units(
    bytes: &Bytes,
) -> Result<impl Iterator<Item = Result<Unit, DecodeError>>, DecodeError> {
    let mut reader = Reader { bytes: bytes.clone(), at: 0 };
    let mut failed = bytes.is_empty();
    if failed {
        return Err(DecodeError::Truncated(0));
    }
    Ok(std::iter::from_fn(move || {
        if failed || reader.at == reader.bytes.len() {
            return None;
        }
        let unit = reader.unit();
        failed = unit.is_err();
        Some(unit)
    }))
}

struct Reader {
    bytes: Bytes,
    at: usize,
}

impl Reader {
    fn unit(&mut self) -> Result<Unit, DecodeError> {
        match self.byte()? {
            KIND_CALL => Ok(Unit::Call(self.call()?)),
            KIND_TRANSACTION => {
                let watches = self.many(Self::watch)?;
                let calls = self.many(Self::call)?;
                Ok(Unit::Transaction { watches, calls })
            }
            kind => Err(DecodeError::UnknownKind(kind)),
        }
    }

    fn watch(&mut self) -> Result<Watch, DecodeError> {
        let database = self.database()?;
        let existed = match self.byte()? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::OutOfRange("flag")),
        };
        let index = self.number()?;
        Ok(Watch { database, existed, index, key: self.slice()? })
    }

    fn call(&mut self) -> Result<Call, DecodeError> {
        let database = self.database()?;
        let container = self.slice()?;
        let name = self.slice()?;
        let args = self.many(Self::slice)?;
        let found = table::find_named(&container, &name).ok_or_else(|| {
            let name = String::from_utf8_lossy(&name).into_owned();
            DecodeError::UnknownCommand(name)
        })?;
        // Functions rely on the arity, and this may come from another version of the program.
        if !found.command.arity.accepts(found.name_len() + args.len()) {
            return Err(DecodeError::OutOfRange("number of arguments"));
        }
        Ok(Call { database, command: found.command, container: found.container, args })
    }

    fn database(&mut self) -> Result<DatabaseId, DecodeError> {
        let number = self.byte()?;
        let valid = number < DATABASES;
        valid.then_some(DatabaseId(number)).ok_or(DecodeError::OutOfRange("database"))
    }

    fn many<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.length()?;
        if count > ARGUMENTS_MAX {
            return Err(DecodeError::OutOfRange("count"));
        }
        (0..count).map(|_| read(self)).collect()
    }

    fn slice(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.length()?;
        let slice = self.bytes.slice(self.at..self.at + length);
        self.at += length;
        Ok(slice)
    }

    /// A length or count. Every counted item takes at least one byte, so it never exceeds the rest.
    fn length(&mut self) -> Result<usize, DecodeError> {
        let length = self.number()?;
        let rest = self.bytes.len() - self.at;
        let length = usize::try_from(length).ok().filter(|length| *length <= rest);
        length.ok_or(DecodeError::Truncated(self.at))
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DecodeError::OutOfRange("number"))
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = self.bytes.get(self.at).copied().ok_or(DecodeError::Truncated(self.at))?;
        self.at += 1;
        Ok(byte)
    }
}

#[cfg(test)]
#[path = "request_test.rs"]
mod tests;

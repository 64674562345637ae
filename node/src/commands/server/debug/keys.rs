//! DEBUG about keys and entries: DIGEST, DIGEST-VALUE, OBJECT, LISTPACK, HTSTATS, POPULATE,
//! FEATURE-LEVEL.

use bytes::Bytes;

use crate::base::ids::DatabaseId;
use crate::base::limits::{BULK_BYTES_MAX, DATABASES, POPULATE_KEYS_MAX};
use crate::commands::args::Args;
use crate::commands::declare::CommandResult;
use crate::commands::run::{ReadContext, WriteContext};
use crate::data::keyspace::Object;
use crate::data::types::{StringValue, Value};
use crate::resp::{Reply, ReplyError};

pub(super) fn digest(context: &ReadContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Line(hexadecimal(&context.keyspace().digest())))
}

pub(super) fn digest_values(context: &ReadContext<'_>, args: Args<'_>) -> CommandResult {
    let digests = args.rest().iter().map(|key| {
        let digest = context.peek(key).map_or([0; 20], Object::digest);
        Reply::Line(hexadecimal(&digest))
    });
    Ok(Reply::Array(digests.collect()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn object(context: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let object = context.peek(args.next()?).ok_or(ReplyError::NO_SUCH_KEY)?;
    Ok(Reply::Line(format!(
        "Value at:0x{:x} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
        std::ptr::from_ref(object).addr(),
        object.value.encoding(),
        object.value.heap_bytes(),
        object.access(),
        object.idle_seconds(context.now_ms())
    )))
}

pub(super) fn listpack(context: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let object = context.peek(args.next()?).ok_or(ReplyError::NO_SUCH_KEY)?;
    if object.value.encoding() != "listpack" {
        return Err(ReplyError::new("ERR Not a listpack encoded object."));
    }
    let bytes = object.value.heap_bytes();
    Ok(Reply::Line(format!("The value is a listpack of about {bytes} bytes")))
}

pub(super) fn database_stats(context: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let number = u8::try_from(args.integer()?).ok().filter(|number| *number < DATABASES);
    let number = number.ok_or(ReplyError::new("ERR Out of range database"))?;
    let database = context.keyspace().database(DatabaseId(number));
    let text = format!(
        "[Dictionary HT]\n number of elements: {}\n bytes: {}\n[Expires HT]\n number of elements: \
         {}\n",
        database.len(),
        database.memory_bytes(),
        database.expiring_len()
    );
    Ok(Reply::Verbatim("txt", text.into()))
}

pub(super) fn feature_level(context: &mut WriteContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Integer(i64::from(context.feature_level().0)))
}

/// One command creates at most [`POPULATE_KEYS_MAX`] keys, because every replica creates all of
/// them in one step.
pub(super) fn populate(context: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let count = usize::try_from(args.integer()?).map_err(|_| ReplyError::NOT_POSITIVE)?;
    let prefix = match args.peek() {
        Some(_) => String::from_utf8_lossy(args.next()?).into_owned(),
        None => "key".to_owned(),
    };
    let size = match args.peek() {
        Some(_) => Some(usize::try_from(args.integer()?).map_err(|_| ReplyError::NOT_POSITIVE)?),
        None => None,
    };
    args.end()?;
    let too_many = count > POPULATE_KEYS_MAX || size.is_some_and(|size| size > BULK_BYTES_MAX);
    if too_many {
        return Err(ReplyError::OUT_OF_RANGE);
    }
    for number in 0..count {
        let key = Bytes::from(format!("{prefix}:{number}"));
        if context.peek(&key).is_none() {
            let mut text = format!("value:{number}").into_bytes();
            text.resize(size.unwrap_or(text.len()), 0);
            let value = Value::String(StringValue::new(&text));
            let index = context.index();
            context.database().insert(&key, Object::new(value, None, index));
        }
    }
    Ok(Reply::OK)
}

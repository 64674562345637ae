//! DEBUG PROTOCOL and ERROR: a reply of every type, for tests of client libraries.

use crate::commands::args::Args;
use crate::commands::declare::CommandResult;
use crate::commands::run::NodeContext;
use crate::resp::{Protocol, Reply, ReplyError};

/// Redis's value for tests; not meant to be pi.
#[allow(clippy::approx_constant)]
const DOUBLE: f64 = 3.141;

pub(super) fn error(_: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    let text = String::from_utf8_lossy(args.next()?).replace(['\r', '\n'], " ");
    Err(ReplyError::new(text))
}

pub(super) fn protocol(context: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    let name = String::from_utf8_lossy(args.next()?).to_ascii_lowercase();
    let numbers = || (0..3).map(Reply::Integer);
    Ok(match name.as_str() {
        "string" => Reply::bulk("Hello World"),
        "integer" => Reply::Integer(12_345),
        "double" => Reply::Double(DOUBLE),
        "null" => Reply::Null,
        "array" => Reply::Array(numbers().collect()),
        "set" => Reply::Set(numbers().collect()),
        "map" => {
            let pairs = (0..3).map(|number| (Reply::Integer(number), Reply::Boolean(number == 1)));
            Reply::Map(pairs.collect())
        }
        "attrib" => Reply::Many(vec![
            Reply::Attribute(vec![(
                Reply::bulk("key-popularity"),
                Reply::Array(vec![Reply::bulk("key:123"), Reply::Integer(90)]),
            )]),
            Reply::bulk("Some real reply following the attribute"),
        ]),
        "push" if context.session.protocol == Protocol::Resp2 => {
            return Err(ReplyError::new("ERR RESP2 is not supported by this command"));
        }
        "push" => Reply::Push(vec![Reply::bulk("server-cpu-usage"), Reply::Integer(42)]),
        "verbatim" => Reply::Verbatim("txt", "This is a verbatim\nstring".into()),
        "true" => Reply::Boolean(true),
        "false" => Reply::Boolean(false),
        "bignum" => Reply::BigNumber("1234567999999999999999999999999999999".to_owned()),
        _ => {
            return Err(ReplyError::new(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|\
                 double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    })
}

//! Every error text of the server. The texts are those of Redis, because clients match on them.

use std::borrow::Cow;

/// An error reply: `-CODE text`. It is stored as one string, because Redis's codes are its first
/// word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyError(pub Cow<'static, str>);

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl ReplyError {
            $($(#[$doc])* pub const $name: Self = Self(Cow::Borrowed($text));)*
        }
    };
}

texts! {
    /// The key holds another type.
    WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
    /// Options that contradict each other or are unknown.
    SYNTAX = "ERR syntax error";
    /// Not a signed 64-bit integer.
    NOT_INTEGER = "ERR value is not an integer or out of range";
    /// Not a float.
    NOT_FLOAT = "ERR value is not a valid float";
    /// The key must exist.
    NO_SUCH_KEY = "ERR no such key";
    /// Index past the end.
    INDEX_OUT_OF_RANGE = "ERR index out of range";
    /// A number that must not be negative.
    OUT_OF_RANGE = "ERR value is out of range";
    /// A count that must be positive.
    NOT_POSITIVE = "ERR value is out of range, must be positive";
    /// INCR and similar commands.
    OVERFLOW = "ERR increment or decrement would overflow";
    /// INCRBYFLOAT.
    NAN_OR_INFINITY = "ERR increment would produce NaN or Infinity";
    /// APPEND, SETRANGE.
    STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    /// AUTH with one argument where no password is configured.
    NO_PASSWORD_SET = "ERR AUTH <password> called without any password configured for the \
        default user. Are you sure your configuration is correct?";
    /// AUTH, HELLO.
    WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";
    /// HELLO before AUTH.
    HELLO_WITHOUT_AUTH = "NOAUTH HELLO must be called with the client already authenticated, \
        otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the \
        client and select the RESP protocol version at the same time";
    /// HELLO with an unknown version.
    NO_PROTOCOL = "NOPROTO unsupported protocol version";
    /// HELLO with a version that is not a number.
    PROTOCOL_NOT_INTEGER = "ERR Protocol version is not an integer or out of range";
    /// SELECT and similar commands.
    NO_SUCH_DATABASE = "ERR DB index is out of range";
    /// CLIENT SETNAME, HELLO SETNAME.
    INVALID_CLIENT_NAME =
        "ERR Client names cannot contain spaces, newlines or special characters.";
    /// CLIENT LIST ID.
    INVALID_CLIENT_ID = "ERR Invalid client ID";
    /// CLIENT KILL ID.
    CLIENT_ID_NOT_POSITIVE = "ERR client-id should be greater than 0";
    /// CLIENT KILL of an address.
    NO_SUCH_CLIENT = "ERR No such client";
    /// CLIENT PAUSE and blocking commands.
    TIMEOUT_NOT_INTEGER = "ERR timeout is not an integer or out of range";
    /// CLIENT PAUSE and blocking commands.
    TIMEOUT_NEGATIVE = "ERR timeout is negative";
    /// CLIENT PAUSE.
    PAUSE_MODE = "ERR CLIENT PAUSE mode must be WRITE or ALL";
    /// CLIENT UNBLOCK.
    UNBLOCK_REASON = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
    /// CLIENT CACHING.
    CACHING_WITHOUT_TRACKING = "ERR CLIENT CACHING can be called only when the client is in \
        tracking mode with OPTIN or OPTOUT mode enabled";
    /// A command before AUTH.
    NO_AUTH = "NOAUTH Authentication required.";
    /// The command needs memory above `maxmemory`.
    OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
    /// The name of a key is longer than the configuration allows.
    KEY_TOO_LONG = "ERR key is longer than limits.key_bytes_max allows, use a shorter name or \
        raise limits-key-bytes-max";
    /// EXEC after a command was refused while queueing.
    EXEC_ABORT = "EXECABORT Transaction discarded because of previous errors.";
    /// A command that MULTI cannot queue.
    NOT_IN_TRANSACTION = "ERR Command not allowed inside a transaction";
    /// More bytes are queued than fit into an entry of the log.
    TRANSACTION_TOO_LONG = "ERR transaction takes more memory than limits.transaction_bytes_max \
        allows, send fewer or smaller commands or raise limits-transaction-bytes-max";
    /// DEBUG without `enable-debug-command`.
    DEBUG_NOT_ALLOWED = "ERR DEBUG command not allowed. If the enable-debug-command option is \
        set to \"local\", you can run it from a local connection, otherwise you need to set this \
        option in the configuration file, and then restart the server.";
    /// Keys of different slots in one command.
    CROSS_SLOT = "CROSSSLOT Keys in request don't hash to the same slot";
    /// No leader is known.
    CLUSTER_DOWN = "CLUSTERDOWN The cluster is down";
    /// MULTI inside MULTI.
    NESTED_MULTI = "ERR MULTI calls can not be nested";
    /// EXEC outside of MULTI.
    EXEC_WITHOUT_MULTI = "ERR EXEC without MULTI";
    /// DISCARD outside of MULTI.
    DISCARD_WITHOUT_MULTI = "ERR DISCARD without MULTI";
    /// WATCH inside MULTI.
    WATCH_IN_MULTI = "ERR WATCH inside MULTI is not allowed";
}

impl ReplyError {
    /// An error with a text created at run time; `text` starts with its code, such as `ERR`.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }

    /// The code: the first word.
    pub fn code(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }

    /// A command called with too few or too many arguments.
    pub fn arity(command: &str) -> Self {
        Self::new(format!(
            "ERR wrong number of arguments for '{}' command",
            command.to_ascii_lowercase()
        ))
    }

    /// A subcommand with unknown arguments.
    pub fn subcommand(container: &str, subcommand: &str) -> Self {
        Self::new(format!(
            "ERR unknown subcommand or wrong number of arguments for '{subcommand}'. \
             Try {container} HELP."
        ))
    }

    /// An expiry that is zero, negative or overflows.
    pub fn invalid_expire(command: &str) -> Self {
        Self::new(format!("ERR invalid expire time in '{}' command", command.to_ascii_lowercase()))
    }
}

//! Advice about an address or a port, for every subcommand that connects.

use std::io::{Error, ErrorKind};

use crate::cli::output::Failure;

/// For a port that did not answer as gRPC.
pub(in crate::cli) const GRPC_PORT: &str = "is this the gRPC port (6380, or 6380 + 2n with \
     `ironkv dev`)? does it ask for TLS and a certificate? see --tls, --ca-file, \
     --certificate-file, --key-file";

/// The kernel's number for a process with too many open files, and for a machine with too many.
const TOO_MANY_FILES: [i32; 2] = [24, 23];

/// Why there was no reply from a RESP server, and what to try.
pub(in crate::cli) fn no_reply(address: &str, error: &Error) -> Failure {
    let failure = Failure::new(format!("{address}: {error}"));
    match advice(error) {
        Some(advice) => failure.try_next(advice),
        None => failure,
    }
}

/// What to try after a connection to `host:port`, or a request on it, failed.
pub(in crate::cli) fn advice(error: &Error) -> Option<&'static str> {
    if error.raw_os_error().is_some_and(|number| TOO_MANY_FILES.contains(&number)) {
        return Some("use fewer connections, or allow more open files: `ulimit -n`");
    }
    match error.kind() {
        ErrorKind::InvalidInput => Some("name host and port, such as 127.0.0.1:6379"),
        ErrorKind::ConnectionRefused => Some(
            "nothing listens there: is the node up, and is this its port? `ironkv dev start` \
             starts a cluster on this machine",
        ),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::InvalidData => {
            Some("is this the RESP port (6379)? does it ask for TLS? then add --tls and --ca-file")
        }
        ErrorKind::TimedOut => Some("the node may be frozen, or it waits for a leader"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_advice_depends_on_the_error() {
        let cases = [
            (Error::from(ErrorKind::InvalidInput), "host and port"),
            (Error::from(ErrorKind::ConnectionRefused), "nothing listens"),
            (Error::from(ErrorKind::UnexpectedEof), "--tls"),
            (Error::from_raw_os_error(24), "ulimit -n"),
        ];
        for (error, text) in cases {
            assert!(advice(&error).unwrap().contains(text), "{error}");
        }
        assert_eq!(advice(&Error::other("WRONGPASS no")), None);
    }
}

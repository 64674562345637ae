//! Advice about an address or a port, for every subcommand that connects.

use std::io::{Error, ErrorKind};

use crate::cli::output::{Failure, Outcome};

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
        ErrorKind::TimedOut => Some(
            "the node may be frozen, or it waits for a leader: see every node with `ironkv cluster \
             status`",
        ),
        ErrorKind::Other => advice_on_reply(&error.to_string()),
        _ => None,
    }
}

/// What to try after an error reply.
pub(in crate::cli) fn advice_on_reply(text: &str) -> Option<&'static str> {
    match text.split(' ').next()? {
        "NOAUTH" | "WRONGPASS" => Some("give the password with --password or --password-file"),
        "CLUSTERDOWN" => Some("see every node with `ironkv cluster status`"),
        _ => None,
    }
}

/// Refuses what is not `host:port`.
pub(in crate::cli) fn check_address(address: &str) -> Outcome {
    match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(()),
        _ => Err(Failure::new(format!("`{address}` is not the address of a gRPC port"))
            .try_next("name host and port, such as 127.0.0.1:6380")),
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
        assert!(advice(&Error::other("WRONGPASS no")).unwrap().contains("--password-file"));
        assert_eq!(advice(&Error::other("WRONGTYPE no")), None);
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (address, is_one) in
            [("a:1", true), ("[::1]:6380", true), ("6380", false), (":1", false), ("a:b", false)]
        {
            assert_eq!(check_address(address).is_ok(), is_one, "{address}");
        }
    }
}

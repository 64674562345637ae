//! The load on each system.

use std::process::Stdio;

use super::etcd;
use super::systems::{Protocol, System};

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) test: &'static str,
    pub(crate) clients: u32,
    pub(crate) pipeline: u32,
}

pub(crate) const ROWS: [Row; 6] = [
    Row { name: "SET, 50 clients", test: "set", clients: 50, pipeline: 1 },
    Row { name: "SET, 50 clients, pipeline 16", test: "set", clients: 50, pipeline: 16 },
    Row { name: "SET, 1 client", test: "set", clients: 1, pipeline: 1 },
    Row { name: "GET, 50 clients", test: "get", clients: 50, pipeline: 1 },
    Row { name: "GET, 50 clients, pipeline 16", test: "get", clients: 50, pipeline: 16 },
    Row { name: "GET, 1 client", test: "get", clients: 1, pipeline: 1 },
];

/// Keys of the key space and bytes of a value; the same for every system.
pub(crate) const KEYS: u64 = 100_000;
pub(crate) const VALUE_BYTES: usize = 100;

/// The results of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) operations: u64,
    pub(crate) per_second: f64,
    pub p50_us: u64,
    pub p99_us: u64,
}

/// A row with its length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) row: Row,
    pub(crate) seconds: f64,
}

impl Load {
    pub(crate) fn warm_up(&self, system: &System) -> Result<(), String> {
        let row = Row { test: "set", clients: 50, pipeline: 16, ..self.row };
        Self { row, seconds: 1.0 }.run(system).map(drop)
    }

    pub(crate) fn run(&self, system: &System) -> Result<Figures, String> {
        match system.protocol {
            Protocol::Resp => self.run_resp(system),
            Protocol::Etcd => etcd::run(self, &system.addresses),
        }
    }

    /// `ironkv bench` is the client of every RESP server, so that its cost is the same for all.
    fn run_resp(&self, system: &System) -> Result<Figures, String> {
        let (host, port) = system.addresses[0].rsplit_once(':').ok_or("address without port")?;
        let output = ironkv_tests::process::ironkv_command()
            .args(["bench", "--json", "--host", host, "--port", port, "--test", self.row.test])
            .args(["--clients", &self.row.clients.to_string()])
            .args(["--pipeline", &self.row.pipeline.to_string()])
            .args(["--keys", &KEYS.to_string(), "--value-bytes", &VALUE_BYTES.to_string()])
            .args(["--seconds", &self.seconds.to_string()])
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| error.to_string())?;
        let json: serde_json::Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("ironkv bench: {error}"))?;
        let number = |name: &str| json[name].as_u64().unwrap_or(0);
        if number("errors") + number("connections_lost") > 0 {
            return Err(format!("the load met errors: {json}"));
        }
        Ok(Figures {
            operations: number("replies"),
            per_second: json["per_second"].as_f64().unwrap_or(0.0),
            p50_us: number("p50_us"),
            p99_us: number("p99_us"),
        })
    }
}

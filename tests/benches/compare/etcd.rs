//! A load for etcd over its own gRPC interface: Put and linearizable Range of `etcdserverpb.KV`
//! (<https://etcd.io/docs/v3.6/dev-guide/api_reference_v3/>), only with the fields that are used.

use std::time::Duration;

use tokio::time::Instant;

use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::load::{Figures, KEYS, Load, VALUE_BYTES};

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct RangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

/// Answers are only counted.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Ignored {}

/// HTTP/2 streams share connections here as in etcd's own benchmark.
const CONNECTIONS: usize = 10;

pub(crate) fn run(load: &Load, addresses: &[String]) -> Result<Figures, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?
        .block_on(drive(load, addresses))
}

async fn drive(load: &Load, addresses: &[String]) -> Result<Figures, String> {
    let mut channels = Vec::new();
    for number in 0..CONNECTIONS.min(load.row.clients as usize) {
        let address = format!("http://{}", addresses[number % addresses.len()]);
        let endpoint = Endpoint::from_shared(address).map_err(|error| error.to_string())?;
        channels.push(endpoint.connect().await.map_err(|error| error.to_string())?);
    }
    // etcd has no pipeline; the same number of requests in flight replaces it.
    let workers = u64::from(load.row.clients) * u64::from(load.row.pipeline);
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(load.seconds);
    let tasks: Vec<_> = (0..workers)
        .map(|number| {
            let channel = channels[number as usize % channels.len()].clone();
            tokio::spawn(worker(channel, load.row.test == "get", number, end))
        })
        .collect();
    let mut latency_us = Vec::new();
    for task in tasks {
        latency_us.extend(task.await.map_err(|error| error.to_string())??);
    }
    let elapsed = start.elapsed().as_secs_f64();
    latency_us.sort_unstable();
    let at = |quantile: f64| {
        let index = (latency_us.len() as f64 * quantile) as usize;
        latency_us.get(index.min(latency_us.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    Ok(Figures {
        operations: latency_us.len() as u64,
        per_second: latency_us.len() as f64 / elapsed,
        p50_us: at(0.5),
        p99_us: at(0.99),
    })
}

async fn worker(
    channel: Channel,
    read: bool,
    number: u64,
    end: Instant,
) -> Result<Vec<u64>, String> {
    let mut client = Grpc::new(channel);
    let mut latency_us = Vec::new();
    let mut random = number;
    while Instant::now() < end {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        let key = format!("key:{:012}", (random >> 33) % KEYS).into_bytes();
        let start = Instant::now();
        if read {
            call(&mut client, "/etcdserverpb.KV/Range", RangeRequest { key }).await?;
        } else {
            let value = vec![b'x'; VALUE_BYTES];
            call(&mut client, "/etcdserverpb.KV/Put", PutRequest { key, value }).await?;
        }
        latency_us.push(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(latency_us)
}

async fn call<M: prost::Message + 'static>(
    client: &mut Grpc<Channel>,
    path: &'static str,
    message: M,
) -> Result<(), String> {
    client.ready().await.map_err(|error| error.to_string())?;
    let codec = ProstCodec::<M, Ignored>::default();
    client
        .unary(tonic::Request::new(message), PathAndQuery::from_static(path), codec)
        .await
        .map(drop)
        .map_err(|status| status.to_string())
}

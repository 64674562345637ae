//! An API server in memory: objects with versions, preconditions and optimistic locking. Any write
//! can fail.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// A fault of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The write is refused with this status.
    Refused(u16),
    /// The write is executed, but the response is lost.
    Lost,
    /// The write is executed, but there is never a response.
    Silent,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<String, Value>,
    version: u64,
    uids: u64,
    /// The number of writes so far.
    pub(super) writes: usize,
    /// The fault of the write with this number.
    pub(super) fault: Option<(usize, Fault)>,
}

#[derive(Clone, Default)]
pub(super) struct FakeApi(pub(super) Arc<Mutex<State>>);

/// The part of a URL path after the group and the version.
#[derive(Clone, Debug)]
struct Path {
    kind: String,
    namespace: String,
    name: Option<String>,
    subresource: Option<String>,
}

impl Path {
    fn parse(path: &str) -> Self {
        let mut parts = path.split('/').skip_while(|part| *part != "namespaces").skip(1);
        let namespace = parts.next().unwrap_or_default().to_owned();
        let mut next = || parts.next().map(ToOwned::to_owned);
        match next() {
            Some(kind) => Self { kind, namespace, name: next(), subresource: next() },
            // `/api/v1/nodes/NAME`
            None => {
                let mut last = path.rsplit('/').map(ToOwned::to_owned);
                let name = last.next();
                Self { kind: last.next().unwrap_or_default(), namespace, name, subresource: None }
            }
        }
    }
}

impl FakeApi {
    pub(super) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect_bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let path = Path::parse(parts.uri.path());
        let applied = parts
            .headers
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/apply-patch"));
        let called = self.0.lock().call(&parts.method, &path, body, applied);
        let Some((code, value)) = called else { return std::future::pending().await };
        let answer = serde_json::to_vec(&value).unwrap();
        Response::builder()
            .status(StatusCode::from_u16(code).unwrap())
            .body(Body::from(answer))
            .unwrap()
    }
}

fn refusal(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason,
        "reason": reason, "code": code,
    });
    (code, status)
}

impl State {
    /// The response, if there is one.
    fn call(
        &mut self,
        method: &Method,
        path: &Path,
        body: Value,
        applied: bool,
    ) -> Option<(u16, Value)> {
        if path.kind == "events" {
            return Some((201, body));
        }
        let Some(name) = &path.name else {
            return Some(refusal(405, "lists are not for the operator"));
        };
        let key = format!("{}/{}/{name}", path.kind, path.namespace);
        if method == Method::GET {
            let found = self.objects.get(&key).cloned();
            return Some(found.map_or_else(|| refusal(404, "NotFound"), |object| (200, object)));
        }
        let number = self.writes;
        self.writes += 1;
        let fault = self.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        if let Some(Fault::Refused(code)) = fault {
            return Some(refusal(code, if code == 409 { "Conflict" } else { "Fault" }));
        }
        let answer = match *method {
            Method::DELETE => self.delete(&key, &body),
            Method::PUT => self.replace_status(&key, path, &body),
            _ => self.patch(&key, body, applied),
        };
        match fault {
            Some(Fault::Silent) => None,
            Some(Fault::Lost) => Some(refusal(500, "Lost")),
            _ => Some(answer),
        }
    }

    fn is_outdated(&self, key: &str, body: &Value) -> bool {
        let wanted = &body["metadata"]["resourceVersion"];
        let now = self.objects.get(key).map(|object| &object["metadata"]["resourceVersion"]);
        wanted.is_string() && now.is_some_and(|now| now != wanted)
    }

    fn patch(&mut self, key: &str, body: Value, applied: bool) -> (u16, Value) {
        if self.is_outdated(key, &body) {
            return refusal(409, "Conflict");
        }
        if !self.objects.contains_key(key) && !applied {
            return refusal(404, "NotFound");
        }
        let mut object = self.objects.get(key).cloned().unwrap_or_else(|| json!({}));
        let mut patch = body;
        if let Some(metadata) = patch["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        merge(&mut object, &patch);
        self.put(key, object);
        (200, self.objects[key].clone())
    }

    fn replace_status(&mut self, key: &str, path: &Path, body: &Value) -> (u16, Value) {
        assert_eq!(path.subresource.as_deref(), Some("status"), "only the status is replaced");
        let Some(mut object) = self.objects.get(key).cloned() else {
            return refusal(404, "NotFound");
        };
        if self.is_outdated(key, body) {
            return refusal(409, "Conflict");
        }
        object["status"] = body["status"].clone();
        self.put(key, object);
        (200, self.objects[key].clone())
    }

    fn delete(&mut self, key: &str, body: &Value) -> (u16, Value) {
        let Some(object) = self.objects.get(key) else { return refusal(404, "NotFound") };
        let conditions = &body["preconditions"];
        for field in ["uid", "resourceVersion"] {
            if conditions[field].is_string() && conditions[field] != object["metadata"][field] {
                return refusal(409, "Conflict");
            }
        }
        let mut object = object.clone();
        // The kubelet removes a pod once it has ended, and a claim is removed with its last user.
        if key.starts_with("pods/") || key.starts_with("persistentvolumeclaims/") {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            self.put(key, object.clone());
        } else {
            self.objects.remove(key);
        }
        (200, object)
    }

    /// Stores an object. An unchanged object keeps its version.
    pub(super) fn put(&mut self, key: &str, mut object: Value) {
        if self.objects.get(key) == Some(&object) {
            return;
        }
        if !object["metadata"]["uid"].is_string() {
            self.uids += 1;
            object["metadata"]["uid"] = json!(format!("uid-{}", self.uids));
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(key.to_owned(), object);
    }
}

/// Merges according to `application/merge-patch+json`. For a single field manager that is close
/// enough to server-side apply.
fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut object[key], value);
        }
    }
}

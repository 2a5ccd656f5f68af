//! A front before a store: every request is read whole, noted, perhaps broken, and handed on.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use tokio::sync::oneshot;

use crate::fake::door::{Door, Wire};

/// No file of a test is larger.
const BODY_BYTES_MAX: usize = 64 << 20;

/// What stands behind a front.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    async fn answer(&self, parts: Parts, body: Bytes) -> (axum::http::response::Parts, Bytes);
}

/// How a request is broken.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is answered so, and never comes to the store.
    Status(u16, &'static str),
    /// The same, and asks to be left alone for so many seconds.
    Busy(u64),
    /// The connection is reset, and the store never hears of it.
    Lost,
    /// The store does it, and the connection is reset before it can say so.
    LostAnswer,
    /// The store gets only so many bytes of what was sent.
    Truncated(usize),
    /// The answer ends after so many bytes.
    CutAnswer(usize),
    /// One byte of the answer is another.
    WrongByte,
    /// The ETag looks like a digest of the bytes and is none, as with some encryptions.
    OtherTag,
    /// The answer takes so long.
    Slow(Duration),
}

/// Which requests are broken.
#[derive(Debug, Clone)]
struct Rule {
    /// Those with this method; any where it is empty.
    method: &'static str,
    /// Those whose path and query contain this.
    containing: &'static str,
    /// So many of them.
    times: u32,
    fault: Fault,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
}

#[derive(Default)]
struct Memory {
    rules: Vec<Rule>,
    seen: Vec<Seen>,
    in_flight: usize,
    most_in_flight: usize,
}

struct Shared {
    backend: Box<dyn Backend>,
    memory: Mutex<Memory>,
}

/// A running front, which stops when it is dropped.
pub struct Front {
    address: String,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    pub fn start(backend: impl Backend) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared { backend: Box::new(backend), memory: Mutex::default() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let door = {
            let _inside = runtime.enter();
            Door(tokio::net::TcpListener::from_std(listener).unwrap())
        };
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("store-front".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = axum::serve(door, router.into_make_service_with_connect_info::<Wire>()) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, shared, stop: Some(stop), thread: Some(thread.unwrap()) }
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn fault(&self, method: &'static str, containing: &'static str, times: u32, fault: Fault) {
        self.memory().rules.push(Rule { method, containing, times, fault });
    }

    pub fn clear_faults(&self) {
        self.memory().rules.clear();
    }

    /// Returns what came since the last call, the oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.memory().seen)
    }

    pub fn most_in_flight(&self) -> usize {
        self.memory().most_in_flight
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.shared.memory()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, seen: Seen) -> Option<Fault> {
        let mut memory = self.memory();
        let target = format!("{}?{}", seen.path, seen.query);
        let method = seen.method.clone();
        memory.seen.push(seen);
        memory.in_flight += 1;
        memory.most_in_flight = memory.most_in_flight.max(memory.in_flight);
        let fits = |rule: &&mut Rule| {
            rule.times > 0 && (rule.method.is_empty() || rule.method == method) && target.contains(rule.containing)
        };
        let rule = memory.rules.iter_mut().find(fits)?;
        rule.times -= 1;
        Some(rule.fault.clone())
    }
}

async fn serve(State(shared): State<Arc<Shared>>, ConnectInfo(wire): ConnectInfo<Wire>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        wire.reset();
        return ().into_response();
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let fault = shared.note(Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
    });
    let response = broken(&shared, &wire, fault, parts, body).await;
    shared.memory().in_flight -= 1;
    response
}

async fn whole(shared: &Shared, parts: Parts, body: Bytes) -> Response {
    let (parts, body) = shared.backend.answer(parts, body).await;
    Response::from_parts(parts, Body::from(body))
}

async fn broken(shared: &Shared, wire: &Wire, fault: Option<Fault>, parts: Parts, body: Bytes) -> Response {
    match fault {
        None => whole(shared, parts, body).await,
        Some(Fault::Status(status, body)) => {
            Response::builder().status(status).header("content-type", "application/json").body(body.into()).unwrap()
        }
        Some(Fault::Busy(seconds)) => {
            Response::builder().status(503).header("retry-after", seconds).body(Body::empty()).unwrap()
        }
        Some(Fault::Lost) => {
            wire.reset();
            ().into_response()
        }
        Some(Fault::LostAnswer) => {
            whole(shared, parts, body).await;
            wire.reset();
            ().into_response()
        }
        Some(Fault::Truncated(bytes)) => {
            let mut parts = parts;
            let body = body.slice(..bytes.min(body.len()));
            parts.headers.insert("content-length", body.len().into());
            whole(shared, parts, body).await
        }
        Some(Fault::CutAnswer(bytes)) => {
            let (parts, body) = shared.backend.answer(parts, body).await;
            let some: Result<Bytes, std::io::Error> = Ok(body.slice(..bytes.min(body.len())));
            let cut = Err(std::io::ErrorKind::BrokenPipe.into());
            let mut response = Response::from_parts(parts, Body::from_stream(stream::iter([some, cut])));
            response.headers_mut().insert("content-length", body.len().into());
            response
        }
        Some(Fault::WrongByte) => {
            let (parts, body) = shared.backend.answer(parts, body).await;
            let mut body = body.to_vec();
            if let Some(byte) = body.last_mut() {
                *byte ^= 1;
            }
            Response::from_parts(parts, Body::from(body))
        }
        Some(Fault::OtherTag) => {
            let mut response = whole(shared, parts, body).await;
            let tag = axum::http::HeaderValue::from_static("\"0123456789abcdef0123456789abcdef\"");
            response.headers_mut().insert("etag", tag);
            response
        }
        Some(Fault::Slow(time)) => {
            let (mut parts, body) = shared.backend.answer(parts, body).await;
            parts.headers.remove("content-length");
            let pieces: Vec<Bytes> = body.chunks(body.len().div_ceil(10).max(1)).map(Bytes::copy_from_slice).collect();
            let pause = time / pieces.len().max(1) as u32;
            let dripping = stream::iter(pieces).then(move |piece| async move {
                tokio::time::sleep(pause).await;
                Ok::<_, std::io::Error>(piece)
            });
            Response::from_parts(parts, Body::from_stream(dripping))
        }
    }
}

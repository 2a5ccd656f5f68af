//! Listening: connections, and what strangers may not do with them.
//!
//! A client has as long for its request as an answer may take; one that is idle, slow or gone is cut. Headers are bounded
//! in number and bytes, connections in number: whoever comes beyond waits until another goes.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::app::App;
use super::client::Client;
use super::route::answer;
use super::{Served, ServerError};

/// Connections at a time.
const CONNECTIONS_MAX: usize = 4_096;
/// Bytes of a request's line and headers together.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long what is under way may still take once the server is to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// The pause after the system refused a connection: it may be out of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A server that has its address, and answers once it runs.
pub struct Bound {
    listener: TcpListener,
    app: Arc<App>,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Takes an address.
///
/// # Errors
/// When nobody can listen there, or what is published cannot be read.
pub async fn bind(address: &str, served: Served) -> Result<Bound, ServerError> {
    let failure = |source| ServerError::Listen { address: address.to_owned(), source };
    if let Some(folder) = &served.mounted {
        let read = std::fs::read_dir(folder);
        read.map_err(|source| ServerError::Folder { path: folder.clone(), source })?;
    }
    // A state that cannot be read is told now and in full; later it is only waited for.
    served.world.state.known().await?;
    let listener = TcpListener::bind(address).await.map_err(failure)?;
    let bound = listener.local_addr().map_err(failure)?;
    Ok(Bound { listener, app: Arc::new(App::new(served, address)), address: bound })
}

impl Bound {
    /// Answers until it is told to stop; then nobody new is taken, and what is under way is finished.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { listener, app, address: _ } = self;
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let (stopping, stopped) = watch::channel(());
        let mut stop = std::pin::pin!(stop);
        loop {
            let taken = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (listener.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                () = &mut stop => break,
                taken = taken => taken,
            };
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (app, stopped) = (Arc::clone(&app), stopped.clone());
            tokio::spawn(async move {
                app.metrics.connections.fetch_add(1, Ordering::Relaxed);
                serve(stream, peer, &app, stopped).await;
                app.metrics.connections.fetch_sub(1, Ordering::Relaxed);
                drop(place);
            });
        }
        drop(listener);
        drop(stopped);
        let _ = stopping.send(());
        // Each connection holds a receiver until it ends.
        let _ = tokio::time::timeout(STOP_PATIENCE, stopping.closed()).await;
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, app: &Arc<App>, mut stop: watch::Receiver<()>) {
    let patience = app.served.patience;
    let _ = stream.set_nodelay(true);
    // A client that takes nothing of what it is sent is cut, too.
    let millis = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
    let _ = set_tcp_user_timeout(&stream, millis);
    let reached = stream.local_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |local| local.ip());
    let client = Client { address: peer.ip(), reached };
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(client);
        let app = Arc::clone(app);
        async move { Ok::<_, Infallible>(answer(app, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let asked_to_stop = tokio::select! {
        // What a client breaks is the client's.
        _ = connection.as_mut() => false,
        _ = stop.changed() => true,
    };
    if asked_to_stop {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}
